/* The numbers of reports by name. What interval each has follows from the rows of figures.def. */
#include "tools/assert/metrics.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "report/figures.h"

void rg_metrics_help(FILE *f)
{
    static const struct {
        const char *name, *commands, *meaning;
    } all[] = {
#define RG_METRIC(name, commands, meaning) {name, commands, meaning},
#include "tools/assert/metrics.def"
    };
    fprintf(f,
        "--assert 'EXPRESSION': metrics, numbers (also 5 %%), + - * / ( ) and one of >= <= > < == !=\n"
        "  baseline is the same metric in the file of --baseline, baseline.NAME another one.\n"
        "  PHASE is prefill or decode; TEST a test of bench (tg128, pp512@d4096, tg64x8, pp512_tg128); SITE "
        "an operator (ffn_down, output).\n"
        "  Every run, setting or variant in the report must satisfy it, those that have the metric. Exit "
        "code 6: one does not; 7: the interval of\n"
        "  the measurement reaches over the threshold, so that this noise does not tell.\n\n");
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        const char *meaning = all[i].meaning;
        if (!*meaning) {
            const char *key = all[i].name + strlen("PHASE.");
            const rg_fig *fig = rg_fig_find(RG_OBJ_phase, key);
            meaning = (fig ? fig : rg_fig_find(RG_OBJ_side, key))->help;
        }
        fprintf(f, "  %-32s %-22s %s\n", all[i].name, all[i].commands, meaning);
    }
}

static rg_subject *subject(rg_subjects *s, const char *name)
{
    rg_subject *more = realloc(s->s, (s->n + 1) * sizeof *more);
    if (!more) return NULL;
    s->s = more;
    rg_subject *x = &more[s->n++];
    *x = (rg_subject){.canary_fma = NAN, .canary_l2 = NAN};
    rg_text_clean(x->name, sizeof x->name, name ? name : "run");
    return x;
}

/* Measured figures have an interval, or are the ends of one. */
static bool is_measured(rg_object_id object, const char *key)
{
    const rg_fig *f = rg_fig_find(object, key);
    const size_t n = strlen(key);
    return (f && f->interval != RG_EXACT) || (n > 4 && strcmp(key + n - 4, "_low") == 0) ||
        (n > 5 && strcmp(key + n - 5, "_high") == 0);
}

static int put(rg_subject *s, const char *a, const char *b, const char *c, rg_range value)
{
    char name[96];
    if (snprintf(name, sizeof name, "%s%s%s%s%s", a, *a ? "." : "", b, c ? "." : "", c ? c : "") >=
        (int)sizeof name)
        return 0;
    if (rg_metric_find(s, name)) return 0; /* the first of several wins */
    rg_judged *more = realloc(s->m, (s->n + 1) * sizeof *more);
    if (!more) return -1;
    s->m = more;
    more[s->n] = (rg_judged){.value = value};
    snprintf(more[s->n++].name, sizeof name, "%s", name);
    return 0;
}

const rg_judged *rg_metric_find(const rg_subject *s, const char *name)
{
    for (int i = 0; i < s->n; i++)
        if (strcmp(s->m[i].name, name) == 0) return &s->m[i];
    return NULL;
}

void rg_subjects_free(rg_subjects *s)
{
    for (int i = 0; i < s->n; i++) free(s->s[i].m);
    free(s->s);
    *s = (rg_subjects){0};
}

/* null is unknown; what is no number at all has no name. */
static double value_of(const json_t *v) { return json_is_number(v) ? json_number_value(v) : NAN; }
static double number(const json_t *o, const char *key) { return value_of(json_object_get(o, key)); }
static const char *text(const json_t *o, const char *key)
{
    return json_string_value(json_object_get(o, key));
}

/* Exact: counted or computed. */
static rg_range exact(double x) { return (rg_range){x, x, x}; }

/* Intervals over what they are of; NAN: unknown. */
typedef struct margins {
    double low, high;               /* the speed */
    double paired_low, paired_high; /* the share of the roofs */
} margins;
static const margins none = {NAN, NAN, NAN, NAN};

static rg_range ranged(rg_object_id object, const char *key, double x, margins rel)
{
    const rg_fig *f = rg_fig_find(object, key);
    switch (f ? f->interval : RG_EXACT) {
    case RG_SPEED:
        return (rg_range){x * rel.low, x, x * rel.high};
    case RG_TIME:
        return (rg_range){x / rel.high, x, x / rel.low};
    case RG_PAIRED:
        return (rg_range){x * rel.paired_low, x, x * rel.paired_high};
    case RG_MEASURED:
        return (rg_range){NAN, x, NAN};
    default:
        return exact(x);
    }
}

