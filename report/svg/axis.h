/* Linear and logarithmic axes: scale, ticks, grid. */
#ifndef RG_AXIS_H
#define RG_AXIS_H

#include "report/svg/svg.h"

typedef struct rg_axis {
    double lo, hi;   /* values */
    double p0, p1;   /* positions of lo and hi */
    bool log, bytes; /* bytes: ticks at powers of two (1, 16, 256 KiB ...) */
    double unit;     /* what the figure 1 at a tick stands for; 0: 1 */
} rg_axis;

/* A logarithmic axis over [lo, hi], a tenth of a decade wider on both sides; accepts any input. */
rg_axis rg_axis_log(double lo, double hi, double p0, double p1);
/* A linear axis from 0 to a round number above hi. */
rg_axis rg_axis_linear(double hi, double p0, double p1);
/* A linear axis between round numbers around [lo, hi]. */
rg_axis rg_axis_span(double lo, double hi, double p0, double p1);
/* Position of a value, kept within one axis length of the ends; NAN for what a logarithm does not know. */
double rg_axis_at(const rg_axis *a, double v);
bool rg_axis_in(const rg_axis *a, double v);

/* Ticks with numbers and grid lines across the plot. */
void rg_axis_draw_x(rg_svg *s, const rg_axis *x, double top, double bottom, const char *title);
void rg_axis_draw_y(rg_svg *s, const rg_axis *y, double left, double right, const char *title);

#endif
