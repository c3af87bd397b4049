/* Runs the steps of a normaliser over a growing buffer. */
#include "tokenizer/textnorm.h"

#include <stdlib.h>
#include <string.h>

#include "base/grow.h"
#include "base/utf8.h"
#include "tokenizer/unicode.h"

rg_status rg_buf_add(rg_buf *b, const char *p, size_t n, rg_err *err)
{
    if (!rg_grow(&b->p, &b->cap, b->len + n, 1)) return rg_no_memory(err, "tokenizer");
    if (n) memcpy(b->p + b->len, p, n);
    b->len += n;
    return RG_OK;
}

void rg_buf_free(rg_buf *b)
{
    free(b->p);
    *b = (rg_buf){0};
}

rg_status rg_norm_add(
    rg_norm *n, rg_norm_op op, const char *a, size_t a_len, const char *b, size_t b_len, rg_err *err)
{
    if (n->n == RG_NORM_MAX)
        return rg_fail(err, RG_E_UNSUPPORTED, "tokenizer: more than %d normalisation steps", RG_NORM_MAX);
    rg_norm_step *s = &n->step[n->n];
    *s = (rg_norm_step){
        .op = op, .a = malloc(a_len + 1), .b = malloc(b_len + 1), .a_len = a_len, .b_len = b_len};
    n->n++;
    if (!s->a || !s->b) return rg_fail(err, RG_E_NOMEM, "tokenizer: normalisation step");
    if (a_len) memcpy(s->a, a, a_len);
    if (b_len) memcpy(s->b, b, b_len);
    return RG_OK;
}

static rg_status replace(const rg_norm_step *s, const char *text, size_t len, rg_buf *out, rg_err *err)
{
    rg_status st = RG_OK;
    const char *p = text, *end = text + len;
    while (!st && p < end) {
        const char *hit = memmem(p, (size_t)(end - p), s->a, s->a_len);
        st = rg_buf_add(out, p, (size_t)((hit ? hit : end) - p), err);
        if (hit && !st) st = rg_buf_add(out, s->b, s->b_len, err);
        p = hit ? hit + s->a_len : end;
    }
    return st;
}

static rg_status squeeze(const char *text, size_t len, rg_buf *out, rg_err *err)
{
    rg_status st = RG_OK;
    for (size_t i = 0; i < len && !st; i++)
        if (text[i] != ' ' || (out->len && out->p[out->len - 1] != ' '))
            st = rg_buf_add(out, text + i, 1, err);
    if (out->len && out->p[out->len - 1] == ' ') out->len--;
    return st;
}

static size_t space_at_start(const char *text, size_t len)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t i = 0;
    for (size_t k;
         i < len && (k = rg_utf8_len(p + i, p + len)) != 0 && rg_utf8_is_space(rg_utf8_get(p + i, k));)
        i += k;
    return i;
}

static size_t space_at_end(const char *text, size_t len)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t end = len;
    while (end > 0) {
        size_t i = end - 1;
        while (i > 0 && end - i < 4 && (p[i] & 0xc0) == 0x80) i--;
        const size_t k = rg_utf8_len(p + i, p + end);
        if (k != end - i || !rg_utf8_is_space(rg_utf8_get(p + i, k))) break;
        end = i;
    }
    return len - end;
}

rg_status rg_norm_run(const rg_norm *n, const char *text, size_t len, bool first, rg_buf scratch[2],
    const char **out, size_t *out_len, rg_err *err)
{
    rg_status st = RG_OK;
    int turn = 0; /* the buffer that does not hold the text */
    for (int i = 0; i < n->n && len > 0 && !st; i++) {
        const rg_norm_step *s = &n->step[i];
        rg_buf *b = &scratch[turn];
        b->len = 0;
        switch (s->op) {
        case RG_NORM_ENSURE_FIRST:
        case RG_NORM_PREPEND_FIRST:
            if (!first) continue;
            /* fallthrough */
        case RG_NORM_ENSURE:
            if (s->op != RG_NORM_PREPEND_FIRST && len >= s->b_len && memcmp(text, s->b, s->b_len) == 0)
                continue;
            /* fallthrough */
        case RG_NORM_PREPEND:
            st = rg_buf_add(b, s->b, s->b_len, err);
            if (!st) st = rg_buf_add(b, text, len, err);
            break;
        case RG_NORM_REPLACE:
            st = replace(s, text, len, b, err);
            break;
        case RG_NORM_SQUEEZE:
            st = squeeze(text, len, b, err);
            break;
        case RG_NORM_NFC:
        case RG_NORM_NFD:
        case RG_NORM_NFKC:
        case RG_NORM_NFKD:
            st = rg_unicode_normalize((rg_normal_form)(s->op - RG_NORM_NFC), text, len, b, err);
            break;
        case RG_NORM_LOWER:
            st = rg_unicode_lower(text, len, b, err);
            break;
        case RG_NORM_STRIP_LEFT: {
            const size_t k = space_at_start(text, len);
            text += k;
            len -= k;
            continue;
        }
        case RG_NORM_STRIP_RIGHT:
            len -= space_at_end(text, len);
            continue;
        }
        text = b->p;
        len = b->len;
        turn ^= 1;
    }
    *out = text;
    *out_len = len;
    return st;
}

void rg_norm_free(rg_norm *n)
{
    for (int i = 0; i < n->n; i++) {
        free(n->step[i].a);
        free(n->step[i].b);
    }
    *n = (rg_norm){0};
}
