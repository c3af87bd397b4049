#include "base/outfile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

rg_status rg_outfile_open(rg_outfile *o, const char *path, rg_err *err)
{
    *o = (rg_outfile){0};
    const size_t n = strlen(path);
    o->path = strdup(path);
    o->tmp = malloc(n + 32);
    if (!o->path || !o->tmp) {
        rg_outfile_abort(o);
        return rg_fail(err, RG_E_NOMEM, "%s: out of memory", path);
    }
    snprintf(o->tmp, n + 32, "%s.%ld.tmp", path, (long)getpid());
    o->f = fopen(o->tmp, "wb");
    if (!o->f) {
        const int e = errno;
        free(o->tmp);
        o->tmp = NULL;
        rg_outfile_abort(o);
        return rg_fail(err, RG_E_FILE, "%s: cannot write: %s", path, strerror(e));
    }
    return RG_OK;
}

rg_status rg_outfile_commit(rg_outfile *o, rg_err *err)
{
    int bad = ferror(o->f) || fflush(o->f) != 0 || fsync(fileno(o->f)) != 0;
    int e = errno;
    if (fclose(o->f) != 0 && !bad) {
        bad = 1;
        e = errno;
    }
    o->f = NULL;
    if (!bad && rename(o->tmp, o->path) != 0) {
        bad = 1;
        e = errno;
    }
    rg_status st = RG_OK;
    if (bad) st = rg_fail(err, RG_E_FILE, "%s: cannot write: %s", o->path, strerror(e));
    if (!bad) {
        free(o->tmp);
        o->tmp = NULL;
    }
    rg_outfile_abort(o);
    return st;
}

void rg_outfile_abort(rg_outfile *o)
{
    if (o->f) fclose(o->f);
    if (o->tmp) unlink(o->tmp);
    free(o->tmp);
    free(o->path);
    *o = (rg_outfile){0};
}
