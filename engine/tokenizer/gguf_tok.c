/* Vocabularies inside GGUF files: "llama" is SentencePiece BPE, "gpt2" byte-level BPE with a named
 * pre-tokeniser. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tokenizer/tok_impl.h"

/* Letters of scripts with upper and lower case, as DeepSeek LLM lists them. */
#define RG_CASED_SCRIPTS \
    "A-Za-z\\u00b5\\u00c0-\\u00d6\\u00d8-\\u00f6\\u00f8-\\u01ba\\u01bc-\\u01bf\\u01c4-\\u0293\\u0295-" \
    "\\u02af" \
    "\\u0370-\\u0373\\u0376\\u0377\\u037b-\\u037d\\u037f\\u0386\\u0388-\\u038a\\u038c\\u038e-" \
    "\\u03a1\\u03a3-\\u03f5" \
    "\\u03f7-\\u0481\\u048a-\\u052f\\u0531-\\u0556\\u10a0-\\u10c5\\u13a0-\\u13f5\\u13f8-\\u13fd\\u1c90-" \
    "\\u1cba" \
    "\\u1cbd-\\u1cbf\\u1d00-\\u1d2b\\u1d6b-\\u1d77\\u1d79-\\u1d9a\\u1e00-\\u1f15\\u1f18-\\u1f1d\\u1f20-" \
    "\\u1f45" \
    "\\u1f48-\\u1f4d\\u1f50-\\u1f57\\u1f59\\u1f5b\\u1f5d\\u1f5f-\\u1f7d\\u1f80-\\u1fb4\\u1fb6-" \
    "\\u1fbc\\u1fbe" \
    "\\u1fc2-\\u1fc4\\u1fc6-\\u1fcc\\u1fd0-\\u1fd3\\u1fd6-\\u1fdb\\u1fe0-\\u1fec\\u1ff2-\\u1ff4\\u1ff6-" \
    "\\u1ffc" \
    "\\u2102\\u2107\\u210a-\\u2113\\u2115\\u2119-\\u211d\\u2124\\u2126\\u2128\\u212a-\\u212d\\u212f-" \
    "\\u2134\\u2139" \
    "\\u213c-\\u213f\\u2145-\\u2149\\u214e\\u2183\\u2184\\u2c00-\\u2c7b\\u2c7e-\\u2ce4\\u2ceb-" \
    "\\u2cee\\u2cf2\\u2cf3" \
    "\\ua640-\\ua66d\\ua680-\\ua69b\\ua722-\\ua76f\\ua771-\\ua787\\ua78b-\\ua78e\\uab70-\\uabbf\\ufb00-" \
    "\\ufb06" \
    "\\ufb13-\\ufb17\\uff21-\\uff3a\\uff41-\\uff5a\\x{10400}-\\x{1044f}\\x{104b0}-\\x{104d3}\\x{104d8}-\\x{" \
    "104fb}" \
    "\\x{10c80}-\\x{10cb2}\\x{10cc0}-\\x{10cf2}\\x{118a0}-\\x{118df}\\x{1e900}-\\x{1e943}"
/* Han of Unicode 1, all below it from U+0800 on, Hangul and what follows it. */
#define RG_EAST_ASIAN "[\\u4e00-\\u9fa5\\u0800-\\u4e00\\uac00-\\ud7ff]+"

enum { PATTERN_MAX = 6 };

typedef enum form {
#define RG_FORM(form, ...) FORM_##form,
#include "tokenizer/gguf_pre.def"
    FORM_COUNT
} form;

static const char *const forms[FORM_COUNT][PATTERN_MAX] = {
#define RG_FORM(form, ...) [FORM_##form] = {__VA_ARGS__},
#include "tokenizer/gguf_pre.def"
};

enum { MERGES_OFF = 1, BOS = 2 };

static const struct pre {
    const char *name;
    form form;
    int flags;
} pres[] = {
#define RG_PRE(form, name, flags) {name, FORM_##form, flags},
#include "tokenizer/gguf_pre.def"
};

