/* tokenizer_config.json and its older companions, read by transformers' rules. */
#include "tokenizer/tok_beside.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/path.h"

struct rg_tok_class {
    const char *name, *bos, *eos;
};

static const struct rg_tok_class classes[] = {
#define RG_TOK_CLASS(name, bos, eos) {name, bos, eos},
#include "tokenizer/tok_class.def"
};

/* Roles of special tokens: those of rg_tok_role, then others. */
static const char *const roles[] = {
    "bos_token", "eos_token", "unk_token", "pad_token", "sep_token", "cls_token", "mask_token"};

enum { FILE_MAX = 64 << 20, NAMED_MAX = 1 << 14 };

#define COUNT(a) (sizeof(a) / sizeof *(a))

void rg_tok_beside_close(rg_tok_beside *b)
{
    json_decref(b->added);
    json_decref(b->named);
    for (int i = 0; i < RG_ROLES; i++) json_decref(b->role[i]);
    free(b->file);
    *b = (rg_tok_beside){0};
}

rg_status rg_tok_beside_load(
    json_t **root, char **file, const char *dir, const char *name, size_t flags, rg_err *err)
{
    struct stat s;
    json_error_t je;
    *root = NULL;
    *file = rg_path_join(dir, name);
    if (!*file) return rg_no_memory(err, name);
    if (stat(*file, &s) != 0 || !S_ISREG(s.st_mode)) return RG_OK;
    if (s.st_size > FILE_MAX)
        return rg_fail(err, RG_E_FILE, "%s: %lld bytes are too many, at most %d are read", *file,
            (long long)s.st_size, FILE_MAX);
    *root = json_load_file(*file, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | flags, &je);
    if (!*root) return rg_fail(err, RG_E_FILE, "%s:%d:%d: %s", *file, je.line, je.column, je.text);
    return json_is_object(*root) ? RG_OK : rg_fail(err, RG_E_FILE, "%s: not a JSON object", *file);
}

/* A token as text, or as an object with its content; NULL: null, or empty text. False: neither. */
static bool token_text(const json_t *v, json_t **text)
{
    json_t *s = json_is_object(v) ? json_object_get(v, "content") : (json_t *)(uintptr_t)v;
    *text = NULL;
    if (!v || json_is_null(v)) return true;
    if (!json_is_string(s)) return false;
    if (json_string_length(s) > 0) *text = s;
    return true;
}

static void name(rg_tok_beside *b, const json_t *text)
{
    if (text) json_object_setn_new(b->named, json_string_value(text), json_string_length(text), json_true());
}

/* Roles and lists of special tokens; a later file replaces what an earlier one says of a role. */
static rg_status read_roles(rg_tok_beside *b, const json_t *root, const rg_src *src)
{
    static const char *const lists[] = {"additional_special_tokens", "extra_special_tokens"};
    json_t *text, *v;
    for (size_t i = 0; i < COUNT(roles); i++) {
        const json_t *o = json_object_get(root, roles[i]);
        if (!token_text(o, &text)) return rg_bad(src, "%s is not a token's text", roles[i]);
        name(b, text);
        if (i >= RG_ROLES || !o) continue;
        json_decref(b->role[i]);
        b->role[i] = text ? json_incref(text) : json_null();
    }
    for (size_t i = 0; i < COUNT(lists); i++) {
        const json_t *list = json_object_get(root, lists[i]);
        const char *key;
        size_t k;
        if (list && !json_is_null(list) && !json_is_array(list) && !json_is_object(list))
            return rg_bad(src, "%s is not a list of tokens", lists[i]);
        json_array_foreach (list, k, v) {
            if (!token_text(v, &text)) return rg_bad(src, "%s[%zu] is not a token's text", lists[i], k);
            name(b, text);
        }
        json_object_foreach ((json_t *)(uintptr_t)list, key, v) {
            if (!token_text(v, &text)) return rg_bad(src, "%s.%.60s is not a token's text", lists[i], key);
            name(b, text);
        }
    }
    if (json_object_size(b->named) > NAMED_MAX)
        return rg_bad(
            src, "%zu special tokens, at most %d are supported", json_object_size(b->named), NAMED_MAX);
    return RG_OK;
}

