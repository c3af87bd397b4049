/* Pictures of `ridge roofline`: operator groups in the log-log plane, ideal speed over batch and length, and
 * the steps of a study. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "base/text.h"
#include "report/svg/bars.h"
#include "report/svg/charts.h"
#include "report/svg/pictures.h"
#include "report/svg/sweep.h"

/* A case of either cost model, as pictures read it. */
typedef struct view {
    const char *model, *hardware, *label; /* label: NULL but in studies */
    char format[64];                      /* "q4g64", "w4 a16 kv16" */
    double batch, seqlen, tp, gen;        /* gen: tokens generated; NAN: one step is all that was asked */
    double rate[RG_PHASE_COUNT], ns[RG_PHASE_COUNT]; /* tokens/s; time, of decode with all tokens generated */
    const rg_doc_case *exact;                        /* one of both */
    const rg_doc_lv_case *lv;
} view;

/* Documents of both cost models begin alike. */
typedef struct answers {
    const rg_doc_roofline *head;
    const rg_doc_lv_case *lv; /* NULL: exact */
    size_t n;
} answers;

static answers answers_of(const rg_reports *s)
{
    const rg_doc *d = rg_reports_other(s);
    const rg_doc_llm_viewer *lv = d->kind == RG_DOC_llm_viewer ? d->at : NULL;
    const rg_doc_roofline *head = d->at;
    return (answers){.head = head, .lv = lv ? lv->cases : NULL, .n = lv ? lv->n_cases : head->n_cases};
}
_Static_assert(offsetof(rg_doc_roofline, verdict) == offsetof(rg_doc_llm_viewer, verdict) &&
        offsetof(rg_doc_roofline, study) == offsetof(rg_doc_llm_viewer, study),
    "documents of both cost models differ in the type of their cases alone");

static view view_of(const answers *a, size_t i)
{
    view v = {.exact = a->lv ? NULL : &a->head->cases[i], .lv = a->lv ? &a->lv[i] : NULL};
    if (v.lv) {
        const rg_doc_lv_input *in = &v.lv->input;
        v.model = in->model_id, v.hardware = in->hardware, v.label = v.lv->label;
        v.batch = in->batchsize, v.seqlen = in->seqlen, v.tp = in->tp_size;
        snprintf(v.format, sizeof v.format, "w%.0f a%.0f kv%.0f", in->w_bit, in->a_bit, in->kv_bit);
        v.rate[RG_PREFILL] = v.batch * v.seqlen / v.lv->total.prefill.inference_time;
        v.rate[RG_DECODE] = v.batch / v.lv->total.decode.inference_time;
        v.ns[RG_PREFILL] = 1e9 * v.lv->total.prefill.inference_time;
        v.ns[RG_DECODE] = 1e9 * v.lv->total.decode.inference_time;
        v.gen = NAN;
    } else {
        const rg_doc_case_input *in = &v.exact->input;
        v.model = in->model, v.hardware = in->hardware, v.label = v.exact->label;
        v.batch = in->batch, v.seqlen = in->seqlen, v.tp = in->tp;
        rg_text_clean(v.format, sizeof v.format, in->dtype);
        v.rate[RG_PREFILL] = v.exact->total.prefill.tokens_per_s;
        v.rate[RG_DECODE] = v.exact->total.decode.tokens_per_s;
        v.ns[RG_PREFILL] = v.exact->total.prefill.ideal_ns;
        v.ns[RG_DECODE] = v.exact->task ? v.exact->task->generate_ns : v.exact->total.decode.ideal_ns;
        v.gen = v.exact->task ? v.exact->task->gen : NAN;
    }
    return v;
}

static bool wanted(const answers *a, rg_phase ph)
{
    return strcmp(a->head->stage, ph == RG_PREFILL ? "decode" : "prefill") != 0;
}

/* ---- the log-log plane ---- */

static int site_of(const char *op)
{
    static const struct {
        const char *stem, *kind;
        rg_site site;
    } ops[] = {
#define RG_LV_OP(id, stem, kind, where, site, n, w, ar, aw, kr, kw) {stem, kind, RG_SITE_##site},
#include "roofline/model/llm_viewer.def"
    };
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        if (strcmp(RG_TEXT(64, "%s%s%s", ops[i].stem, ops[i].kind[0] ? "_" : "", ops[i].kind), op) == 0)
            return (int)ops[i].site;
    }
    const rg_site site = rg_site_named(op, strlen(op));
    return site < RG_SITE_COUNT ? (int)site : -1;
}

