/* A stream of tokens through a model, and beside it through a reference, scored window by window: only sums
 * and two floats per scored token are kept. Then the result of ridge eval, for people and as a document. */
#ifndef RG_EVAL_H
#define RG_EVAL_H

#include "report/document.h"
#include "report/screen.h"
#include "ridge/score.h"
#include "roofline/measure/roof_watch.h"
#include "tools/cli/cli.h"

/* ---- eval_text.c ---- */

/* half: windows side by side, the first token of each replaced by BOS, the second half scored (llama.cpp's
 * default). all: windows side by side, each preceded by BOS, every token scored. stride: windows that begin
 * every `stride` tokens, the first token replaced by BOS, the last `stride` scored. */
typedef enum rg_eval_mode { RG_EVAL_HALF, RG_EVAL_ALL, RG_EVAL_STRIDE } rg_eval_mode;

typedef struct rg_eval_opts {
    rg_eval_mode mode;
    int64_t ctx;         /* tokens of a window, at least 2 */
    int64_t stride;      /* of RG_EVAL_STRIDE: 1 to ctx - 1 */
    int32_t bos;         /* -1: none; then the first token of a window is its own and is not scored */
    int64_t max_windows; /* 0: all */
} rg_eval_opts;

typedef struct rg_eval_run {
    int64_t windows, scored_per_window;
    int64_t tokens_in;         /* tokens that went through each model */
    int64_t unused;            /* tokens of the text behind the last window */
    uint64_t model_ns, ref_ns; /* in the forward passes of the model and the reference */
    uint64_t wall_ns;          /* all of it */
} rg_eval_run;

/* Whole windows in n tokens; checks the options. RG_E_USAGE if there is none. */
rg_status rg_eval_windows(int64_t *windows, const rg_eval_opts *o, int64_t n, rg_err *err);

/* Sets context and rows of logits of a session for such windows. */
void rg_eval_session_opts(rg_session_opts *so, const rg_eval_opts *o, int64_t vocab);

/* Scores all windows. ref: NULL, or a session on a model of the same vocabulary; both opened with
 * rg_eval_session_opts. If logits are not finite, the error names the layer and operator where it began. */
rg_status rg_eval_text(rg_score *score, rg_eval_run *run, rg_session *s, rg_session *ref,
    const rg_tokens *text, int64_t vocab, const rg_eval_opts *o, rg_progress_fn *progress, void *user,
    rg_err *err);

/* The tokens to evaluate (-f, -p, --token-ids, or the file `fallback`), and opts->bos. */
rg_status rg_eval_tokens(
    rg_tokens *t, rg_eval_opts *o, const rg_cli *cli, const rg_ckpt *c, const char *fallback, rg_err *err);

/* ---- eval_report.c ---- */

/* One candidate of the sensitivity ranking. */
typedef struct rg_eval_part {
    char name[64];
    int64_t weights;    /* that got the type */
    double saved_bytes; /* resident bytes that saves against the reference */
    rg_score_stats stats;
} rg_eval_part;

typedef struct rg_eval_report {
    const char *command, *isa;
    time_t started;
    int threads;
    rg_doc_eval_model model, ref; /* ref.path NULL: none */
    const char *source;           /* of the text */
    int64_t text_tokens;
    rg_eval_opts opts;
    rg_eval_run run;
    rg_roof_sample now; /* before the first window */
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

/* ---- eval_view.c ---- */

/* What it found, in words; "" where nothing was scored. */
void rg_eval_sentence(char *buf, size_t n, const rg_eval_report *r);
/* On a terminal. */
rg_status rg_eval_report_text(const rg_screen *s, const rg_eval_report *r, rg_err *err);

#endif
