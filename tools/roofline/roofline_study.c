/* ridge roofline --study: questions that take several cases, and one answer. */
#include "tools/roofline/roofline_args.h"

#include <inttypes.h>
#include <math.h>

#include "base/num.h"
#include "base/text.h"
#include "report/cells.h"

enum { MAX_STEPS = 8, MOST_BATCH = 1 << 16 };

typedef struct study {
    rg_cost_case k[MAX_STEPS];
    char label[MAX_STEPS][64];
    int n;
    char answer[400];
} study;

static rg_status add(study *s, const rg_cost_case *k, const char *label, rg_err *err)
{
    s->k[s->n] = *k;
    snprintf(s->label[s->n], sizeof s->label[0], "%s", label);
    return rg_asked_run(&s->k[s->n++], 0, err);
}

/* Optimisations one after the other, from 16-bit weights and unfused attention of one sequence on. */
static rg_status ablation(study *s, const rg_cost_case *asked, rg_err *err)
{
    rg_cost_case k = *asked;
    const rg_wtype goal = rg_wtype_is_quant(asked->exact.dtype) ? asked->exact.dtype : RG_WT_Q4G64;
    const int64_t batch = asked->exact.batch > 1 ? asked->exact.batch : 8;
    char label[64], words[40];
    k.exact.dtype = k.exact.head = k.exact.router = k.exact.expert = RG_WT_F16;
    k.exact.kv_k = k.exact.kv_v = RG_KV_F16;
    k.exact.flash = false;
    k.exact.fuse = 0;
    k.exact.batch = 1;
    rg_status st = add(s, &k, "f16 weights and KV, unfused", err);
    k.exact.flash = true;
    if (!st) st = add(s, &k, "+ fused attention", err);
    k.exact.fuse = asked->exact.fuse ? asked->exact.fuse : rg_fuse_all();
    snprintf(label, sizeof label, "+ fusions %s",
        rg_fuse_text(words, sizeof words, rg_exact_fusions(&k.config, &k.exact)));
    if (!st) st = add(s, &k, label, err);
    k.exact.dtype = k.exact.expert = goal;
    snprintf(label, sizeof label, "+ %s weights", rg_wtypes[goal].name);
    if (!st) st = add(s, &k, label, err);
    k.exact.head = goal;
    snprintf(label, sizeof label, "+ %s output matrix", rg_wtypes[goal].name);
    if (!st) st = add(s, &k, label, err);
    if (k.config.head_dim % 32 == 0) {
        k.exact.kv_k = k.exact.kv_v = RG_KV_Q8_0;
        if (!st) st = add(s, &k, "+ q8_0 KV cache", err);
    }
    k.exact.batch = batch;
    snprintf(label, sizeof label, "+ batch %" PRId64, batch);
    if (!st) st = add(s, &k, label, err);
    double gain[RG_PHASE_COUNT];
    for (int ph = 0; ph < RG_PHASE_COUNT; ph++) {
        const rg_cost_result *from = &s->k[0].r, *to = &s->k[s->n - 1].r;
        gain[ph] = to->tokens[ph] / to->total[ph].time_s * from->total[ph].time_s / from->tokens[ph];
    }
    snprintf(s->answer, sizeof s->answer,
        "All together: decode %s times and prefill %s times the tokens/s of %s.", RG_NUM(gain[RG_DECODE]),
        RG_NUM(gain[RG_PREFILL]), s->label[0]);
    return st;
}

/* The largest value for which it fits, 0 if none does. */
static rg_status largest(
    int64_t *best, rg_cost_case *k, int64_t *field, int64_t most, double memory, rg_err *err)
{
    int64_t lo = 0, hi = most + 1;
    while (hi - lo > 1) {
        const int64_t mid = lo + (hi - lo) / 2;
        *field = mid;
        k->exact.ctx = rg_min(k->exact.seqlen + 1, k->config.ctx_train);
        const rg_status st = rg_asked_run(k, 0, err);
        if (st) return st;
        *(k->r.memory[RG_DECODE].total <= memory ? &lo : &hi) = mid;
    }
    *best = lo;
    return RG_OK;
}

static rg_status fit(study *s, const rg_cost_case *asked, double memory, rg_err *err)
{
    rg_cost_case k = *asked;
    int64_t batch = 0, seqlen = 0;
    char m[32], label[64];
    if (!(memory > 0.0))
        return rg_fail(
            err, RG_E_USAGE, "--study fit: the memory of %s is not known: give --memory GiB", k.hw->name);
    rg_status st = largest(&batch, &k, &k.exact.batch, 4096, memory, err);
    const int64_t s0 = asked->exact.seqlen, b0 = asked->exact.batch;
    if (!st && batch > 0) {
        k.exact.batch = batch;
        snprintf(label, sizeof label, "largest batch at length %" PRId64, s0);
        st = add(s, &k, label, err);
    }
    k = *asked;
    if (!st) st = largest(&seqlen, &k, &k.exact.seqlen, k.config.ctx_train, memory, err);
    if (!st && seqlen > 0) {
        k.exact.seqlen = seqlen;
        k.exact.ctx = rg_min(seqlen + 1, k.config.ctx_train);
        snprintf(label, sizeof label, "longest context at batch %" PRId64, b0);
        st = add(s, &k, label, err);
    }
    if (!st && s->n == 0)
        return rg_fail(err, RG_E_NOMEM, "--study fit: not even one token of one sequence fits into %s",
            rg_bytes(m, sizeof m, memory));
    snprintf(s->answer, sizeof s->answer,
        "In %s: batch up to %" PRId64 "%s at length %" PRId64 "; context up to %" PRId64
        "%s at batch %" PRId64 ".",
        rg_bytes(m, sizeof m, memory), batch, batch == 4096 ? " (the most that is tried)" : "", s0, seqlen,
        seqlen == k.config.ctx_train ? " (all the model has)" : "", b0);
    return st;
}

