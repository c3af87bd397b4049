/* The loaded model: packed weights bound to sites, and the engine that owns them. Private to engine/model. */
#ifndef RG_MODEL_H
#define RG_MODEL_H

#include "base/num.h"
#include "exec/drive.h"
#include "ridge/engine.h"
#include "ridge/topo.h"

/* What a site holds: w or vec. */
typedef struct rg_bound_tensor {
    rg_weight w;          /* linear sites */
    const int32_t *order; /* of them: column j of w is multiplied by input order[j]; NULL: as they are */
    bool order_again;     /* the linear before it has the same input and the same order */
    const float *vec;     /* norms and biases */
} rg_bound_tensor;

typedef struct rg_model {
    rg_config cfg;
    rg_bound_tensor *layer;             /* [layers][RG_SITE_COUNT]; owns */
    rg_bound_tensor top[RG_SITE_COUNT]; /* sites outside layers */
    rg_embedding embd;
    char *block; /* all weights; owns */
    size_t block_bytes, embd_bytes;
    /* divisors of RoPE frequencies, [rotated values of a head / 2], or NULL; of contexts beyond rope_orig_ctx
     * (LONGROPE); own */
    float *rope_freqs, *rope_long;
    double err2, w2;
} rg_model;

static inline const rg_bound_tensor *rg_model_at(const rg_model *m, int64_t layer, rg_site site)
{
    return layer < 0 ? &m->top[site] : &m->layer[layer * RG_SITE_COUNT + site];
}

struct rg_engine {
    rg_model model;
    rg_ktab k;
    rg_team *team;
    rg_topo topo;
    const int *cpus; /* into topo; NULL: not pinned */
    int threads;
    bool small_pages;
    const rg_stop_flag *stop;
    rg_wtype dtype, head_dtype;
    uint64_t params, load_ns;
};

/* Binds and packs; the model's block is laid out by the same function that rg_plan_weights measures with. */
rg_status rg_model_load(
    rg_model *m, const rg_ckpt *ckpt, const rg_engine_opts *opts, rg_team *team, rg_err *err);
void rg_model_unload(rg_model *m);

#endif
