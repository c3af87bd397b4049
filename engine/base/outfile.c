/* Output files that are renamed into place. */
#include "base/outfile.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Temporary names in use. Slots are set and cleared whole. */
enum { MAX_OPEN = 16 };
static char *volatile pending[MAX_OPEN];

static void remember(char *tmp)
{
    for (int i = 0; i < MAX_OPEN; i++) {
        if (pending[i]) continue;
        pending[i] = tmp;
        return;
    }
}

static void forget(const char *tmp)
{
    for (int i = 0; i < MAX_OPEN; i++)
        if (pending[i] == tmp) pending[i] = NULL;
}

void rg_outfile_unlink_pending(void)
{
    for (int i = 0; i < MAX_OPEN; i++)
        if (pending[i]) unlink(pending[i]);
}

static bool same_file(const struct stat *a, int fd)
{
    struct stat b;
    return fstat(fd, &b) == 0 && a->st_dev == b.st_dev && a->st_ino == b.st_ino;
}

static bool in_place(const struct stat *s)
{
    return !S_ISREG(s->st_mode) || same_file(s, STDOUT_FILENO) || same_file(s, STDERR_FILENO);
}

static FILE *open_in_place(const char *path, const struct stat *s)
{
    for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++) {
        if (!same_file(s, fd)) continue;
        fflush(NULL);             /* what was printed before comes before */
        const int copy = dup(fd); /* shares the position, so that nothing is overwritten */
        FILE *f = copy < 0 ? NULL : fdopen(copy, "wb");
        if (!f && copy >= 0) close(copy);
        return f;
    }
    return fopen(path, "wb");
}

/* The file behind links, so that a link stays one. */
static char *target_of(const char *path)
{
    char *real = realpath(path, NULL);
    return real ? real : strdup(path);
}

static rg_status cannot(rg_err *err, const char *path, const char *why)
{
    return rg_fail(err, RG_E_FILE, "%s: cannot write: %s", path, why);
}

static void drop_tmp(rg_outfile *o)
{
    forget(o->tmp);
    free(o->tmp);
    o->tmp = NULL;
}

rg_status rg_outfile_open(rg_outfile *o, const char *path, rg_err *err)
{
    *o = (rg_outfile){0};
    struct stat s;
    const bool there = stat(path, &s) == 0;
    if (!*path) return cannot(err, "''", "a file needs a name");
    if (there && S_ISDIR(s.st_mode)) return cannot(err, path, "it is a directory");
    o->path = there ? target_of(path) : strdup(path);
    if (!o->path) return rg_no_memory(err, path);
    if (there && in_place(&s)) {
        o->f = open_in_place(path, &s);
    } else {
        const size_t n = strlen(o->path) + 32;
        o->tmp = malloc(n);
        if (!o->tmp) {
            rg_outfile_abort(o);
            return rg_no_memory(err, path);
        }
        snprintf(o->tmp, n, "%s.%ld.tmp", o->path, (long)getpid());
        remember(o->tmp);
        o->f = fopen(o->tmp, "wb");
    }
    if (!o->f) {
        const int e = errno;
        if (o->tmp) drop_tmp(o); /* not ours: it stays */
        rg_outfile_abort(o);
        return cannot(err, path, strerror(e));
    }
    if (o->tmp && there && fchmod(fileno(o->f), s.st_mode & 07777) != 0) {
        /* of another owner: the usual mode, then */
    }
    return RG_OK;
}

rg_status rg_outfile_try(const char *path, rg_err *err)
{
    struct stat s;
    rg_outfile o;
    if (stat(path, &s) == 0 && !S_ISDIR(s.st_mode) && in_place(&s))
        return access(path, W_OK) == 0 ? RG_OK : cannot(err, path, strerror(errno));
    const rg_status st = rg_outfile_open(&o, path, err);
    if (!st) rg_outfile_abort(&o);
    return st;
}

rg_status rg_outfile_commit(rg_outfile *o, rg_err *err)
{
    bool bad = ferror(o->f) || fflush(o->f) != 0 || (o->tmp && fsync(fileno(o->f)) != 0);
    int e = errno;
    if (fclose(o->f) != 0 && !bad) {
        bad = true;
        e = errno;
    }
    o->f = NULL;
    if (!bad && o->tmp && rename(o->tmp, o->path) != 0) {
        bad = true;
        e = errno;
    }
    const rg_status st = bad ? cannot(err, o->path, strerror(e)) : RG_OK;
    if (!bad && o->tmp) drop_tmp(o);
    rg_outfile_abort(o);
    return st;
}

void rg_outfile_abort(rg_outfile *o)
{
    if (o->f) fclose(o->f);
    if (o->tmp) {
        unlink(o->tmp);
        drop_tmp(o);
    }
    free(o->path);
    *o = (rg_outfile){0};
}