static bool piece_is(const rg_ckpt_vocab *v, size_t id, const char *s)
{
    return id < v->n && v->piece_len[id] == strlen(s) && memcmp(v->piece[id], s, strlen(s)) == 0;
}

static const struct pre *find_pre(const rg_ckpt_vocab *v, const rg_src *src)
{
    const char *name = v->pre;
    /* early Llama-3 conversions name no pre-tokeniser; no other vocabulary looks like theirs */
    if ((!name || strcmp(name, "default") == 0) && v->n == 128256 && piece_is(v, 128000, "<|begin_of_text|>"))
        name = "llama-bpe";
    if (!name) name = "default";
    if (strcmp(v->model, "gemma4") == 0) name = "gemma4";
    for (size_t i = 0; i < sizeof pres / sizeof *pres; i++)
        if (strcmp(pres[i].name, name) == 0) return &pres[i];
    size_t n = 0;
    char list[800] = "";
    for (size_t i = 0; i < sizeof pres / sizeof *pres && n < sizeof list; i++)
        n += (size_t)snprintf(list + n, sizeof list - n, "%s%s", i ? " " : "", pres[i].name);
    rg_lacks(src,
        "pre-tokeniser \"%.60s\" (tokenizer.ggml.pre) is not supported (these are: %s); give the "
        "original tokenizer.json with -z",
        name, list);
    return NULL;
}

static rg_status read_pieces(rg_tokenizer *t, const rg_ckpt_vocab *v, bool spm, const rg_src *src)
{
    rg_status st = RG_OK;
    for (size_t id = 0; id < v->n && !st; id++) {
        int32_t type = v->type ? v->type[id] : RG_TT_NORMAL;
        const float score = v->score ? v->score[id] : 0.0f;
        const int byte = spm ? rg_byte_piece(v->piece[id], v->piece_len[id]) : -1;
        if (type < RG_TT_NORMAL || type > RG_TT_BYTE)
            return rg_bad(src, "token %zu has type %d, expected 1 to 6", id, type);
        if (!isfinite(score)) return rg_bad(src, "the score of token %zu is not finite", id);
        if (!v->type && byte >= 0) type = RG_TT_BYTE;
        if (!v->type && spm && id < 3) type = id == 0 ? RG_TT_UNKNOWN : RG_TT_CONTROL;
        if (type == RG_TT_BYTE && byte < 0) type = RG_TT_NORMAL;
        st = rg_vocab_set(
            &t->vocab, (int64_t)id, v->piece[id], v->piece_len[id], (rg_toktype)type, score, src);
    }
    return st;
}

static rg_status read_merges(rg_tokenizer *t, const rg_ckpt_vocab *v, const rg_src *src)
{
    rg_status st = rg_pairs_init(&t->pairs, v->n_merges, src->err);
    for (size_t i = 0; i < v->n_merges && !st; i++) {
        const char *m = v->merge[i];
        const size_t len = v->merge_len[i];
        const char *gap = len > 1 ? memchr(m + 1, ' ', len - 1) : NULL;
        if (!gap) return rg_bad(src, "merge %zu is not two pieces with a space between", i);
        st = rg_bpe_rule(t, m, (size_t)(gap - m), gap + 1, len - (size_t)(gap - m) - 1, (uint32_t)i, src);
    }
    return st;
}

/* What kind of vocabulary tokenizer.ggml.model names. */
static const struct kind {
    const char *name, *text;
    rg_tok_model model;
    bool bytes, pre; /* <0xHH> pieces stand for bytes; there is a pre-tokeniser */
} kinds[] = {{"llama", "GGUF SentencePiece BPE", RG_TM_SPM, true, false},
    {"gpt2", "GGUF byte-level BPE", RG_TM_BYTE_BPE, false, true},
    {"gemma4", "GGUF BPE with byte fallback", RG_TM_BPE, true, true}};

static const struct kind *find_kind(const rg_ckpt_vocab *v, const rg_src *src)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (v->model && strcmp(kinds[i].name, v->model) == 0) return &kinds[i];
    rg_lacks(src, "tokenizer.ggml.model \"%.60s\", only \"llama\", \"gpt2\" and \"gemma4\" are supported",
        v->model ? v->model : "(none)");
    return NULL;
}

