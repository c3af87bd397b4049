/* ridge inspect --fit: the longest context that fits into memory, by type of weights and of cache. */
#ifndef RG_FIT_TABLE_H
#define RG_FIT_TABLE_H

#include <jansson.h>

#include "report/screen.h"
#include "ridge/engine.h"

enum { RG_FIT_ROWS = RG_WT_COUNT + 1 };

typedef struct rg_fit {
    int n;
    uint64_t available; /* bytes; 0: unknown */
    const char *source; /* of available; static */
    int threads;
    struct rg_fit_row {
        const char *dtype; /* "as in the file", or a type; static */
        uint64_t weights;
        struct rg_fit_cell {
            bool possible;  /* by the head size */
            int64_t ctx;    /* longest context up to the model's; 0: none fits */
            uint64_t total; /* bytes at that context */
        } kv[RG_KV_COUNT];
    } row[RG_FIT_ROWS];
} rg_fit;

/* The dtype of eo, and context and cache types of so, do not matter. */
rg_status rg_fit_make(
    rg_fit *f, const rg_ckpt *c, const rg_engine_opts *eo, const rg_session_opts *so, rg_err *err);
/* As Markdown, and on a terminal without what everything together takes. */
void rg_fit_md(FILE *out, const rg_fit *f, const rg_config *c);
void rg_fit_text(const rg_screen *s, const rg_fit *f, const rg_config *c, bool *failed);
json_t *rg_fit_json(const rg_fit *f);

#endif
