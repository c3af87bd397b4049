/* Which operators run as one, from the tables of fuse.def. */
#include "ops/sites.h"

static const struct {
    const char *word, *what;
} fusions[RG_FUSE_COUNT] = {
#define RG_FUSE(id, word, on, what) {word, what},
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

const char *rg_fuse_word(int i) { return fusions[i].word; }
const char *rg_fuse_what(int i) { return fusions[i].what; }

static bool only_in_some(rg_site s)
{
    const rg_op op = rg_site_op(s);
    return op == RG_OP_BIAS || op == RG_OP_SCALE || op == RG_OP_REORDER;
}

/* Nothing stands between what the row joins, and its fusion is on. */
static bool holds(const struct fused *f, const rg_config *c, unsigned fuse)
{
    if (!(fuse & rg_fuse_bit(f->fusion))) return false;
    for (int s = (int)f->first + 1; s < (int)f->last; s++)
        if (only_in_some((rg_site)s) && (c->extra & rg_site_bit((rg_site)s))) return false;
    return true;
}

bool rg_site_runs(const rg_config *c, rg_site s, unsigned fuse)
{
    if (only_in_some(s)) return (c->extra & rg_site_bit(s)) != 0;
    for (int i = 0; i < N_FUSED; i++) {
        if (s == fused[i].site) return holds(&fused[i], c, fuse);
        if (s >= fused[i].first && s <= fused[i].last) return !holds(&fused[i], c, fuse);
    }
    return true;
}

rg_site rg_site_linear(rg_site s)
{
    if (rg_site_op(s) == RG_OP_LINEAR) return s;
    for (int i = 0; i < N_FUSED; i++)
        if (s == fused[i].site && rg_site_op(fused[i].first) == RG_OP_LINEAR) return fused[i].first;
    return RG_SITE_COUNT;
}

rg_site rg_site_fused(rg_site s, bool *first)
{
    *first = false;
    if (only_in_some(s)) return RG_SITE_COUNT;
    for (int i = 0; i < N_FUSED; i++) {
        if (s != fused[i].site && (s < fused[i].first || s > fused[i].last)) continue;
        *first = s == fused[i].first;
        return fused[i].site;
    }
    return RG_SITE_COUNT;
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
        if (holds(&fused[i], c, fuse)) on |= rg_fuse_bit(fused[i].fusion);
    return on;
}

unsigned rg_fuse_all(void)
{
    unsigned all = 0;
    for (int i = 0; i < RG_FUSE_COUNT; i++)
        if (fusions[i].word) all |= rg_fuse_bit(i);
    return all;
}
