/* Rows, columns and figures of documents. */
#include "report/views.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

const rg_view rg_views[] = {
#define RG_VIEW(document, from, part, title) {RG_DOC_##document, from, part, title},
#include "report/views.def"
};
const int rg_n_views = sizeof rg_views / sizeof *rg_views;

/* The row that a key of a path names. */
static const void *row_of(const rg_fig *f, const void *at, const char *key, bool only)
{
    const size_t n = rg_fig_rows(f, at);
    if (isdigit((unsigned char)key[0]))
        return only && n != 1 ? NULL : rg_fig_row(f, at, strtoul(key, NULL, 10));
    const rg_fig *phase = rg_fig_find(f->of, "phase");
    for (size_t i = 0; i < n; i++) {
        const char *row = rg_fig_row(f, at, i);
        if (row &&
            (key[0] == '*' ||
                (phase && phase->kind == RG_FIG_PHASE &&
                    strcmp(rg_phase_names[*(const rg_phase *)(const void *)(row + phase->at)], key) == 0)))
            return row;
    }
    return NULL;
}

/* Takes the first key off a path. */
static const char *key_of(char *key, size_t n, const char *path)
{
    const size_t len = strcspn(path, ".");
    snprintf(key, n, "%.*s", (int)len, path);
    return path + len + (path[len] == '.');
}

rg_found rg_figure_at(rg_object_id object, const void *from, const char *path, bool only)
{
    char key[48];
    for (;;) {
        path = key_of(key, sizeof key, path);
        const rg_fig *f = from ? rg_fig_find(object, key) : NULL;
        const void *at = f ? (const char *)from + f->at : NULL;
        if (!f || !*path) return (rg_found){f, at};
        if (f->kind == RG_FIG_OBJ) {
            from = at;
        } else if (f->kind == RG_FIG_OBJ0 || f->kind == RG_FIG_OBJX) {
            from = *(void *const *)at;
        } else {
            path = key_of(key, sizeof key, path);
            from = row_of(f, at, key, only);
        }
        object = f->of;
    }
}

/* Objects by name are JSON in a document. */
static rg_status read_dict(rg_view_rows *r, const json_t *dict, rg_err *err)
{
    const size_t size = rg_objects[r->fig->of].size;
    const char *key;
    json_t *e;
    char *to = r->own = calloc(r->n, size);
    size_t i = 0;
    if (!to) return rg_no_memory(err, "table");
    json_object_foreach ((json_t *)(uintptr_t)dict, key, e) {
        rg_place p = {.file = "this report", .command = "ridge"};
        r->row[i] = (rg_view_row){to + i * size, i, key};
        const rg_status st = rg_object_read(r->fig->of, to + i++ * size, e, &p, err);
        if (st) return st;
    }
    return RG_OK;
}

rg_status rg_view_rows_open(
    rg_view_rows *r, rg_object_id object, const void *from, const char *path, rg_err *err)
{
    const rg_found list = rg_figure_at(object, from, path, true);
    *r = (rg_view_rows){.fig = list.fig};
    const json_t *dict = list.fig && list.fig->kind == RG_FIG_DICT ? *(json_t *const *)list.at : NULL;
    const size_t n = dict ? json_object_size(dict) : list.fig ? rg_fig_rows(list.fig, list.at) : 0;
    if (n == 0) return RG_OK;
    r->row = calloc(n, sizeof *r->row);
    if (!r->row) return rg_no_memory(err, "table");
    r->n = n;
    if (dict) return read_dict(r, dict, err);
    for (size_t i = 0; i < n; i++) r->row[i] = (rg_view_row){rg_fig_row(list.fig, list.at, i), i, NULL};
    return RG_OK;
}

void rg_view_rows_close(rg_view_rows *r)
{
    for (size_t i = 0; r->own && i < r->n; i++)
        rg_object_free(r->fig->of, (char *)r->own + i * rg_objects[r->fig->of].size);
    free(r->own);
    free(r->row);
    *r = (rg_view_rows){0};
}

int rg_view_columns(rg_leaf out[RG_MOST_LEAVES], const rg_view_rows *r, const char *part)
{
    const size_t len = strlen(part);
    const int all = r->n ? rg_leaves(out, r->fig->of, "", true) : 0;
    int n = 0, filled = 0;
    for (int c = 0; c < all; c++) {
        const bool own = !strchr(out[c].key, '.'),
                   of_part = strncmp(out[c].key, part, len) == 0 && out[c].key[len] == '.';
        bool use = false;
        if (part[0] != '*' && !(len ? of_part || (own && n == 0) : own)) continue;
        for (size_t i = 0; i < r->n && !use; i++)
            use = !rg_fig_null(out[c].fig, rg_leaf_value(&out[c], r->row[i].at));
        if (!use) continue;
        filled += of_part || !len || part[0] == '*';
        out[n++] = out[c];
    }
    return filled ? n : 0;
}
