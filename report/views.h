/* Rows and columns of documents: what tables show (views.def), and figures by their path. */
#ifndef RG_VIEWS_H
#define RG_VIEWS_H

#include "report/document.h"

typedef struct rg_view {
    rg_doc_kind kind;
    const char *from, *part, *title;
} rg_view;
extern const rg_view rg_views[];
extern const int rg_n_views;

/* A figure and where it stands; fig NULL: it is not there. */
typedef struct rg_found {
    const rg_fig *fig;
    const void *at;
} rg_found;
/* At a path of keys: "machine.cpu". A list is followed by an index, a phase, or * for its first row. only: an
 * index finds the only row of a list. */
rg_found rg_figure_at(rg_object_id object, const void *from, const char *path, bool only);

typedef struct rg_view_row {
    const void *at;
    size_t index;
    const char *name; /* of an object by name, else NULL */
} rg_view_row;

typedef struct rg_view_rows {
    const rg_fig *fig; /* the list */
    rg_view_row *row;  /* owns */
    size_t n;
    void *own; /* what was read of objects by name */
} rg_view_rows;
/* The rows at a path; none where it leads nowhere. */
rg_status rg_view_rows_open(
    rg_view_rows *r, rg_object_id object, const void *from, const char *path, rg_err *err);
void rg_view_rows_close(rg_view_rows *r);
/* The columns of a part that a row fills; how many. */
int rg_view_columns(rg_leaf out[RG_MOST_LEAVES], const rg_view_rows *r, const char *part);

#endif
