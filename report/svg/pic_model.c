/* Pictures of `ridge roofline`: operator groups of configurations that need not exist in the log-log plane,
 * ideal speed over batch and length, and the steps of a study. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "report/join.h"
#include "report/svg/charts.h"
#include "report/svg/pictures.h"
#include "report/svg/sweep.h"

static const json_t *case_of(const rg_doc *d, size_t i) { return json_array_get(rg_doc_rows(d), i); }
static size_t cases(const rg_doc *d) { return json_array_size(rg_doc_rows(d)); }
static const char *or_unknown(const char *s) { return s ? s : "unknown"; }

/* LLM-Viewer's cases hold its own keys. */
static bool of_llm_viewer(const rg_doc *d) { return strcmp(rg_doc_text(d->json, "cost"), "llm-viewer") == 0; }

static bool wanted(const rg_doc *d, int ph)
{
    const char *stage = rg_doc_text(d->json, "stage");
    return !stage || strcmp(stage, ph == RG_PREFILL ? "decode" : "prefill") != 0;
}

static double batch_of(const json_t *k)
{
    const double b = rg_doc_num(k, "input.batch");
    return isfinite(b) ? b : rg_doc_num(k, "input.batchsize");
}

static double tokens_per_s(const json_t *k, int ph)
{
    char path[64];
    snprintf(path, sizeof path, "total.%s.tokens_per_s", rg_phase_names[ph]);
    const double v = rg_doc_num(k, path);
    if (isfinite(v)) return v;
    snprintf(path, sizeof path, "total.%s.inference_time", rg_phase_names[ph]);
    return batch_of(k) * (ph == RG_PREFILL ? rg_doc_num(k, "input.seqlen") : 1.0) / rg_doc_num(k, path);
}

/* "q4g64", "w4 a16 kv16" into buf. */
static const char *format_of(char *buf, size_t n, const json_t *k)
{
    const char *dtype = rg_doc_text(k, "input.dtype");
    if (dtype)
        rg_text_clean(buf, n, dtype);
    else
        snprintf(buf, n, "w%.0f a%.0f kv%.0f", rg_doc_num(k, "input.w_bit"), rg_doc_num(k, "input.a_bit"),
            rg_doc_num(k, "input.kv_bit"));
    return buf;
}

static const char *model_of(const json_t *k)
{
    return or_unknown(
        rg_doc_text(k, "input.model") ? rg_doc_text(k, "input.model") : rg_doc_text(k, "input.model_id"));
}

static bool on(const json_t *k, const char *hardware)
{
    return strcmp(rg_doc_text(k, "input.hardware"), hardware) == 0;
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
    char name[64];
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        snprintf(name, sizeof name, "%s%s%s", ops[i].stem, ops[i].kind[0] ? "_" : "", ops[i].kind);
        if (strcmp(name, op) == 0) return (int)ops[i].site;
    }
    const rg_site site = rg_site_named(op, strlen(op));
    return site < RG_SITE_COUNT ? (int)site : -1;
}

