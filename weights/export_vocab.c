/* Turns tokenizer.json into the vocabulary of a GGUF file. */
#include "weights/export_vocab.h"

#include <stdlib.h>
#include <string.h>

#include "weights/members.h"

/* Token types of GGUF. */
enum { NORMAL = 1, UNKNOWN = 2, CONTROL = 3, USER = 4, UNUSED = 5, BYTE = 6 };

typedef struct vocab {
    const char **piece; /* [n]; borrowed from the JSON; NULL: no such token */
    float *score;
    int32_t *type;
    int64_t n;
} vocab;

/* The first object of that type below o, however deep, or NULL. */
static const json_t *find_type(const json_t *o, const char *type)
{
    const char *key;
    json_t *v;
    size_t i;
    if (json_is_object(o)) {
        if (strcmp(rg_member_word(o, "type"), type) == 0) return o;
        json_object_foreach ((json_t *)(uintptr_t)o, key, v) {
            const json_t *f = find_type(v, type);
            if (f) return f;
        }
    } else if (json_is_array(o)) {
        json_array_foreach (o, i, v) {
            const json_t *f = find_type(v, type);
            if (f) return f;
        }
    }
    return NULL;
}

/* llama.cpp's name of a byte-level pre-tokeniser, or NULL. */
static const char *pre_name(const json_t *pre)
{
    const json_t *split = find_type(pre, "Split"), *digits = find_type(pre, "Digits");
    const char *pattern = rg_member_word(json_object_get(split, "pattern"), "Regex");
    if (split)
        return strstr(pattern, "\\p{N}{1,3}") && strstr(pattern, "(?i:'s|'t|'re|'ve|'m|'ll|'d)") ? "llama-bpe"
                                                                                                 : NULL;
    if (digits) return json_is_true(json_object_get(digits, "individual_digits")) ? "smollm" : NULL;
    return find_type(pre, "ByteLevel") ? "gpt-2" : NULL;
}

static bool put_token(vocab *v, int64_t id, const char *s, int type)
{
    if (id < 0 || id >= v->n) return false;
    v->piece[id] = s;
    v->type[id] = type;
    return true;
}

static bool is_byte(const char *s) { return strlen(s) == 6 && strncmp(s, "<0x", 3) == 0 && s[5] == '>'; }

static bool read_tokens(vocab *v, const json_t *root, bool fallback)
{
    const char *key, *unk = rg_member_word(json_object_get(root, "model"), "unk_token");
    json_t *id, *a;
    size_t i;
    json_object_foreach (json_object_get(json_object_get(root, "model"), "vocab"), key, id)
        if (!put_token(v, json_integer_value(id), key,
                fallback && is_byte(key)    ? BYTE
                    : strcmp(key, unk) == 0 ? UNKNOWN
                                            : NORMAL))
            return false;
    json_array_foreach (json_object_get(root, "added_tokens"), i, a) {
        const int64_t n = json_integer_value(json_object_get(a, "id"));
        const bool special = json_is_true(json_object_get(a, "special"));
        if (n >= 0 && n < v->n && v->type[n] == UNKNOWN) continue;
        if (!put_token(v, n, rg_member_word(a, "content"), special ? CONTROL : USER)) return false;
    }
    return true;
}

/* Either spelling of a merge, "a b" or ["a", "b"], as "a b" in buf. */
static bool merge_text(char *buf, size_t n, const json_t *m)
{
    const char *a = json_string_value(m), *b = NULL;
    if (!a && json_unpack((json_t *)(uintptr_t)m, "[s, s]", &a, &b) != 0) return false;
    const int k = snprintf(buf, n, "%s%s%s", a, b ? " " : "", b ? b : "");
    return k > 0 && (size_t)k < n && strchr(buf, ' ');
}

/* SentencePiece merges by score: a token's is the rank of its merge. */
static bool read_scores(vocab *v, const json_t *root)
{
    const json_t *model = json_object_get(root, "model"), *ids = json_object_get(model, "vocab");
    json_t *m;
    size_t rank;
    char buf[1024];
    for (int64_t i = 0; i < v->n; i++) v->score[i] = v->type[i] == NORMAL ? -1e9f : 0.0f;
    json_array_foreach (json_object_get(model, "merges"), rank, m) {
        if (!merge_text(buf, sizeof buf, m)) return false;
        char *gap = strchr(buf, ' ');
        memmove(gap, gap + 1, strlen(gap));
        const json_t *id = json_object_get(ids, buf);
        const int64_t i = json_is_integer(id) ? json_integer_value(id) : -1;
        if (i < 0 || i >= v->n) return false;
        if (v->score[i] <= -1e9f) v->score[i] = -(float)rank;
    }
    return true;
}

