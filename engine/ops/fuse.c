/* Which operators run as one, from the tables of fuse.def. */
#include "ops/sites.h"

static const char *const words[RG_FUSE_COUNT] = {
#define RG_FUSE(id, word, on) word,
#include "ops/fuse.def"
};

static const struct fused {
    int fusion;
    rg_site site, first, last;
} fused[] = {
#define RG_FUSED(fusion, site, first, last) \
    {RG_FUSE_##fusion, RG_SITE_##site, RG_SITE_##first, RG_SITE_##last},
#include "ops/fuse.def"
};
enum { N_FUSED = sizeof fused / sizeof *fused };

const char *rg_fuse_word(int i) { return words[i]; }

static bool rotates(const rg_config *c)
{
    for (int64_t l = 0; l < c->layers; l++)
        if (rg_layer_rotates(c, l)) return true;
    return c->layers == 0;
}

/* Every layer rotates, and all of a head. */
static bool rotates_all(const rg_config *c)
{
    for (int64_t l = 0; l < c->layers; l++)
        if (!rg_layer_rotates(c, l)) return false;
    return rg_rope_dim(c) == c->head_dim;
}

bool rg_site_exists(const rg_config *c, rg_site s)
{
    switch (rg_site_only(s)) {
    case RG_ONLY_ALWAYS:
        return true;
    case RG_ONLY_PRE_NORM:
        return !c->no_pre_norm;
    case RG_ONLY_DENSE:
        return c->experts == 0;
    case RG_ONLY_MOE:
        return c->experts > 0;
    case RG_ONLY_MOE_SILU:
        return c->experts > 0 && !(c->extra & rg_site_bit(RG_SITE_FFN_CLAMP_EXPS));
    case RG_ONLY_SHARED:
        return c->shared_ffn > 0;
    case RG_ONLY_SILU:
        return c->experts == 0 && !(c->extra & rg_site_bit(RG_SITE_FFN_GELU));
    case RG_ONLY_ROTATES:
        return rotates(c);
    case RG_ONLY_FUSED:
        for (int i = 0; i < N_FUSED; i++)
            if (s == fused[i].site)
                return rg_site_exists(c, fused[i].first) && rg_site_exists(c, fused[i].last);
        return false;
    default:
        return (c->extra & rg_site_bit(s)) != 0;
    }
}

/* Nothing stands between what the row joins, and its fusion is on. */
static bool holds(const struct fused *f, const rg_config *c, unsigned fuse)
{
    if (!(fuse & rg_fuse_bit(f->fusion)) || (f->fusion == RG_FUSE_ROPE && !rotates_all(c))) return false;
    for (int s = f->first + 1; s < (int)f->last; s++)
        if (rg_site_optional(s) && (c->extra & rg_site_bit(s))) return false;
    return true;
}

/* The row that a site of such a model is of, as the fused one or as one of those it replaces. */
static const struct fused *row_of(const rg_config *c, rg_site s)
{
    for (int i = 0; i < N_FUSED; i++) {
        const struct fused *f = &fused[i];
        const bool inside = s >= f->first && s <= f->last && (s == f->last || !rg_site_optional(s));
        if ((s == f->site || inside) && rg_site_exists(c, f->site)) return f;
    }
    return NULL;
}

bool rg_site_runs(const rg_config *c, rg_site s, unsigned fuse)
{
    if (!rg_site_exists(c, s) || rg_site_only(s) == RG_ONLY_PART) return false;
    const struct fused *f = row_of(c, s);
    return !f || (s == f->site) == holds(f, c, fuse);
}

rg_site rg_site_linear(rg_site s)
{
    rg_site of = s;
    for (int i = 0; i < N_FUSED; i++)
        if (s == fused[i].site) of = fused[i].first;
    return rg_site_has_matrix(of) ? of : RG_SITE_NONE;
}

rg_site rg_site_fused(const rg_config *c, rg_site s, bool *first)
{
    const struct fused *f = row_of(c, s);
    *first = f && s == f->first;
    return f ? f->site : RG_SITE_NONE;
}

unsigned rg_fuse_with_sites(void)
{
    unsigned all = 0;
    for (int i = 0; i < N_FUSED; i++) all |= rg_fuse_bit(fused[i].fusion);
    return all;
}

unsigned rg_fuse_applied(const rg_config *c, unsigned fuse)
{
    unsigned on = fuse & ~rg_fuse_with_sites();
    for (int i = 0; i < N_FUSED; i++)
        if (rg_site_exists(c, fused[i].site) && holds(&fused[i], c, fuse)) on |= rg_fuse_bit(fused[i].fusion);
    return on;
}

unsigned rg_fuse_all(void)
{
    unsigned all = 0;
    for (int i = 0; i < RG_FUSE_COUNT; i++)
        if (words[i]) all |= rg_fuse_bit(i);
    return all;
}