/* The group of an operator in the sweep, or -1: neither linear nor attention product. */
static int group_of(const char *op)
{
    const int site = op ? site_of(op) : -1;
    if (site < 0 || site == RG_SITE_FFN_ACT || site == RG_SITE_ATTN_SOFTMAX) return -1;
    switch (rg_opgroup_of(rg_site_name((rg_site)site))) {
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

static void sum_case(sums at[RG_SWEEP_GROUPS], const json_t *k, int ph)
{
    const json_t *ops = json_object_get(k, "ops"), *o;
    const char *name;
    size_t i;
    json_array_foreach (ops, i, o) {
        const char *phase = rg_doc_text(o, "phase");
        if (phase && strcmp(phase, rg_phase_names[ph]) == 0)
            add(at, rg_doc_text(o, "site"), rg_doc_num(o, "flop"), rg_doc_num(o, "total_bytes"),
                1e-9 * rg_doc_num(o, "t_ns"));
    }
    json_t *own = json_object_get(k, rg_phase_names[ph]);
    json_object_foreach (own, name, o)
        add(at, name, rg_doc_num(o, "OPs"), rg_doc_num(o, "memory_access"), rg_doc_num(o, "inference_time"));
}

static int64_t whole(double x) { return x >= 0.0 && x < 9e15 ? (int64_t)x : 0; }

static size_t points_of(rg_sweep_point *out, const rg_doc *d, const json_t *k)
{
    size_t n = 0;
    for (int ph = 0; ph < RG_PHASE_COUNT; ph++) {
        sums at[RG_SWEEP_GROUPS] = {{0}};
        if (!wanted(d, ph)) continue;
        sum_case(at, k, ph);
        for (int g = 0; g < RG_SWEEP_GROUPS; g++) {
            if (!(at[g].flop > 0.0) || !(at[g].bytes > 0.0)) continue;
            out[n++] = (rg_sweep_point){.group = (rg_sweep_group)g,
                .phase = (rg_phase)ph,
                .batch = whole(batch_of(k)),
                .seqlen = whole(rg_doc_num(k, "input.seqlen")),
                .ai = at[g].flop / at[g].bytes,
                .gflops = at[g].time > 0.0 ? 1e-9 * at[g].flop / at[g].time : NAN,
                .measured_ai = NAN,
                .measured_gflops = NAN};
        }
    }
    return n;
}

/* The peaks that the operators are held against, and the bandwidths. */
static void add_roofs(rg_roof_plot *plot, const json_t *h)
{
    const json_t *v;
    size_t i;
    char a[32];
    const double bw = rg_doc_num(h, "bandwidth_gbps");
    rg_roof_plot_add(plot, false, true, bw, "main memory: %s GB/s", rg_num(a, sizeof a, bw));
    json_array_foreach (json_object_get(h, "peaks_gflops"), i, v) {
        const double peak = json_number_value(v);
        rg_roof_plot_add(plot, true, true, peak, peak >= 1e4 ? "peak: %s TFLOP/s" : "peak: %s GFLOP/s",
            rg_num(a, sizeof a, peak >= 1e4 ? 1e-3 * peak : peak));
    }
    json_array_foreach (json_object_get(h, "levels"), i, v)
        rg_roof_plot_add(plot, false, false, rg_doc_num(v, "gbps"), "cache of %.0f KiB: %s GB/s",
            rg_doc_num(v, "bytes") / 1024.0, rg_num(a, sizeof a, rg_doc_num(v, "gbps")));
}

static int n_model(const rg_doc *d)
{
    const size_t n = json_array_size(json_object_get(d->json, "hardware"));
    return n > 16 ? 16 : (int)n;
}

bool rg_picture_can_model(const rg_reports *s, size_t index)
{
    return (int)index < n_model(rg_reports_other(s));
}

rg_status rg_picture_model(FILE *f, const rg_reports *set, size_t index, bool embedded, rg_err *err)
{
    const rg_doc *d = rg_reports_other(set);
    const json_t *h = json_array_get(json_object_get(d->json, "hardware"), (size_t)index), *first = NULL;
    const char *name = or_unknown(rg_doc_text(h, "name"));
    char title[300], sub[300], clean[130], machine[110], format[64], other[64];
    rg_roof_plot plot = rg_sweep_plot();
    size_t points = 0, n = 0;
    bool same = true;
    rg_sweep_point *p = calloc(cases(d) * RG_PHASE_COUNT * RG_SWEEP_GROUPS + 1, sizeof *p);
    if (!p) return rg_fail(err, RG_E_NOMEM, "picture: out of memory");
    for (size_t i = 0; i < cases(d); i++) {
        const json_t *k = case_of(d, i);
        if (!on(k, name)) continue;
        points += points_of(p + points, d, k);
        n++;
        if (first)
            same = same &&
                strcmp(format_of(format, sizeof format, first), format_of(other, sizeof other, k)) == 0;
        if (!first) first = k;
    }
    add_roofs(&plot, h);
    snprintf(title, sizeof title, "%s on %s",
        rg_text_clean(clean, sizeof clean, first ? model_of(first) : "?"),
        rg_text_clean(machine, sizeof machine, name));
    snprintf(sub, sizeof sub, "analytic, cost model %s; %s; %zu configuration%s",
        of_llm_viewer(d) ? "llm-viewer" : "exact",
        same && first ? format_of(format, sizeof format, first) : "several formats", n, n == 1 ? "" : "s");
    const rg_status st = rg_picture_sweep_points(f, title, sub, &plot, p, points, embedded, err);
    free(p);
    return st;
}

/* ---- curves ---- */

/* Cases that differ in `over` alone make a curve. */
static bool curves_of(rg_curves *c, const rg_doc *d, int ph, bool over_batch)
{
    bool ok = true, machines = json_array_size(json_object_get(d->json, "hardware")) > 1;
    for (size_t i = 0; i < cases(d) && !rg_doc_get(d->json, "study"); i++) {
        const json_t *k = case_of(d, i);
        char name[300], format[64], machine[96], a[32], b[32];
        const double tp = rg_doc_num(k, "input.tp"), t = isfinite(tp) ? tp : rg_doc_num(k, "input.tp_size"),
                     rate = tokens_per_s(k, ph);
        if (!wanted(d, ph) || !isfinite(rate)) continue;
        size_t at = 0;
        if (machines)
            at += (size_t)snprintf(name, sizeof name, "%s, ",
                rg_text_clean(machine, sizeof machine, rg_doc_text(k, "input.hardware")));
        at += (size_t)snprintf(name + at, sizeof name - at, "%s, ", format_of(format, sizeof format, k));
        if (over_batch)
            at += (size_t)snprintf(name + at, sizeof name - at, "length %.0f", rg_doc_num(k, "input.seqlen"));
        else
            at += (size_t)snprintf(name + at, sizeof name - at, "batch %.0f", batch_of(k));
        if (t > 1.0) snprintf(name + at, sizeof name - at, ", %.0f devices", t);
        rg_curve *curve = rg_curves_get(c, name);
        if (!curve) continue;
        rg_curve_point p = {.x = over_batch ? batch_of(k) : rg_doc_num(k, "input.seqlen"),
            .y = NAN,
            .low = NAN,
            .high = NAN,
            .ideal = rate,
            .share = NAN};
        snprintf(p.tip, sizeof p.tip, "%.140s\n%s %s: %s tokens/s at the roofs, %s", name, rg_phase_names[ph],
            over_batch ? (snprintf(a, sizeof a, "batch %.0f", p.x), a)
                       : (snprintf(a, sizeof a, "length %.0f", p.x), a),
            rg_num(b, sizeof b, rate), "analytic");
        snprintf(p.at, sizeof p.at, "cases.%zu", i);
        ok = rg_curve_add(curve, &p) && ok;
    }
    rg_curves_prune(c);
    return ok;
}

static int phase_with(const rg_doc *d, bool over_batch, int index)
{
    for (int ph = RG_PHASE_COUNT - 1; ph >= 0; ph--) { /* decode first */
        rg_curves c = {.n = 0};
        const bool ok = curves_of(&c, d, ph, over_batch) && c.n > 0;
        rg_curves_free(&c);
        if (ok && index-- == 0) return ph;
    }
    return -1;
}

static int count(const rg_doc *d, bool over_batch)
{
    int n = 0;
    while (phase_with(d, over_batch, n) >= 0) n++;
    return n;
}

static rg_status draw(FILE *f, const rg_doc *d, bool over_batch, int index, bool embedded, rg_err *err)
{
    const int ph = phase_with(d, over_batch, index);
    rg_curves c = {.x_title = over_batch ? "sequences side by side" : "length, tokens",
        .y_title = "tokens/s at the roofs",
        .x_log = true};
    char title[96], sub[200], model[130];
    if (ph < 0 || !curves_of(&c, d, ph, over_batch)) {
        rg_curves_free(&c);
        return rg_fail(err, RG_E_NOMEM, "picture: out of memory");
    }
    snprintf(
        title, sizeof title, "Ideal speed over %s: %s", over_batch ? "batch" : "length", rg_phase_names[ph]);
    snprintf(sub, sizeof sub, "%s, analytic, cost model %s",
        rg_text_clean(model, sizeof model, model_of(case_of(d, 0))),
        of_llm_viewer(d) ? "llm-viewer" : "exact");
    const rg_chart_words words = {title, sub,
        "Tokens per second of all sequences that the roofs allow, a curve per format.",
        "dashed, hollow: analytic, at the roofs"};
    const rg_status st = rg_chart_curves(f, &words, &c, embedded, err);
    rg_curves_free(&c);
    return st;
}

bool rg_picture_can_model_batch(const rg_reports *s, size_t index)
{
    return index < (size_t)count(rg_reports_other(s), true);
}
bool rg_picture_can_model_length(const rg_reports *s, size_t index)
{
    return index < (size_t)count(rg_reports_other(s), false);
}
rg_status rg_picture_model_batch(FILE *f, const rg_reports *set, size_t index, bool embedded, rg_err *err)
{
    const rg_doc *d = rg_reports_other(set);
    return draw(f, d, true, (int)index, embedded, err);
}
rg_status rg_picture_model_length(FILE *f, const rg_reports *set, size_t index, bool embedded, rg_err *err)
{
    const rg_doc *d = rg_reports_other(set);
    return draw(f, d, false, (int)index, embedded, err);
}

/* ---- studies ---- */

bool rg_picture_can_study(const rg_reports *s, size_t index)
{
    return index == 0 && rg_doc_text(rg_reports_other(s)->json, "study.name");
}

rg_status rg_picture_study(FILE *f, const rg_reports *set, size_t index, bool embedded, rg_err *err)
{
    const rg_doc *d = rg_reports_other(set);
    rg_dot *dot = calloc(cases(d) * RG_PHASE_COUNT + 1, sizeof *dot), *next = dot;
    rg_dot_panel panel[RG_PHASE_COUNT];
    char title[96], sub[256], model[130], label[96], a[32], b[32], name[32];
    const bool steps =
        strcmp(rg_text_clean(name, sizeof name, rg_doc_text(d->json, "study.name")), "ablation") == 0;
    int n = 0;
    (void)index;
    if (!dot) return rg_fail(err, RG_E_NOMEM, "picture: out of memory");
    for (int ph = RG_PHASE_COUNT - 1; ph >= 0; ph--) {
        rg_dot_panel *p = &panel[n];
        double last = NAN, lo = INFINITY, hi = 0.0;
        *p = (rg_dot_panel){.unit = "tokens/s at the roofs", .reference = NAN, .dot = next};
        for (size_t i = 0; i < cases(d); i++) {
            const json_t *k = case_of(d, i);
            const double rate = tokens_per_s(k, ph);
            rg_dot *x = next++;
            *x = (rg_dot){.value = NAN, .low = NAN, .high = NAN, .ideal = rate, .series = ph == RG_DECODE};
            rg_text_clean(label, sizeof label, or_unknown(rg_doc_text(k, "label")));
            snprintf(x->label, sizeof x->label, "%s", label);
            rg_num(a, sizeof a, rate);
            if (steps && isfinite(last))
                snprintf(x->text, sizeof x->text, "%s tokens/s, %s times the step before", a,
                    rg_num(b, sizeof b, rate / last));
            else
                snprintf(x->text, sizeof x->text, "%s tokens/s", a);
            snprintf(x->tip, sizeof x->tip, "%s\n%s: %s, analytic", label, rg_phase_names[ph], x->text);
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
    snprintf(title, sizeof title, "Study: %s", name);
    snprintf(sub, sizeof sub, "%s on %s, analytic",
        rg_text_clean(model, sizeof model, model_of(case_of(d, 0))),
        rg_doc_text(case_of(d, 0), "input.hardware"));
    const rg_chart_words words = {title, sub,
        "A row per step of the study: ideal tokens per second of prefill and decode.",
        "hollow: analytic, at the roofs"};
    const rg_status st = rg_chart_dots(f, &words, panel, n, embedded, err);
    free(dot);
    return st;
}
