/* Roofs: measured on this machine, with the instructions and the threads of the run, or read from a file. */
#ifndef RG_MACHINE_H
#define RG_MACHINE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/status.h"
#include "base/sysinfo.h"
#include "roofline/measure/peaks.h"

enum { RG_MAX_BW = 24, RG_MAX_LADDERS = 16, RG_MAX_CPUS = 256 };

/* A median of repeated measurements and the distance from the 10th to the 90th percentile as a fraction of
 * it. value 0: unknown. */
typedef struct rg_measured {
    double value, spread;
} rg_measured;

/* What is done with the bytes. Every byte that the program reads or writes counts once: a copy of n bytes
 * moves 2 n, a triad (a = b + s c, STREAM's) 3 n; lines fetched only to be overwritten do not count. */
typedef enum rg_bw_kind { RG_BW_READ, RG_BW_WRITE, RG_BW_COPY, RG_BW_TRIAD, RG_BW_COUNT } rg_bw_kind;
extern const char *const rg_bw_names[RG_BW_COUNT]; /* "read", "write", "copy", "triad" */

typedef struct rg_bw_point {
    /* summed over threads, and over the arrays of a copy or triad */
    int64_t footprint_bytes;
    rg_measured read_gbps, write_gbps, copy_gbps, triad_gbps; /* 1e9 bytes/s, all threads together */
} rg_bw_point;

/* Bandwidth with another number of threads or other pages than the run's. */
typedef struct rg_bw_ladder {
    int threads, n;
    bool huge_pages; /* 2 MiB pages were asked for */
    /* part of the memory that got them, as the kernel says; NAN: it does not say */
    double huge_share;
    rg_bw_point bw[RG_MAX_BW]; /* rising footprints */
} rg_bw_ladder;

typedef struct rg_machine {
    char cpu[64];
    char cpu_id[64];      /* vendor, family, model, stepping; "" where the CPU does not say */
    char kernel[64];      /* operating system and release */
    char source[160];     /* "measured", "file PATH" */
    char measured_at[32]; /* ISO 8601 */
    int cores, threads;   /* cores usable here; threads the roofs were measured with */
    int64_t memory_bytes; /* installed */
    /* what this process may use of it: the smaller of installed and the cgroup's limit; 0: unknown */
    int64_t memory_limit;
    rg_isa isa_best;
    int n_bw;
    /* rising footprints; `threads` threads, huge pages where the system gives them, as the engine asks for */
    rg_bw_point bw[RG_MAX_BW];
    double huge_share; /* part of that memory that lay in huge pages; NAN: the kernel does not say */
    int n_ladders;
    rg_bw_ladder ladder[RG_MAX_LADDERS]; /* further ones, by threads, then by pages */
    int ladders_left_out;                /* for want of time */
    rg_measured peak[RG_PEAK_COUNT];     /* 1e9 operations/s, all threads together; the rows of peaks.def */
    rg_measured barrier_ns;              /* one barrier of pinned, spinning threads */
    /* the engine's own team: an empty parallel region; the record of one operator, per thread */
    rg_measured region_ns, record_ns;
    rg_measured clock_ns; /* reading the clock, of which a record needs two */
    bool noisy;           /* a spread above 20 % */
    char noise[160];      /* the evidence, one phrase; "" if quiet */
} rg_machine;

/* Measures the roofs with `threads` threads pinned to cpus[0..threads) (NULL: not pinned). footprint: one
 * more point of the ladder at the size of the model (0: none). quick: fewer points and repetitions, no
 * further ladders (about 3 s instead of about 40). */
rg_status rg_machine_measure(rg_machine *m, int threads, const int *cpus, int64_t footprint, bool quick,
    rg_progress_fn *progress, void *user, const rg_stop_flag *stop, rg_err *err);

/* Measures the read bandwidth at that footprint again and puts it into m (about 0.2 s): what a shared machine
 * gives changes from minute to minute, and a percentage wants the roof of its own run. m->threads threads. */
rg_status rg_machine_refresh(rg_machine *m, const int *cpus, int64_t footprint, rg_progress_fn *progress,
    void *user, const rg_stop_flag *stop, rg_err *err);

/* Fills in what identifies this machine as it is now (CPU, kernel, cores, memory limits); no roofs. */
void rg_machine_describe(rg_machine *m, int threads);

/* JSON file, atomically written. */
rg_status rg_machine_save(const rg_machine *m, const char *path, rg_err *err);
rg_status rg_machine_load(rg_machine *m, const char *path, rg_err *err);
/* The same JSON to a stream. */
rg_status rg_machine_json(FILE *f, const rg_machine *m, rg_err *err);

/* Path of the cached file for this CPU and thread count below $XDG_CACHE_HOME or ~/.cache, directories made;
 * "" if there is no home. */
void rg_machine_cache_path(char *buf, size_t n, int threads);

/* Whether a measurement should take the place of that file: not a noisy one that of a quiet one of this same
 * machine. */
bool rg_machine_better(const rg_machine *m, const char *path);

/* The roofs to use: `name` "measured" or NULL: the cache if it is of this machine (CPU, kernel, cores, memory
 * limit) and thread count and knows the footprint's neighbourhood, with the bandwidth at the footprint
 * measured anew; else a quick measurement (then cached); otherwise a path. */
rg_status rg_machine_get(rg_machine *m, const char *name, int threads, const int *cpus, int64_t footprint,
    rg_progress_fn *progress, void *user, const rg_stop_flag *stop, rg_err *err);

/* The same for a further run of a process: takes the roofs of an earlier one (NULL: none; may be m) of as
 * many threads, with the bandwidth at the footprint measured anew. What is compared then has the same peaks,
 * even where the machine is too noisy for anything to be cached. */
rg_status rg_machine_share(rg_machine *m, const rg_machine *earlier, const char *name, int threads,
    const int *cpus, int64_t footprint, rg_progress_fn *progress, void *user, const rg_stop_flag *stop,
    rg_err *err);

/* The figure of a kind in a point. */
rg_measured *rg_bw_at(rg_bw_point *p, rg_bw_kind kind);
const rg_measured *rg_bw_get(const rg_bw_point *p, rg_bw_kind kind);

/* Bandwidth of a kind for a working set of that size, GB/s: interpolated in the logarithm of the footprint; 0
 * if unknown. */
double rg_machine_bw_of(const rg_machine *m, rg_bw_kind kind, int64_t footprint);
/* Read bandwidth. */
double rg_machine_bw(const rg_machine *m, int64_t footprint);

/* Shortest time, in ns, to read and write that many bytes of a working set; NAN without a read roof. The time
 * per byte follows the share of writes through what was measured: reading alone, a copy (half is written),
 * writing alone. Where writes were not measured they are charged like reads, which is optimistic. */
double rg_machine_move_ns(const rg_machine *m, double read_bytes, double written_bytes, int64_t footprint);

/* Peak of a class of arithmetic for kernels of that level, 1e9 operations/s: of the level's register width,
 * else the best of the class; 0 if unknown. */
double rg_machine_peak_of(const rg_machine *m, rg_arith arith, rg_isa isa);
/* The row of peaks.def that rg_machine_peak_of takes, or -1. */
int rg_machine_peak_row(const rg_machine *m, rg_arith arith, rg_isa isa);
/* FP32 multiply-add peak for kernels of that level, GFLOP/s; 0 if unknown. */
double rg_machine_peak(const rg_machine *m, rg_isa isa);

#endif
