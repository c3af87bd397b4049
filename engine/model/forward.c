/* The forward pass as the paper has it, run by every thread of the team. What hangs on its operators is
 * behind the verbs. */
#include "model/verbs.h"

static void layer(rg_pass *p)
{
    const rg_acts *a = p->a;
    const float *xn = rg_normalise(p, RG_SITE_ATTN_NORM, a->xn, a->x);
    rg_project(p, RG_SITE_ATTN_Q, a->q, xn);
    rg_project(p, RG_SITE_ATTN_K, a->k, xn);
    rg_project(p, RG_SITE_ATTN_V, a->v, xn);
    rg_rotate_and_store(p, a->q, a->k, a->v);
    rg_attend(p, a->att, a->q);
    rg_project_add(p, RG_SITE_ATTN_OUTPUT, a->x, a->att);

    xn = rg_normalise(p, RG_SITE_FFN_NORM, a->xn, a->x);
    if (p->c->experts > 0) {
        rg_mix_experts(p, a->x, xn);
        return;
    }
    rg_project(p, RG_SITE_FFN_GATE, a->gate, xn);
    rg_project_gated(p, RG_SITE_FFN_UP, a->gate, xn);
    rg_project_add(p, RG_SITE_FFN_DOWN, a->x, a->gate);
}

void rg_forward_run(rg_ctx *cx, void *arg)
{
    rg_forward *f = arg;
    rg_pass p = rg_pass_begin(cx, f);
    rg_embed_tokens(&p, p.a->x);
    for (int64_t i = 0; i < p.c->layers; i++) {
        if (!rg_pass_layer(&p, i)) return;
        layer(&p);
        rg_layer_end(cx);
    }
    if (rg_pass_logits(&p))
        rg_project_logits(&p, f->logits, rg_normalise(&p, RG_SITE_OUTPUT_NORM, p.a->xo, p.a->x));
}

size_t rg_forward_ops(const rg_config *c, unsigned fuse)
{
    size_t n = 0;
    for (int s = 0; s < RG_SITE_COUNT; s++)
        if (rg_site_runs(c, s, fuse)) n += rg_site_in_layer(s) ? (size_t)c->layers : 1;
    return n;
}