/* added_tokens_decoder: objects by id. */
static rg_status read_decoder(rg_tok_beside *b, const json_t *decoder, const rg_src *src)
{
    const char *key;
    json_t *v;
    if (!json_is_object(decoder)) return rg_bad(src, "added_tokens_decoder is not an object");
    json_object_foreach ((json_t *)(uintptr_t)decoder, key, v) {
        const size_t digits = strspn(key, "0123456789");
        if (digits == 0 || digits > 9 || key[digits])
            return rg_bad(src, "added_tokens_decoder has the id \"%.40s\", expected a number", key);
        if (!json_is_object(v) || !json_is_string(json_object_get(v, "content")))
            return rg_bad(src, "added_tokens_decoder.%s has no content", key);
        json_t *token = json_copy(v); /* what pickled tokens say of their type is no property */
        json_object_del(token, "__type");
        if (!token || json_object_set_new(token, "id", json_integer(strtol(key, NULL, 10))) != 0 ||
            json_array_append_new(b->added, token) != 0)
            return rg_no_memory(src->err, src->name);
    }
    return RG_OK;
}

/* added_tokens.json: ids by content. */
static rg_status read_ids(rg_tok_beside *b, const json_t *root, const rg_src *src)
{
    json_t *object = (json_t *)(uintptr_t)root;
    for (void *it = json_object_iter(object); it; it = json_object_iter_next(object, it)) {
        const char *key = json_object_iter_key(it);
        const size_t n = json_object_iter_key_len(it);
        json_t *id = json_object_iter_value(it);
        if (!json_is_integer(id)) return rg_bad(src, "the id of \"%.60s\" is not an integer", key);
        const bool special = json_object_getn(b->named, key, n) != NULL;
        if (json_array_append_new(b->added,
                json_pack("{s:O, s:s%, s:b}", "id", id, "content", key, n, "special", special)) != 0)
            return rg_no_memory(src->err, src->name);
    }
    return RG_OK;
}

static rg_status read_flag(int *to, const json_t *root, const char *key, const rg_src *src)
{
    const json_t *v = json_object_get(root, key);
    *to = json_is_boolean(v) ? json_is_true(v) : -1;
    return !v || json_is_null(v) || json_is_boolean(v) ? RG_OK : rg_bad(src, "%s is not true or false", key);
}

static rg_status read_config(rg_tok_beside *b, const json_t *root, const rg_src *src)
{
    static const char *const ends[] = {"Tokenizer", "TokenizerFast"};
    const json_t *of = json_object_get(root, "tokenizer_class");
    int legacy;
    rg_status st = read_flag(&b->add_bos, root, "add_bos_token", src);
    if (!st) st = read_flag(&b->add_eos, root, "add_eos_token", src);
    if (!st) st = read_flag(&b->prefix_space, root, "add_prefix_space", src);
    if (!st) st = read_flag(&legacy, root, "legacy", src);
    if (!st && of && !json_is_string(of) && !json_is_null(of))
        st = rg_bad(src, "tokenizer_class is not a name");
    if (st) return st;
    b->config = true;
    b->legacy = legacy == 1;
    for (size_t i = 0; json_is_string(of) && i < COUNT(classes); i++) {
        const size_t n = strlen(classes[i].name);
        const char *s = json_string_value(of);
        if (strncmp(s, classes[i].name, n) == 0 && (!strcmp(s + n, ends[0]) || !strcmp(s + n, ends[1])))
            b->class = &classes[i];
    }
    return read_roles(b, root, src);
}

