#include "base/status.h"

#include <stdio.h>

rg_status rg_fail(rg_err *err, rg_status code, const char *fmt, ...)
{
    if (err) {
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(err->msg, sizeof err->msg, fmt, ap);
        va_end(ap);
        for (char *p = err->msg; *p; p++) /* a hostile name must not break the line or the terminal */
            if ((unsigned char)*p < 0x20 || *p == 0x7f) *p = '?';
        err->code = code;
    }
    return code;
}

rg_status rg_no_memory(rg_err *err, const char *what)
{
    return rg_fail(err, RG_E_NOMEM, "%s: out of memory", what);
}
