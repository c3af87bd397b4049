/* Pre-tokeniser patterns, run by PCRE2. */
#include "tokenizer/pretok.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdint.h>

#include "base/utf8.h"
#include "tokenizer/regex.h"

rg_status rg_pretok_add(rg_pretok *p, const char *pattern, size_t len, bool literal, rg_split split,
    bool invert, const rg_src *src)
{
    if (p->n == RG_PRETOK_MAX) return rg_lacks(src, "more than %d pre-tokeniser patterns", RG_PRETOK_MAX);
    const uint32_t options =
        literal ? PCRE2_LITERAL | PCRE2_UTF : PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C;
    int code = 0;
    PCRE2_SIZE at = 0;
    rg_buf own = {0};
    rg_status st =
        literal ? rg_buf_add(&own, pattern, len, src->err) : rg_regex_rewrite(&own, pattern, len, src);
    pcre2_compile_context *cc = st ? NULL : pcre2_compile_context_create(NULL);
    if (!st && !cc) st = rg_no_memory(src->err, src->name);
    if (!st) pcre2_set_newline(cc, PCRE2_NEWLINE_LF);
    pcre2_code *re = st ? NULL : pcre2_compile((PCRE2_SPTR)own.p, own.len, options, &code, &at, cc);
    if (!st && !re) {
        PCRE2_UCHAR msg[128] = {0};
        pcre2_get_error_message(code, msg, sizeof msg);
        st = rg_lacks(src, "pre-tokeniser pattern \"%.80s\": %s", pattern, (const char *)msg);
    }
    pcre2_compile_context_free(cc);
    rg_buf_free(&own);
    if (st) return st;
    (void)pcre2_jit_compile(re, PCRE2_JIT_COMPLETE); /* without JIT the interpreter does it */
    p->step[p->n++] = (struct rg_pretok_step){re, split, invert};
    return RG_OK;
}

typedef struct run {
    const rg_pretok *p;
    pcre2_match_data *md[RG_PRETOK_MAX];
    pcre2_match_context *mc;
    pcre2_jit_stack *stack;
    rg_word_fn word;
    void *user;
    rg_err *err;
} run;

static rg_status cut(run *r, int k, const char *text, size_t len);

/* Pieces of one step: matches and the text between. One piece waits, as the next may belong to it. */
typedef struct pieces {
    run *r;
    int k;
    const char *text;
    size_t start, end; /* the waiting piece; empty if none waits */
    bool match;        /* the last piece seen was a match */
} pieces;

static rg_status flush(pieces *w)
{
    const size_t start = w->start, end = w->end;
    w->start = w->end;
    return end > start ? cut(w->r, w->k + 1, w->text + start, end - start) : RG_OK;
}

static rg_status piece(pieces *w, size_t start, size_t end, bool match)
{
    const struct rg_pretok_step *s = &w->r->p->step[w->k];
    rg_status st = RG_OK;
    if (end == start) return RG_OK;
    if (s->invert) match = !match;
    bool join = false;
    switch (s->split) {
    case RG_SPLIT_ISOLATED:
    case RG_SPLIT_REMOVED:
        break;
    case RG_SPLIT_MERGED_WITH_PREVIOUS:
        join = match && !w->match;
        break;
    case RG_SPLIT_MERGED_WITH_NEXT:
        join = !match && w->match;
        break;
    case RG_SPLIT_CONTIGUOUS:
        join = match == w->match;
        break;
    }
    if (!join || w->end == w->start) {
        st = flush(w);
        w->start = start;
    }
    w->end = end;
    if (s->split == RG_SPLIT_REMOVED && match) w->start = end;
    w->match = match;
    return st;
}

static rg_status cut(run *r, int k, const char *text, size_t len)
{
    if (k == r->p->n) return r->word(r->user, text, len);
    const pcre2_code *re = r->p->step[k].code;
    pieces w = {.r = r, .k = k, .text = text};
    rg_status st = RG_OK;
    size_t from = 0, done = 0; /* searched up to, handed on up to */
    while (!st && from < len) {
        const int rc = pcre2_match(
            re, (PCRE2_SPTR)text, len, from, PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY, r->md[k], r->mc);
        if (rc == PCRE2_ERROR_NOMATCH) break;
        if (rc < 0) {
            PCRE2_UCHAR msg[128] = {0};
            pcre2_get_error_message(rc, msg, sizeof msg);
            return rg_fail(r->err, RG_E_USAGE,
                "tokenizer: the pre-tokeniser pattern gives up on this text: %s", (const char *)msg);
        }
        const PCRE2_SIZE *ov = pcre2_get_ovector_pointer(r->md[k]);
        const size_t start = ov[0], end = ov[1];
        if (start < done || end <= start)
            return rg_fail(
                r->err, RG_E_UNSUPPORTED, "tokenizer: the pre-tokeniser pattern matches backwards");
        st = piece(&w, done, start, false);
        if (!st) st = piece(&w, start, end, true);
        from = done = end;
    }
    if (!st) st = piece(&w, done, len, false);
    return st ? st : flush(&w);
}

rg_status rg_pretok_run(
    const rg_pretok *p, const char *text, size_t len, rg_word_fn word, void *user, rg_err *err)
{
    if (len == 0) return RG_OK;
    if (p->n == 0) return word(user, text, len);
    run r = {.p = p, .word = word, .user = user, .err = err};
    rg_status st = RG_OK;
    const unsigned char *u = (const unsigned char *)text;
    r.mc = pcre2_match_context_create(NULL);
    r.stack = pcre2_jit_stack_create(32 << 10, 16 << 20, NULL);
    bool ok = r.mc != NULL;
    for (int i = 0; i < p->n && ok; i++) ok = (r.md[i] = pcre2_match_data_create(1, NULL)) != NULL;
    if (!ok) {
        st = rg_fail(err, RG_E_NOMEM, "tokenizer: pattern matching");
        goto out;
    }
    pcre2_jit_stack_assign(r.mc, NULL, r.stack);
    /* a pattern may not run for ever */
    pcre2_set_match_limit(r.mc, 10000000u + (uint32_t)(len < 100000000u ? len * 16 : 1600000000u));
    for (size_t i = 0; i < len && !st;) {
        const size_t good = rg_utf8_valid(u + i, len - i);
        if (good) st = cut(&r, 0, text + i, good);
        i += good;
        size_t bad = 0;
        while (i + bad < len && rg_utf8_len(u + i + bad, u + len) == 0) bad++;
        if (bad && !st) st = word(user, text + i, bad);
        i += bad;
    }
out:
    for (int i = 0; i < p->n; i++) pcre2_match_data_free(r.md[i]);
    if (r.stack) pcre2_jit_stack_free(r.stack);
    pcre2_match_context_free(r.mc);
    return st;
}

void rg_pretok_free(rg_pretok *p)
{
    for (int i = 0; i < p->n; i++) pcre2_code_free(p->step[i].code);
    *p = (rg_pretok){0};
}
