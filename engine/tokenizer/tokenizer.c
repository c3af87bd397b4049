/* Opens tokenizers, finds the special tokens, and encodes text. */
#include "tokenizer/tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/foreign.h"
#include "base/grow.h"
#include "base/mapfile.h"
#include "base/utf8.h"
#include "tokenizer/regex.h"
#include "tokenizer/tok_beside.h"
#include "tokenizer/unicode.h"

/* Tokens that end an answer, if they are control tokens. Where the file names no EOS, the first one is it. */
static const char *const end_names[] = {"</s>", "<|end_of_text|>", "<|endoftext|>", "<|end_story|>",
    "<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<|eos|>", "<|return|>", "<|call|>", "<|flush|>", "<|calls|>",
    "<|end|>", "<end_of_turn>", NULL};
/* Where one of these ends an answer, <|end|> ends one of its messages (gpt-oss, Solar Open). */
static const char *const last_names[] = {"<|return|>", "<|flush|>"};
/* Tokens that structure a conversation. Some conversions call them user-defined or not special; then typed
 * text would become them. */
static const char *const marker_names[] = {"<|im_start|>", "<|start_header_id|>", "<|end_header_id|>",
    "<|python_tag|>", "[INST]", "[/INST]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "<|user|>", "<|assistant|>",
    "<|system|>", NULL};
static const char *const begin_names[] = {"<s>", "<|begin_of_text|>", "<|start_story|>", NULL};

rg_status rg_tok_index(rg_tokenizer *t, bool unique, const rg_src *src)
{
    rg_status st = RG_OK;
    rg_vocab *v = &t->vocab;
    rg_buf work[2] = {{0}, {0}}, piece = {0};
    int64_t twice = -1;
    if (v->n == 0) return rg_bad(src, "the vocabulary is empty");
    for (size_t id = 0; id < v->n && !st; id++) {
        const rg_toktype type = (rg_toktype)v->type[id];
        if (type == RG_TT_HOLE || type == RG_TT_CONTROL || type == RG_TT_UNKNOWN) continue;
        const int byte = type == RG_TT_BYTE && t->dec.byte_pieces
            ? rg_byte_piece(rg_vocab_piece(v, id), v->piece[id].len)
            : -1;
        if (byte >= 0) {
            st = rg_vocab_set_text(v, id, &(char){(char)byte}, 1, src->err);
            continue;
        }
        if (t->dec.byte_level && type == RG_TT_USER) continue;
        /* the pool may move while text is added to it */
        const char *text;
        size_t len;
        piece.len = 0;
        st = rg_buf_add(&piece, rg_vocab_piece(v, id), v->piece[id].len, src->err);
        if (!st && t->dec.byte_level && piece.len) {
            const int64_t n = rg_bytemap_decode(
                (unsigned char *)piece.p, (const unsigned char *)rg_vocab_piece(v, id), v->piece[id].len);
            if (n >= 0) st = rg_vocab_set_text(v, id, piece.p, (size_t)n, src->err);
            continue;
        }
        if (!st && piece.len)
            st = rg_norm_run(&t->dec.replace, piece.p, piece.len, false, work, &text, &len, src->err);
        if (!st && piece.len) st = rg_vocab_set_text(v, id, text, len, src->err);
    }
    if (!st) st = rg_vocab_index(v, t->model == RG_TM_BYTE_BPE, &twice, src->err);
    if (!st && unique && twice >= 0)
        st = rg_bad(src, "token %lld has the same piece as an earlier one", (long long)twice);
    rg_buf_free(&work[0]);
    rg_buf_free(&work[1]);
    rg_buf_free(&piece);
    return st;
}

void rg_tok_find_bytes(rg_tokenizer *t)
{
    const rg_vocab *v = &t->vocab;
    for (int b = 0; b < 256; b++)
        t->byte_id[b] = t->model == RG_TM_BYTE_BPE ? rg_vocab_find(v, &(char){(char)b}, 1) : -1;
    if (t->model == RG_TM_BYTE_BPE) return;
    for (size_t id = 0; id < v->n; id++) {
        const int b = v->type[id] == RG_TT_BYTE ? rg_byte_piece(rg_vocab_piece(v, id), v->piece[id].len) : -1;
        if (b >= 0 && t->byte_id[b] < 0) t->byte_id[b] = (int32_t)id;
    }
}

