/* tokenizer.json: the model and the added tokens. Unknown parts are refused by name: ignored, they would give
 * wrong ids. */
#include "tokenizer/tok_json.h"

#include <stdio.h>
#include <string.h>

#include "tokenizer/tok_beside.h"
#include "tokenizer/unicode.h"

static bool among(const char *key, const char *keys)
{
    const size_t n = strlen(key);
    for (const char *p = keys; *p; p += strcspn(p, " "), p += *p == ' ')
        if (strcspn(p, " =") == n && memcmp(p, key, n) == 0) return true;
    return false;
}

static rg_status read_one(const rg_tok_src *s, const json_t *o, const char *key, char kind, va_list *ap)
{
    const json_t *v = json_object_get(o, key);
    if (kind == 't' || kind == 'f') {
        bool *out = va_arg(*ap, bool *);
        *out = !v || json_is_null(v) ? kind == 't' : json_is_true(v);
        return !v || json_is_null(v) || json_is_boolean(v)
            ? RG_OK
            : rg_bad(&s->src, "%s.%s is not true or false", s->part, key);
    }
    const char **text = va_arg(*ap, const char **);
    size_t *n = va_arg(*ap, size_t *);
    if (kind == 'p') {
        const json_t *string = json_object_get(v, "String");
        const bool one = json_object_size(v) == 1;
        *va_arg(*ap, bool *) = string != NULL;
        v = string ? string : json_object_get(v, "Regex");
        if (!json_is_string(v) || !one)
            return rg_bad(&s->src, "%s.%s is not {\"String\": ...} or {\"Regex\": ...}", s->part, key);
        if (json_string_length(v) == 0) return rg_bad(&s->src, "%s.%s is empty", s->part, key);
    }
    if (!json_is_string(v)) return rg_bad(&s->src, "%s.%s is missing or not a string", s->part, key);
    *text = json_string_value(v);
    *n = json_string_length(v);
    return RG_OK;
}

rg_status rg_tj_read(const rg_tok_src *s, const json_t *o, const char *keys, ...)
{
    rg_status st = RG_OK;
    const char *key;
    char name[40];
    json_t *value;
    va_list ap;
    if (!json_is_object(o)) return rg_bad(&s->src, "%s is not an object", s->part);
    json_object_foreach ((json_t *)(uintptr_t)o, key, value)
        if (!among(key, keys)) return rg_lacks(&s->src, "%s has an unknown key \"%.60s\"", s->part, key);
    va_start(ap, keys);
    for (const char *p = keys; *p && !st; p += strcspn(p, " "), p += *p == ' ') {
        const size_t n = strcspn(p, " =");
        snprintf(name, sizeof name, "%.*s", (int)n, p);
        if (p[n] == '=') st = read_one(s, o, name, p[n + 1], &ap);
    }
    va_end(ap);
    return st;
}

static rg_status read_vocab(rg_tok_src *s, const json_t *vocab, size_t n_added, bool byte_fallback)
{
    const char *key;
    json_t *value;
    rg_status st = RG_OK;
    rg_tokenizer *t = s->t;
    if (!json_is_object(vocab)) return rg_bad(&s->src, "model.vocab is not an object");
    /* memory follows the size of the file, not the largest id */
    const json_int_t limit = 4 * (json_int_t)(json_object_size(vocab) + n_added) + 1024;
    for (void *it = json_object_iter((json_t *)(uintptr_t)vocab); it && !st;
         it = json_object_iter_next((json_t *)(uintptr_t)vocab, it)) {
        key = json_object_iter_key(it);
        value = json_object_iter_value(it);
        const size_t len = json_object_iter_key_len(it);
        if (!json_is_integer(value)) return rg_bad(&s->src, "the id of \"%.60s\" is not an integer", key);
        const json_int_t id = json_integer_value(value);
        if (id >= limit)
            return rg_bad(&s->src, "token id %lld, but there are only %zu tokens", (long long)id,
                json_object_size(vocab));
        const bool byte = (byte_fallback || t->dec.byte_pieces) && rg_byte_piece(key, len) >= 0;
        st = rg_vocab_set(&t->vocab, id, key, len, byte ? RG_TT_BYTE : RG_TT_NORMAL, 0.0f, &s->src);
    }
    return st;
}

rg_status rg_tj_added(const rg_tok_src *s, const json_t *o, rg_tj_token *a)
{
    const json_t *id = json_object_get(o, "id"), *normalized = json_object_get(o, "normalized");
    const rg_status st =
        rg_tj_read(s, o, "id content=s single_word=f special=f normalized=f lstrip=f rstrip=f", &a->content,
            &a->len, &a->tok.single_word, &a->tok.special, &a->normalized, &a->tok.lstrip, &a->tok.rstrip);
    if (st) return st;
    if (!json_is_integer(id)) return rg_bad(&s->src, "an added token has no integer id");
    a->id = json_integer_value(id);
    if (!normalized || json_is_null(normalized)) a->normalized = !a->tok.special;
    if (a->len == 0) return rg_bad(&s->src, "added token %lld is empty", (long long)a->id);
    if (a->tok.single_word && !rg_unicode_available())
        return rg_lacks(
            &s->src, "added token \"%.60s\" has single_word, which needs a build with utf8proc", a->content);
    a->tok.id = (int32_t)a->id; /* checked when it is set */
    return RG_OK;
}

