/* The result of ridge eval, for people and as a document. */
#ifndef RG_EVAL_REPORT_H
#define RG_EVAL_REPORT_H

#include <stdio.h>
#include <time.h>

#include "report/document.h"
#include "tools/eval/eval_text.h"

/* One model that took part. */
typedef struct rg_eval_model {
    char path[512], name[128], format[32];
    char dtype[16], head_dtype[16], kv[32]; /* of layer weights, of the output matrix, of the cache */
    double bits_resident;
    uint64_t resident_bytes;
} rg_eval_model;

/* One candidate of the sensitivity ranking. */
typedef struct rg_eval_part {
    char name[64];
    int64_t weights;      /* that got the type */
    uint64_t saved_bytes; /* resident bytes that saves against the reference */
    rg_score_stats stats;
} rg_eval_part;

typedef struct rg_eval_report {
    const char *command, *isa;
    time_t started;
    int threads;
    rg_eval_model model, ref; /* ref.path empty: none */
    const char *source;       /* of the text */
    int64_t text_tokens;
    rg_eval_opts opts;
    rg_eval_run run;
    rg_score_stats stats;
    const char *sensitivity; /* NULL, or layer, site, tensor: parts is the result, sorted by damage */
    rg_eval_part *parts;     /* borrowed */
    int n_parts;
    bool interrupted;
} rg_eval_report;

/* A score as documents have it, for the caller to free with them; NULL without memory. */
rg_doc_score *rg_eval_score(const rg_score_stats *s);

rg_status rg_eval_report_md(FILE *f, const rg_eval_report *r, rg_err *err);
rg_status rg_eval_report_doc(rg_doc *d, const rg_eval_report *r, rg_err *err);

#endif