rg_status rg_tok_spm_norm(rg_tokenizer *t, bool squeeze, bool dummy_prefix, bool escape, rg_err *err)
{
    const char *space = escape ? RG_SPM_SPACE : " ";
    rg_status st = squeeze ? rg_norm_add(&t->norm, RG_NORM_SQUEEZE, NULL, 0, NULL, 0, err) : RG_OK;
    if (!st && dummy_prefix) st = rg_norm_add(&t->norm, RG_NORM_PREPEND, NULL, 0, space, strlen(space), err);
    if (!st && escape) st = rg_norm_add(&t->norm, RG_NORM_REPLACE, " ", 1, space, strlen(space), err);
    if (!st && escape) st = rg_norm_add(&t->dec.replace, RG_NORM_REPLACE, space, strlen(space), " ", 1, err);
    t->dec.strip_start = dummy_prefix;
    t->dec.byte_pieces = true;
    return st;
}

rg_status rg_tok_add_raw(rg_tokenizer *t, int32_t id, bool special, rg_err *err)
{
    const rg_pool_span s = t->vocab.piece[id];
    if (s.len == 0) return RG_OK;
    return rg_added_put(
        &t->raw, t->vocab.pool + s.off, s.len, (rg_added_tok){.id = id, .special = special}, err);
}

/* ---- opening ---- */

/* The model that the tokenizer is for: vocab 0 and cfg NULL if there is none. */
typedef struct model {
    int64_t vocab;
    const rg_config *cfg;
} model;

static rg_tokenizer *new_tokenizer(rg_err *err)
{
    rg_tokenizer *t = calloc(1, sizeof *t);
    if (!t) return rg_no_memory(err, "tokenizer"), NULL;
    t->unk = t->bos = t->eos = -1;
    for (int i = 0; i < 256; i++) t->byte_id[i] = -1;
    for (int i = 0; i < RG_ROLES; i++) t->role[i] = RG_ROLE_SILENT;
    return t;
}

static void add_end(rg_tokenizer *t, int32_t id)
{
    if (id < 0 || t->n_end == RG_TOK_END_MAX || rg_tokenizer_is_end(t, id)) return;
    t->end[t->n_end++] = id;
}

static bool named(const rg_tokenizer *t, int32_t id, const char *const *names)
{
    const rg_pool_span s = t->vocab.piece[id];
    for (; *names; names++)
        if (strlen(*names) == s.len && memcmp(t->vocab.pool + s.off, *names, s.len) == 0) return true;
    return false;
}

static void make_control(rg_tokenizer *t, rg_added *a)
{
    for (size_t i = 0; i < a->n; i++) {
        const int32_t id = a->tok[i].id;
        if (a->tok[i].special ||
            !(named(t, id, end_names) || named(t, id, begin_names) || named(t, id, marker_names)))
            continue;
        a->tok[i].special = true;
        t->vocab.type[id] = RG_TT_CONTROL;
    }
}

static int32_t find_control(const rg_tokenizer *t, const char *name)
{
    const int32_t id = rg_vocab_scan(&t->vocab, name);
    return id >= 0 && t->vocab.type[id] == RG_TT_CONTROL ? id : -1;
}

/* After reading: end tokens, and BOS and EOS where the tokenizer's files are silent: what the model's
 * configuration (may be NULL) says, else tokens known by name. */
static rg_status finish(rg_tokenizer *t, const rg_config *cfg, rg_err *err)
{
    make_control(t, &t->raw);
    make_control(t, &t->normed);
    const bool several = find_control(t, last_names[0]) >= 0 || find_control(t, last_names[1]) >= 0;
    if (t->bos < 0 && t->n_prefix > 0) t->bos = t->prefix[0];
    if (cfg && t->bos < 0 && cfg->bos >= 0 && (size_t)cfg->bos < t->vocab.n) t->bos = cfg->bos;
    if (cfg && t->eos < 0 && cfg->n_eos > 0) t->eos = cfg->eos[0];
    add_end(t, t->eos);
    for (int i = 0; cfg && i < cfg->n_eos && i < RG_MAX_EOS; i++) add_end(t, cfg->eos[i]);
    for (size_t i = 0; end_names[i]; i++) {
        const int32_t id = find_control(t, end_names[i]);
        if (id < 0 || (several && strcmp(end_names[i], "<|end|>") == 0)) continue;
        add_end(t, id);
        if (t->eos < 0) t->eos = id;
    }
    for (size_t i = 0; begin_names[i] && t->bos < 0; i++) t->bos = find_control(t, begin_names[i]);
    for (size_t id = 0; id < t->vocab.n; id++)
        t->has_unused = t->has_unused || t->vocab.type[id] == RG_TT_UNUSED;
    const bool whole_text = t->model == RG_TM_SPM
        ? !t->has_unused
        : t->model == RG_TM_BPE && t->pre.n == 0 && !t->ignore_merges && !t->odd_rules;
    return whole_text ? rg_seams_init(&t->seams, &t->vocab, err) : RG_OK;
}

