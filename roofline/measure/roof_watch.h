/* Roofs sampled inside a run, a few tens of milliseconds at a time: what the machine gave just then. */
#ifndef RG_ROOF_WATCH_H
#define RG_ROOF_WATCH_H

#include <stdint.h>

#include "base/status.h"

typedef struct rg_roof_watch rg_roof_watch;

/* The best of a few tries, all threads together. 0: not sampled. */
typedef struct rg_roof_sample {
    double read_gbps;  /* at the watch's footprint, 1e9 bytes/s */
    double fma_gflops; /* FP32 multiply-adds in registers, 1e9 operations/s */
    double l2_gbps;    /* a block in each thread's second-level cache, 1e9 bytes/s */
} rg_roof_sample;

/* A watch for the threads of a run, pinned as they are (cpus NULL: not pinned). It holds memory of the
 * footprint, at most a GiB and a quarter of what is free; its threads exist only while it samples. */
rg_status rg_roof_watch_open(
    rg_roof_watch **out, int threads, const int *cpus, int64_t footprint, rg_err *err);
void rg_roof_watch_close(rg_roof_watch *w); /* legal on NULL */
/* What it samples: the footprint, and the row of peaks.def. */
void rg_roof_watch_of(const rg_roof_watch *w, int64_t *footprint, int *peak);
/* Call while the run's own threads rest. All zeros where a thread could not be started. */
void rg_roof_watch_sample(rg_roof_watch *w, rg_roof_sample *s);

#endif
