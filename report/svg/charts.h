/* Rows of marks with intervals, and curves. Filled marks are measured, hollow ones analytic. */
#ifndef RG_CHARTS_H
#define RG_CHARTS_H

#include <jansson.h>

#include "report/svg/axis.h"
#include "report/svg/roof_plot.h"

enum { RG_CHART_COLOURS = 6 };
/* Class of the i-th series; its shape differs too. */
const char *rg_chart_class(int i);
void rg_chart_mark(rg_svg *s, int i, double x, double y, double r);
void rg_chart_hollow(rg_svg *s, int i, double x, double y, double r);
/* The same in a legend. */
void rg_chart_legend(rg_svg *s, rg_legend *l, int i, const char *text);

/* A row: NAN is unknown everywhere. */
typedef struct rg_dot {
    char label[96], text[200]; /* left and right of it */
    char tip[480], at[48];     /* at: where it stands in the JSON ("results.3"); "": nowhere */
    double value, low, high;   /* measured, and its interval */
    double ideal;              /* what the roofs allow */
    const json_t *sample;      /* numbers drawn as ticks; borrowed; may be NULL */
    int series;
} rg_dot;

typedef struct rg_dot_panel {
    char title[128];
    const char *unit; /* below its axis; static */
    bool log;
    double reference; /* an upright line with a name; NAN: none */
    const char *reference_name;
    double least, most; /* what the axis holds beside its dots; 0: nothing */
    rg_dot *dot;        /* borrowed */
    int n;
} rg_dot_panel;

typedef struct rg_chart_words {
    const char *title, *sub, *desc, *legend; /* desc is read out; legend explains the marks */
} rg_chart_words;

rg_status rg_chart_dots(
    FILE *f, const rg_chart_words *w, const rg_dot_panel *p, int n, bool embedded, rg_err *err);

/* From rows of a report: a panel per title that has rows, of 60 at most. */
typedef struct rg_rows rg_rows;
/* Fills the i-th row of a panel; false: it has none. */
typedef bool rg_dot_row_fn(rg_dot *x, const rg_rows *r, int panel, size_t i);
struct rg_rows {
    rg_dot_row_fn *fill;
    const void *from;
    size_t index, n, pictures; /* index: of the picture, of that many on one scale; 0: it is alone */
    const char *const *title;
    int panels;                   /* at most 4 */
    const char *unit, *reference; /* reference: the name of 1, or NULL */
};
rg_status rg_chart_rows(FILE *f, const rg_chart_words *w, const rg_rows *r, bool embedded, rg_err *err);

typedef struct rg_curve_point {
    double x, y, low, high, ideal, share; /* share: y / ideal, as the report has it */
    char tip[320], at[48];
} rg_curve_point;

typedef struct rg_curve {
    char name[96];
    rg_curve_point *p; /* owns; rising in x */
    int n, cap;
} rg_curve;

enum { RG_CURVES = 12 };
typedef struct rg_curves {
    rg_curve c[RG_CURVES];
    int n, left_out; /* curves that found no place */
    const char *x_title, *y_title;
    bool x_log;
} rg_curves;

/* The curve of that name, made if it is new; NULL: no place, counted. */
rg_curve *rg_curves_get(rg_curves *c, const char *name);
/* Adds a point in its order; false without memory. */
bool rg_curve_add(rg_curve *c, const rg_curve_point *p);
/* Curves with one point only say nothing: dropped. */
void rg_curves_prune(rg_curves *c);
void rg_curves_free(rg_curves *c);
/* Left: y with its interval, and what the roofs allow (dashed); right: the share of that. */
/* Frees the curves. ok: all points were added. */
rg_status rg_chart_curves(
    FILE *f, const rg_chart_words *w, rg_curves *c, bool ok, bool embedded, rg_err *err);

#endif