/* Added tokens may have no row in the model: they are refused where a text holds them. */
static rg_status check_size(const rg_tokenizer *t, int64_t vocab, const rg_src *src)
{
    for (size_t id = vocab > 0 ? (size_t)vocab : t->vocab.n; id < t->vocab.n; id++) {
        const rg_toktype type = (rg_toktype)t->vocab.type[id];
        if (type != RG_TT_CONTROL && type != RG_TT_USER && type != RG_TT_UNUSED && type != RG_TT_HOLE)
            return rg_bad(src,
                "the tokenizer has %zu tokens, the model only %lld: it belongs to another model", t->vocab.n,
                (long long)vocab);
    }
    return RG_OK;
}

/* The last step of every reader; t goes to *out, or is closed. */
static rg_status done(rg_tokenizer **out, rg_tokenizer *t, const model *m, rg_status st, const rg_src *src)
{
    if (!st) st = check_size(t, m->vocab, src);
    if (!st) st = finish(t, m->cfg, src->err);
    if (!st)
        *out = t;
    else
        rg_tokenizer_close(t);
    return st;
}

static rg_status open_vocab(rg_tokenizer **out, const rg_ckpt_vocab *v, const model *m, const rg_src *src)
{
    rg_tokenizer *t = new_tokenizer(src->err);
    return t ? done(out, t, m, rg_tok_read_gguf(t, v, src), src) : RG_E_NOMEM;
}

static rg_status open_gguf(rg_tokenizer **out, const model *m, const rg_src *src)
{
    rg_ckpt *c = NULL;
    rg_status st = rg_ckpt_open_vocab(&c, src->name, src->err);
    const rg_ckpt_vocab *v = !st ? rg_ckpt_embedded_vocab(c) : NULL;
    if (!st) st = v ? open_vocab(out, v, m, src) : rg_bad(src, "this GGUF file holds no vocabulary");
    rg_ckpt_close(c);
    return st;
}

/* tokenizer.json or tokenizer.model, with the files beside it. */
static rg_status read_with_beside(
    rg_tokenizer *t, bool json, const unsigned char *p, size_t n, const rg_src *src)
{
    rg_tok_beside b;
    rg_status st = rg_tok_beside_read(&b, src->name, src->err);
    if (st) return st;
    st = json ? rg_tok_read_json(t, &b, p, n, src) : rg_tok_read_spmodel(t, &b, p, n, src);
    if (!st) st = rg_tok_beside_template(t, &b, !json, src->err);
    rg_tok_beside_close(&b);
    return st;
}

static rg_status open_mapped(rg_tokenizer **out, const rg_mapfile *f, const model *m, const rg_src *src)
{
    const unsigned char *p = f->data;
    size_t at = f->size >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    if (f->size >= 4 && memcmp(p, "GGUF", 4) == 0) return open_gguf(out, m, src);
    const rg_status st = rg_foreign(src, p, f->size);
    if (st) return st;
    if (f->size > (size_t)1 << 30)
        return rg_bad(src, "%zu bytes are too many for a tokenizer (at most 1 GiB)", f->size);
    rg_tokenizer *t = new_tokenizer(src->err);
    if (!t) return RG_E_NOMEM;
    while (at < f->size && strchr(" \t\r\n", p[at]) && p[at]) at++;
    const bool json = at < f->size && p[at] == '{', spm = f->size >= 2 && p[0] == 0x0a && p[1] != 0;
    return done(out, t, m,
        json      ? read_with_beside(t, true, p + at, f->size - at, src)
            : spm ? read_with_beside(t, false, p, f->size, src)
                  : rg_tok_read_llama2c(t, p, f->size, m->vocab, src),
        src);
}

static rg_status open_path(rg_tokenizer **out, const char *path, const model *m, rg_err *err)
{
    rg_mapfile f;
    rg_status st = rg_mapfile_open(&f, path, err);
    if (st) return st;
    st = open_mapped(out, &f, m, &(rg_src){path, err});
    rg_mapfile_close(&f);
    return st;
}

rg_status rg_tokenizer_open(rg_tokenizer **out, const char *path, int64_t vocab, rg_err *err)
{
    *out = NULL;
    return open_path(out, path, &(model){.vocab = vocab}, err);
}