/* The group of an operator in the sweep, or -1: neither linear nor attention product. */
static int group_of(const char *op)
{
    const int site = op ? site_of(op) : -1;
    if (site < 0 || site == RG_SITE_FFN_ACT || site == RG_SITE_ATTN_SOFTMAX) return -1;
    switch (rg_opgroup_of(rg_site_name(site))) {
    case RG_OPGROUP_QKV:
        return RG_SWEEP_QKV;
    case RG_OPGROUP_GATE:
    case RG_OPGROUP_DOWN:
        return RG_SWEEP_FFN;
    case RG_OPGROUP_ATTN:
        return RG_SWEEP_ATTN;
    default:
        return -1;
    }
}

typedef struct sums {
    double flop, bytes, time;
} sums;

static void add(sums at[RG_SWEEP_GROUPS], const char *op, double flop, double bytes, double time)
{
    const int g = group_of(op);
    if (g < 0) return;
    at[g].flop += flop;
    at[g].bytes += bytes;
    at[g].time += time; /* NAN wins */
}

static void sum_case(sums at[RG_SWEEP_GROUPS], const view *v, rg_phase ph)
{
    for (size_t i = 0; v->exact && i < v->exact->n_ops; i++) {
        const rg_doc_case_op *o = &v->exact->ops[i];
        if (o->phase == ph) add(at, o->site, o->flop, o->total_bytes, 1e-9 * o->ideal_ns);
    }
    const char *name;
    json_t *o;
    json_t *own = v->exact ? NULL : ph == RG_PREFILL ? v->lv->prefill : v->lv->decode;
    json_object_foreach (own, name, o)
        add(at, name, rg_json_number(o, "OPs"), rg_json_number(o, "memory_access"),
            rg_json_number(o, "inference_time"));
}

static int64_t whole(double x) { return x >= 0.0 && x < 9e15 ? (int64_t)x : 0; }

/* "amd_epyc_9654, q4g64, batch 4, length 128", the machine where there are several. */
static void name_case(char *buf, size_t n, const answers *d, const view *k)
{
    buf[0] = 0;
    if (k->label) {
        rg_text_clean(buf, n, k->label);
        return;
    }
    if (d->head->n_hardware > 1) rg_text_add(buf, n, "%s, ", RG_CLEAN(96, k->hardware));
    rg_text_add(buf, n, "%s, batch %.0f, length %.0f", k->format, k->batch, k->seqlen);
    if (k->tp > 1.0) rg_text_add(buf, n, ", %.0f devices", k->tp);
}

static size_t points_of(rg_sweep_point *out, const answers *d, const view *k)
{
    size_t n = 0;
    for (rg_phase ph = 0; ph < RG_PHASE_COUNT; ph++) {
        sums at[RG_SWEEP_GROUPS] = {{0}};
        if (!wanted(d, ph)) continue;
        sum_case(at, k, ph);
        for (int g = 0; g < RG_SWEEP_GROUPS; g++) {
            if (!(at[g].flop > 0.0) || !(at[g].bytes > 0.0)) continue;
            out[n] = (rg_sweep_point){.group = g,
                .phase = ph,
                .batch = whole(k->batch),
                .seqlen = whole(k->seqlen),
                .ai = at[g].flop / at[g].bytes,
                .gflops = at[g].time > 0.0 ? 1e-9 * at[g].flop / at[g].time : NAN,
                .measured_ai = NAN,
                .measured_gflops = NAN};
            snprintf(out[n++].format, sizeof out->format, "%s", k->format);
        }
    }
    return n;
}

/* The peaks that the operators are held against, and the bandwidths. */
static void add_roofs(rg_roof_plot *plot, const rg_doc_hardware *h)
{
    const json_t *v;
    size_t i;
    rg_roof_plot_add(plot, false, true, h->bandwidth_gbps, "main memory: %s GB/s", RG_NUM(h->bandwidth_gbps));
    json_array_foreach (h->peaks_gflops, i, v) {
        const double peak = json_number_value(v);
        rg_roof_plot_add(plot, true, true, peak, "peak: %s", RG_RATE(peak, "FLOP"));
    }
    for (i = 0; i < h->n_levels; i++)
        rg_roof_plot_add(plot, false, false, h->levels[i].gbps, "cache of %.0f KiB: %s GB/s",
            h->levels[i].bytes / 1024.0, RG_NUM(h->levels[i].gbps));
}

bool rg_picture_can_model(const rg_reports *s, size_t index)
{
    return index < answers_of(s).head->n_hardware && index < 16;
}

