/* Roofs: measured here, with the instructions and threads of the run, or read from a file. */
#ifndef RG_MACHINE_H
#define RG_MACHINE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/status.h"
#include "base/sysinfo.h"
#include "roofline/measure/peaks.h"
#include "roofline/measure/roof_watch.h"

enum { RG_MAX_BW = 24, RG_MAX_LADDERS = 16, RG_MAX_CPUS = 256 };

/* A roof is the best of its samples, since what disturbs one only lowers it; a latency is their median.
 * spread: from the 10th to the 90th percentile, over the median. value 0: unknown. */
typedef struct rg_measured {
    double value, spread;
} rg_measured;

/* What is done with the bytes. Each byte read or written counts once: a copy of n moves 2 n, a triad (a = b +
 * s c, STREAM's) 3 n. Lines fetched only to be overwritten do not count. */
typedef enum rg_bw_kind { RG_BW_READ, RG_BW_WRITE, RG_BW_COPY, RG_BW_TRIAD, RG_BW_COUNT } rg_bw_kind;
extern const char *const rg_bw_names[RG_BW_COUNT]; /* "read", "write", "copy", "triad" */

typedef struct rg_bw_point {
    /* summed over threads, and over the arrays of a copy or triad */
    int64_t footprint_bytes;
    rg_measured read_gbps, write_gbps, copy_gbps, triad_gbps; /* 1e9 bytes/s, all threads together */
} rg_bw_point;

/* Bandwidth with other threads or pages than the run's. */
typedef struct rg_bw_ladder {
    int threads, n;
    bool huge_pages; /* 2 MiB pages were asked for */
    /* part of the memory that got huge pages; NAN: unknown */
    double huge_share;
    rg_bw_point bw[RG_MAX_BW]; /* rising footprints */
} rg_bw_ladder;

typedef struct rg_machine {
    char cpu[64];
    char cpu_id[64];      /* vendor, family, model, stepping; "" if unknown */
    char kernel[64];      /* operating system and release */
    char source[160];     /* "measured", "file PATH" */
    char measured_at[32]; /* ISO 8601 */
    int cores, threads;   /* cores usable here; threads the roofs were measured with */
    int64_t memory_bytes; /* installed */
    /* memory for this process: installed, or the cgroup's limit if smaller; 0: unknown */
    int64_t memory_limit;
    rg_isa isa_best;
    int n_bw;
    /* by rising footprint; `threads` threads, huge pages where the system gives them */
    rg_bw_point bw[RG_MAX_BW];
    double huge_share; /* part of that memory in huge pages; NAN: unknown */
    int n_ladders;
    rg_bw_ladder ladder[RG_MAX_LADDERS]; /* further ones, by threads, then by pages */
    int ladders_left_out;                /* for want of time */
    rg_measured peak[RG_PEAK_COUNT];     /* 1e9 operations/s of all threads together; rows of peaks.def */
    rg_measured barrier_ns;              /* one barrier of pinned, spinning threads */
    /* of the engine's team: an empty parallel region; one operator's record, per thread */
    rg_measured region_ns, record_ns;
    rg_measured clock_ns; /* reading the clock, of which a record needs two */
    /* where roofs are what a run found (rg_machine_during): its part of the best; footprint 0: they are the
     * best */
    struct {
        int64_t footprint;
        double read, compute;
    } now;
    bool noisy;      /* a spread above 20 % */
    char noise[160]; /* the evidence, one phrase; "" if quiet */
} rg_machine;

/* Measures with `threads` threads pinned to cpus[0..threads) (NULL: not pinned). footprint: a further point
 * of the ladder, the model's size (0: none). quick: fewer points and repetitions, no further ladders (about 3
 * s, not 40). */
rg_status rg_machine_measure(rg_machine *m, int threads, const int *cpus, int64_t footprint, bool quick,
    rg_progress_fn *progress, void *user, const rg_stop_flag *stop, rg_err *err);

/* The peaks and the smallest footprint anew (about 0.6 s), merged into m, whose threads measure. Where that
 * raises no peak by over a twentieth, m is no longer noisy. */
rg_status rg_machine_measure_peaks(rg_machine *m, const int *cpus, const rg_stop_flag *stop, rg_err *err);