/* BOS in front and EOS behind: as the file says, else as llama.cpp does for that kind of vocabulary. */
static rg_status read_template(rg_tokenizer *t, const rg_ckpt_vocab *v, bool add_bos, const rg_src *src)
{
    /* early Llama-3 conversions name no BOS */
    if (add_bos && t->bos < 0) t->bos = rg_vocab_scan(&t->vocab, "<|begin_of_text|>");
    const struct {
        bool add;
        int32_t id;
        const char *name;
    } ends[] = {{add_bos, t->bos, "bos"}, {v->add_eos == 1, t->eos, "eos"}};
    for (int i = 0; i < 2; i++)
        if (ends[i].add && ends[i].id < 0)
            return rg_bad(src, "tokenizer.ggml.add_%s_token is true%s, but %s_token_id names no token",
                ends[i].name, i == 0 && v->add_bos < 0 ? " for this vocabulary" : "", ends[i].name);
    if (add_bos) t->prefix[t->n_prefix++] = t->bos;
    if (v->add_eos == 1) t->suffix[t->n_suffix++] = t->eos;
    return RG_OK;
}

rg_status rg_tok_read_gguf(rg_tokenizer *t, const rg_ckpt_vocab *v, const rg_src *src)
{
    const struct kind *kind = find_kind(v, src);
    const bool spm = kind && kind->model == RG_TM_SPM;
    const struct pre *pre = NULL;
    if (!kind) return RG_E_UNSUPPORTED;
    if (spm && !v->score) return rg_bad(src, "a \"llama\" vocabulary needs tokenizer.ggml.scores");
    if (kind->pre && !(pre = find_pre(v, src))) return RG_E_UNSUPPORTED;
    t->kind = pre && pre->form == FORM_DEFAULT
        ? "GGUF byte-level BPE, pre-tokeniser not named: llama.cpp's default"
        : kind->text;
    t->model = kind->model;
    t->dec.byte_level = t->model == RG_TM_BYTE_BPE;
    rg_status st = read_pieces(t, v, kind->bytes, src);
    if (!st && kind->bytes) st = rg_tok_spm_norm(t, false, spm && v->add_space_prefix != 0, true, src->err);
    if (!st) st = rg_tok_index(t, false, src);
    if (st) return st;
    rg_tok_find_bytes(t);
    for (size_t id = 0; id < v->n && !st; id++) {
        const rg_toktype type = (rg_toktype)t->vocab.type[id];
        if (type == RG_TT_CONTROL || type == RG_TT_UNKNOWN || type == RG_TT_USER)
            st = rg_tok_add_raw(t, (int32_t)id, type != RG_TT_USER, src->err);
    }
    if (!st && pre) st = read_merges(t, v, src);
    for (int i = 0; pre && i < PATTERN_MAX && forms[pre->form][i] && !st; i++) {
        const char *pattern = forms[pre->form][i];
        st = rg_pretok_add(&t->pre, pattern, strlen(pattern), false, RG_SPLIT_ISOLATED, false, src);
    }
    if (st) return st;
    t->ignore_merges = pre && pre->flags & MERGES_OFF;
    t->whole_breaks = pre && pre->form == FORM_GEMMA4;
    t->fuse_unk = spm;
    t->bos = v->bos >= 0 ? v->bos : spm && v->n > 1 ? 1 : -1;
    t->eos = v->eos >= 0 ? v->eos : spm && v->n > 2 ? 2 : -1;
    t->unk = v->unk >= 0 ? v->unk : spm ? 0 : -1;
    if (v->eot >= 0) t->end[t->n_end++] = v->eot;
    /* Gemma 4 was trained with BOS, and its files deny it */
    const bool gemma4 = pre && pre->form == FORM_GEMMA4;
    const bool add_bos = gemma4 || (v->add_bos >= 0 ? v->add_bos == 1 : spm || (pre && pre->flags & BOS));
    return read_template(t, v, add_bos, src);
}
