/* Builds JSON values; writes documents. */
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

rg_status rg_json_load(json_t **j, const char *path, const char *what, const char *hint, rg_err *err)
{
    enum { MOST = 1 << 20 };
    FILE *f = fopen(path, "rb");
    *j = NULL;
    if (!f) return rg_fail(err, RG_E_FILE, "%s: cannot open the %s file: %s", path, what, strerror(errno));
    char *text = malloc(MOST + 1), why[96];
    const size_t n = text ? fread(text, 1, MOST + 1, f) : 0;
    const bool unread = ferror(f);
    json_error_t e;
    rg_status st = RG_OK;
    fclose(f);
    if (!text)
        st = rg_no_memory(err, path);
    else if (unread || n > MOST)
        st = rg_fail(err, RG_E_FILE, "%s: not a %s file (%s)", path, what,
            unread ? "cannot be read" : "larger than 1 MiB");
    else if (!(*j = json_loadb(text, n, JSON_REJECT_DUPLICATES, &e)))
        st = rg_fail(err, RG_E_FILE, "%s: not a %s file: line %d: %s%s", path, what, e.line,
            rg_text_clean(why, sizeof why, e.text), hint);
    free(text);
    return st;
}