/* A text that the JSON does not hold; the list owns it. */
static const char *keep(json_t *list, const char *s)
{
    json_t *v = json_string(s);
    json_array_append_new(list, v);
    return json_string_value(v);
}

static bool write_all(
    rg_gguf_writer *w, vocab *v, const json_t *root, const char *pre, bool fallback, const rg_config *c)
{
    json_t *merges = json_object_get(json_object_get(root, "model"), "merges"), *own = json_array();
    const size_t n = (size_t)v->n, n_merges = fallback ? 0 : json_array_size(merges);
    size_t *len = malloc((n + n_merges) * sizeof *len), i;
    const char **merge = malloc((n_merges + 1) * sizeof *merge);
    bool ok = len && merge && own;
    char buf[1024];
    rg_ckpt_vocab g = {.model = fallback ? "llama" : "gpt2",
        .pre = fallback ? "default" : pre,
        .n = n,
        .piece = v->piece,
        .piece_len = len,
        .score = fallback ? v->score : NULL,
        .type = v->type,
        .n_merges = n_merges,
        .merge = merge,
        .merge_len = len + n,
        .bos = c->bos,
        .eos = c->n_eos > 0 ? c->eos[0] : -1,
        .eot = -1,
        .unk = -1,
        .add_eos = -1};
    const char *bos = c->bos >= 0 && c->bos < v->n ? v->piece[c->bos] : NULL;
    for (i = 0; ok && i < n; i++) {
        if (!v->piece[i]) { /* rows of the embedding without a token */
            snprintf(buf, sizeof buf, "[PAD%zu]", i);
            v->piece[i] = keep(own, buf);
            v->type[i] = UNUSED;
        }
        if (v->type[i] == UNKNOWN && g.unk < 0) g.unk = (int32_t)i;
        ok = v->piece[i] != NULL;
        len[i] = ok ? strlen(v->piece[i]) : 0;
    }
    for (i = 0; ok && i < n_merges; i++) {
        merge_text(buf, sizeof buf, json_array_get(merges, i));
        ok = (merge[i] = keep(own, buf)) != NULL;
        len[n + i] = strlen(buf);
    }
    /* BOS goes in front if the post-processor's template names it */
    char *post = json_dumps(
        json_object_get(root, "post_processor"), JSON_ENCODE_ANY | JSON_ENSURE_ASCII | JSON_COMPACT);
    g.add_bos = post && bos && strstr(post, bos);
    g.add_space_prefix = fallback ? find_type(json_object_get(root, "normalizer"), "Prepend") != NULL : -1;
    if (ok) rg_gguf_vocab(w, &g);
    free(post);
    free(len);
    free(merge);
    json_decref(own);
    return ok;
}

const char *rg_export_vocab(rg_gguf_writer *w, const char *path, const rg_config *c)
{
    const char *why = NULL, *pre = NULL;
    json_t *root = json_load_file(path, 0, NULL);
    const json_t *model = json_object_get(root, "model");
    const bool fallback = json_is_true(json_object_get(model, "byte_fallback"));
    char buf[1024];
    size_t i;
    json_t *m;
    vocab v = {.n = c->vocab};
    v.piece = calloc((size_t)v.n, sizeof *v.piece);
    v.score = calloc((size_t)v.n, sizeof *v.score);
    v.type = calloc((size_t)v.n, sizeof *v.type);
    if (!root || !v.piece || !v.score || !v.type)
        why = "it cannot be read";
    else if (strcmp(rg_member_word(model, "type"), "BPE") != 0)
        why = "it is no BPE tokenizer";
    else if (!fallback && !(pre = pre_name(json_object_get(root, "pre_tokenizer"))))
        why = "its pre-tokeniser has no name in GGUF";
    else if (!read_tokens(&v, root, fallback))
        why = "it has tokens that the model does not know";
    else if (fallback && !read_scores(&v, root))
        why = "its merges name tokens that it does not have";
    json_array_foreach (json_object_get(model, "merges"), i, m)
        if (!why && !merge_text(buf, sizeof buf, m)) why = "its merges are malformed";
    if (!why && !write_all(w, &v, root, pre, fallback, c)) why = "it cannot be read";
    json_decref(root);
    free(v.piece);
    free(v.score);
    free(v.type);
    return why;
}
