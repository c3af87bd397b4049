/* `ridge compare` in full: every table and sentence, as Markdown or for a wide screen. */
#include <math.h>
#include <stdlib.h>

#include "report/cells.h"
#include "tools/compare/compare.h"

/* Where it goes: Markdown, or a screen. */
typedef struct page {
    FILE *f;
    const rg_screen *s; /* NULL: Markdown */
    bool failed;
} page;

static void heading(const page *p, const char *text)
{
    fputc('\n', p->f);
    if (p->s)
        rg_screen_put(p->s, RG_INK_HEAD, "%s\n", text);
    else
        fprintf(p->f, "## %s\n\n", text);
}

static void sentence(const page *p, bool item, const char *text)
{
    if (p->s)
        rg_screen_wrap(p->s, RG_INK_PLAIN, 0, 2, text);
    else
        fprintf(p->f, item ? "- %s\n" : "%s\n", text);
}

static void table(page *p, rg_table *t)
{
    if (p->s)
        rg_screen_table(p->s, 0, t, &p->failed);
    else
        rg_table_end(p->f, t, &p->failed);
}

static const char *interval(char *buf, size_t n, double low, double high)
{
    if (!isfinite(low) || !isfinite(high))
        snprintf(buf, n, "n/a");
    else
        snprintf(buf, n, "%s..%s", RG_NUM(low), RG_NUM(high));
    return buf;
}
#define INTERVAL(low, high) interval((char[64]){0}, 64, low, high)

static void what(page *p, const rg_comparison *c)
{
    rg_table t = {0};
    rg_table_head(&t, "<variant", "<weights", ">bits/weight", ">resident", ">per step", "<KV", "<act", "<isa",
        ">threads", NULL);
    for (int i = 0; i < c->n; i++) {
        const rg_doc_variant *v = &c->side[i].v;
        rg_table_line(&t, "csnbbsss0", v->name, v->dtype, v->bits_per_weight_resident, v->resident_bytes,
            v->stream_bytes, v->kv_dtype, v->act, v->isa, v->threads > 0.0 ? v->threads : NAN);
    }
    table(p, &t);
}

static void speed(page *p, const rg_comparison *c, rg_phase ph)
{
    rg_table t = {0};
    bool any = false;
    for (int i = 0; i < c->n; i++) any = any || c->side[i].phase[ph].test;
    if (!any) return;
    heading(p, rg_phase_names[ph]);
    rg_table_head(&t, "<variant", "<test", ">tokens/s", ">interval", ">spread", ">MBU %", ">roof %", ">gain",
        ">interval", ">bytes ratio", ">worth", ">interval", ">reached", ">interval", NULL);
    for (int i = 0; i < c->n; i++) {
        const rg_doc_side g = rg_side_gain(&c->side[0], &c->side[i], ph);
        rg_cells row = {.n = 0};
        if (!g.test) continue;
        rg_cells_add(&row, "csnsphh", c->side[i].v.name, g.test, g.tokens_per_s,
            INTERVAL(g.tokens_per_s_low, g.tokens_per_s_high), g.spread, g.mbu, g.roof_fraction);
        if (i)
            rg_cells_add(&row, "nsnnsps", g.gain, INTERVAL(g.gain_low, g.gain_high), g.bytes_ratio,
                g.gain_expected, INTERVAL(g.gain_expected_low, g.gain_expected_high), g.gain_reached,
                INTERVAL(g.gain_reached_low, g.gain_reached_high));
        else
            rg_cells_add(&row, "sssssss", "1", "", "1", "1", "", "", "");
        rg_cells_end(&row, &t);
    }
    table(p, &t);
}

/* What the variants cost: --eval. */
static void loss(page *p, const rg_comparison *c)
{
    rg_table t = {0};
    if (!c->score) return;
    heading(p, "loss");
    rg_table_head(&t, "<variant", ">perplexity", ">error", ">over the first", ">KL mean", ">error", ">median",
        ">99 %", ">same top %", NULL);
    for (int i = 0; i < c->n; i++) {
        const rg_score_stats *s = &c->side[i].score;
        rg_cells row = {.n = 0};
        if (s->n == 0) continue;
        rg_cells_add(&row, "cnn", c->side[i].v.name, s->ppl, s->ppl_error);
        if (s->reference)
            rg_cells_add(&row, "nnnnnh", s->ppl_ratio, s->kld.mean, s->kld.error, s->kld.at[5], s->kld.at[8],
                s->same_top);
        else
            rg_cells_add(&row, "ssssss", "1", "0", "", "0", "0", "100.0");
        rg_cells_end(&row, &t);
    }
    table(p, &t);
    fputc('\n', p->f);
    sentence(p, false,
        RG_TEXT(512,
            "Perplexity of %s in windows of up to 512 tokens, the second half scored (ridge eval); KL in "
            "nats "
            "from the first variant.",
            c->cli->eval_file));
}

static void operators(page *p, const rg_comparison *c)
{
    rg_table t = {0};
    rg_doc_compare d = {0};
    if (!rg_compare_operators(&d, c)) p->failed = true;
    if (d.n_operators > 0) heading(p, "operators");
    rg_table_head(&t, "<operator", "<phase", "<variant", ">first", ">this", ">gain", ">interval", ">worth",
        ">roof %, first", ">roof %, this", NULL);
    for (size_t i = 0; i < d.n_operators; i++) {
        const rg_doc_op_gain *o = &d.operators[i];
        rg_table_line(&t, "sscssnsnhh", o->site, rg_phase_names[o->phase], o->name, RG_TIME(o->base_ns),
            RG_TIME(o->ns), o->gain, INTERVAL(o->gain_low, o->gain_high), o->gain_expected,
            o->base_roof_fraction, o->roof_fraction);
    }
    if (d.n_operators > 0)
        table(p, &t);
    else
        rg_table_free(&t);
    free(d.operators);
}

static const char METHOD[] =
    "Tokens/s and times of operators: geometric means over the loads of each one's median; their intervals, "
    "and those of gains, hold the truth in 99 % (Student's t over the loads, of the ratios of each load). Of "
    "a "
    "saved run: as it has them, and 10 % more for where its load lies in memory. Bytes ratio: counted bytes "
    "per "
    "token of the first over this. Worth: ideal time of the first over this, on the same measured roofs; its "
    "interval is half the spread of the roofs that do not bind both. Reached: gain / worth. Roof above 100 "
    "%: a "
    "cache closer than the footprint says serves it, or the roofs were measured on a busier machine.";

rg_status rg_compare_tables(FILE *f, const rg_screen *s, const rg_comparison *c, rg_err *err)
{
    page p = {f, s, false};
    rg_lines verdict = {0};
    what(&p, c);
    for (int ph = 0; ph < RG_PHASE_COUNT; ph++) speed(&p, c, ph);
    loss(&p, c);
    operators(&p, c);
    fputc('\n', f);
    sentence(&p, false, METHOD);
    heading(&p, "Verdict");
    rg_compare_verdict(&verdict, c);
    for (int i = 0; i < verdict.n; i++) sentence(&p, true, verdict.s[i]);
    p.failed = p.failed || verdict.failed;
    rg_lines_free(&verdict);
    return rg_written(f, "compare", p.failed, err);
}
