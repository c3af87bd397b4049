/* Inside of `ridge compare`: sides (a measured setting, or a saved run), and what each gained over the
 * first. */
#ifndef RG_COMPARE_H
#define RG_COMPARE_H

#include "report/screen.h"
#include "report/verdict.h"
#include "ridge/score.h"
#include "tools/bench/bench.h"
#include "tools/eval/eval.h"

/* What is compared, in the document's terms: a variant, and its phases (test NULL: not measured) without the
 * gains. NAN: unknown; shares and rates are at the stated speed. */
typedef struct rg_side {
    rg_doc_variant v; /* without phases and loss; texts: of the bench, or of the pool */
    rg_doc_side phase[RG_PHASE_COUNT];
    /* samples, for ratios of the same load; NULL: a saved run */
    const rg_bench_row *row[RG_PHASE_COUNT];
    rg_lines pool;        /* owns */
    rg_score_stats score; /* of --eval; n 0: not evaluated */
    rg_doc doc;           /* the recorded run, as `ridge profile` has it; json NULL: none; owns */
    rg_doc_profile *own;  /* of a bench result, which records no run: its phases and nothing more; owns */
    rg_run run;           /* the face of either, by the side's name; speeds are the side's */
} rg_side;

/* A phase of a bench result. */
rg_doc_side rg_side_of_result(const rg_doc_result *r, const char *test);
/* A phase with what it gained over the first side's: of the loads, where both were measured here; else what
 * two single loads allow. */
rg_doc_side rg_side_gain(const rg_side *first, const rg_side *s, rg_phase ph);

/* From the rows of a setting; tests: index of the prefill and decode test, or -1. */
rg_status rg_side_of_rows(
    rg_side *s, const rg_bench *b, int setting, const int test[RG_PHASE_COUNT], rg_err *err);
/* Opens the face of a side whose name and phases are there; d: borrowed. */
rg_status rg_side_face(rg_side *s, const rg_doc_profile *d, rg_err *err);
/* The sides in a saved file: profile (sets too) and bench JSON. Appended to *s, which is reallocated. */
rg_status rg_sides_of_file(rg_side **s, int *n, const char *path, rg_err *err);
/* One more, zeroed; NULL: no memory. */
rg_side *rg_sides_add(rg_side **s, int *n, rg_err *err);
void rg_sides_free(rg_side *s, int n);

/* The text of --eval, as the tokens of the first setting's model; opened before anything is measured. */
typedef struct rg_compare_sample {
    rg_tokens tokens; /* owns */
    rg_eval_opts opts;
} rg_compare_sample;
rg_status rg_compare_sample_open(rg_compare_sample *t, const rg_bench *b, const char *path, rg_err *err);
/* out[n_settings]: perplexity of the text under every setting, and its divergence from the first one. */
rg_status rg_compare_eval(rg_score_stats *out, rg_bench *b, const rg_compare_sample *t, rg_err *err);

typedef struct rg_comparison {
    const rg_cli *cli;
    const rg_score_stats *score; /* [settings of b], or NULL */
    const rg_bench *b;           /* NULL: saved runs only */
    rg_side *side;
    int n;
    time_t started;
} rg_comparison;

void rg_compare_verdict(rg_lines *out, const rg_comparison *c);
/* What the figures leave out: different work, drift, a stop. */
void rg_compare_notes(rg_lines *out, const rg_comparison *c);
/* Per operator, time per token in the first variant over that in the others; the list is the caller's. */
bool rg_compare_operators(rg_doc_compare *d, const rg_comparison *c);
rg_status rg_compare_doc(rg_doc *d, const rg_comparison *c, rg_err *err);

/* The answer: a sentence and at most ten rows; s->wide: every table and sentence too. */
rg_status rg_compare_text(const rg_screen *s, const rg_comparison *c, rg_err *err);
/* Every table and sentence, as Markdown; s: for a screen. */
rg_status rg_compare_tables(FILE *f, const rg_screen *s, const rg_comparison *c, rg_err *err);

/* --ablate: what each switch is worth alone and with all the others on. */
rg_status rg_ablate_settings(rg_bench *b, rg_err *err);
/* s: for a screen; NULL: as Markdown. */
rg_status rg_ablate_text(FILE *f, const rg_screen *s, const rg_bench *b, rg_err *err);
rg_status rg_ablate_doc(rg_doc *d, const rg_bench *b, rg_err *err);

#endif