rg_status rg_tok_beside_read(rg_tok_beside *b, const char *path, rg_err *err)
{
    char *dir = rg_path_folder(path), *file[3] = {0};
    json_t *config = NULL, *map = NULL, *ids = NULL;
    *b = (rg_tok_beside){
        .added = json_array(), .named = json_object(), .add_bos = -1, .add_eos = -1, .prefix_space = -1};
    rg_status st = dir && b->added && b->named ? RG_OK : rg_no_memory(err, path);
    /* model_max_length is 1e30 in many files, as an integer */
    if (!st)
        st =
            rg_tok_beside_load(&config, &file[0], dir, "tokenizer_config.json", JSON_DECODE_INT_AS_REAL, err);
    if (!st && config) st = read_config(b, config, &(rg_src){file[0], err});
    const json_t *decoder = json_object_get(config, "added_tokens_decoder");
    /* with added_tokens_decoder the older files say nothing new, and are not read */
    if (!st && !decoder) st = rg_tok_beside_load(&map, &file[1], dir, "special_tokens_map.json", 0, err);
    if (!st && map) st = read_roles(b, map, &(rg_src){file[1], err});
    if (!st && !decoder) st = rg_tok_beside_load(&ids, &file[2], dir, "added_tokens.json", 0, err);
    if (!st && ids) st = read_ids(b, ids, &(rg_src){file[2], err});
    if (!st && decoder) st = read_decoder(b, decoder, &(rg_src){file[0], err});
    b->file = file[0];
    free(file[1]);
    free(file[2]);
    free(dir);
    json_decref(config);
    json_decref(map);
    json_decref(ids);
    if (st) rg_tok_beside_close(b);
    return st;
}

/* ---- added tokens ---- */

typedef struct merge {
    json_t *list, *known; /* known: places in the list by content */
    rg_tokenizer *t;
    bool indexed;
    rg_err *err;
} merge;

static rg_status append(merge *m, const json_t *token)
{
    const json_t *text = json_object_get(token, "content");
    const bool ok = json_array_append(m->list, (json_t *)(uintptr_t)token) == 0 &&
        (!json_is_string(text) ||
            json_object_setn_new(m->known, json_string_value(text), json_string_length(text),
                json_integer((json_int_t)json_array_size(m->list) - 1)) == 0);
    return ok ? RG_OK : rg_no_memory(m->err, "tokenizer");
}

static json_int_t id_of(const json_t *token) { return json_integer_value(json_object_get(token, "id")); }

/* The id of a piece of the model, or -1. */
static rg_status find_piece(merge *m, int32_t *id, const char *text, size_t n)
{
    rg_status st = RG_OK;
    if (!m->indexed) st = rg_vocab_index(&m->t->vocab, false, NULL, m->err);
    m->indexed = true;
    *id = st ? -1 : rg_vocab_find_any(&m->t->vocab, text, n);
    return st;
}

/* A token that is declared with its id. What it says of white space and the like replaces what the
 * tokenizer's own file says. */
static rg_status declare(merge *m, const json_t *token, const char *file, bool rename, const rg_src *src)
{
    const json_t *text = json_object_get(token, "content");
    const char *s = json_string_value(text);
    const size_t n = json_string_length(text);
    const json_int_t id = id_of(token);
    const json_t *at = json_object_getn(m->known, s, n);
    int32_t piece = -1;
    rg_status st = RG_OK;
    if (at) {
        const size_t i = (size_t)json_integer_value(at);
        piece = (int32_t)id_of(json_array_get(m->list, i));
        if (piece == id)
            return json_array_set(m->list, i, (json_t *)(uintptr_t)token) ? rg_no_memory(m->err, file)
                                                                          : RG_OK;
    } else {
        st = find_piece(m, &piece, s, n);
    }
    if (!st && piece >= 0 && piece != id)
        return rg_bad(src, "\"%.60s\" is token %d here and %lld in %s: they belong to different tokenizers",
            s, (int)piece, (long long)id, file);
    const rg_vocab *v = &m->t->vocab;
    if (!st && !rename && id >= 0 && id < (json_int_t)v->n && v->type[id] != RG_TT_HOLE && piece < 0)
        return rg_bad(src,
            "token %lld is \"%.60s\" here and \"%.60s\" in %s: they belong to different tokenizers",
            (long long)id, rg_vocab_piece(v, (size_t)id), s, file);
    return st ? st : append(m, token);
}

