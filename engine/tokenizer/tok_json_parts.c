/* tokenizer.json: normalizer, pre_tokenizer, decoder and post_processor. */
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "tokenizer/tok_json.h"
#include "tokenizer/unicode.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

static bool absent(const json_t *o) { return !o || json_is_null(o); }

static const char *type_of(const json_t *o)
{
    const char *s = rg_tj_text(o, "type");
    return s ? s : "(no type)";
}

static bool is(const json_t *o, const char *type) { return strcmp(type_of(o), type) == 0; }

static rg_status unsupported(const rg_tok_src *s, const json_t *o)
{
    return rg_lacks(&s->src, "%s of type \"%.60s\"", s->part, type_of(o));
}

/* The members of a Sequence. */
static rg_status each(
    rg_tok_src *s, const json_t *o, const char *key, rg_status (*one)(rg_tok_src *, const json_t *))
{
    char keys[64];
    size_t i;
    json_t *v;
    const json_t *list = json_object_get(o, key);
    snprintf(keys, sizeof keys, "type %s", key);
    rg_status st = rg_tj_read(s, o, keys);
    if (!st && !json_is_array(list)) st = rg_bad(&s->src, "%s.%s is not an array", s->part, key);
    json_array_foreach (list, i, v) {
        if (!st && absent(v)) st = rg_bad(&s->src, "%s.%s has a null member", s->part, key);
        if (!st) st = one(s, v);
    }
    return st;
}

static rg_status replace_step(rg_tok_src *s, const json_t *o, rg_norm *into)
{
    const char *a, *b;
    size_t na, nb;
    bool literal;
    const rg_status st = rg_tj_read(s, o, "type pattern=p content=s", &a, &na, &literal, &b, &nb);
    if (st) return st;
    if (!literal) return rg_lacks(&s->src, "%s of type \"Replace\" with a regular expression", s->part);
    return rg_norm_add(into, RG_NORM_REPLACE, a, na, b, nb, s->src.err);
}

static rg_status strip_normalizer(rg_tok_src *s, const json_t *o)
{
    bool left, right;
    rg_norm *n = &s->t->norm;
    rg_status st = rg_tj_read(s, o, "type strip_left=t strip_right=t", &left, &right);
    if (!st && left) st = rg_norm_add(n, RG_NORM_STRIP_LEFT, NULL, 0, NULL, 0, s->src.err);
    if (!st && right) st = rg_norm_add(n, RG_NORM_STRIP_RIGHT, NULL, 0, NULL, 0, s->src.err);
    return st;
}

rg_status rg_tj_normalizer(rg_tok_src *s, const json_t *o)
{
    static const struct {
        const char *type;
        rg_norm_op op;
    } plain[] = {{"NFC", RG_NORM_NFC}, {"NFD", RG_NORM_NFD}, {"NFKC", RG_NORM_NFKC}, {"NFKD", RG_NORM_NFKD},
        {"Lowercase", RG_NORM_LOWER}};
    if (absent(o)) return RG_OK;
    if (is(o, "Sequence")) return each(s, o, "normalizers", rg_tj_normalizer);
    if (is(o, "Replace")) return replace_step(s, o, &s->t->norm);
    if (is(o, "Prepend")) {
        const char *p;
        size_t n;
        const rg_status st = rg_tj_read(s, o, "type prepend=s", &p, &n);
        return st ? st : rg_norm_add(&s->t->norm, RG_NORM_PREPEND, NULL, 0, p, n, s->src.err);
    }
    if (is(o, "Strip")) return strip_normalizer(s, o);
    for (size_t i = 0; i < COUNT(plain); i++) {
        if (!is(o, plain[i].type)) continue;
        const rg_status st = rg_tj_read(s, o, "type");
        if (st) return st;
        if (!rg_unicode_available())
            return rg_lacks(&s->src, "normalizer of type \"%s\" needs a build with utf8proc", plain[i].type);
        return rg_norm_add(&s->t->norm, plain[i].op, NULL, 0, NULL, 0, s->src.err);
    }
    return unsupported(s, o); /* StripAccents, BertNormalizer, Precompiled, ... */
}

