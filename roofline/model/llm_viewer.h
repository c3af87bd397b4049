/* LLM-Viewer's cost model (commit 472f71f) to the last digit, faults included, so that its published numbers
 * can be reproduced and compared. tp_size is a later addition of upstream. Lengths are real: its chat stage
 * evaluates between tokens. */
#ifndef RG_LLM_VIEWER_H
#define RG_LLM_VIEWER_H

#include "base/config.h"
#include "base/status.h"
#include "roofline/model/model_cost.h"

/* What it knows of a machine; 0: not in its table. */
typedef struct rg_lv_hardware {
    const char *name;
    double bandwidth;  /* bytes/s */
    double fp16, int8; /* OP/s */
    double onchip;     /* bytes */
} rg_lv_hardware;

typedef struct rg_lv_input {
    double seqlen;
    int64_t batch, tp;
    int w_bit, a_bit, kv_bit;
    bool flash;
} rg_lv_input;

/* RG_E_USAGE: what such a model has and its formulas do not, which are those of a Llama. */
rg_status rg_lv_lacks(const rg_config *c, rg_err *err);

/* As there; and RG_E_USAGE names the value that is out of range, does not divide, or needs a peak that the
 * hardware lacks. memory[phase].scratch is its "tmp_act": one layer's stores. */
rg_status rg_llm_viewer(
    rg_cost_result *r, const rg_config *c, const rg_lv_hardware *hw, const rg_lv_input *in, rg_err *err);

/* Seconds of its generate task (prefill and `gen` decode steps, each at its length) and of its web page's
 * chat stage (at most ten lengths stand for all). */
rg_status rg_lv_generate(double *seconds, const rg_config *c, const rg_lv_hardware *hw, const rg_lv_input *in,
    int64_t gen, rg_err *err);
rg_status rg_lv_chat(double *seconds, const rg_config *c, const rg_lv_hardware *hw, const rg_lv_input *in,
    int64_t gen, rg_err *err);

/* "q" and "proj" of q_proj; kind "" for names of one word. */
void rg_lv_name_parts(const rg_cost_point *p, const char **stem, const char **kind);

#endif