rg_status rg_picture_model(FILE *f, const rg_reports *set, size_t index, bool embedded, rg_err *err)
{
    const answers d = answers_of(set);
    const rg_doc_hardware *h = &d.head->hardware[index];
    rg_roof_plot plot = rg_sweep_plot();
    view first = {.model = "?"};
    size_t points = 0, n = 0;
    rg_sweep_point *p = calloc(d.n * RG_PHASE_COUNT * RG_SWEEP_GROUPS + 1, sizeof *p);
    if (!p) return rg_no_memory(err, "picture");
    for (size_t i = 0; i < d.n; i++) {
        const view v = view_of(&d, i);
        if (strcmp(v.hardware, h->name) != 0) continue;
        points += points_of(p + points, &d, &v);
        if (n++ == 0) first = v;
    }
    add_roofs(&plot, h);
    const rg_status st = rg_picture_sweep_points(f,
        RG_TEXT(300, "%s on %s", RG_CLEAN(130, first.model), RG_CLEAN(110, h->name)),
        RG_TEXT(300, "analytic, cost model %s; %zu configuration%s", d.head->cost, n, n == 1 ? "" : "s"),
        &plot, p, points, embedded, err);
    free(p);
    return st;
}

/* ---- times of both phases, bytes by part ---- */

bool rg_picture_can_model_stages(const rg_reports *s, size_t index)
{
    const answers d = answers_of(s);
    return index == 0 && d.n > 0 && wanted(&d, RG_PREFILL) && wanted(&d, RG_DECODE);
}

rg_status rg_picture_model_stages(FILE *f, const rg_reports *set, size_t index, bool embedded, rg_err *err)
{
    enum { MOST = 24 };
    const answers d = answers_of(set);
    const size_t n = d.n < MOST ? d.n : MOST;
    rg_stage b[MOST];
    char decode[64] = "one step";
    (void)index;
    for (size_t i = 0; i < n; i++) {
        const view k = view_of(&d, i);
        const double steps = isfinite(k.gen) ? k.gen : 1.0;
        b[i] = (rg_stage){.kind = "analytic",
            .ns = {k.ns[0], k.ns[1]},
            .tokens = {k.batch * k.seqlen, k.batch * steps},
            .ran = {true, true},
            .analytic = true,
            .last = true};
        name_case(b[i].name, sizeof b->name, &d, &k);
        if (isfinite(k.gen)) snprintf(decode, sizeof decode, "%.0f steps", k.gen);
    }
    return rg_picture_stage_bars(f,
        RG_TEXT(200, "%s, analytic, cost model %s%s", RG_CLEAN(130, view_of(&d, 0).model), d.head->cost,
            d.n > MOST ? "; the first 24 cases, the table has all" : ""),
        b, n, RG_TEXT(128, "the sum of the operators' ideal times; decode: %s", decode), embedded, err);
}

/* Cases of another model or format than all before: the first of each has its picture. n: none is left. */
static size_t byte_case(const answers *d, size_t index)
{
    enum { MOST = 6 };
    const size_t n = d->n < 256 ? d->n : 256;
    for (size_t i = 0; i < n && index < MOST; i++) {
        const view k = view_of(d, i);
        bool first = true;
        for (size_t j = 0; j < i && first; j++) {
            const view o = view_of(d, j);
            first = strcmp(o.model, k.model) != 0 || strcmp(o.format, k.format) != 0;
        }
        if (first && index-- == 0) return i;
    }
    return d->n;
}

bool rg_picture_can_model_bytes(const rg_reports *s, size_t index)
{
    const answers d = answers_of(s);
    return !d.head->study && byte_case(&d, index) < d.n;
}

static void add_bytes(double at[RG_BYTE_KINDS], double weights, double acts, double cache)
{
    at[0] += weights;
    at[1] += acts;
    at[2] += cache;
}

/* LLM-Viewer's operators are of one layer, but for the output matrix; its totals tell how many layers. */
static void add_lv_bytes(double at[RG_BYTE_PARTS][RG_BYTE_KINDS], json_t *ops, const rg_doc_lv_total *total)
{
    const char *name;
    json_t *o;
    double layer = 0.0, once = 0.0;
    json_object_foreach (ops, name, o)
        *(site_of(name) == RG_SITE_OUTPUT ? &once : &layer) += rg_json_number(o, "memory_access");
    json_object_foreach (ops, name, o) {
        const int site = site_of(name);
        const rg_opgroup g = site < 0 ? RG_OPGROUP_REST : rg_opgroup_of(rg_site_name(site));
        const double times = site == RG_SITE_OUTPUT ? 1.0 : rg_ratio(total->memory_access - once, layer);
        add_bytes(at[rg_byte_part(g)], times * rg_json_number(o, "load_weight"),
            times * (rg_json_number(o, "load_act") + rg_json_number(o, "store_act")),
            times * (rg_json_number(o, "load_kv_cache") + rg_json_number(o, "store_kv_cache")));
    }
}

