/* Roofs: measured on this machine, with the instructions and the threads of the run, or read from a file. */
#ifndef RG_MACHINE_H
#define RG_MACHINE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/cpu.h"
#include "base/status.h"
#include "base/sysinfo.h"

enum { RG_MAX_BW = 24, RG_MAX_CPUS = 256 };

/* A median of repeated measurements and the distance from the 10th to the 90th percentile as a fraction of it. value 0: unknown. */
typedef struct rg_measured {
    double value, spread;
} rg_measured;

typedef struct rg_bw_point {
    int64_t footprint_bytes; /* summed over threads */
    rg_measured read_gbps;   /* 1e9 bytes/s, all threads together */
} rg_bw_point;

typedef struct rg_machine {
    char cpu[64];
    char source[160];     /* "measured", "file PATH" */
    char measured_at[32]; /* ISO 8601 */
    int cores, threads;   /* cores usable here; threads the roofs were measured with */
    int64_t memory_bytes;
    rg_isa isa_best;
    int n_bw;
    rg_bw_point bw[RG_MAX_BW]; /* rising footprints */
    rg_measured fma_gflops
        [RG_ISA_COUNT];     /* FP32 multiply-add peak of levels with an own register width (rg_isa_fp32); C: baseline vectors, separate multiply and add */
    rg_measured barrier_ns; /* one barrier of the team */
    bool noisy;             /* a spread above 20 %: the verdict is in the report */
} rg_machine;

/* Measures the roofs with `threads` threads pinned to cpus[0..threads) (NULL: not pinned). footprint: one more point of the ladder at the
 * size of the model (0: none). quick: fewer points and repetitions (about 2 s instead of about 20). */
rg_status rg_machine_measure(
    rg_machine *m, int threads, const int *cpus, int64_t footprint, bool quick, rg_progress_fn *progress, void *user, const rg_stop_flag *stop, rg_err *err);

/* Measures the read bandwidth at that footprint again and puts it into m (about 0.2 s): what a shared machine gives changes from minute to
 * minute, and a percentage wants the roof of its own run. m->threads threads. */
rg_status rg_machine_refresh(rg_machine *m, const int *cpus, int64_t footprint, rg_progress_fn *progress, void *user, const rg_stop_flag *stop, rg_err *err);

/* JSON file, atomically written. */
rg_status rg_machine_save(const rg_machine *m, const char *path, rg_err *err);
rg_status rg_machine_load(rg_machine *m, const char *path, rg_err *err);
/* The same JSON, or a table for people, to a stream. */
rg_status rg_machine_json(FILE *f, const rg_machine *m, rg_err *err);
rg_status rg_machine_md(FILE *f, const rg_machine *m, rg_err *err);

/* Path of the cached file for this CPU and thread count below $XDG_CACHE_HOME or ~/.cache, directories made; "" if there is no home. */
void rg_machine_cache_path(char *buf, size_t n, int threads);

/* The roofs to use: `name` "measured" or NULL: the cache if it is of this CPU and thread count and knows the footprint's neighbourhood, with the
 * bandwidth at the footprint measured anew; else a quick measurement (then cached); otherwise a path. */
rg_status rg_machine_get(rg_machine *m, const char *name, int threads, const int *cpus, int64_t footprint, rg_progress_fn *progress, void *user,
    const rg_stop_flag *stop, rg_err *err);

/* Read bandwidth for a working set of that size, GB/s: interpolated in the logarithm of the footprint; 0 if unknown. */
double rg_machine_bw(const rg_machine *m, int64_t footprint);
/* FP32 FMA peak for kernels of that level, GFLOP/s; 0 if unknown. */
double rg_machine_peak(const rg_machine *m, rg_isa isa);

#endif
