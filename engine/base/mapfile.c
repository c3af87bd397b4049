/* Mappings of files, the table of those open, and the cursor. */
#include "base/mapfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/num.h"
#include "base/sysinfo.h"

static bool read_whole; /* rg_mapfile_read_whole */

void rg_mapfile_read_whole(bool on) { read_whole = on; }

/* The file in anonymous memory; a file that became shorter is an error. */
static rg_status read_all(void **out, int fd, size_t size, const char *path, rg_err *err)
{
    const char *source;
    const uint64_t left = rg_mem_available(&source);
    if (left && size > left)
        return rg_fail(err, RG_E_NOMEM,
            "%s: --no-mmap needs %.1f MiB while loading, but %.1f MiB are free (%s); without it the file is "
            "mapped",
            path, rg_mib(size), rg_mib(left), source);
    char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) return rg_fail(err, RG_E_NOMEM, "%s: the system refuses %zu bytes", path, size);
    for (size_t at = 0; at < size;) {
        const size_t want = size - at < (size_t)1 << 26 ? size - at : (size_t)1 << 26;
        const ssize_t got = read(fd, p + at, want);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) {
            const char *why = got < 0 ? strerror(errno) : "the file ends";
            munmap(p, size);
            return rg_fail(err, RG_E_FILE, "%s: cannot read: %s after %zu of %zu bytes", path, why, at, size);
        }
        at += got;
    }
    *out = p;
    return RG_OK;
}

/* Open mappings. begin: 0 free, 1 being filled; written last, cleared first: handlers see whole entries. */
enum { MAX_KNOWN = 2048 };
static struct {
    _Atomic uintptr_t begin;
    size_t size;
    const char *path;
} known[MAX_KNOWN];

static void enter(const rg_mapfile *f)
{
    for (int i = 0; i < MAX_KNOWN; i++) {
        uintptr_t vacant = 0;
        if (!atomic_compare_exchange_strong(&known[i].begin, &vacant, 1)) continue;
        known[i].size = f->size;
        known[i].path = f->path;
        atomic_store(&known[i].begin, (uintptr_t)f->data);
        return;
    }
}

static void leave(const rg_mapfile *f)
{
    for (int i = 0; i < MAX_KNOWN; i++)
        if (atomic_load(&known[i].begin) == (uintptr_t)f->data) {
            atomic_store(&known[i].begin, 0);
            return;
        }
}

const char *rg_mapfile_at(const void *address)
{
    for (int i = 0; i < MAX_KNOWN; i++) {
        const uintptr_t begin = atomic_load(&known[i].begin);
        if (begin > 1 && (uintptr_t)address - begin < known[i].size) return known[i].path;
    }
    return NULL;
}

static rg_status map(rg_mapfile *f, int fd, const char *path, rg_err *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0) return rg_fail(err, RG_E_FILE, "%s: cannot stat: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode)) return rg_fail(err, RG_E_FILE, "%s: not a regular file", path);
    if (st.st_size == 0) return rg_fail(err, RG_E_FILE, "%s: the file is empty (0 bytes)", path);
    const size_t size = st.st_size;
    void *p = NULL;
    if (read_whole) {
        const rg_status rc = read_all(&p, fd, size, path, err);
        if (rc != RG_OK) return rc;
    } else if ((p = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0)) == MAP_FAILED) {
        const char *limit = NULL;
        const int e = errno;
        const uint64_t left = rg_mem_under_ulimit(&limit);
        if (e == ENOMEM && limit)
            return rg_fail(err, RG_E_NOMEM, "%s: %.1f MiB are to be mapped, but %s leaves %.1f MiB: raise it",
                path, rg_mib(size), limit, rg_mib(left));
        return rg_fail(err, e == ENOMEM ? RG_E_NOMEM : RG_E_FILE, "%s: cannot map %zu bytes: %s", path, size,
            strerror(e));
    }
    *f = (rg_mapfile){p, size, strdup(path)};
    if (f->path) {
        enter(f);
        return RG_OK;
    }
    rg_mapfile_close(f);
    return rg_no_memory(err, path);
}

rg_status rg_mapfile_open(rg_mapfile *f, const char *path, rg_err *err)
{
    *f = (rg_mapfile){0};
    /* a FIFO must be refused, not waited for */
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return rg_fail(err, RG_E_FILE, "%s: cannot open: %s", path, strerror(errno));
    const rg_status rc = map(f, fd, path, err);
    close(fd);
    return rc;
}

void rg_mapfile_close(rg_mapfile *f)
{
    if (f->data) leave(f);
    if (f->data) munmap((void *)(uintptr_t)f->data, f->size);
    free(f->path);
    *f = (rg_mapfile){0};
}

void rg_mapfile_done(const rg_mapfile *f, const void *p, size_t bytes)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    const uintptr_t a = ((uintptr_t)p + page - 1) / page * page, b = ((uintptr_t)p + bytes) / page * page;
    if (f->data && b > a) madvise((void *)a, b - a, MADV_DONTNEED);
}

const unsigned char *rg_cur_take(rg_cursor *c, uint64_t n)
{
    if (c->bad || n > (uint64_t)(c->end - c->p)) {
        c->bad = true;
        return NULL;
    }
    const unsigned char *at = c->p;
    c->p += n;
    return at;
}

static uint64_t take_le(rg_cursor *c, unsigned bytes)
{
    const unsigned char *p = rg_cur_take(c, bytes);
    uint64_t v = 0;
    for (unsigned i = 0; p && i < bytes; i++) v |= (uint64_t)p[i] << (8 * i);
    return v;
}

uint8_t rg_cur_u8(rg_cursor *c) { return (uint8_t)take_le(c, 1); }
uint16_t rg_cur_u16(rg_cursor *c) { return (uint16_t)take_le(c, 2); }
uint32_t rg_cur_u32(rg_cursor *c) { return (uint32_t)take_le(c, 4); }
uint64_t rg_cur_u64(rg_cursor *c) { return take_le(c, 8); }
float rg_cur_f32(rg_cursor *c) { return rg_f32_from_bits((uint32_t)take_le(c, 4)); }

double rg_cur_f64(rg_cursor *c)
{
    const uint64_t u = take_le(c, 8);
    double d;
    memcpy(&d, &u, sizeof d);
    return d;
}
