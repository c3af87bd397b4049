/* Error messages. */
#include "base/status.h"

#include <stdio.h>

#undef rg_fail
#undef rg_bad
#undef rg_lacks
#undef rg_no_memory

static rg_status fail(rg_err *err, rg_status code, const char *name, const char *fmt, va_list ap)
{
    if (!err) return code;
    const size_t n = name ? snprintf(err->msg, sizeof err->msg, "%s: ", name) : 0;
    if (n < sizeof err->msg) vsnprintf(err->msg + n, sizeof err->msg - n, fmt, ap);
    for (char *p = err->msg; *p; p++) /* a hostile name must not break the line or the terminal */
        if ((unsigned char)*p < 0x20 || *p == 0x7f) *p = '?';
    return err->code = code;
}

#define FAIL(err, code, name) \
    va_list ap; \
    va_start(ap, fmt); \
    const rg_status st = fail((err), (code), (name), fmt, ap); \
    va_end(ap); \
    return st

rg_status rg_fail(rg_err *err, rg_status code, const char *fmt, ...) { FAIL(err, code, NULL); }
rg_status rg_bad(const rg_src *s, const char *fmt, ...) { FAIL(s->err, RG_E_FILE, s->name); }
rg_status rg_lacks(const rg_src *s, const char *fmt, ...) { FAIL(s->err, RG_E_UNSUPPORTED, s->name); }

rg_status rg_no_memory(rg_err *err, const char *what)
{
    return rg_fail(err, RG_E_NOMEM, "%s: out of memory", what);
}