/* Ids and types of the added tokens. They may repeat a token of the model, not each other. */
static rg_status set_added(rg_tok_src *s, const json_t *list)
{
    rg_vocab *v = &s->t->vocab;
    const size_t n_model = v->n;
    s->part = "added_tokens";
    rg_status st = RG_OK;
    size_t i;
    json_t *o;
    json_array_foreach (list, i, o) {
        rg_tj_token a = {0};
        if ((st = rg_tj_added(s, o, &a))) return st;
        const rg_toktype type = a.tok.special ? RG_TT_CONTROL : RG_TT_USER;
        if (a.id >= 4 * (json_int_t)(n_model + json_array_size(list)) + 1024)
            return rg_bad(
                &s->src, "added token id %lld, but there are only %zu tokens", (long long)a.id, n_model);
        if (a.id >= 0 && (size_t)a.id < v->n && v->type[a.id] != RG_TT_HOLE) {
            const rg_pool_span p = v->piece[a.id];
            if (v->type[a.id] == RG_TT_CONTROL || v->type[a.id] == RG_TT_USER)
                return rg_bad(&s->src, "added token id %lld appears twice", (long long)a.id);
            if (p.len != a.len || memcmp(v->pool + p.off, a.content, a.len) != 0)
                return rg_bad(&s->src, "id %lld is \"%.60s\" in the model and \"%.60s\" in added_tokens",
                    (long long)a.id, v->pool + p.off, a.content);
            if (v->type[a.id] != RG_TT_BYTE) v->type[a.id] = (uint8_t)type;
        } else if ((st = rg_vocab_set(v, a.id, a.content, a.len, type, 0.0f, &s->src))) {
            return st;
        }
    }
    return RG_OK;
}

/* Those marked `normalized` are sought in normalised text, in normalised form. */
static rg_status find_added(rg_tok_src *s, const json_t *list)
{
    rg_tokenizer *t = s->t;
    rg_buf work[2] = {{0}, {0}};
    rg_status st = RG_OK;
    size_t i;
    json_t *o;
    json_array_foreach (list, i, o) {
        rg_tj_token a = {0};
        if ((st = rg_tj_added(s, o, &a))) break;
        if (a.normalized)
            st = rg_norm_run(&t->norm, a.content, a.len, true, work, &a.content, &a.len, s->src.err);
        if (!st && a.len)
            st = rg_added_put(a.normalized ? &t->normed : &t->raw, a.content, a.len, a.tok, s->src.err);
        if (st) break;
    }
    rg_buf_free(&work[0]);
    rg_buf_free(&work[1]);
    return st;
}

/* End of the left half of "a b", or 0. Pieces may hold spaces: then the first cut into known tokens. */
static size_t cut_of(const rg_vocab *v, const char *p, size_t n)
{
    enum { TRIES = 64 };
    const char *gap = n > 1 ? memchr(p + 1, ' ', n - 1) : NULL;
    if (!gap) return 0;
    const size_t first = (size_t)(gap - p);
    if (!memchr(gap + 1, ' ', n - first - 1)) return first;
    for (int i = 0; gap && i < TRIES; i++) {
        const size_t k = (size_t)(gap - p);
        if (rg_vocab_find_any(v, p, k) >= 0 && rg_vocab_find_any(v, gap + 1, n - k - 1) >= 0) return k;
        gap = memchr(gap + 1, ' ', n - k - 1);
    }
    return first;
}

static rg_status read_merges(rg_tok_src *s, const json_t *merges)
{
    rg_status st;
    size_t i;
    json_t *m;
    if (!json_is_array(merges)) return rg_bad(&s->src, "model.merges is not an array");
    if ((st = rg_pairs_init(&s->t->pairs, json_array_size(merges), s->src.err))) return st;
    json_array_foreach (merges, i, m) {
        const char *a = NULL, *b = NULL;
        size_t na = 0, nb = 0;
        if (json_is_string(m)) {
            const size_t n = json_string_length(m);
            a = json_string_value(m);
            na = cut_of(&s->t->vocab, a, n);
            if (na) {
                b = a + na + 1;
                nb = n - na - 1;
            }
        } else if (json_unpack(m, "[s%s%!]", &a, &na, &b, &nb) != 0) {
            a = NULL;
        }
        if (!a || !b) return rg_bad(&s->src, "merge %zu is neither \"a b\" nor [\"a\", \"b\"]", i);
        if ((st = rg_bpe_rule(s->t, a, na, b, nb, (uint32_t)i, &s->src))) return st;
    }
    return RG_OK;
}

