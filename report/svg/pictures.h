/* The pictures of saved runs (pictures.def), each a function from runs to an SVG, and the picture of a
 * machine. */
#ifndef RG_PICTURES_H
#define RG_PICTURES_H

#include "report/saved.h"
#include "roofline/measure/machine.h"

/* One run of s, or all of them for pictures that compare. embedded: see rg_svg_open. */
typedef rg_status rg_picture_fn(FILE *f, const rg_saved *s, size_t run, bool embedded, rg_err *err);
typedef bool rg_picture_can(const rg_saved *s, size_t run);

typedef struct rg_picture {
    const char *name, *title; /* name: of the file, without .svg */
    bool of_set;              /* one for all runs, not one per run */
    rg_picture_fn *draw;
    rg_picture_can *can; /* whether the runs hold what it shows */
} rg_picture;

extern const rg_picture rg_pictures[];
extern const int rg_n_pictures;

/* Draws to `path`: a name that ends in .svg gets the one picture that says most (the roofline; several runs:
 * the comparison); anything else is a folder, made if it is missing, that gets every picture. Returns how
 * many were written in *n (may be NULL). */
rg_status rg_pictures_write(const rg_saved *s, const char *path, int *n, rg_err *err);

/* The roofs of a machine: bandwidth over footprints, and the ceilings in the log-log plane. */
rg_status rg_picture_machine(FILE *f, const rg_machine *m, bool embedded, rg_err *err);

#define RG_PICTURE(id, name, title, of_set) \
    rg_picture_fn rg_picture_##id; \
    rg_picture_can rg_picture_can_##id;
#include "report/svg/pictures.def"

#endif
