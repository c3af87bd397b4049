/* Checkpoints of random weights, of named or given shapes: for speed work without a download. */
#ifndef RG_SYNTH_H
#define RG_SYNTH_H

#include "base/config.h"
#include "base/dtype.h"
#include "base/status.h"
#include "base/sysinfo.h"

typedef struct rg_shape {
    const char *name;
    rg_config config; /* what its architecture alone decides is missing */
} rg_shape;

/* The table of shapes.def, ended by name == NULL. */
extern const rg_shape rg_shapes[];
const rg_shape *rg_shape_find(const char *name); /* NULL if there is none */
void rg_shape_config(const rg_shape *s, rg_config *c);
/* Sites that every model of the configuration's architecture has, and those of its factors, in place of what
 * it has now. */
void rg_shape_sites(rg_config *c);

/* What a mixture's routers do. FREE: as random weights decide. The others see columns of the residual stream
 * that hold what the embedding put there, since no block adds to them, so that the token alone decides.
 * SAME: all tokens choose the first experts. DISJOINT: token t chooses those of group t modulo (experts /
 * used of each); groups share none. UNIFORM: each token its own, all experts as often. ZIPF: expert e about
 * 1 / (e + 1) times as often as the first. */
typedef enum rg_planted {
    RG_PLANT_FREE,
    RG_PLANT_UNIFORM,
    RG_PLANT_SAME,
    RG_PLANT_DISJOINT,
    RG_PLANT_ZIPF
} rg_planted;

typedef enum rg_synth_format { RG_SYNTH_SAFETENSORS, RG_SYNTH_GGUF } rg_synth_format;

/* Writes safetensors into the directory `path` (made if missing; config.json, model.safetensors, a small
 * working tokenizer.json), or the GGUF file `path` (vocabulary inside). type: F32, F16, BF16; GGUF also Q8_0,
 * Q4_0. Weights are normal; activations stay near 1, logits finite. The same seed gives the same file.
 * Nothing is left after an error or a stop (RG_E_INTERRUPTED). */
rg_status rg_synth_write(const rg_config *c, rg_ftype type, rg_synth_format format, uint64_t seed,
    const char *path, rg_progress_fn *progress, void *user, const rg_stop_flag *stop, rg_err *err);
/* The same, of a mixture with planted routers. */
rg_status rg_synth_write_planted(const rg_config *c, rg_planted planted, rg_ftype type,
    rg_synth_format format, uint64_t seed, const char *path, rg_progress_fn *progress, void *user,
    const rg_stop_flag *stop, rg_err *err);

#endif