/* Every number of an object under a prefix, with its interval. */
static int numbers(
    rg_subject *s, const char *prefix, const char *middle, rg_object_id object, const json_t *o, margins rel)
{
    const char *key;
    json_t *v;
    json_object_foreach ((json_t *)(uintptr_t)o, key, v) {
        if (!json_is_number(v) && !json_is_null(v)) continue;
        const rg_range r = ranged(object, key, value_of(v), rel);
        const int n = s->n;
        if ((middle ? put(s, prefix, middle, key, r) : put(s, prefix, key, NULL, r)) != 0) return -1;
        if (s->n > n) s->m[n].measured = is_measured(object, key);
    }
    return 0;
}

/* How quiet a run was: its own words, and the canary. */
static void quietness(rg_subject *s, const json_t *run, const json_t *machine)
{
    const json_t *line, *canary = json_object_get(machine, "canary");
    size_t i;
    json_array_foreach (json_object_get(run, "noise"), i, line)
        if (json_is_string(line))
            rg_text_add(s->noise, sizeof s->noise, "%s%s", i ? "; " : "", json_string_value(line));
    s->canary_fma = number(canary, "fma_gflops");
    s->canary_l2 = number(canary, "l2_gbps");
}

static int of_profile(rg_subjects *out, const json_t *run)
{
    const json_t *o, *model = json_object_get(run, "model");
    size_t i;
    rg_subject *s = subject(out, text(model, "dtype"));
    if (!s) return -1;
    quietness(s, json_object_get(run, "run"), json_object_get(run, "machine"));
    json_array_foreach (json_object_get(run, "phases"), i, o) {
        const char *phase = text(o, "phase");
        const double ts = number(o, "tokens_per_s"), share = number(o, "roof_fraction");
        const margins rel = {number(o, "tokens_per_s_low") / ts, number(o, "tokens_per_s_high") / ts,
            number(o, "roof_fraction_low") / share, number(o, "roof_fraction_high") / share};
        if (phase && numbers(s, phase, NULL, RG_OBJ_phase, o, rel) != 0) return -1;
    }
    json_array_foreach (json_object_get(run, "ops"), i, o) {
        const char *phase = text(o, "phase"), *site = text(o, "site");
        if (phase && site && json_is_null(json_object_get(o, "layer")) &&
            numbers(s, phase, site, RG_OBJ_op, o, none) != 0)
            return -1;
    }
    return numbers(s, "model", NULL, RG_OBJ_model, model, none);
}

void rg_metric_test(char *buf, size_t n, const char *test)
{
    size_t k = 0;
    for (; *test && k + 1 < n; test++)
        if (*test != ' ') buf[k++] = *test == '+' ? '_' : *test;
    buf[k] = 0;
}

static int of_result(rg_subject *s, const json_t *o)
{
    char name[64];
    const double ts = number(o, "median_ts"), low = number(o, "ci95_low_ts") / ts,
                 high = number(o, "ci95_high_ts") / ts;
    const char *phase = number(o, "n_gen") == 0.0 ? "prefill"
        : number(o, "n_prompt") == 0.0            ? "decode"
                                                  : NULL;
    rg_metric_test(name, sizeof name, text(o, "test") ? text(o, "test") : "test");
    const char *const under[] = {name, phase};
    for (int i = 0; i < 2; i++) {
        if (!under[i] ||
            (i == 1 && rg_metric_find(s, phase[0] == 'p' ? "prefill.tokens_per_s" : "decode.tokens_per_s")))
            continue;
        if (put(s, under[i], "tokens_per_s", NULL, (rg_range){low * ts, ts, high * ts}) != 0 ||
            numbers(s, under[i], NULL, RG_OBJ_result, o, (margins){low, high, NAN, NAN}) != 0)
            return -1;
    }
    return put(s, "model", "bits_per_weight_resident", NULL, exact(number(o, "bits_per_weight_resident"))) ||
        put(s, "model", "bits_per_weight_file", NULL, exact(number(o, "bits_per_weight_file"))) ||
        put(s, "model", "resident_bytes", NULL, exact(number(o, "model_size"))) ||
        put(s, "model", "stream_bytes", NULL, exact(number(o, "stream_weight_bytes")));
}

static int of_bench(rg_subjects *out, const json_t *report)
{
    const json_t *o;
    size_t i;
    json_array_foreach (json_object_get(report, "results"), i, o) {
        const char *setting = text(o, "setting") ? text(o, "setting") : "default";
        rg_subject *s = NULL;
        for (int k = 0; k < out->n && !s; k++)
            if (strcmp(out->s[k].name, setting) == 0) s = &out->s[k];
        if (!s && !(s = subject(out, setting))) return -1;
        if (s->n == 0) quietness(s, NULL, json_object_get(report, "machine"));
        if (of_result(s, o) != 0) return -1;
    }
    return 0;
}

