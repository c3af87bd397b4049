/* Loops that only move bytes, or only compute: the roofs. Serial; a file per instruction set. */
#ifndef RG_ROOF_LOOPS_H
#define RG_ROOF_LOOPS_H

#include <stddef.h>
#include <stdint.h>

#include "base/cpu.h"
#include "roofline/measure/peaks.h"

/* Ways to read a slice; the fastest is the roof. */
typedef enum rg_read_way { RG_READ_PLAIN2, RG_READ_PREFETCH2, RG_READ_PREFETCH4, RG_READ_WAYS } rg_read_way;
/* Ways to store: through the caches (lines are fetched first), or past them. */
typedef enum rg_store_way { RG_STORE_CACHED, RG_STORE_STREAM, RG_STORE_WAYS } rg_store_way;

enum { RG_READ_UNIT = 1024 }; /* slices are multiples of it */

/* Reads p[0, bytes) once; p is 64-byte aligned. The result depends on all data: nothing can be dropped. */
typedef uint64_t rg_read_fn(const void *p, size_t bytes, rg_read_way way);
/* p[0, bytes) = the byte 0x5a; to[0, bytes) = from[0, bytes); a = b + c / 2 of floats. Multiples of
 * RG_READ_UNIT, 64-byte aligned. */
typedef void rg_write_fn(void *p, size_t bytes, rg_store_way way);
typedef void rg_copy_fn(void *to, const void *from, size_t bytes, rg_store_way way);
typedef void rg_triad_fn(void *a, const void *b, const void *c, size_t bytes, rg_store_way way);
/* `steps` steps of independent operations in registers; returns the operations (a multiply-add is 2). */
typedef double rg_arith_fn(int64_t steps);

typedef struct rg_roof_loops {
    rg_read_fn *read;
    rg_write_fn *write;
    rg_copy_fn *copy;
    rg_triad_fn *triad;
} rg_roof_loops;

/* The widest that this CPU has. */
const rg_roof_loops *rg_roof_loops_best(void);
extern const rg_roof_loops rg_roof_loops_c;
extern const rg_roof_loops rg_roof_loops_avx2, rg_roof_loops_avx512; /* x86-64 only */

/* rg_peak_FILE_LOOP of peaks.def: NULL where the compiler lacks the instruction. */
#define RG_PEAK(id, name, arith, isa, file, loop) extern rg_arith_fn *const rg_peak_##file##_##loop;
#include "roofline/measure/peaks.def"

/* The loop of a peak; NULL where CPU, system or compiler lack its instruction. */
rg_arith_fn *rg_peak_loop(rg_peak_id id);

/* OP(i, x) 4, 12 or 16 times: an array indexed by a loop would live in memory. */
#define RG_X4(OP, i, x) \
    do { \
        OP((i), x); \
        OP((i) + 1, x); \
        OP((i) + 2, x); \
        OP((i) + 3, x); \
    } while (0)
#define RG_X12(OP, x) \
    do { \
        RG_X4(OP, 0, x); \
        RG_X4(OP, 4, x); \
        RG_X4(OP, 8, x); \
    } while (0)
#define RG_X16(OP, x) \
    do { \
        RG_X12(OP, x); \
        RG_X4(OP, 12, x); \
    } while (0)

/* Body of the read loops: READ(acc, p) adds 64 bytes at p to accumulator acc. Lines are prefetched 16
 * ahead. */
#define RG_READ_BODY(p, bytes, way, READ) \
    do { \
        const char *a = (p); \
        const size_t half = (bytes) / 2, quarter = (bytes) / 4; \
        if ((way) == RG_READ_PREFETCH4) { \
            const char *b = a + quarter, *c = b + quarter, *d = c + quarter; \
            for (size_t i = 0; i < quarter; i += 64) { \
                __builtin_prefetch(a + i + 1024); \
                __builtin_prefetch(b + i + 1024); \
                __builtin_prefetch(c + i + 1024); \
                __builtin_prefetch(d + i + 1024); \
                READ(0, a + i); \
                READ(1, b + i); \
                READ(2, c + i); \
                READ(3, d + i); \
            } \
        } else if ((way) == RG_READ_PREFETCH2) { \
            const char *b = a + half; \
            for (size_t i = 0; i < half; i += 128) { \
                __builtin_prefetch(a + i + 1024); \
                __builtin_prefetch(a + i + 1088); \
                __builtin_prefetch(b + i + 1024); \
                __builtin_prefetch(b + i + 1088); \
                READ(0, a + i); \
                READ(1, a + i + 64); \
                READ(2, b + i); \
                READ(3, b + i + 64); \
            } \
        } else { \
            const char *b = a + half; \
            for (size_t i = 0; i < half; i += 256) { \
                READ(0, a + i); \
                READ(1, a + i + 64); \
                READ(2, a + i + 128); \
                READ(3, a + i + 192); \
                READ(0, b + i); \
                READ(1, b + i + 64); \
                READ(2, b + i + 128); \
                READ(3, b + i + 192); \
            } \
        } \
    } while (0)

#endif