/* Time of arithmetic over time of memory, of decode's linear operators. */
static rg_status pressure(double *ratio, rg_cost_case *k, int64_t batch, rg_err *err)
{
    double flop = 0.0, mem = 0.0;
    k->exact.batch = batch;
    k->exact.ubatch = 0;
    const rg_status st = rg_cost_run(k, 0, err);
    for (int i = 0; i < k->r.n; i++)
        if (k->r.op[i].phase == RG_DECODE && rg_op_is_product(rg_site_op(k->r.op[i].site))) {
            flop += k->r.op[i].flop_s;
            mem += k->r.op[i].mem_s;
        }
    *ratio = flop / mem;
    return st;
}

static rg_status turning(study *s, const rg_cost_case *asked, rg_err *err)
{
    rg_cost_case k = *asked;
    double at;
    int64_t lo = 0, hi = 1;
    rg_status st = pressure(&at, &k, 1, err);
    if (!st && !isfinite(at))
        return rg_fail(err, RG_E_USAGE,
            "--study turning: a roof of %s is not known: the bandwidth, or the peak of the arithmetic in use",
            k.hw->name);
    while (!st && at <= 1.0 && hi < MOST_BATCH) {
        lo = hi;
        hi *= 2;
        st = pressure(&at, &k, hi, err);
    }
    if (st) return st;
    if (at <= 1.0) {
        snprintf(s->answer, sizeof s->answer,
            "Linear operators of decode stay memory-bound up to a batch of %d.", MOST_BATCH);
        k = *asked;
        return add(s, &k, "as asked", err);
    }
    while (hi - lo > 1 && !st) {
        const int64_t mid = lo + (hi - lo) / 2;
        st = pressure(&at, &k, mid, err);
        *(at > 1.0 ? &hi : &lo) = mid;
    }
    snprintf(s->answer, sizeof s->answer,
        "Linear operators of decode, taken together, turn compute-bound at a batch of %" PRId64
        ". Attention reads a cache per sequence, and does not turn.",
        hi);
    k = *asked;
    k.exact.ubatch = 0;
    k.exact.batch = lo;
    if (!st && lo > 0) st = add(s, &k, "last memory-bound", err);
    k.exact.batch = hi;
    return st ? st : add(s, &k, "first compute-bound", err);
}

static rg_status print_md(const study *s, const char *name, bool gains, rg_err *err)
{
    rg_table t = {0};
    char model[160];
    printf("# Study %s: %s on %s\n\n%s\n\n", name, rg_text_cell(model, sizeof model, s->k[0].config.name),
        s->k[0].hw->name, s->answer);
    rg_table_head(&t, "<case", ">batch", ">length", ">prefill tokens/s", ">gain", ">decode tokens/s", ">gain",
        ">memory", NULL);
    for (int i = 0; i < s->n; i++) {
        const rg_cost_case *k = &s->k[i];
        rg_cells row = {.n = 0};
        rg_cells_add(&row, "sll", s->label[i], k->exact.batch, k->exact.seqlen);
        for (int ph = 0; ph < RG_PHASE_COUNT; ph++) {
            const double rate = k->r.tokens[ph] / k->r.total[ph].time_s;
            rg_cells_add(&row, "n", rate);
            if (i > 0 && gains)
                rg_cells_add(&row, "n", rate * k[-1].r.total[ph].time_s / k[-1].r.tokens[ph]);
            else
                rg_cells_add(&row, "s", "");
        }
        rg_cells_add(&row, "b", k->r.memory[RG_DECODE].total);
        rg_cells_end(&row, &t);
    }
    rg_table_print(stdout, &t);
    const bool failed = t.failed;
    rg_table_free(&t);
    printf("\n%sIdeal times of the exact model; roofs: %s\n",
        gains ? "Gains are against the line before, in tokens/s of all sequences. " : "", s->k[0].hw->source);
    return failed ? rg_no_memory(err, "study") : RG_OK;
}

rg_status rg_roofline_study(const rg_cli *cli, const rg_asked *a, int format, rg_err *err)
{
    static const char *const names[] = {"ablation", "fit", "turning", NULL};
    static study s; /* large for a stack */
    const int which = rg_cli_choice("--study", cli->study, names, err);
    if (which < 0) return err->code;
    if (a->n != 1 || a->k->cost != RG_COST_EXACT)
        return rg_fail(
            err, RG_E_USAGE, "--study %s: needs one case (no lists) and --cost exact", names[which]);
    if (which != 1 && RG_GIVEN(cli, memory))
        return rg_fail(err, RG_E_USAGE, "--memory: belongs to --study fit");
    const double memory = RG_GIVEN(cli, memory) ? cli->memory * 1073741824.0 : a->k->hw->memory;
    rg_status st = which == 0 ? ablation(&s, a->k, err)
        : which == 1          ? fit(&s, a->k, memory, err)
                              : turning(&s, a->k, err);
    if (st) return st;
    const char *label[MAX_STEPS];
    rg_cost_print print = a->print;
    for (int i = 0; i < s.n; i++) label[i] = s.label[i];
    print.study = names[which];
    print.answer = s.answer;
    print.label = label;
    const rg_screen screen = rg_screen_of(stdout, cli->wide);
    if (format == RG_AS_TEXT) st = rg_cost_text(&screen, s.k, s.n, &print, err);
    if (!st && (format == RG_AS_MD || (format == RG_AS_TEXT && screen.wide)))
        st = print_md(&s, names[which], which == 0, err);
    return st ? st : rg_cost_show(s.k, s.n, &print, format, cli, err);
}