/* ---- machine_merge.c: roofs over time ---- */

/* The larger of both figures stays: read at the watch's footprint, which becomes a point of the ladder, and
 * the FP32 peak. */
void rg_machine_merge(rg_machine *m, const rg_roof_watch *w, const rg_roof_sample *s);
/* Merges samples at a footprint, about 0.1 s (0: nothing). during: as rg_machine_during too. */
rg_status rg_machine_refresh(rg_machine *m, const int *cpus, int64_t footprint, bool during, rg_err *err);
/* The roofs as a run found them: read at that footprint becomes the sample's, and every peak moves with the
 * FP32 peak; m->now says how far. Zeros in the sample change nothing. */
void rg_machine_during(rg_machine *m, const rg_roof_watch *w, const rg_roof_sample *s);

/* The roofs are a file's: what they say is not for a run to change. */
bool rg_machine_of_file(const rg_machine *m);

/* What identifies this machine now (CPU, kernel, cores, memory limits); no roofs. */
void rg_machine_describe(rg_machine *m, int threads);

/* JSON file, atomically written. */
rg_status rg_machine_save(const rg_machine *m, const char *path, rg_err *err);
rg_status rg_machine_load(rg_machine *m, const char *path, rg_err *err);
/* The same JSON to a stream. */
rg_status rg_machine_json(FILE *f, const rg_machine *m, rg_err *err);

/* Path of the cached file for this CPU and thread count below $XDG_CACHE_HOME or ~/.cache, directories made;
 * "" without a home. */
void rg_machine_cache_path(char *buf, size_t n, int threads);

/* Keeps m there for later runs. A noisy one is merged with what is kept of the same machine. */
rg_status rg_machine_keep(rg_machine *m, const char *path, rg_err *err);

/* The roofs to use. `name`: a path, or "measured" or NULL. Then the cache, if it is of this machine (CPU,
 * kernel, cores, memory limit) and thread count and knows the footprint's neighbourhood, noisy or not. Else a
 * quick measurement, which is cached. */
rg_status rg_machine_get(rg_machine *m, const char *name, int threads, const int *cpus, int64_t footprint,
    rg_progress_fn *progress, void *user, const rg_stop_flag *stop, rg_err *err);

/* The same for a further run of a process: from an earlier one of as many threads (NULL: none; may be m).
 * What is compared then has the same roofs. */
rg_status rg_machine_share(rg_machine *m, const rg_machine *earlier, const char *name, int threads,
    const int *cpus, int64_t footprint, rg_progress_fn *progress, void *user, const rg_stop_flag *stop,
    rg_err *err);

/* Raises the roofs of m to those of another measurement of this machine with as many threads, where they are
 * higher; reading a smaller working set is never slower than a larger one. */
void rg_machine_raise(rg_machine *m, const rg_machine *other);

/* The figure of a kind in a point. */
rg_measured *rg_bw_at(rg_bw_point *p, rg_bw_kind kind);
const rg_measured *rg_bw_get(const rg_bw_point *p, rg_bw_kind kind);

/* Bandwidth of a kind for a working set, GB/s: interpolated in the footprint's logarithm; 0: unknown. */
double rg_machine_bw_of(const rg_machine *m, rg_bw_kind kind, int64_t footprint);
double rg_machine_bw(const rg_machine *m, int64_t footprint);

/* Shortest time, ns, to read and write those bytes of a working set; NAN without a read roof. The time per
 * byte follows the share of writes: reading alone, a copy (half is written), writing alone. Writes that were
 * not measured are charged like reads, which is optimistic. */
double rg_machine_move_ns(const rg_machine *m, double read_bytes, double written_bytes, int64_t footprint);

/* Peak of a class for kernels of that level, 1e9 operations/s: of its register width, else the best of the
 * class; 0: unknown. */
double rg_machine_peak_of(const rg_machine *m, rg_arith arith, rg_isa isa);
/* The row of peaks.def that rg_machine_peak_of takes, or -1. */
int rg_machine_peak_row(const rg_machine *m, rg_arith arith, rg_isa isa);
/* FP32 multiply-add peak for kernels of that level, GFLOP/s; 0 if unknown. */
double rg_machine_peak(const rg_machine *m, rg_isa isa);

#endif