/* A string that must be absent, null or empty. */
static rg_status must_be_empty(const rg_tok_src *s, const json_t *model, const char *key)
{
    const json_t *v = json_object_get(model, key);
    if (!v || json_is_null(v) || (json_is_string(v) && json_string_length(v) == 0)) return RG_OK;
    return rg_lacks(&s->src, "model.%s is set", key);
}

static rg_status check_model(rg_tok_src *s, const json_t *model, bool *byte_fallback)
{
    rg_status st;
    s->part = "model";
    rg_tokenizer *t = s->t;
    const json_t *type = json_object_get(model, "type"), *dropout = json_object_get(model, "dropout"),
                 *unk = json_object_get(model, "unk_token");
    if (!json_is_object(model)) return rg_bad(&s->src, "no \"model\" object: not a tokenizer.json?");
    if (type && (!json_is_string(type) || strcmp(json_string_value(type), "BPE") != 0))
        return rg_lacks(&s->src, "model type \"%.60s\", only BPE is supported",
            json_is_string(type) ? json_string_value(type) : "?");
    if ((st = rg_tj_read(s, model,
             "type vocab merges dropout unk_token continuing_subword_prefix end_of_word_suffix fuse_unk=f "
             "byte_fallback=f ignore_merges=f",
             &t->fuse_unk, byte_fallback, &t->ignore_merges)))
        return st;
    if (dropout && !json_is_null(dropout) && json_number_value(dropout) != 0.0)
        return rg_lacks(&s->src, "model.dropout is set");
    if (unk && !json_is_null(unk) && !json_is_string(unk))
        return rg_bad(&s->src, "model.unk_token is not a string");
    if ((st = must_be_empty(s, model, "continuing_subword_prefix"))) return st;
    return must_be_empty(s, model, "end_of_word_suffix");
}

static rg_status part(
    rg_tok_src *s, const json_t *root, const char *name, rg_status (*read)(rg_tok_src *, const json_t *))
{
    s->part = name;
    return read(s, json_object_get(root, name));
}

static rg_status read_root(rg_tok_src *s, const rg_tok_beside *b, const json_t *root, json_t **added)
{
    rg_status st;
    rg_tokenizer *t = s->t;
    const json_t *model = json_object_get(root, "model"), *own = json_object_get(root, "added_tokens");
    bool byte_fallback;
    if ((st = check_model(s, model, &byte_fallback))) return st;
    /* truncation and padding are defaults for batches; callers of the original switch them off */
    s->part = "tokenizer.json";
    if ((st = rg_tj_read(s, root,
             "version truncation padding added_tokens normalizer pre_tokenizer post_processor decoder "
             "model")))
        return st;
    if (own && !json_is_null(own) && !json_is_array(own))
        return rg_bad(&s->src, "added_tokens is not an array");
    if ((st = part(s, root, "normalizer", rg_tj_normalizer)) ||
        (st = part(s, root, "pre_tokenizer", rg_tj_pre_tokenizer)) ||
        (st = part(s, root, "decoder", rg_tj_decoder)))
        return st;
    if (s->byte_level_pre != s->byte_level_dec)
        return rg_lacks(
            &s->src, "ByteLevel is in the %s alone", s->byte_level_pre ? "pre_tokenizer" : "decoder");
    t->model = s->byte_level_pre ? RG_TM_BYTE_BPE : RG_TM_BPE;
    t->kind = s->byte_level_pre ? "tokenizer.json byte-level BPE"
        : byte_fallback         ? "tokenizer.json BPE with byte fallback"
                                : "tokenizer.json BPE";
    if ((st = read_vocab(s, json_object_get(model, "vocab"), json_array_size(own), byte_fallback)) ||
        (st = rg_tok_beside_merge(added, b, own, t, false, &s->src)) || (st = set_added(s, *added)) ||
        (st = rg_tok_index(t, false, &s->src)))
        return st;
    if (byte_fallback || t->model == RG_TM_BYTE_BPE) rg_tok_find_bytes(t);
    const json_t *unk = json_object_get(model, "unk_token");
    if (json_is_string(unk)) {
        t->unk = rg_vocab_find_any(&t->vocab, json_string_value(unk), json_string_length(unk));
        if (t->unk < 0)
            return rg_bad(
                &s->src, "model.unk_token \"%.60s\" is not in the vocabulary", json_string_value(unk));
    }
    if ((st = find_added(s, *added)) || (st = part(s, root, "post_processor", rg_tj_post_processor)))
        return st;
    return read_merges(s, json_object_get(model, "merges"));
}

rg_status rg_tok_read_json(
    rg_tokenizer *t, const rg_tok_beside *b, const unsigned char *data, size_t n, const rg_src *src)
{
    rg_tok_src s = {.t = t, .src = *src, .part = "tokenizer.json", .prefix_space = b->prefix_space};
    json_error_t je;
    json_t *root = json_loadb((const char *)data, n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &je);
    if (!root) return rg_fail(src->err, RG_E_FILE, "%s:%d:%d: %s", src->name, je.line, je.column, je.text);
    json_t *added = NULL;
    const rg_status st = read_root(&s, b, root, &added);
    json_decref(added);
    json_decref(root);
    return st;
}
