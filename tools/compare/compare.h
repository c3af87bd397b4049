/* Inside of `ridge compare`: sides (a setting that was just measured, or a saved run), what the second gained
 * over the first, and why. */
#ifndef RG_COMPARE_H
#define RG_COMPARE_H

#include "report/verdict.h"
#include "ridge/score.h"
#include "tools/eval/eval_text.h"
#include "tools/measure/bench.h"

/* A phase of a side. NAN: unknown; shares and rates are of the median. */
typedef struct rg_side_phase {
    bool ran;
    char test[64];
    double ts, low, high;                          /* tokens/s: median and its interval */
    double spread, mbu, mfu, roof_fraction, bytes; /* bytes: counted, per token */
    /* samples, for ratios of the same round; NULL: a saved run */
    const rg_bench_row *row;
} rg_side_phase;

typedef struct rg_side {
    char label[160];
    char dtype[32], act[16], isa[16], kv[24];
    int threads; /* 0: unknown */
    double resident_bytes, stream_bytes, bits_file, bits_resident;
    rg_side_phase phase[RG_PHASE_COUNT];
    rg_score_stats score; /* of --eval; n 0: not evaluated */
    rg_doc doc;           /* the recorded run, as `ridge profile` has it; json NULL: none; owns */
    rg_doc_profile own;   /* of a bench result, which records no run: its phases and nothing more; owns */
    rg_run run;           /* the face of either, by the side's label; speeds are the side's */
} rg_side;

typedef struct rg_gain {
    double ratio, low, high; /* speed over the first side's */
    double bytes, roofs;     /* times fewer bytes streamed per token; what that was worth on the roofs */
    double reached;          /* ratio / roofs */
} rg_gain;
rg_gain rg_gain_of(const rg_side *base, const rg_side *other, rg_phase ph);

/* A side from the rows of a setting; tests: index of the prefill and decode test, or -1. */
rg_status rg_side_of_rows(
    rg_side *s, const rg_bench *b, int setting, const int test[RG_PHASE_COUNT], rg_err *err);
/* Opens the face of a side whose label and phases are there; d: borrowed. */
rg_status rg_side_face(rg_side *s, const rg_doc_profile *d, rg_err *err);
/* The sides in a saved file: profile (sets too) and bench JSON. Appended to *s, which is reallocated. */
rg_status rg_sides_of_file(rg_side **s, int *n, const char *path, rg_err *err);
void rg_sides_free(rg_side *s, int n);

/* The text of --eval, as the tokens of the first setting's model; opened before anything is measured. */
typedef struct rg_compare_text {
    rg_tokens tokens; /* owns */
    rg_eval_opts opts;
} rg_compare_text;
rg_status rg_compare_text_open(rg_compare_text *t, const rg_bench *b, const char *path, rg_err *err);
/* out[n_settings]: perplexity of the text under every setting, and its divergence from the first one. */
rg_status rg_compare_eval(rg_score_stats *out, rg_bench *b, const rg_compare_text *t, rg_err *err);

typedef struct rg_comparison {
    const rg_cli *cli;
    const rg_score_stats *score; /* [settings of b], or NULL */
    const rg_bench *b;           /* NULL: saved runs only */
    rg_side *side;
    int n;
    time_t started;
} rg_comparison;

void rg_compare_verdict(rg_lines *out, const rg_comparison *c);
rg_status rg_compare_md(FILE *f, const rg_comparison *c, rg_err *err);
/* Per operator, time per token in the first variant over that in the others; the list is the caller's. */
bool rg_compare_operators(rg_doc_compare *d, const rg_comparison *c);
rg_status rg_compare_doc(rg_doc *d, const rg_comparison *c, rg_err *err);

/* --ablate: what each switch is worth alone and with all the others on. */
rg_status rg_ablate_settings(rg_bench *b, rg_lines *notes, rg_err *err);
rg_status rg_ablate_md(FILE *f, const rg_bench *b, const rg_lines *notes, rg_err *err);
rg_status rg_ablate_doc(rg_doc *d, const rg_bench *b, const rg_lines *notes, rg_err *err);

#endif