static rg_part_bytes bytes_of(const answers *d, const view *k)
{
    rg_part_bytes b = {.least = 0.0};
    for (rg_phase ph = 0; ph < RG_PHASE_COUNT; ph++)
        if (wanted(d, ph)) b.tokens[ph] = k->batch * (ph == RG_PREFILL ? k->seqlen : 1.0);
    for (size_t i = 0; k->exact && i < k->exact->n_ops; i++) {
        const rg_doc_case_op *o = &k->exact->ops[i];
        add_bytes(b.analytic[o->phase][rg_byte_part(rg_opgroup_of(o->site))], o->weight_bytes,
            o->act_read_bytes + o->act_write_bytes, o->kv_read_bytes + o->kv_write_bytes);
    }
    if (k->lv) add_lv_bytes(b.analytic[RG_PREFILL], k->lv->prefill, &k->lv->total.prefill);
    if (k->lv) add_lv_bytes(b.analytic[RG_DECODE], k->lv->decode, &k->lv->total.decode);
    return b;
}

rg_status rg_picture_model_bytes(FILE *f, const rg_reports *set, size_t index, bool embedded, rg_err *err)
{
    const answers d = answers_of(set);
    const view k = view_of(&d, byte_case(&d, index));
    rg_part_bytes b = bytes_of(&d, &k);
    for (size_t i = 0, at; (at = byte_case(&d, i)) < d.n; i++) { /* they share their scale */
        const view v = view_of(&d, at);
        const rg_part_bytes other = bytes_of(&d, &v);
        rg_part_bytes_reach(&b, &other);
    }
    return rg_picture_part_bytes(f,
        RG_TEXT(300, "%s, %s weights, batch %.0f, length %.0f; analytic, cost model %s",
            RG_CLEAN(130, k.model), k.format, k.batch, k.seqlen, d.head->cost),
        &b, embedded, err);
}

/* ---- curves ---- */

/* Cases that differ in `over` alone make a curve. */
static bool curves_of(rg_curves *c, const answers *d, rg_phase ph, bool over_batch)
{
    bool ok = true, machines = d->head->n_hardware > 1;
    for (size_t i = 0; i < d->n && !d->head->study; i++) {
        const view k = view_of(d, i);
        char name[300] = "";
        const double rate = k.rate[ph];
        if (!wanted(d, ph) || !isfinite(rate)) continue;
        if (machines) rg_text_add(name, sizeof name, "%s, ", RG_CLEAN(96, k.hardware));
        rg_text_add(name, sizeof name, "%s, ", k.format);
        rg_text_add(
            name, sizeof name, over_batch ? "length %.0f" : "batch %.0f", over_batch ? k.seqlen : k.batch);
        if (k.tp > 1.0) rg_text_add(name, sizeof name, ", %.0f devices", k.tp);
        rg_curve *curve = rg_curves_get(c, name);
        if (!curve) continue;
        rg_curve_point p = {.x = over_batch ? k.batch : k.seqlen,
            .y = NAN,
            .low = NAN,
            .high = NAN,
            .ideal = rate,
            .share = NAN};
        snprintf(p.tip, sizeof p.tip, "%.140s\n%s %s: %s tokens/s at the roofs, %s", name, rg_phase_names[ph],
            RG_TEXT(32, over_batch ? "batch %.0f" : "length %.0f", p.x), RG_NUM(rate), "analytic");
        snprintf(p.at, sizeof p.at, "cases.%zu", i);
        ok = rg_curve_add(curve, &p) && ok;
    }
    rg_curves_prune(c);
    return ok;
}

static int phase_with(const answers *d, bool over_batch, int index)
{
    for (int ph = RG_PHASE_COUNT - 1; ph >= 0; ph--) { /* decode first */
        rg_curves c = {.n = 0};
        const bool ok = curves_of(&c, d, ph, over_batch) && c.n > 0;
        rg_curves_free(&c);
        if (ok && index-- == 0) return ph;
    }
    return -1;
}

