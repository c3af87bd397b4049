/* One analytic question, a configuration on a machine under a cost model, and its answer. */
#ifndef RG_COST_CASE_H
#define RG_COST_CASE_H

#include <stdio.h>

#include "report/document.h"
#include "report/screen.h"
#include "roofline/model/exact.h"
#include "roofline/model/llm_viewer.h"
#include "roofline/model/model_cost.h"

typedef enum rg_cost_stage {
    RG_STAGE_ALL,
    RG_STAGE_PREFILL,
    RG_STAGE_DECODE,
    RG_STAGE_GENERATE,
    RG_STAGE_CHAT
} rg_cost_stage;
extern const char *const rg_cost_stages[]; /* "all", "prefill", "decode", "generate", "chat", NULL */

/* A task: a prompt of seqlen tokens and gen generated ones. */
typedef struct rg_cost_task {
    int64_t gen; /* 0: no task */
    double prefill_s, gen_s, total_s;
    double tokens_per_s; /* generated tokens of all sequences over gen_s */
    double chat_s;       /* LLM-Viewer's estimate from at most ten lengths; NAN under exact */
} rg_cost_task;

/* Decode of a mixture beside a dense model of the same active size; NAN of a dense one. */
typedef struct rg_cost_dense {
    double tokens_per_s, bytes; /* of that dense model at the case's batch: a step */
    double gain;                /* of that batch over a single sequence, tokens/s */
    double mixture_gain;
} rg_cost_dense;

typedef struct rg_cost_case {
    rg_cost_model cost;
    rg_config config;
    const rg_hardware *hw; /* borrowed */
    rg_exact_input exact;  /* of RG_COST_EXACT */
    rg_lv_input lv;        /* of RG_COST_LLM_VIEWER */
    const char *lv_peak;   /* which peak stands for FP16; static */
    rg_cost_result r;
    rg_cost_task task;
    rg_cost_dense dense;
} rg_cost_case;

/* Fills r and task from the inputs. RG_E_USAGE names what is impossible. */
rg_status rg_cost_run(rg_cost_case *k, int64_t gen, rg_err *err);

int64_t rg_cost_batch(const rg_cost_case *k);
int64_t rg_cost_seqlen(const rg_cost_case *k);
int64_t rg_cost_tp(const rg_cost_case *k);
/* "q4g64", "w4 a16 kv16" into buf. */
const char *rg_cost_format(char *buf, size_t n, const rg_cost_case *k);

typedef struct rg_cost_print {
    rg_cost_stage stage;
    bool totals;                /* only the totals */
    const char *command;        /* the command line, for the JSON; NULL: unknown */
    const char *study, *answer; /* of a study: its name and what it found; NULL: none */
    const char *const *label;   /* [n] names of its steps; NULL: none */
} rg_cost_print;

/* Whether the stage has the phase. */
bool rg_cost_wants(const rg_cost_print *p, rg_phase ph);

/* The answer first, on a terminal; of a wide one only the sentence, before the tables of Markdown. */
rg_status rg_cost_text(
    const rg_screen *s, const rg_cost_case *k, size_t n, const rg_cost_print *p, rg_err *err);
/* n == 1: operators and totals; more: a row per case and phase. */
rg_status rg_cost_md(FILE *f, const rg_cost_case *k, size_t n, const rg_cost_print *p, rg_err *err);
rg_status rg_cost_csv(FILE *f, const rg_cost_case *k, size_t n, const rg_cost_print *p, rg_err *err);
/* The document: `roofline` or `llm_viewer`. */
rg_status rg_cost_doc(rg_doc *d, const rg_cost_case *k, size_t n, const rg_cost_print *p, rg_err *err);

/* Share of a phase's time in operators that bytes limit. */
double rg_cost_memory_share(const rg_cost_case *k, int ph);
/* A case in words: its label, or what was asked. */
const char *rg_cost_name(char *buf, size_t n, const rg_cost_case *k, const char *label);

/* Of a mixture: its experts in sentences, what batching gains, and as a table. */
void rg_cost_say_experts(rg_lines *out, const rg_cost_case *k, const rg_cost_print *p);
void rg_cost_experts_md(FILE *f, const rg_cost_case *k, bool *failed);

/* What the answer says, in sentences. */
void rg_cost_verdict(rg_lines *out, const rg_cost_case *k, size_t n, const rg_cost_print *p);

/* The formulas of an exact case with their numbers, then what LLM-Viewer counts differently. */
rg_status rg_cost_explain(FILE *f, const rg_cost_case *k, rg_err *err);

#endif