rg_status rg_tokenizer_open_for(rg_tokenizer **out, const rg_ckpt *c, const char *path, rg_err *err)
{
    const rg_config *cfg = rg_ckpt_config(c);
    const model m = {cfg->vocab, cfg};
    const char *beside = rg_ckpt_tokenizer_path(c);
    const rg_ckpt_vocab *inside = rg_ckpt_embedded_vocab(c);
    *out = NULL;
    if (path) return open_path(out, path, &m, err);
    if (inside) return open_vocab(out, inside, &m, &(rg_src){rg_ckpt_path(c), err});
    if (beside) return open_path(out, beside, &m, err);
    return rg_fail(err, RG_E_FILE,
        "%s: no tokenizer inside the checkpoint, and no tokenizer.json, tokenizer.model or tokenizer.bin "
        "beside it; name one with -z",
        rg_ckpt_path(c));
}

void rg_tokenizer_close(rg_tokenizer *t)
{
    if (!t) return;
    rg_vocab_free(&t->vocab);
    free(t->pairs.slot);
    rg_seams_free(&t->seams);
    rg_added_free(&t->raw);
    rg_added_free(&t->normed);
    rg_norm_free(&t->norm);
    rg_norm_free(&t->prep);
    rg_norm_free(&t->dec.replace);
    rg_pretok_free(&t->pre);
    free(t);
}

/* ---- encoding ---- */

rg_status rg_enc_push(rg_enc *e, int32_t id)
{
    if (!rg_grow(&e->ids, &e->cap, e->n + 1, sizeof *e->ids)) return rg_no_memory(e->err, "tokenizer");
    e->ids[e->n++] = id;
    return RG_OK;
}

rg_status rg_enc_unknown(rg_enc *e, const char *p, size_t n, bool *in_unk)
{
    char hex[3 * 8 + 1] = "";
    if (e->t->unk < 0) {
        for (size_t i = 0; i < n && i < 8; i++) snprintf(hex + 3 * i, 4, " %02x", (unsigned char)p[i]);
        return rg_fail(e->err, RG_E_USAGE,
            "the vocabulary has no token for the bytes%s of the text, and no unknown token", hex);
    }
    const rg_status st = *in_unk && e->t->fuse_unk ? RG_OK : rg_enc_push(e, e->t->unk);
    *in_unk = true;
    return st;
}

static rg_status word(void *user, const char *p, size_t n)
{
    rg_enc *e = user;
    return e->t->seams.inside ? rg_words_run(e, p, n, rg_bpe_word) : rg_bpe_word(e, p, n);
}

rg_status rg_enc_between(rg_enc *e, const rg_added *a, const rg_trust *trust, const char *p, size_t n,
    bool first, rg_between_fn *between)
{
    size_t from = 0, start, end;
    const rg_added_tok *hit;
    rg_status st = RG_OK;
    while (!st && (hit = rg_added_find(a, p, n, from, trust, &start, &end)) != NULL) {
        st = between(e, p + from, start - from, first && from == 0, rg_trusted(trust, from, start));
        if (!st) st = rg_enc_push(e, hit->id);
        from = end;
    }
    return st ? st : between(e, p + from, n - from, first && from == 0, rg_trusted(trust, from, n));
}

/* Text between added tokens of `normed`. */
static rg_status encode_prepared(rg_enc *e, const char *p, size_t n, bool first, bool trusted)
{
    const rg_tokenizer *t = e->t;
    (void)trusted;
    if (n == 0) return RG_OK;
    const rg_status st = rg_norm_run(&t->prep, p, n, first, e->prep, &p, &n, e->err);
    return st ? st : rg_pretok_run(&t->pre, p, n, word, e, e->err);
}

/* Text between added tokens of `raw`. */
static rg_status encode_segment(rg_enc *e, const char *p, size_t n, bool first, bool trusted)
{
    const rg_tokenizer *t = e->t;
    if (n == 0) return RG_OK;
    const rg_status st = rg_norm_run(&t->norm, p, n, first, e->norm, &p, &n, e->err);
    if (st) return st;
    if (t->model == RG_TM_SPM) return rg_spm_segment(e, p, n);
    return rg_enc_between(
        e, &t->normed, trusted ? &rg_trust_all : &rg_trust_none, p, n, first, encode_prepared);
}

