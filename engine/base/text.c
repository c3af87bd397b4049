/* Numbers, foreign text and sentences in words. */
#include "base/text.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

const char *rg_stamp(char *buf, size_t n, time_t t)
{
    struct tm tm;
    buf[0] = 0;
    if (t && gmtime_r(&t, &tm)) strftime(buf, n, "%Y-%m-%dT%H:%M:%SZ", &tm);
    return buf;
}

/* Length of the valid UTF-8 sequence at s, 0 if there is none. */
static int utf8_len(const unsigned char *s)
{
    const int len = s[0] < 0x80       ? 1
        : s[0] >= 0xc2 && s[0] < 0xe0 ? 2
        : s[0] >= 0xe0 && s[0] < 0xf0 ? 3
        : s[0] >= 0xf0 && s[0] < 0xf5 ? 4
                                      : 0;
    for (int i = 1; i < len; i++)
        if ((s[i] & 0xc0) != 0x80) return 0;
    if (len == 3 && ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] >= 0xa0))) return 0;
    if (len == 4 && ((s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] >= 0x90))) return 0;
    return len;
}

const char *rg_text_clean(char *buf, size_t n, const char *s)
{
    size_t k = 0;
    for (const unsigned char *u = (const unsigned char *)s; *u && k + 1 < n;) {
        const int len = utf8_len(u);
        const bool control = *u < 0x20 || *u == 0x7f || (len == 2 && *u == 0xc2 && u[1] < 0xa0);
        if (len == 0 || control) {
            buf[k++] = '?';
            u += len ? len : 1;
        } else if (k + (size_t)len < n) {
            memcpy(buf + k, u, (size_t)len);
            k += (size_t)len;
            u += len;
        } else {
            break;
        }
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
    char **more = s ? realloc(l->s, (size_t)(l->n + 1) * sizeof *more) : NULL;
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
