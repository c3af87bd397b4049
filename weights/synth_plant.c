/* Planted routers of synthetic mixtures: which experts a token chooses follows from the token alone. */
#include <math.h>
#include <string.h>

#include "weights/synth_impl.h"

/* Planted columns of the residual stream: a constant, then one for each group of experts or, as many, random
 * numbers of the token. Blocks add nothing to them. */
static int64_t columns(const rg_config *c) { return 1 + c->experts; }

static bool is_bias(rg_site s) { return rg_sites[s].op == RG_OP_BIAS; }
static rg_site matrix_of(rg_site s) { return is_bias(s) ? s - 1 : s; } /* the table has a bias behind it */

bool rg_synth_plants(const rg_synth_job *j, rg_site site)
{
    const rg_site s = matrix_of(site);
    return j->planted != RG_PLANT_FREE &&
        (s == RG_SITE_TOKEN_EMBD || rg_site_feeds_stream(s) || rg_site_keeps_type(s));
}

/* What the embedding says of a token. */
static void plant_token(const rg_synth_job *j, int64_t token, float std, float *x)
{
    const rg_config *c = j->c;
    const int64_t groups = c->experts / c->experts_used;
    x[0] = 4.0f;
    for (int64_t i = 1; i < columns(c); i++)
        x[i] = j->planted == RG_PLANT_SAME    ? 0.0f
            : j->planted == RG_PLANT_DISJOINT ? (token % groups == i - 1 ? 4.0f : 0.0f)
                                              : x[i] / std;
}

/* What an expert's row of the router makes of it. */
static void plant_router(const rg_synth_job *j, int64_t expert, float *x)
{
    const rg_config *c = j->c;
    const int64_t n = columns(c), groups = c->experts / c->experts_used, group = expert / c->experts_used;
    double length = 0.0;
    memset(x + n, 0, (size_t)(c->dim - n) * sizeof *x);
    for (int64_t i = 1; i < n; i++) length += (double)x[i] * (double)x[i];
    for (int64_t i = 1; i < n; i++)
        x[i] = j->planted == RG_PLANT_SAME    ? 0.0f
            : j->planted == RG_PLANT_DISJOINT ? (i - 1 == group && group < groups ? 1.0f : 0.0f)
                                              : (float)((double)x[i] / sqrt(length));
    x[0] = j->planted == RG_PLANT_SAME    ? (float)(c->experts - expert) / (float)c->experts
        : j->planted == RG_PLANT_DISJOINT ? (group < groups ? 0.0f : -1.0f) /* left over: nobody's */
        : j->planted == RG_PLANT_ZIPF     ? -0.25f * logf((float)(expert + 1))
                                          : 0.0f;
}

void rg_synth_plant(const rg_synth_job *j, const rg_file_tensor *t, int64_t r, float std, float *x)
{
    if (is_bias(t->site)) /* the router has none, blocks add none to planted columns */
        memset(x, 0, (size_t)rg_min(t->cols, columns(j->c)) * sizeof *x);
    else if (t->site == RG_SITE_TOKEN_EMBD)
        plant_token(j, r, std, x);
    else if (rg_site_keeps_type(t->site))
        plant_router(j, r, x);
    else if (r < columns(j->c))
        memset(x, 0, (size_t)t->cols * sizeof *x);
}
