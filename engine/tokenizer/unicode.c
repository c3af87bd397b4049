/* Unicode properties from utf8proc, or the refusal by name. */
#include "tokenizer/unicode.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

#ifdef RIDGE_HAVE_UTF8PROC

#include <utf8proc.h>

#include "base/grow.h"

bool rg_unicode_available(void) { return true; }

const char *rg_unicode_version(void) { return utf8proc_unicode_version(); }

bool rg_unicode_is_word(uint32_t cp)
{
    if (cp == 0x200c || cp == 0x200d) return true;
    /* letters in circles and squares are alphabetic, of the category "symbol" */
    if ((cp >= 0x24b6 && cp <= 0x24e9) || (cp >= 0x1f130 && cp <= 0x1f149) ||
        (cp >= 0x1f150 && cp <= 0x1f169) || (cp >= 0x1f170 && cp <= 0x1f189))
        return true;
#define CAT(c) 1u << UTF8PROC_CATEGORY_##c
    static const unsigned words = CAT(LU) | CAT(LL) | CAT(LT) | CAT(LM) | CAT(LO) | CAT(MN) | CAT(MC) |
        CAT(ME) | CAT(ND) | CAT(NL) | CAT(PC);
    return words >> utf8proc_category((utf8proc_int32_t)cp) & 1u;
}

static rg_status put(rg_buf *out, utf8proc_int32_t cp, rg_err *err)
{
    utf8proc_uint8_t u[4];
    const utf8proc_ssize_t n = utf8proc_encode_char(cp, u);
    return rg_buf_add(out, (const char *)u, (size_t)n, err);
}

typedef struct mark {
    utf8proc_int32_t cp;
    int32_t ccc, at; /* canonical combining class; place before sorting */
} mark;

static int by_class(const void *a, const void *b)
{
    const mark *x = a, *y = b;
    return x->ccc != y->ccc ? (x->ccc > y->ccc) - (x->ccc < y->ccc) : (x->at > y->at) - (x->at < y->at);
}

/* Canonical order: runs of marks sorted by class, equal ones as in the text. */
static rg_status order(utf8proc_int32_t *cp, size_t n, rg_err *err)
{
    for (size_t i = 0; i < n;) {
        size_t k = i;
        bool sorted = true;
        int last = 0;
        for (; k < n; k++) {
            const int c = utf8proc_get_property(cp[k])->combining_class;
            if (c == 0) break;
            sorted = sorted && c >= last;
            last = c;
        }
        if (!sorted) {
            mark *m = malloc((k - i) * sizeof *m);
            if (!m) return rg_fail(err, RG_E_NOMEM, "tokenizer: %zu combining marks", k - i);
            for (size_t j = i; j < k; j++)
                m[j - i] = (mark){cp[j], utf8proc_get_property(cp[j])->combining_class, (int32_t)(j - i)};
            qsort(m, k - i, sizeof *m, by_class);
            for (size_t j = i; j < k; j++) cp[j] = m[j - i].cp;
            free(m);
        }
        i = k + 1;
    }
    return RG_OK;
}

static rg_status normalize_valid(
    rg_normal_form form, const unsigned char *p, size_t n, rg_buf *out, rg_err *err)
{
    enum { MOST = 18 }; /* code points that one decomposes into, U+FDFA */
    const bool compat = form == RG_NFKC || form == RG_NFKD, compose = form == RG_NFC || form == RG_NFKC;
    const utf8proc_option_t opt = (utf8proc_option_t)(UTF8PROC_STABLE |
        (compose ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE) | (compat ? UTF8PROC_COMPAT : 0));
    size_t cap = 0, k = 0;
    utf8proc_int32_t *cp = NULL;
    rg_status st = RG_OK;
    int boundclass = 0;
    for (size_t i = 0; i < n && !st;) {
        const size_t len = rg_utf8_len(p + i, p + n);
        if (!rg_grow(&cp, &cap, k + MOST, sizeof *cp)) {
            st = rg_no_memory(err, "tokenizer");
            break;
        }
        const utf8proc_ssize_t got = utf8proc_decompose_char(
            (utf8proc_int32_t)rg_utf8_get(p + i, len), cp + k, (utf8proc_ssize_t)(cap - k), opt, &boundclass);
        if (got < 0 || (size_t)got > cap - k)
            st = rg_fail(err, RG_E_INTERNAL, "tokenizer: a character cannot be normalised");
        else
            k += (size_t)got;
        i += len;
    }
    if (!st) st = order(cp, k, err);
    if (!st && compose) {
        const utf8proc_ssize_t left = utf8proc_normalize_utf32(cp, (utf8proc_ssize_t)k, opt);
        if (left < 0)
            st = rg_fail(err, RG_E_INTERNAL, "tokenizer: text cannot be composed");
        else
            k = (size_t)left;
    }
    for (size_t i = 0; i < k && !st; i++) st = put(out, cp[i], err);
    free(cp);
    return st;
}

static bool is_ascii(const char *p, size_t n)
{
    unsigned char any = 0;
    for (size_t i = 0; i < n; i++) any |= (unsigned char)p[i];
    return any < 0x80;
}

rg_status rg_unicode_normalize(rg_normal_form form, const char *text, size_t len, rg_buf *out, rg_err *err)
{
    const unsigned char *u = (const unsigned char *)text;
    rg_status st = RG_OK;
    if (is_ascii(text, len)) return rg_buf_add(out, text, len, err);
    for (size_t i = 0; i < len && !st;) {
        const size_t good = rg_utf8_valid(u + i, len - i);
        if (good) st = normalize_valid(form, u + i, good, out, err);
        i += good;
        if (i < len && good == 0 && !st) st = rg_buf_add(out, text + i++, 1, err);
    }
    return st;
}

rg_status rg_unicode_lower(const char *text, size_t len, rg_buf *out, rg_err *err)
{
    const unsigned char *u = (const unsigned char *)text;
    rg_status st = RG_OK;
    for (size_t i = 0; i < len && !st;) {
        const size_t n = rg_utf8_len(u + i, u + len);
        if (n == 0) {
            st = rg_buf_add(out, text + i++, 1, err);
            continue;
        }
        const uint32_t cp = rg_utf8_get(u + i, n);
        i += n;
        if (cp == 0x130) /* the one character whose lower case is two */
            st = rg_buf_add(out, "i\xcc\x87", 3, err);
        else
            st = put(out, utf8proc_tolower((utf8proc_int32_t)cp), err);
    }
    return st;
}

#else

bool rg_unicode_available(void) { return false; }

const char *rg_unicode_version(void) { return NULL; }

bool rg_unicode_is_word(uint32_t cp)
{
    return (cp >= '0' && cp <= '9') || (cp >= 'A' && cp <= 'Z') || cp == '_' || (cp >= 'a' && cp <= 'z');
}

static rg_status missing(rg_err *err)
{
    return rg_fail(err, RG_E_UNSUPPORTED, "tokenizer: Unicode normalisation needs a build with utf8proc");
}

rg_status rg_unicode_normalize(rg_normal_form form, const char *text, size_t len, rg_buf *out, rg_err *err)
{
    (void)form, (void)text, (void)len, (void)out;
    return missing(err);
}

rg_status rg_unicode_lower(const char *text, size_t len, rg_buf *out, rg_err *err)
{
    (void)text, (void)len, (void)out;
    return missing(err);
}

#endif
