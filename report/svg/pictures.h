/* The pictures of reports (pictures.def) and of a machine, each a function. */
#ifndef RG_PICTURES_H
#define RG_PICTURES_H

#include "report/runs.h"

/* index: of the run, or of the picture in the report; pictures of all runs ignore it. */
typedef rg_status rg_picture_fn(FILE *f, const rg_reports *s, size_t index, bool embedded, rg_err *err);
typedef bool rg_picture_can(const rg_reports *s, size_t index);

typedef struct rg_picture {
    rg_doc_kind kind;                 /* the report it shows; profile: recorded runs, wherever they are */
    const char *name, *title, *words; /* name: of the file, without .svg */
    bool of_all;                      /* one for all runs, not one per run */
    rg_picture_fn *draw;
    rg_picture_can *can; /* whether the report holds what it shows */
} rg_picture;

/* Places in the list. */
typedef enum rg_picture_id {
#define RG_PICTURE(id, kind, name, title, of_all, words) RG_PICTURE_##id,
#include "report/svg/pictures.def"
} rg_picture_id;

extern const rg_picture rg_pictures[];
extern const int rg_n_pictures;

/* How many there are of it. */
size_t rg_picture_count(const rg_picture *p, const rg_reports *s);

/* Draws to `path`: a name that ends in .svg gets one picture (the roofline; several runs: the comparison;
 * other reports: the first), a folder, made if missing, gets all. *n (may be NULL): how many. */
rg_status rg_pictures_write(const rg_reports *s, const char *path, int *n, rg_err *err);

/* The roofs of a machine: bandwidth over footprints, and the ceilings in the log-log plane. */
rg_status rg_picture_machine(FILE *f, const rg_machine *m, bool embedded, rg_err *err);

#define RG_PICTURE(id, kind, name, title, of_all, words) \
    rg_picture_fn rg_picture_##id; \
    rg_picture_can rg_picture_can_##id;
#include "report/svg/pictures.def"

#endif