static size_t count(const rg_reports *s, bool over_batch)
{
    const answers d = answers_of(s);
    int n = 0;
    while (phase_with(&d, over_batch, n) >= 0) n++;
    return n;
}

static rg_status draw(
    FILE *f, const rg_reports *set, bool over_batch, size_t index, bool embedded, rg_err *err)
{
    const answers d = answers_of(set);
    const int ph = phase_with(&d, over_batch, (int)index);
    rg_curves c = {.x_title = over_batch ? "sequences side by side" : "length, tokens",
        .y_title = "tokens/s at the roofs",
        .x_log = true};
    const bool ok = ph >= 0 && curves_of(&c, &d, ph, over_batch);
    if (!ok) return rg_chart_curves(f, NULL, &c, false, embedded, err);
    const rg_chart_words words = {
        RG_TEXT(96, "Ideal speed over %s: %s", over_batch ? "batch" : "length", rg_phase_names[ph]),
        RG_TEXT(200, "%s, analytic, cost model %s", RG_CLEAN(130, view_of(&d, 0).model), d.head->cost),
        "Tokens per second of all sequences that the roofs allow, a curve per format.",
        "dashed, hollow: analytic, at the roofs"};
    return rg_chart_curves(f, &words, &c, ok, embedded, err);
}

bool rg_picture_can_model_batch(const rg_reports *s, size_t index) { return index < count(s, true); }
bool rg_picture_can_model_length(const rg_reports *s, size_t index) { return index < count(s, false); }
rg_status rg_picture_model_batch(FILE *f, const rg_reports *set, size_t index, bool embedded, rg_err *err)
{
    return draw(f, set, true, index, embedded, err);
}
rg_status rg_picture_model_length(FILE *f, const rg_reports *set, size_t index, bool embedded, rg_err *err)
{
    return draw(f, set, false, index, embedded, err);
}

/* ---- studies ---- */

bool rg_picture_can_study(const rg_reports *s, size_t index)
{
    return index == 0 && answers_of(s).head->study;
}

rg_status rg_picture_study(FILE *f, const rg_reports *set, size_t index, bool embedded, rg_err *err)
{
    const answers d = answers_of(set);
    rg_dot *dot = calloc(d.n * RG_PHASE_COUNT + 1, sizeof *dot), *next = dot;
    rg_dot_panel panel[RG_PHASE_COUNT];
    const char *name = d.head->study->name;
    const bool steps = strcmp(name, "ablation") == 0;
    int n = 0;
    (void)index;
    if (!dot) return rg_no_memory(err, "picture");
    for (int ph = RG_PHASE_COUNT - 1; ph >= 0; ph--) {
        rg_dot_panel *p = &panel[n];
        double last = NAN, lo = INFINITY, hi = 0.0;
        *p = (rg_dot_panel){.unit = "tokens/s at the roofs", .reference = NAN, .dot = next};
        for (size_t i = 0; i < d.n; i++) {
            const view k = view_of(&d, i);
            const double rate = k.rate[ph];
            rg_dot *x = next++;
            *x = (rg_dot){.value = NAN, .low = NAN, .high = NAN, .ideal = rate, .series = ph == RG_DECODE};
            rg_text_clean(x->label, sizeof x->label, k.label ? k.label : "unknown");
            const char *a = RG_NUM(rate);
            if (steps && isfinite(last))
                snprintf(
                    x->text, sizeof x->text, "%s tokens/s, %s times the step before", a, RG_NUM(rate / last));
            else
                snprintf(x->text, sizeof x->text, "%s tokens/s", a);
            snprintf(x->tip, sizeof x->tip, "%s\n%s: %s, analytic", x->label, rg_phase_names[ph], x->text);
            snprintf(x->at, sizeof x->at, "cases.%zu", i);
            p->n++;
            last = rate;
            lo = fmin(lo, rate);
            hi = fmax(hi, rate);
        }
        p->log = hi > 12.0 * lo;
        snprintf(p->title, sizeof p->title, "%s%s", rg_phase_names[ph], p->log ? ", logarithmic" : "");
        n++;
    }
    const rg_chart_words words = {RG_TEXT(96, "Study: %s", name),
        RG_TEXT(256, "%s on %s, analytic", RG_CLEAN(130, view_of(&d, 0).model), view_of(&d, 0).hardware),
        "A row per step of the study: ideal tokens per second of prefill and decode.",
        "hollow: analytic, at the roofs"};
    const rg_status st = rg_chart_dots(f, &words, panel, n, embedded, err);
    free(dot);
    return st;
}
