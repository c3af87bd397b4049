/* Values as jansson takes them, and one way to write a document. */
#include "roofline/measure/json_value.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

json_t *rg_json_text(const char *s)
{
    if (!s) return json_null();
    json_t *j = json_string(s);
    if (j) return j;
    const size_t n = strlen(s) + 1;
    char *buf = malloc(n);
    if (!buf) return NULL;
    j = json_string(rg_text_clean(buf, n, s));
    free(buf);
    return j;
}

json_t *rg_json_real(double x) { return isfinite(x) ? json_real(x) : json_null(); }

rg_status rg_json_write(FILE *f, json_t *j, size_t flags, const char *what, rg_err *err)
{
    rg_status st = RG_OK;
    if (!j)
        st = rg_fail(err, RG_E_NOMEM, "%s: out of memory for the JSON", what);
    else if (json_dumpf(j, f, flags) != 0 || fputc('\n', f) == EOF)
        st = rg_fail(err, RG_E_FILE, "%s: cannot write: %s", what, strerror(errno));
    json_decref(j);
    return st;
}
