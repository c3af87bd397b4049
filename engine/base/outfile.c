/* Temporary files, renamed into place when they are whole. */
#include "base/outfile.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Temporary names in use, for a program that has to leave at once. Slots are set and cleared whole. */
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

/* A device, a pipe, or the file that this program prints into cannot be replaced by another file: these are
 * written to. */
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
    return S_ISREG(s->st_mode) ? NULL : fopen(path, "wb");
}

static bool in_place(const struct stat *s)
{
    return !S_ISREG(s->st_mode) || same_file(s, STDOUT_FILENO) || same_file(s, STDERR_FILENO);
}

/* The file behind links, so that a link stays one. */
static char *target_of(const char *path)
{
    char *real = realpath(path, NULL);
    return real ? real : strdup(path);
}

rg_status rg_outfile_open(rg_outfile *o, const char *path, rg_err *err)
{
    *o = (rg_outfile){0};
    struct stat s;
    const bool there = stat(path, &s) == 0;
    if (there && S_ISDIR(s.st_mode))
        return rg_fail(err, RG_E_FILE, "%s: cannot write: it is a directory", path);
    o->path = there ? target_of(path) : strdup(path);
    if (!o->path) return rg_no_memory(err, path);
    if (there && in_place(&s)) {
        o->f = open_in_place(path, &s);
        const int e = errno;
        if (o->f) return RG_OK;
        rg_outfile_abort(o);
        return rg_fail(err, RG_E_FILE, "%s: cannot write: %s", path, strerror(e));
    }
    const size_t n = strlen(o->path);
    o->tmp = malloc(n + 32);
    if (!o->tmp) {
        rg_outfile_abort(o);
        return rg_no_memory(err, path);
    }
    snprintf(o->tmp, n + 32, "%s.%ld.tmp", o->path, (long)getpid());
    remember(o->tmp);
    o->f = fopen(o->tmp, "wb");
    if (!o->f) {
        const int e = errno;
        forget(o->tmp);
        free(o->tmp);
        o->tmp = NULL;
        rg_outfile_abort(o);
        return rg_fail(err, RG_E_FILE, "%s: cannot write: %s", path, strerror(e));
    }
    if (there && fchmod(fileno(o->f), s.st_mode & 07777) != 0) { /* of another owner: the usual mode, then */
    }
    return RG_OK;
}

rg_status rg_outfile_try(const char *path, rg_err *err)
{
    struct stat s;
    char *copy = strdup(path);
    if (!copy) return rg_no_memory(err, path);
    rg_status st = RG_OK;
    if (stat(path, &s) == 0) {
        if (S_ISDIR(s.st_mode))
            st = rg_fail(err, RG_E_FILE, "%s: cannot write: it is a directory", path);
        else if (in_place(&s) && access(path, W_OK) != 0)
            st = rg_fail(err, RG_E_FILE, "%s: cannot write: %s", path, strerror(errno));
        if (st != RG_OK || in_place(&s)) goto out;
        free(copy);
        copy = target_of(path);
        if (!copy) return rg_no_memory(err, path);
    }
    char *slash = strrchr(copy, '/');
    if (slash) slash[slash == copy] = 0; /* the folder; "/" stays */
    if (access(slash ? copy : ".", W_OK | X_OK) != 0)
        st = rg_fail(err, RG_E_FILE, "%s: cannot write: %s", path, strerror(errno));
out:
    free(copy);
    return st;
}

rg_status rg_outfile_commit(rg_outfile *o, rg_err *err)
{
    int bad = ferror(o->f) || fflush(o->f) != 0 || (o->tmp && fsync(fileno(o->f)) != 0);
    int e = errno;
    if (fclose(o->f) != 0 && !bad) {
        bad = 1;
        e = errno;
    }
    o->f = NULL;
    if (!bad && o->tmp && rename(o->tmp, o->path) != 0) {
        bad = 1;
        e = errno;
    }
    rg_status st = RG_OK;
    if (bad) st = rg_fail(err, RG_E_FILE, "%s: cannot write: %s", o->path, strerror(e));
    if (!bad && o->tmp) {
        forget(o->tmp);
        free(o->tmp);
        o->tmp = NULL;
    }
    rg_outfile_abort(o);
    return st;
}

void rg_outfile_abort(rg_outfile *o)
{
    if (o->f) fclose(o->f);
    if (o->tmp) {
        unlink(o->tmp);
        forget(o->tmp);
    }
    free(o->tmp);
    free(o->path);
    *o = (rg_outfile){0};
}
