#include "base/mapfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/num.h"

rg_status rg_mapfile_open(rg_mapfile *f, const char *path, rg_err *err)
{
    struct stat st;
    rg_status rc = RG_OK;
    *f = (rg_mapfile){0};
    /* a FIFO must be refused, not waited for */
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return rg_fail(err, RG_E_FILE, "%s: cannot open: %s", path, strerror(errno));
    if (fstat(fd, &st) != 0) {
        rc = rg_fail(err, RG_E_FILE, "%s: cannot stat: %s", path, strerror(errno));
        goto out;
    }
    if (!S_ISREG(st.st_mode)) {
        rc = rg_fail(err, RG_E_FILE, "%s: not a regular file", path);
        goto out;
    }
    if (st.st_size == 0) {
        rc = rg_fail(err, RG_E_FILE, "%s: the file is empty (0 bytes)", path);
        goto out;
    }
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED) {
        rc = rg_fail(err, RG_E_FILE, "%s: cannot map %lld bytes: %s", path, (long long)st.st_size, strerror(errno));
        goto out;
    }
    f->data = p;
    f->size = (size_t)st.st_size;
    f->path = strdup(path);
    if (!f->path) {
        rg_mapfile_close(f);
        rc = rg_fail(err, RG_E_NOMEM, "%s: out of memory", path);
    }
out:
    close(fd);
    return rc;
}

void rg_mapfile_close(rg_mapfile *f)
{
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
