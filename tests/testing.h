/* What the tests share: cmocka, a seeded generator, memory that ends at a guard page, optional data that
 * skips visibly. */
#ifndef RG_TESTING_H
#define RG_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* xorshift64*; print the seed on failure. */
typedef struct rg_rng {
    uint64_t s;
} rg_rng;

static inline uint64_t rng_u64(rg_rng *r)
{
    r->s ^= r->s >> 12;
    r->s ^= r->s << 25;
    r->s ^= r->s >> 27;
    return r->s * 2685821657736338717ull;
}
static inline int64_t rng_in(rg_rng *r, int64_t lo, int64_t hi)
{
    return lo + (int64_t)(rng_u64(r) % (uint64_t)(hi - lo + 1));
}
static inline double rng_unit(rg_rng *r) { return (double)(rng_u64(r) >> 11) * 0x1p-53; }
static inline float rng_normal(rg_rng *r)
{
    const double u = 1.0 - rng_unit(r), v = rng_unit(r);
    return (float)(sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v));
}

/* bytes that end exactly at a page that faults; freed with guarded_free. The start is aligned only as far as
 * bytes is. */
typedef struct guarded {
    char *map, *p;
    size_t map_len, bytes;
} guarded;

static inline guarded guarded_alloc(size_t bytes)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    guarded g = {.bytes = bytes, .map_len = (bytes + page - 1) / page * page + page};
    g.map = mmap(NULL, g.map_len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(g.map != MAP_FAILED);
    assert_int_equal(mprotect(g.map + g.map_len - page, page, PROT_NONE), 0);
    g.p = g.map + g.map_len - page - bytes;
    return g;
}
static inline void guarded_free(guarded *g) { munmap(g->map, g->map_len); }

/* Path of a file in the optional data folder ($RIDGE_TEST_DATA, default ../shared/data beside the source
 * tree) in buf, or NULL after printing why the test skips: then return skip(). */
static inline const char *optional_data(char *buf, size_t n, const char *rel)
{
    const char *dir = getenv("RIDGE_TEST_DATA");
    if (dir && *dir)
        snprintf(buf, n, "%s/%s", dir, rel);
    else
        snprintf(buf, n, "%s/../shared/data/%s", RIDGE_SOURCE_DIR, rel);
    if (access(buf, R_OK) == 0) return buf;
    print_message("SKIPPED: optional data %s is not here (set RIDGE_TEST_DATA)\n", buf);
    return NULL;
}

/* A file that ships with the project. */
static inline const char *project_file(char *buf, size_t n, const char *rel)
{
    snprintf(buf, n, "%s/%s", RIDGE_SOURCE_DIR, rel);
    return buf;
}

/* A whole file; the caller frees. */
static inline void *read_all(const char *path, size_t *len)
{
    FILE *f = fopen(path, "rb");
    if (!f) fail_msg("cannot open %s", path);
    fseek(f, 0, SEEK_END);
    const long n = ftell(f);
    fseek(f, 0, SEEK_SET);
    char *p = malloc((size_t)n + 1);
    assert_non_null(p);
    assert_int_equal(fread(p, 1, (size_t)n, f), n);
    p[n] = 0;
    fclose(f);
    if (len) *len = (size_t)n;
    return p;
}

#endif
