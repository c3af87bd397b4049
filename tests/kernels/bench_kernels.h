/* checkkern --bench: what its files share. */
#ifndef RG_BENCH_KERNELS_H
#define RG_BENCH_KERNELS_H

#include "base/arena.h"
#include "base/num.h"
#include "exec/drive.h"
#include "exec/product.h"
#include "kernels/kernel_rows.h"
#include "roofline/measure/machine.h"

enum { MAX_SHAPES = 16, MAX_THREADS = 64 };

typedef struct shape {
    int64_t n, k;
} shape;

typedef struct bench {
    int isa; /* -1: all */
    int reps, threads;
    int64_t m;
    bool type[RG_WT_COUNT]; /* that are wanted */
    int64_t footprint;      /* bytes walked through, so that they come from memory and not from a cache */
    shape shapes[MAX_SHAPES];
    int n_shapes;
    const char *only; /* how names of operations begin, or NULL */
    bool csv;
    rg_machine roofs; /* of this run and so many threads */
} bench;

/* One figure. */
typedef struct figure {
    const char *op, *type, *isa, *shape;
    int64_t m;         /* tokens or queries; 0: the part of an operation that has none */
    double bytes, ops; /* of one run by the whole team */
    bool streams;      /* the bytes come from memory */
    rg_arith arith;    /* RG_ARITH_COUNT: no roof of arithmetic */
    rg_isa level;      /* whose width that roof has */
} figure;

bool bench_wanted(const bench *b, const char *op);
/* A team over a table, which the caller may change between runs. */
rg_team *bench_team(const bench *b, const rg_ktab *k);
/* Runs fn in the team, medians over the repetitions, and prints the line. */
void bench_figure(const bench *b, const figure *f, rg_team *team, rg_team_fn *fn, void *user);
/* Memory in large pages, zeros; ends the program without. */
void *bench_alloc(int64_t bytes);
/* A packed random matrix and its copies: n bytes or more in all. */
char *bench_matrix(const rg_ktab *t, rg_wtype type, shape s, int64_t copies);
void bench_row_source(void *k, int64_t r, float *dst);

/* One row of kernels.def over the shapes. */
void bench_row(const bench *b, const rg_kernel_row *row);
/* Products, attention and packing by the engine's drivers at one level. */
void bench_operators(const bench *b, rg_isa level, bool blas);

int bench_main(int argc, char **argv);

#endif