static rg_status add_split(
    rg_tok_src *s, const char *p, size_t n, bool literal, const char *behaviour, bool invert)
{
    static const char *const names[] = {[RG_SPLIT_ISOLATED] = "Isolated",
        [RG_SPLIT_REMOVED] = "Removed",
        [RG_SPLIT_MERGED_WITH_PREVIOUS] = "MergedWithPrevious",
        [RG_SPLIT_MERGED_WITH_NEXT] = "MergedWithNext",
        [RG_SPLIT_CONTIGUOUS] = "Contiguous"};
    for (size_t k = 0; k < COUNT(names); k++)
        if (strcmp(names[k], behaviour) == 0)
            return rg_pretok_add(&s->t->pre, p, n, literal, (rg_split)k, invert, &s->src);
    return rg_lacks(&s->src, "pre_tokenizer behavior \"%.60s\"", behaviour);
}

static rg_status split_step(rg_tok_src *s, const json_t *o)
{
    const char *p, *behaviour;
    size_t n, behaviour_n;
    bool literal, invert;
    const rg_status st = rg_tj_read(
        s, o, "type pattern=p behavior=s invert=f", &p, &n, &literal, &behaviour, &behaviour_n, &invert);
    return st ? st : add_split(s, p, n, literal, behaviour, invert);
}

/* Hugging Face's punctuation: that of ASCII, symbols included, and what Unicode 8 called punctuation. */
#define PUNCTUATION \
    "[!-/" \
    ":-@\\[-`{-~\\u166d\\x{111c9}[\\p{P}&&[^\\u061d\\u09fd\\u0a76\\u0c77\\u0c84\\u1b4e\\u1b4f\\u1b7d-" \
    "\\u1b7f" \
    "\\u2e43-\\u2e4f\\u2e52-\\u2e5d\\x{10ead}\\x{10d6e}\\x{10f55}-\\x{10f59}\\x{10f86}-\\x{10f89}\\x{113d4}" \
    "-\\x{113d8}" \
    "\\x{1144b}-\\x{1145d}\\x{11660}-\\x{1166c}\\x{116b9}\\x{1183b}\\x{11944}-\\x{11946}\\x{119e2}\\x{" \
    "11a3f}-\\x{11aa2}" \
    "\\x{11b00}-\\x{11b09}\\x{11be1}\\x{11c41}-\\x{11c71}\\x{11ef7}-\\x{11fff}\\x{12ff1}\\x{12ff2}\\x{" \
    "16d6d}-\\x{16d6f}\\x{16e97}-\\x{16e9a}" \
    "\\x{16fe2}\\x{1e5ff}\\x{1e95e}\\x{1e95f}]]]"

static rg_status punctuation_step(rg_tok_src *s, const json_t *o)
{
    const char *behaviour = rg_tj_text(o, "behavior");
    const rg_status st = rg_tj_read(s, o, "type behavior");
    if (st) return st;
    if (!behaviour && json_object_get(o, "behavior"))
        return rg_bad(&s->src, "pre_tokenizer.behavior is not a string");
    return add_split(s, PUNCTUATION, strlen(PUNCTUATION), false, behaviour ? behaviour : "Isolated", false);
}

/* A Metaspace: its mark, and whether a space goes in front: prepend_scheme, in older files
 * add_prefix_space. */
typedef struct metaspace {
    const char *mark, *scheme;
    size_t n;
    bool split;
} metaspace;

static rg_status read_metaspace(const rg_tok_src *s, const json_t *o, metaspace *m)
{
    bool prefix;
    const rg_status st =
        rg_tj_read(s, o, "type replacement=s str_rep split=t add_prefix_space=t prepend_scheme", &m->mark,
            &m->n, &m->split, &prefix);
    if (st) return st;
    m->scheme = rg_tj_text(o, "prepend_scheme");
    if (!m->scheme) m->scheme = prefix ? "always" : "never";
    if (strcmp(m->scheme, "always") != 0 && strcmp(m->scheme, "first") != 0 &&
        strcmp(m->scheme, "never") != 0)
        return rg_lacks(&s->src, "%s Metaspace prepend_scheme \"%.60s\"", s->part, m->scheme);
    return RG_OK;
}