/* Named tokens that nobody declares: those of the model become added tokens, others get the next id. */
static rg_status name_all(merge *m, const rg_tok_beside *b)
{
    rg_status st = RG_OK;
    json_int_t next = (json_int_t)m->t->vocab.n;
    size_t i;
    json_t *token;
    json_array_foreach (m->list, i, token)
        if (id_of(token) >= next) next = id_of(token) + 1;
    for (void *it = json_object_iter(b->named); it && !st; it = json_object_iter_next(b->named, it)) {
        const char *s = json_object_iter_key(it);
        const size_t n = json_object_iter_key_len(it);
        int32_t id;
        if (json_object_getn(m->known, s, n)) continue;
        if ((st = find_piece(m, &id, s, n))) break;
        token = json_pack("{s:I, s:s%, s:b, s:b}", "id", id >= 0 ? (json_int_t)id : next++, "content", s, n,
            "special", 1, "normalized", 0);
        st = token ? append(m, token) : rg_no_memory(m->err, "tokenizer");
        json_decref(token);
    }
    return st;
}

rg_status rg_tok_beside_merge(
    json_t **list, const rg_tok_beside *b, const json_t *own, rg_tokenizer *t, bool rename, const rg_src *src)
{
    merge m = {.list = json_array(), .known = json_object(), .t = t, .err = src->err};
    rg_status st = m.list && m.known ? RG_OK : rg_no_memory(src->err, src->name);
    size_t i;
    json_t *token;
    json_array_foreach (own, i, token)
        if (!st) st = append(&m, token);
    json_array_foreach (b->added, i, token)
        if (!st) st = declare(&m, token, b->file, rename, src);
    if (!st) st = name_all(&m, b);
    json_decref(m.known);
    *list = m.list;
    return st;
}

/* ---- roles ---- */

/* The id of a named token, else of the class's own. needed: it goes before or behind texts. */
static rg_status find_role(const rg_tokenizer *t, int32_t *id, const json_t *named, const char *of_class,
    bool needed, const char *what, const rg_src *src)
{
    const char *s = named ? json_string_value(named) : of_class;
    if (s) *id = rg_vocab_scan(&t->vocab, s);
    if (named && !s) *id = -1;
    if (*id >= 0 || !needed) return RG_OK;
    return s ? rg_bad(src, "add_%s_token: the class adds \"%.60s\", which the vocabulary lacks", what, s)
             : rg_bad(src, "add_%s_token is true for this class, but %s_token is null", what, what);
}

rg_status rg_tok_beside_template(rg_tokenizer *t, const rg_tok_beside *b, bool spm, rg_err *err)
{
    const rg_src src = {b->file, err};
    const bool anew = b->class || (spm && b->config);
    const bool bos = anew && b->add_bos != 0, eos = anew && b->add_eos == 1;
    const json_t *const *role = (const json_t *const *)b->role;
    rg_status st =
        find_role(t, &t->bos, role[RG_ROLE_BOS], b->class ? b->class->bos : NULL, bos, "bos", &src);
    if (!st) st = find_role(t, &t->eos, role[RG_ROLE_EOS], b->class ? b->class->eos : NULL, eos, "eos", &src);
    for (int i = 0; i < RG_ROLES; i++)
        if (role[i])
            t->role[i] = json_is_null(role[i]) ? -1 : rg_vocab_scan(&t->vocab, json_string_value(role[i]));
    if (st || !anew) return st;
    t->n_prefix = t->n_suffix = 0;
    if (bos) t->prefix[t->n_prefix++] = t->bos;
    if (eos) t->suffix[t->n_suffix++] = t->eos;
    for (int i = 0; spm && !b->legacy && i < t->norm.n; i++)
        if (t->norm.step[i].op == RG_NORM_PREPEND) t->norm.step[i].op = RG_NORM_PREPEND_FIRST;
    return RG_OK;
}
