/* Distinct experts of a call, in closed form. */
#include "roofline/model/experts.h"

#include "ops/sites.h"

const char *const rg_routings[] = {[RG_ROUTING_UNIFORM] = "uniform",
    [RG_ROUTING_SAME] = "same",
    [RG_ROUTING_DISJOINT] = "disjoint",
    [RG_ROUTING_COUNTED] = "counted",
    NULL};

/* By squares: the page's module has no pow. */
static double power(double x, int64_t n)
{
    double y = 1.0;
    for (; n > 0; n >>= 1, x *= x)
        if (n & 1) y *= x;
    return y;
}

double rg_experts_expected(int64_t experts, int64_t used, int64_t tokens)
{
    if (experts < 1 || tokens < 1) return 0.0;
    if (tokens == 1) return (double)used; /* exactly */
    const double e = (double)experts;
    return e * (1.0 - power(1.0 - (double)used / e, tokens));
}

int64_t rg_experts_bound(int64_t experts, int64_t used, int64_t tokens)
{
    return used > 0 && tokens > experts / used ? experts : rg_min(experts, tokens * used);
}

rg_config rg_experts_dense(const rg_config *c)
{
    rg_config d = *c;
    if (c->experts == 0) return d;
    d.ffn = c->experts_used * c->expert_ffn + c->shared_ffn;
    d.experts = d.experts_used = d.expert_ffn = d.shared_ffn = 0;
    return d;
}