static rg_status metaspace_step(rg_tok_src *s, const json_t *o)
{
    metaspace m;
    rg_tokenizer *t = s->t;
    rg_status st = read_metaspace(s, o, &m);
    if (st) return st;
    if (t->pre.n > 0 || t->prep.n > 0)
        return rg_lacks(&s->src, "a Metaspace that is not the first pre_tokenizer");
    if (m.n == 0) return rg_bad(&s->src, "pre_tokenizer.replacement is empty");
    st = rg_norm_add(&t->prep, RG_NORM_REPLACE, " ", 1, m.mark, m.n, s->src.err);
    if (!st && strcmp(m.scheme, "never") != 0)
        st = rg_norm_add(&t->prep, strcmp(m.scheme, "first") == 0 ? RG_NORM_ENSURE_FIRST : RG_NORM_ENSURE,
            NULL, 0, m.mark, m.n, s->src.err);
    if (!st && m.split)
        st = rg_pretok_add(&t->pre, m.mark, m.n, true, RG_SPLIT_MERGED_WITH_NEXT, false, &s->src);
    return st;
}

static rg_status byte_level_step(rg_tok_src *s, const json_t *o)
{
    bool prefix, use_regex;
    rg_tokenizer *t = s->t;
    rg_status st = rg_tj_read(s, o, "type add_prefix_space=t trim_offsets use_regex=t", &prefix, &use_regex);
    if (st) return st;
    if (s->prefix_space >= 0) prefix = s->prefix_space;
    if (prefix && t->pre.n > 0)
        return rg_lacks(&s->src, "a ByteLevel with add_prefix_space that is not the first pre_tokenizer");
    if (prefix) st = rg_norm_add(&t->prep, RG_NORM_ENSURE, NULL, 0, " ", 1, s->src.err);
    if (!st && use_regex)
        st = rg_pretok_add(
            &t->pre, RG_GPT2_REGEX, strlen(RG_GPT2_REGEX), false, RG_SPLIT_ISOLATED, false, &s->src);
    s->byte_level_pre = true;
    return st;
}

static rg_status digits_step(rg_tok_src *s, const json_t *o)
{
    bool individual;
    const rg_status st = rg_tj_read(s, o, "type individual_digits=f", &individual);
    return st ? st
              : rg_pretok_add(&s->t->pre, "\\p{N}", 5, false,
                    individual ? RG_SPLIT_ISOLATED : RG_SPLIT_CONTIGUOUS, false, &s->src);
}

rg_status rg_tj_pre_tokenizer(rg_tok_src *s, const json_t *o)
{
    if (absent(o)) return RG_OK;
    if (is(o, "Sequence")) {
        s->prefix_space = -1;
        return each(s, o, "pretokenizers", rg_tj_pre_tokenizer);
    }
    /* ByteLevel changes the characters that later patterns would see */
    if (s->byte_level_pre) return rg_lacks(&s->src, "a pre_tokenizer \"%.60s\" after ByteLevel", type_of(o));
    if (is(o, "Split")) return split_step(s, o);
    if (is(o, "Digits")) return digits_step(s, o);
    if (is(o, "Punctuation")) return punctuation_step(s, o);
    if (is(o, "ByteLevel")) return byte_level_step(s, o);
    if (is(o, "Metaspace")) return metaspace_step(s, o);
    return unsupported(s, o);
}

static rg_status strip_step(rg_tok_src *s, const json_t *o)
{
    const char *content;
    size_t n;
    const json_int_t start = json_integer_value(json_object_get(o, "start")),
                     stop = json_integer_value(json_object_get(o, "stop"));
    const rg_status st = rg_tj_read(s, o, "type content=s start stop", &content, &n);
    if (st) return st;
    if (start == 0 && stop == 0) return RG_OK;
    if (!s->fused || n != 1 || content[0] != ' ' || start != 1 || stop != 0 || s->t->dec.strip_start)
        return rg_lacks(&s->src, "a decoder Strip other than one leading space of the whole text");
    s->t->dec.strip_start = true;
    return RG_OK;
}

