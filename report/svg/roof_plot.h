/* The ground of roofline pictures: axes, slopes, ceilings, ridge points, a legend. */
#ifndef RG_ROOF_PLOT_H
#define RG_ROOF_PLOT_H

#include "report/runs.h"
#include "report/svg/axis.h"

enum { RG_PLOT_ROOFS = 40 };

typedef struct rg_plot_roof {
    char name[96];
    double value; /* GB/s or GFLOP/s */
    bool compute;
    bool used; /* drawn strongly: the roof that this run is held against */
} rg_plot_roof;

typedef struct rg_roof_plot {
    double left, right, top, bottom;
    rg_axis x, y; /* FLOP/byte, GFLOP/s */
    rg_plot_roof roof[RG_PLOT_ROOFS];
    int n;
    double x_lo, x_hi, y_lo, y_hi; /* extent of the points, widened by rg_roof_plot_reach */
} rg_roof_plot;

/* A point of the plane, FLOP/byte and GFLOP/s, or its position. */
typedef struct rg_xy {
    double x, y;
} rg_xy;
/* "312 GFLOP/s", "149.7 TFLOP/s" of a rate in 1e9 of them; unit: FLOP or op. */
const char *rg_rate(char *buf, size_t n, double giga, const char *unit);
#define RG_RATE(giga, unit) rg_rate((char[48]){0}, 48, giga, unit)
bool rg_xy_seen(rg_xy v); /* both are positive numbers */
rg_xy rg_plot_xy(const rg_roof_plot *p, rg_xy v);
/* A circle for prefill, a diamond for decode. */
void rg_phase_mark(rg_svg *s, rg_phase ph, const char *cls, double x, double y, double r);

/* A plot in that rectangle, without roofs and points. */
rg_roof_plot rg_roof_plot_at(double left, double top, double right, double bottom);
/* Widens the extent to a point; values that are not positive numbers are ignored. */
void rg_roof_plot_reach(rg_roof_plot *p, double x, double y);
/* Adds a roof; more than fit or unknown values are ignored. */
void rg_roof_plot_add(rg_roof_plot *p, bool compute, bool used, double value, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
/* Read bandwidths: footprints of nearly the same speed are one level. deepest: the last is used; those near a
 * used one are left out. */
void rg_roof_plot_levels(
    rg_roof_plot *p, const rg_bw_point *bw, int n, bool deepest, const double *used, int n_used);
/* The roofs of a saved run: levels, the bandwidth at
 * what each phase streams, ceilings. */
void rg_roof_plot_saved(rg_roof_plot *p, const rg_run *r);
/* Fixes the axes to the extent and the ridge points. Positions are valid from here on. */
void rg_roof_plot_scale(rg_roof_plot *p);
/* Widens the axes to those of another plot in the same rectangle, both scaled. */
void rg_roof_plot_share(rg_roof_plot *p, const rg_roof_plot *other);
/* Axes and roof lines; after the marks reserved their places, the names. */
void rg_roof_plot_lines(rg_svg *s, const rg_roof_plot *p);
void rg_roof_plot_names(rg_svg *s, const rg_roof_plot *p);

/* A legend that flows from left to right and wraps. */
typedef enum rg_legend_mark {
    RG_LEGEND_CIRCLE,
    RG_LEGEND_DIAMOND,
    RG_LEGEND_HOLLOW,
    RG_LEGEND_SQUARE,
    RG_LEGEND_WORDS
} rg_legend_mark;
typedef struct rg_legend {
    double x, y, left, right;
} rg_legend;
/* Across a picture 960 wide. */
rg_legend rg_legend_at(double y);
/* Goes on in a new line. */
void rg_legend_line(rg_legend *l);
void rg_legend_item(rg_svg *s, rg_legend *l, rg_legend_mark mark, const char *cls, const char *text);

/* Heading and second line of a picture. */
void rg_picture_title(rg_svg *s, const char *title, const char *sub);
/* Opens a picture that has them. */
void rg_picture_open(rg_svg *s, FILE *f, double w, double h, const char *title, const char *sub,
    const char *desc, bool embedded);
/* "TinyLlama 1.1B, q4g64, 2 threads of AMD EPYC" into buf. */
const char *rg_picture_run(char *buf, size_t n, const rg_run *r);
/* "4 runs of TinyLlama 1.1B; AMD EPYC", of one what it is itself. */
const char *rg_picture_runs(char *buf, size_t n, const rg_reports *s);

#endif
