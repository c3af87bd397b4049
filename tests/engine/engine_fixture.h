/* What the engine's tests share: small synthetic checkpoints, engines and sessions with short names, and a
 * float64 forward pass. */
#ifndef RG_ENGINE_FIXTURE_H
#define RG_ENGINE_FIXTURE_H

#include "testing.h"

#include "ridge/engine.h"
#include "weights/synth.h"

/* Shapes chosen for their tails: none of them is round everywhere. */
typedef enum shape_id {
    GQA,    /* 3 query heads per KV head, head size 8, dim 72, ffn 172, tied */
    MQA,    /* 5 heads on 1, head size 48 */
    MHA,    /* every head its own KV head, head size 64, tied; rows are whole blocks of 32 */
    WIDE,   /* head size 100, odd head count, Llama 3 scaling */
    SLICED, /* 20 query heads per KV head: more than one attention task per token */
    ONE,    /* one layer, linear RoPE scaling */
    N_SHAPES
} shape_id;

/* Path of a checkpoint of that shape and type, written at first use into a folder that is removed at exit.
 * seed 1. */
const char *model_path(shape_id s, rg_ftype type, rg_synth_format format);
rg_ckpt *model_open(shape_id s, rg_ftype type, rg_synth_format format);
rg_ckpt *ckpt_open(const char *path);
const char *shape_name(shape_id s);
/* A tiny model of the architecture of a named shape, F32, written at first use; with that window if it has
 * one (0: its own). GGUF: NULL where it has no word for it. */
const char *arch_path(const rg_shape *s, int64_t window, rg_synth_format format);
rg_ckpt *arch_open(const rg_shape *s, int64_t window, rg_synth_format format);
/* A folder for the test's own files; removed with its content at exit. */
const char *scratch_dir(void);

/* The best level here, lowered by RIDGE_ISA. */
rg_isa isa_cap(void);

/* The bound for products of float weights at that level: on tiles, x and weights are taken to 16 bits. */
double float_bound(double bound);

/* Engine options of a test: not pinned, capped by RIDGE_ISA, weights as in the file. */
rg_engine_opts test_opts(int threads);
rg_engine *engine_open(const rg_ckpt *c, rg_engine_opts o);
rg_session *session_open(rg_engine *e, rg_session_opts o);

/* Random token ids in [0, vocab). */
void random_tokens(int32_t *t, int64_t n, int64_t vocab, uint64_t seed);

/* Evaluates tokens as they continue sequence 0, `step` at a time, and copies the logits after each to
 * out[n][vocab]. The session must hold `step` rows of logits. */
void eval_all(rg_session *s, const int32_t *t, int64_t n, int64_t step, int64_t vocab, float *out);

/* ---- reference ---- */

typedef struct ref_model ref_model;
/* From the stored weights (rg_ckpt_row_f32), or from what the engine made resident of them. */
ref_model *ref_from_ckpt(const rg_ckpt *c);
ref_model *ref_from_engine(const rg_engine *e);
/* Another weight in place of a tensor's, w[rows][cols]; RoPE as c has it, without divisors. */
void ref_set_weight(ref_model *r, const rg_ckpt_tensor *t, const double *w);
void ref_set_rope(ref_model *r, const rg_config *c);
/* Positions that the session may hold, where the divisors of RoPE depend on them; else short ones count. */
void ref_context(ref_model *r, int64_t ctx);
void ref_close(ref_model *r);
/* Logits after each token, out[n][vocab], in float64 from the definition of the model. */
void ref_forward(const ref_model *r, const int32_t *token, int64_t n, double *out);

/* Largest |a - b| over (max b - min b); infinity if any a is not finite. */
double rel_diff(const float *a, const double *b, int64_t n);
double rel_diff_f(const float *a, const float *b, int64_t n);
/* Fails with a line of what differs unless diff <= bound. */
void expect_within(double diff, double bound, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

void *must_alloc(size_t n);

#endif