static rg_status encode(const rg_tokenizer *t, const char *text, size_t len, int flags, const rg_trust *trust,
    int32_t **ids, size_t *n, rg_err *err)
{
    rg_enc e = {.t = t, .err = err};
    rg_status st = RG_OK;
    *ids = NULL;
    *n = 0;
    if (len > (size_t)1 << 29)
        return rg_fail(err, RG_E_USAGE, "a text of %zu bytes is too long, at most %zu are encoded at once",
            len, (size_t)1 << 29);
    if (flags & RG_TOK_BOS)
        for (int i = 0; i < t->n_prefix && !st; i++) st = rg_enc_push(&e, t->prefix[i]);
    if (!st) st = rg_enc_between(&e, &t->raw, trust, text, len, true, encode_segment);
    if (flags & RG_TOK_BOS)
        for (int i = 0; i < t->n_suffix && !st; i++) st = rg_enc_push(&e, t->suffix[i]);
    /* never NULL */
    if (!st && !e.ids && !(e.ids = malloc(sizeof *e.ids))) st = rg_no_memory(err, "tokenizer");
    if (!st) {
        *ids = e.ids;
        *n = e.n;
    } else {
        free(e.ids);
    }
    rg_merger_free(&e.merger);
    for (int i = 0; i < 2; i++) {
        rg_buf_free(&e.norm[i]);
        rg_buf_free(&e.prep[i]);
    }
    free(e.rev);
    return st;
}

rg_status rg_tokenizer_encode(
    const rg_tokenizer *t, const char *text, size_t len, int flags, int32_t **ids, size_t *n, rg_err *err)
{
    return encode(t, text, len, flags, flags & RG_TOK_SPECIAL ? &rg_trust_all : &rg_trust_none, ids, n, err);
}

rg_status rg_tokenizer_encode_parts(const rg_tokenizer *t, const rg_tok_part *parts, size_t n_parts,
    int flags, int32_t **ids, size_t *n, rg_err *err)
{
    rg_buf text = {0};
    rg_status st = RG_OK;
    struct rg_trust_span *span = calloc(n_parts + 1, sizeof *span);
    rg_trust trust = {.span = span};
    *ids = NULL;
    *n = 0;
    if (!span) st = rg_no_memory(err, "tokenizer");
    for (size_t i = 0; i < n_parts && !st; i++) {
        const size_t from = text.len;
        st = rg_buf_add(&text, parts[i].text, parts[i].len, err);
        if (!parts[i].control || st) continue;
        if (trust.n > 0 && span[trust.n - 1].to == from)
            span[trust.n - 1].to = text.len;
        else
            span[trust.n++] = (struct rg_trust_span){from, text.len};
    }
    if (!st) st = encode(t, text.p ? text.p : "", text.len, flags, &trust, ids, n, err);
    rg_buf_free(&text);
    free(span);
    return st;
}

/* ---- accessors ---- */

size_t rg_tokenizer_size(const rg_tokenizer *t) { return t->vocab.n; }
int32_t rg_tokenizer_bos(const rg_tokenizer *t) { return t->bos; }
int32_t rg_tokenizer_eos(const rg_tokenizer *t) { return t->eos; }
const char *rg_tokenizer_role(const rg_tokenizer *t, rg_tok_role role)
{
    const int32_t own[RG_ROLES] = {t->bos, t->eos, -1, -1},
                  id = t->role[role] == RG_ROLE_SILENT ? own[role] : t->role[role];
    return id >= 0 ? rg_tokenizer_piece(t, id, NULL) : NULL;
}
const char *rg_tokenizer_kind(const rg_tokenizer *t) { return t->kind; }
int32_t rg_tokenizer_find(const rg_tokenizer *t, const char *piece)
{
    return rg_vocab_scan(&t->vocab, piece);
}

bool rg_tokenizer_adds_bos(const rg_tokenizer *t) { return t->n_prefix > 0; }

size_t rg_tokenizer_prefix(const rg_tokenizer *t, const int32_t **ids)
{
    *ids = t->prefix;
    return (size_t)t->n_prefix;
}

void rg_tokenizer_unicode(char *text, size_t cap)
{
    const char *forms = rg_unicode_version();
    char patterns[24];
    rg_regex_unicode(patterns, sizeof patterns);
    snprintf(text, cap, "patterns of Unicode %s, normal forms of %s%s", patterns, forms ? "Unicode " : "none",
        forms ? forms : "");
}

bool rg_tokenizer_is_end(const rg_tokenizer *t, int32_t id)
{
    for (int i = 0; i < t->n_end; i++)
        if (t->end[i] == id) return true;
    return false;
}

bool rg_tokenizer_is_control(const rg_tokenizer *t, int32_t id)
{
    if (id < 0 || (size_t)id >= t->vocab.n) return false;
    return t->vocab.type[id] == RG_TT_CONTROL || t->vocab.type[id] == RG_TT_UNKNOWN;
}

const char *rg_tokenizer_piece(const rg_tokenizer *t, int32_t id, size_t *len)
{
    const bool ok = id >= 0 && (size_t)id < t->vocab.n;
    if (len) *len = ok ? t->vocab.piece[id].len : 0;
    return ok ? rg_vocab_piece(&t->vocab, (size_t)id) : "";
}