/* Numbers of an object with `KEY_error` beside them: a standard error, of which 1.96 make the interval. */
static int with_errors(rg_subject *s, const char *prefix, const json_t *o)
{
    const char *key;
    json_t *v;
    json_object_foreach ((json_t *)(uintptr_t)o, key, v) {
        char name[64];
        if (!json_is_number(v) && !json_is_null(v)) continue;
        const size_t n = strlen(key);
        snprintf(
            name, sizeof name, "%s%s", n > 5 && strcmp(key + n - 5, "_nats") == 0 ? "nll" : key, "_error");
        const double x = value_of(v), e = number(o, name);
        if (put(s, prefix, key, NULL, isfinite(e) ? (rg_range){x - 1.96 * e, x, x + 1.96 * e} : exact(x)) !=
            0)
            return -1;
    }
    return 0;
}

static int of_score(rg_subject *s, const json_t *r)
{
    return with_errors(s, "", r) || with_errors(s, "kld", json_object_get(r, "kld_nats")) ||
        with_errors(s, "dp", json_object_get(r, "dp"));
}

static int of_compare(rg_subjects *out, const json_t *report)
{
    static const char *const phases[] = {"prefill", "decode"};
    static const char *const gains[][3] = {{"gain", "gain_low", "gain_high"},
        {"gain_expected", "gain_expected_low", "gain_expected_high"},
        {"gain_reached", "gain_reached_low", "gain_reached_high"}};
    const json_t *o;
    size_t i;
    json_array_foreach (json_object_get(report, "variants"), i, o) {
        rg_subject *s = subject(out, text(o, "name"));
        if (!s || numbers(s, "model", NULL, RG_OBJ_variant, o, none) != 0 ||
            of_score(s, json_object_get(o, "loss")) != 0)
            return -1;
        for (int ph = 0; ph < 2; ph++) {
            const json_t *p = json_object_get(o, phases[ph]);
            const double ts = number(p, "tokens_per_s");
            if (!json_is_object(p)) continue;
            for (int k = 0; i > 0 && k < 3; k++)
                if (put(s, phases[ph], gains[k][0], NULL,
                        (rg_range){number(p, gains[k][1]), number(p, gains[k][0]), number(p, gains[k][2])}) !=
                    0)
                    return -1;
            /* the first variant gains nothing over itself */
            json_t *rest = json_copy((json_t *)(uintptr_t)p);
            if (i == 0)
                json_object_del(rest, "gain"), json_object_del(rest, "gain_reached"),
                    json_object_del(rest, "gain_expected"), json_object_del(rest, "bytes_ratio");
            const int bad = numbers(s, phases[ph], NULL, RG_OBJ_side, rest,
                (margins){number(p, "tokens_per_s_low") / ts, number(p, "tokens_per_s_high") / ts, NAN, NAN});
            json_decref(rest);
            if (bad) return -1;
        }
    }
    return 0;
}

static int of_eval(rg_subjects *out, const json_t *report)
{
    const json_t *r = json_object_get(report, "result"), *speed = json_object_get(report, "speed");
    rg_subject *s = subject(out, text(json_object_get(report, "model"), "dtype"));
    if (!s) return -1;
    return of_score(s, r) ||
        put(s, "speed", "tokens_per_s", NULL, (rg_range){NAN, number(speed, "tokens_per_s"), NAN}) ||
        numbers(s, "model", NULL, RG_OBJ_eval_model, json_object_get(report, "model"), none);
}

rg_status rg_subjects_of(rg_subjects *s, const json_t *report, const char *where, rg_err *err)
{
    const char *schema = text(report, "schema");
    const json_t *run;
    size_t i;
    int bad = 0;
    if (!schema)
        return rg_fail(err, RG_E_FILE,
            "%s: no \"schema\", expected the JSON of ridge profile, bench, compare or eval", where);
    if (strcmp(schema, "ridge.profile") == 0) {
        bad = of_profile(s, report);
    } else if (strcmp(schema, "ridge.profile.set") == 0) {
        json_array_foreach (json_object_get(report, "runs"), i, run)
            if (!bad) bad = of_profile(s, run);
    } else if (strcmp(schema, "ridge.bench") == 0) {
        bad = of_bench(s, report);
    } else if (strcmp(schema, "ridge.ablate") == 0) {
        bad = of_bench(s, json_object_get(report, "bench"));
    } else if (strcmp(schema, "ridge.compare") == 0) {
        bad = of_compare(s, report);
    } else if (strcmp(schema, "ridge.eval") == 0) {
        bad = of_eval(s, report);
    } else {
        return rg_fail(err, RG_E_FILE,
            "%s: schema %s, expected ridge.profile, ridge.bench, ridge.compare or ridge.eval", where, schema);
    }
    if (bad) return rg_fail(err, RG_E_NOMEM, "%s: out of memory for its metrics", where);
    if (s->n == 0) return rg_fail(err, RG_E_FILE, "%s: nothing was measured in it", where);
    return RG_OK;
}
