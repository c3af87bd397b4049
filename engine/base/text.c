/* Numbers, foreign text and sentences in words. */
#include "base/text.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

const char *rg_num(char *buf, size_t n, double x)
{
    const double a = fabs(x);
    if (!isfinite(x))
        snprintf(buf, n, "n/a");
    else if (a == 0.0)
        snprintf(buf, n, "0");
    else if (a >= 99.95)
        snprintf(buf, n, a < 1e9 ? "%.0f" : "%.2e", x);
    else if (a >= 9.995)
        snprintf(buf, n, "%.1f", x);
    else if (a >= 0.9995)
        snprintf(buf, n, "%.2f", x);
    else if (a >= 1e-5)
        snprintf(buf, n, "%.*f", 2 - (int)floor(log10(a) + 2e-4), x);
    else
        snprintf(buf, n, "%.2e", x);
    return buf;
}

static const char *scaled(char *buf, size_t n, double x, const char *unit)
{
    char num[32];
    snprintf(buf, n, "%s%s%s", rg_num(num, sizeof num, x), isfinite(x) ? " " : "", isfinite(x) ? unit : "");
    return buf;
}

const char *rg_bytes(char *buf, size_t n, double bytes)
{
    static const char *const unit[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    int u = 0;
    for (; bytes >= 1023.5 && u < 4; u++) bytes /= 1024.0;
    return scaled(buf, n, bytes, unit[u]);
}

const char *rg_time(char *buf, size_t n, double ns)
{
    static const char *const unit[] = {"ns", "us", "ms", "s"};
    int u = 0;
    for (; fabs(ns) >= 999.5 && u < 3; u++) ns /= 1000.0;
    return scaled(buf, n, ns, unit[u]);
}

const char *rg_percent(char *buf, size_t n, double fraction) { return scaled(buf, n, 100.0 * fraction, "%"); }

const char *rg_text(char *buf, size_t n, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(buf, n, fmt, ap);
    va_end(ap);
    return buf;
}

void rg_text_add(char *buf, size_t n, const char *fmt, ...)
{
    const size_t at = strlen(buf);
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(buf + at, n - at, fmt, ap);
    va_end(ap);
}

const char *rg_stamp(char *buf, size_t n, time_t t)
{
    struct tm tm;
    buf[0] = 0;
    if (t && gmtime_r(&t, &tm)) strftime(buf, n, "%Y-%m-%dT%H:%M:%SZ", &tm);
    return buf;
}

const char *rg_text_clean(char *buf, size_t n, const char *s)
{
    size_t k = 0;
    const unsigned char *u = (const void *)s, *end = u + strlen(s);
    while (u < end && k + 1 < n) {
        const size_t len = rg_utf8_len(u, end);
        const bool control = *u < 0x20 || *u == 0x7f || (*u == 0xc2 && u[1] < 0xa0);
        if (len == 0 || control)
            buf[k++] = '?';
        else if (k + len >= n)
            break;
        else
            for (size_t i = 0; i < len; i++) buf[k++] = (char)u[i];
        u += len ? len : 1;
    }
    if (n) buf[k] = 0;
    return buf;
}

const char *rg_text_cell(char *buf, size_t n, const char *s)
{
    rg_text_clean(buf, n, s);
    for (char *p = buf; (p = strchr(p, '|'));) *p = '/';
    return buf;
}

void rg_lines_add(rg_lines *l, const char *fmt, ...)
{
    char *s = NULL;
    va_list ap;
    va_start(ap, fmt);
    if (vasprintf(&s, fmt, ap) < 0) s = NULL;
    va_end(ap);
    char **more = s ? realloc(l->s, (l->n + 1) * sizeof *more) : NULL;
    if (!more) {
        free(s);
        l->failed = true;
        return;
    }
    l->s = more;
    l->s[l->n++] = s;
}

void rg_lines_free(rg_lines *l)
{
    for (int i = 0; i < l->n; i++) free(l->s[i]);
    free(l->s);
    *l = (rg_lines){0};
}

bool rg_word_in(const char *list, const char *word)
{
    const size_t n = strlen(word);
    for (const char *p = list; *p; p += strcspn(p, " "), p += *p == ' ')
        if (strcspn(p, " ") == n && memcmp(p, word, n) == 0) return true;
    return false;
}
