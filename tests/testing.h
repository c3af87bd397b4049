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

#include "guarded.h"

/* cmocka compares floats only. NAN is near nothing. */
#define assert_near(a, b, eps) \
    do { \
        const double got_ = (a), want_ = (b); \
        if (!(fabs(got_ - want_) <= (eps))) fail_msg(#a " is %.17g, expected %.17g", got_, want_); \
    } while (0)

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
