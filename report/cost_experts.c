/* What a mixture of experts costs, in words and as a table: which of its weights a call reads. */
#include <math.h>

#include "base/text.h"
#include "report/cells.h"
#include "report/cost_case.h"

/* How tokens choose in a phase. */
static const char *routing_words(const rg_cost_case *k, int ph)
{
    static const char *const words[RG_ROUTINGS] = {[RG_ROUTING_UNIFORM] = "",
        [RG_ROUTING_SAME] = "as all tokens choose the same; ",
        [RG_ROUTING_DISJOINT] = "as each token chooses others; ",
        [RG_ROUTING_COUNTED] = "as counted; "};
    const bool by_chance = ph == RG_PREFILL && k->exact.routing == RG_ROUTING_COUNTED;
    return words[by_chance ? RG_ROUTING_UNIFORM : k->exact.routing];
}

void rg_cost_say_experts(rg_lines *out, const rg_cost_case *k, const rg_cost_print *p)
{
    const rg_config *c = &k->config;
    const double batch = (double)rg_cost_batch(k);
    if (c->experts == 0 || k->cost != RG_COST_EXACT) return;
    rg_lines_add(out,
        "mixture: each layer has %.0f experts and a token goes to %.0f: %s million parameters in memory, %s "
        "million active in a token.",
        (double)c->experts, (double)c->experts_used, RG_NUM(1e-6 * rg_exact_params(c)),
        RG_NUM(1e-6 * rg_exact_active(c)));
    for (int ph = 0; ph < RG_PHASE_COUNT; ph++) {
        const rg_cost_experts *e = &k->r.experts[ph];
        if (!rg_cost_wants(p, ph)) continue;
        rg_lines_add(out,
            "%s: a call reads %s of %.0f experts in a layer (%sby chance %s, at most %s), each for %s "
            "token%s: "
            "%s of the %s of weights that are read.",
            rg_phase_names[ph], RG_MEAN(e->read), (double)c->experts, routing_words(k, ph),
            RG_MEAN(e->expected), RG_MEAN(e->bound), RG_MEAN(e->rows), e->rows > 1.0 ? "s" : "",
            RG_BYTES(e->bytes), RG_BYTES(k->r.total[ph].w_rd));
    }
    if (!rg_cost_wants(p, RG_DECODE) || !isfinite(k->dense.tokens_per_s)) return;
    if (batch < 1.5)
        rg_lines_add(out,
            "decode: a dense model of the same active size would read %s a step and write %s tokens/s; a "
            "batch would gain it more, as its sequences share all they read.",
            RG_BYTES(k->dense.bytes), RG_NUM(k->dense.tokens_per_s));
    else
        rg_lines_add(out,
            "decode: a batch of %.0f writes %s times the tokens/s of one sequence; of a dense model of the "
            "same "
            "active size %s times (%s tokens/s), as its sequences share all they read.",
            batch, RG_NUM(k->dense.mixture_gain), RG_NUM(k->dense.gain), RG_NUM(k->dense.tokens_per_s));
}

void rg_cost_experts_md(FILE *f, const rg_cost_case *k, bool *failed)
{
    rg_table t = {0};
    const rg_cost_print all = {.stage = RG_STAGE_ALL};
    rg_lines said = {0};
    if (k->config.experts == 0) return;
    fprintf(f, "\n## experts\n\n");
    rg_table_head(&t, "<phase", ">calls", ">experts", ">read", ">by chance", ">at most", ">tokens of each",
        ">MB of experts", ">MB of weights", NULL);
    for (int ph = 0; ph < RG_PHASE_COUNT; ph++) {
        const rg_cost_experts *e = &k->r.experts[ph];
        rg_table_line(&t, "s00nnnnnn", rg_phase_names[ph], e->calls, (double)k->config.experts, e->read,
            e->expected, e->bound, e->rows, 1e-6 * e->bytes, 1e-6 * k->r.total[ph].w_rd);
    }
    rg_table_end(f, &t, failed);
    rg_cost_say_experts(&said, k, &all);
    for (int i = 0; i < said.n; i++) fprintf(f, "%s- %s\n", i ? "" : "\n", said.s[i]);
    *failed = *failed || said.failed;
    rg_lines_free(&said);
}
