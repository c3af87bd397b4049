/* What the cost model needs of a C library, for WebAssembly; log is the host's. */
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "base/status.h"

void *memcpy(void *to, const void *from, size_t n)
{
    char *t = to;
    const char *f = from;
    for (size_t i = 0; i < n; i++) t[i] = f[i];
    return to;
}

void *memset(void *p, int c, size_t n)
{
    char *t = p;
    for (size_t i = 0; i < n; i++) t[i] = (char)c;
    return p;
}

double fmax(double a, double b) { return isnan(a) || b > a ? b : a; }
double fmin(double a, double b) { return isnan(a) || b < a ? b : a; }

double ceil(double x) { return __builtin_ceil(x); } /* an instruction */

/* The page has its own words for what is impossible. */
rg_status rg_fail(rg_err *err, rg_status code, const char *fmt, ...)
{
    (void)err, (void)fmt;
    return code;
}