static rg_status decoder_step(rg_tok_src *s, const json_t *o)
{
    rg_decoder *d = &s->t->dec;
    rg_status st;
    metaspace m;
    if (is(o, "Sequence")) return each(s, o, "decoders", decoder_step);
    if (is(o, "Replace")) return replace_step(s, o, &d->replace);
    if (is(o, "Strip")) return strip_step(s, o);
    if (is(o, "ByteFallback")) {
        d->byte_pieces = true;
        return rg_tj_read(s, o, "type");
    }
    if (is(o, "Fuse")) {
        s->fused = true;
        return rg_tj_read(s, o, "type");
    }
    if (is(o, "ByteLevel")) {
        s->byte_level_dec = d->byte_level = true;
        return rg_tj_read(s, o, "type add_prefix_space trim_offsets use_regex");
    }
    if (is(o, "Metaspace")) {
        st = read_metaspace(s, o, &m);
        if (!st && m.n == 0) st = rg_bad(&s->src, "decoder.replacement is empty");
        if (st) return st;
        if (strcmp(m.scheme, "never") != 0) d->strip_start = true;
        return rg_norm_add(&d->replace, RG_NORM_REPLACE, m.mark, m.n, " ", 1, s->src.err);
    }
    return unsupported(s, o);
}

rg_status rg_tj_decoder(rg_tok_src *s, const json_t *o)
{
    if (absent(o)) return rg_lacks(&s->src, "there is no decoder");
    const rg_status st = decoder_step(s, o);
    if (!st && s->t->dec.byte_level && (s->t->dec.replace.n > 0 || s->t->dec.byte_pieces))
        return rg_lacks(&s->src, "a decoder that mixes ByteLevel with others");
    return st;
}

static rg_status template_token(
    rg_tok_src *s, const json_t *specials, const char *name, int32_t *list, int *n)
{
    size_t i;
    json_t *v;
    const json_t *ids = json_object_get(json_object_get(specials, name), "ids");
    if (!json_is_array(ids))
        return rg_bad(&s->src, "post_processor names \"%.60s\", which its special_tokens lack", name);
    json_array_foreach (ids, i, v) {
        const json_int_t id = json_is_integer(v) ? json_integer_value(v) : -1;
        if (id < 0 || (uint64_t)id >= s->t->vocab.n || s->t->vocab.type[id] == RG_TT_HOLE)
            return rg_bad(&s->src, "post_processor token \"%.60s\" has id %lld, which no token has", name,
                (long long)id);
        if (*n == RG_TOK_TEMPLATE_MAX)
            return rg_lacks(&s->src, "post_processor adds more than %d tokens", RG_TOK_TEMPLATE_MAX);
        list[(*n)++] = (int32_t)id;
    }
    return RG_OK;
}

static rg_status template(rg_tok_src *s, const json_t *o)
{
    size_t i;
    json_t *v;
    rg_tokenizer *t = s->t;
    const json_t *single = json_object_get(o, "single"), *specials = json_object_get(o, "special_tokens");
    bool text = false;
    rg_status st = rg_tj_read(s, o, "type single pair special_tokens");
    if (st) return st;
    if (!json_is_array(single)) return rg_bad(&s->src, "post_processor.single is not an array");
    if (t->n_prefix || t->n_suffix) return rg_lacks(&s->src, "more than one TemplateProcessing");
    json_array_foreach (single, i, v) {
        const json_t *token = json_object_get(v, "SpecialToken"), *sequence = json_object_get(v, "Sequence");
        const char *name = json_string_value(json_object_get(token ? token : sequence, "id"));
        if (!name || json_object_size(v) != 1)
            return rg_bad(
                &s->src, "post_processor.single has a member that is neither SpecialToken nor Sequence");
        if (token) {
            st = text ? template_token(s, specials, name, t->suffix, &t->n_suffix)
                      : template_token(s, specials, name, t->prefix, &t->n_prefix);
            if (st) return st;
        } else if (text || strcmp(name, "A") != 0) {
            return rg_bad(&s->src, "post_processor.single has more than the sequence A");
        } else {
            text = true;
        }
    }
    return text ? RG_OK : rg_bad(&s->src, "post_processor.single has no sequence A");
}

rg_status rg_tj_post_processor(rg_tok_src *s, const json_t *o)
{
    if (absent(o)) return RG_OK;
    if (is(o, "Sequence")) return each(s, o, "processors", rg_tj_post_processor);
    /* offsets only */
    if (is(o, "ByteLevel")) return rg_tj_read(s, o, "type add_prefix_space trim_offsets use_regex");
    if (is(o, "TemplateProcessing")) return template(s, o);
    return unsupported(s, o);
}
