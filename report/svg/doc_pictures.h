/* The pictures of reports that are no runs (doc_pictures.def). */
#ifndef RG_DOC_PICTURES_H
#define RG_DOC_PICTURES_H

#include "report/doc.h"

/* The index-th picture of its kind (several machines, several kinds of tests). */
typedef rg_status rg_doc_picture_fn(FILE *f, const rg_doc *d, int index, bool embedded, rg_err *err);
typedef int rg_doc_picture_count(const rg_doc *d);

typedef struct rg_doc_picture {
    rg_doc_kind kind;
    const char *name, *title, *words;
    rg_doc_picture_fn *draw;
    rg_doc_picture_count *count; /* how many; 0: the report does not hold what it shows */
} rg_doc_picture;

extern const rg_doc_picture rg_doc_pictures[];
extern const int rg_n_doc_pictures;

/* A name that ends in .svg gets the first picture, anything else is a folder for all, those of the runs
 * inside included. */
rg_status rg_doc_pictures_write(const rg_doc *d, const char *path, int *n, rg_err *err);

#define RG_DOC_PICTURE(id, kind, name, title, words) \
    rg_doc_picture_fn rg_doc_picture_##id; \
    rg_doc_picture_count rg_doc_count_##id;
#include "report/svg/doc_pictures.def"

#endif
