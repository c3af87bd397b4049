/* Operator groups over batch sizes and lengths in the log-log plane, after LLM-Viewer's chart. */
#ifndef RG_SWEEP_H
#define RG_SWEEP_H

#include "report/svg/roof_plot.h"

typedef enum rg_sweep_group { RG_SWEEP_QKV, RG_SWEEP_FFN, RG_SWEEP_ATTN, RG_SWEEP_GROUPS } rg_sweep_group;

typedef struct rg_sweep_point {
    rg_sweep_group group;
    rg_phase phase;
    int64_t batch, seqlen;
    char format[64];                     /* of its weights: "q4g64" */
    double ai, gflops;                   /* analytic: on its roof; NAN: unknown */
    double measured_ai, measured_gflops; /* NAN: not measured */
} rg_sweep_point;

/* plot: with its roofs added, not yet scaled. */
rg_status rg_picture_sweep_points(FILE *f, const char *title, const char *sub, rg_roof_plot *plot,
    const rg_sweep_point *p, size_t n, bool embedded, rg_err *err);
/* Where rg_picture_sweep_points draws: the rectangle to make the plot with. */
rg_roof_plot rg_sweep_plot(void);

#endif
