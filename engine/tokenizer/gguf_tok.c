/* Vocabularies inside GGUF files: "llama" is SentencePiece BPE, "gpt2" byte-level BPE with a named
 * pre-tokeniser. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tokenizer/tok_impl.h"

#define DIGITS_THEN_GPT2 "\\p{N}", RG_GPT2_REGEX

/* tokenizer.ggml.pre: the patterns, whether whole words skip merging, and BOS where the file is silent. */
static const struct pre {
    const char *name, *pattern[2];
    bool ignore_merges, add_bos;
} pres[] = {
#define RG_LLAMA3(name) {name, {RG_LLAMA3_REGEX}, true, true},
#define RG_DIGITS(name) {name, {DIGITS_THEN_GPT2}, false, false},
#define RG_GPT2(name) {name, {RG_GPT2_REGEX}, false, false},
#define RG_QWEN2(name) {name, {RG_QWEN2_REGEX}, false, false},
#include "tokenizer/gguf_pre.def"
    {"dbrx", {RG_LLAMA3_REGEX}, false, false},
    {"tekken", {RG_TEKKEN_REGEX}, true, true},
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
    if (!name) {
        rg_lacks(src,
            "the GGUF file does not name its pre-tokeniser (tokenizer.ggml.pre); give the original "
            "tokenizer.json with -z");
        return NULL;
    }
    for (size_t i = 0; i < sizeof pres / sizeof *pres; i++)
        if (strcmp(pres[i].name, name) == 0) return &pres[i];
    size_t n = 0;
    char list[400] = "";
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

rg_status rg_tok_read_gguf(rg_tokenizer *t, const rg_ckpt_vocab *v, const rg_src *src)
{
    const bool spm = v->model && strcmp(v->model, "llama") == 0;
    const struct pre *pre = NULL;
    if (!spm && (!v->model || strcmp(v->model, "gpt2") != 0))
        return rg_lacks(src, "tokenizer.ggml.model \"%.60s\", only \"llama\" and \"gpt2\" are supported",
            v->model ? v->model : "(none)");
    if (spm && !v->score) return rg_bad(src, "a \"llama\" vocabulary needs tokenizer.ggml.scores");
    if (!spm && !(pre = find_pre(v, src))) return RG_E_UNSUPPORTED;
    t->kind = spm ? "GGUF SentencePiece BPE" : "GGUF byte-level BPE";
    t->model = spm ? RG_TM_SPM : RG_TM_BYTE_BPE;
    t->dec.byte_level = !spm;
    rg_status st = read_pieces(t, v, spm, src);
    if (!st && spm) st = rg_tok_spm_norm(t, false, v->add_space_prefix != 0, true, src->err);
    if (!st) st = rg_tok_index(t, false, src);
    if (st) return st;
    rg_tok_find_bytes(t);
    for (size_t id = 0; id < v->n && !st; id++) {
        const rg_toktype type = (rg_toktype)t->vocab.type[id];
        if (type == RG_TT_CONTROL || type == RG_TT_UNKNOWN || type == RG_TT_USER)
            st = rg_tok_add_raw(t, (int32_t)id, type != RG_TT_USER, src->err);
    }
    if (!st && !spm) st = read_merges(t, v, src);
    for (int i = 0; pre && i < 2 && pre->pattern[i] && !st; i++)
        st = rg_pretok_add(
            &t->pre, pre->pattern[i], strlen(pre->pattern[i]), false, RG_SPLIT_ISOLATED, false, src);
    if (st) return st;
    t->ignore_merges = pre && pre->ignore_merges;
    t->fuse_unk = spm;
    t->bos = v->bos >= 0 ? v->bos : spm && v->n > 1 ? 1 : -1;
    t->eos = v->eos >= 0 ? v->eos : spm && v->n > 2 ? 2 : -1;
    t->unk = v->unk >= 0 ? v->unk : spm ? 0 : -1;
    if ((v->add_bos >= 0 ? v->add_bos : spm || pre->add_bos) && t->bos >= 0)
        t->prefix[t->n_prefix++] = t->bos;
    if (v->add_eos == 1 && t->eos >= 0) t->suffix[t->n_suffix++] = t->eos;
    if (v->eot >= 0) t->end[t->n_end++] = v->eot;
    return RG_OK;
}
