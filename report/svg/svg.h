/* Writes SVG pictures: nothing is fetched, text is escaped and never lies on text. Colours are classes
 * (colours.def) with rules for light and dark; common viewers know no CSS variables. Lengths are pixels, y
 * grows downwards. */
#ifndef RG_SVG_H
#define RG_SVG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/status.h"

/* A rectangle around (x, y), turned by the angle whose sine and cosine it keeps. */
typedef struct rg_svg_box {
    double x, y, half_w, half_h, sin, cos;
    bool soft; /* a line: text stays off it while there is another place */
} rg_svg_box;

typedef struct rg_svg {
    FILE *f; /* borrowed */
    double w, h;
    rg_svg_box *box; /* owns: what text must not lie on */
    size_t n_box, cap_box;
    int dropped; /* labels that found no place */
    bool failed; /* out of memory */
} rg_svg;

typedef enum rg_svg_anchor { RG_SVG_START, RG_SVG_MIDDLE, RG_SVG_END } rg_svg_anchor;

/* Where and how a text stands; (x, y) is its base line's start, middle or end. */
typedef struct rg_svg_at {
    double x, y;
    rg_svg_anchor anchor;
    double size;     /* of the font; 0: 12 */
    double angle;    /* degrees, clockwise, around (x, y) */
    const char *cls; /* class; NULL: "ink" */
} rg_svg_at;

/* embedded: in a page that has the style sheet. title and desc are read out. */
void rg_svg_open(rg_svg *s, FILE *f, double w, double h, const char *title, const char *desc, bool embedded);
/* Ends the picture and frees the boxes; an error if writing or memory failed. */
rg_status rg_svg_close(rg_svg *s, rg_err *err);
/* The rules of the classes, light and dark. */
void rg_svg_style(FILE *f);

/* Opens a <g>. attrs, tip: ready-made attributes and a tooltip, or NULL; tip may be foreign. */
void rg_svg_group(rg_svg *s, const char *cls, const char *attrs, const char *tip);
void rg_svg_end(rg_svg *s);

void rg_svg_line(
    rg_svg *s, const char *cls, double x0, double y0, double x1, double y1, double width, const char *dash);
void rg_svg_rect(rg_svg *s, const char *cls, double x, double y, double w, double h);
void rg_svg_circle(rg_svg *s, const char *cls, double x, double y, double r);
/* A diamond of the area of a circle of radius r. */
void rg_svg_diamond(rg_svg *s, const char *cls, double x, double y, double r);
/* A line through n points {x, y}; points that are not finite break it. */
void rg_svg_path(rg_svg *s, const char *cls, const double (*xy)[2], size_t n, double width);

/* Writes the text and remembers its place. Cut to the picture's width with an ellipsis. */
void rg_svg_text(rg_svg *s, rg_svg_at at, const char *text);
/* The same from (x, y) on, of size 12. */
void rg_svg_words(rg_svg *s, double x, double y, const char *cls, const char *text);
/* The same if nothing is there yet, else false. over_lines: it may lie on what was kept off softly. */
bool rg_svg_try_text(rg_svg *s, rg_svg_at at, const char *text, bool over_lines);
/* Tries places around a mark of radius r at (x, y), first off all lines; false and counted if none is free.
 * rg_svg_label_clear: off lines only. */
bool rg_svg_label(rg_svg *s, double x, double y, double r, double size, const char *cls, const char *text);
bool rg_svg_label_clear(
    rg_svg *s, double x, double y, double r, double size, const char *cls, const char *text);
/* Reserves the place of a mark or a line, so that later labels keep off. */
void rg_svg_keep_off(rg_svg *s, double x, double y, double half_w, double half_h, double angle);
void rg_svg_keep_off_line(rg_svg *s, double x0, double y0, double x1, double y1); /* softly */

/* Width of a text in DejaVu Sans, the widest sans-serif font in use. */
double rg_svg_text_width(const char *text, double size);
/* x with at most two decimals, never an exponent, the same in every locale. */
void rg_svg_number(FILE *f, double x);

#endif
