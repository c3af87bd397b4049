/* A line at the bottom of the terminal while an answer is drawn: speed, counted bandwidth, share of the roof,
 * context. Where standard output or error is no terminal, every function does nothing. */
#ifndef RG_LIVE_H
#define RG_LIVE_H

#include "ridge/engine.h"

typedef struct rg_live {
    bool on;
    int rows, cols;
    double roof_gbps;                           /* 0: unknown */
    const char *what;                           /* weight type, for the line; static */
    uint64_t drawn_ns, window_ns, window_bytes; /* since the last drawing: time and counted bytes of steps */
    uint64_t all_ns, all_bytes;                 /* since the answer began */
    int64_t window_tokens, all_tokens;
    char speed[192]; /* what the line says before the context: of the last window, or the last answer */
} rg_live;

/* roof_gbps: read bandwidth for the bytes of a step, or 0. */
void rg_live_open(rg_live *l, const rg_engine *e, double roof_gbps);
/* One more step; draws at most five times a second. */
void rg_live_step(rg_live *l, const rg_log *log, uint64_t t_ns, int64_t n_ctx, int64_t ctx);
/* The answer has ended: shows its averages. */
void rg_live_rest(rg_live *l, int64_t n_ctx, int64_t ctx);
/* Nothing runs: shows the context as it is now. */
void rg_live_context(rg_live *l, int64_t n_ctx, int64_t ctx);
void rg_live_close(rg_live *l);
/* The roof for so many bytes from the kept machine file; 0: there is none. */
double rg_live_roof(int threads, uint64_t bytes);

#endif
