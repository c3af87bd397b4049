#include "report/saved.h"

#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "report/join.h"

enum {
    MAX_FILE = 256 << 20,
    MAX_OPS = 200000,
    MAX_ROOFS = 4096,
    MAX_LINES = 10000,
    MAX_CALLS = 1 << 24,
    FLAGS = JSON_REJECT_DUPLICATES
};

const char *const rg_opgroup_names[RG_OPGROUP_COUNT] = {
#define RG_OPGROUP(id, name, cls) name,
#include "report/svg/op_groups.def"
};
const char *const rg_opgroup_classes[RG_OPGROUP_COUNT] = {
#define RG_OPGROUP(id, name, cls) cls,
#include "report/svg/op_groups.def"
};

rg_opgroup rg_opgroup_of(const char *site)
{
    static const struct {
        rg_site site;
        rg_opgroup group;
    } of[] = {
#define RG_OPGROUP_SITE(site, group) {RG_SITE_##site, RG_OPGROUP_##group},
#include "report/svg/op_groups.def"
    };
    _Static_assert(sizeof of / sizeof *of == RG_SITE_COUNT, "op_groups.def: one row per site");
    for (size_t i = 0; i < sizeof of / sizeof *of; i++)
        if (strcmp(rg_site_name(of[i].site), site) == 0) return of[i].group;
    return RG_OPGROUP_REST;
}

/* ---- fields ---- */

/* COUNT must be there; REAL and MAYBE_TEXT may be null or missing */
typedef enum kind { COUNT, REAL, SIGNED, TEXT, MAYBE_TEXT, FLAG } kind;

typedef struct field {
    const char *key;
    kind kind;
    size_t at; /* of a double, const char * or bool in the struct */
} field;

#define F(kind, type, member, key) \
    { \
        key, kind, offsetof(type, member) \
    }
#define SAME(kind, type, member) F(kind, type, member, #member)

static const char *type_name(const json_t *v)
{
    static const char *const names[] = {[JSON_OBJECT] = "an object",
        [JSON_ARRAY] = "a list",
        [JSON_STRING] = "a text",
        [JSON_INTEGER] = "a number",
        [JSON_REAL] = "a number",
        [JSON_TRUE] = "true",
        [JSON_FALSE] = "false",
        [JSON_NULL] = "null"};
    return v ? names[json_typeof(v)] : "nothing";
}

/* Where we are in the file, for messages. */
typedef struct place {
    const char *file;
    char path[96];
} place;

static rg_status wrong(
    const place *p, const char *key, const json_t *found, const char *expected, rg_err *err)
{
    char number[40] = "";
    if (json_is_number(found)) snprintf(number, sizeof number, " (%g)", json_number_value(found));
    return rg_fail(err, RG_E_FILE,
        "%s: %s%s%s: found %s%s, expected %s: not a report of ridge profile -o json", p->file, p->path,
        p->path[0] && key[0] ? "." : "", key, type_name(found), number, expected);
}

static rg_status read_fields(void *to, const json_t *o, const field *f, size_t n, const place *p, rg_err *err)
{
    for (size_t i = 0; i < n; i++) {
        const json_t *v = json_object_get(o, f[i].key);
        void *at = (char *)to + f[i].at;
        const bool none = !v || json_is_null(v);
        switch (f[i].kind) {
        case COUNT:
        case REAL:
        case SIGNED:
            if (none && f[i].kind != COUNT) {
                *(double *)at = NAN;
            } else {
                const double d = json_number_value(v);
                if (!json_is_number(v) || !isfinite(d) || (f[i].kind != SIGNED && d < 0.0))
                    return wrong(
                        p, f[i].key, v, f[i].kind == SIGNED ? "a number" : "a number of at least 0", err);
                *(double *)at = d;
            }
            break;
        case TEXT:
        case MAYBE_TEXT:
            if (!json_is_string(v) && !(none && f[i].kind == MAYBE_TEXT))
                return wrong(p, f[i].key, v, "a text", err);
            *(const char **)at = json_string_value(v);
            break;
        case FLAG:
            if (!none && !json_is_boolean(v)) return wrong(p, f[i].key, v, "true or false", err);
            *(bool *)at = json_is_true(v);
            break;
        }
    }
    return RG_OK;
}
#define READ(to, o, table, p) read_fields((to), (o), (table), sizeof(table) / sizeof *(table), (p), err)

static rg_status get_object(const json_t **out, const json_t *o, const char *key, place *p, rg_err *err)
{
    *out = json_object_get(o, key);
    if (!json_is_object(*out)) return wrong(p, key, *out, "an object", err);
    return RG_OK;
}

static rg_status get_list(
    const json_t **out, const json_t *o, const char *key, size_t max, place *p, rg_err *err)
{
    *out = json_object_get(o, key);
    if (!json_is_array(*out)) return wrong(p, key, *out, "a list", err);
    if (json_array_size(*out) > max)
        return rg_fail(err, RG_E_FILE, "%s: %s.%s: %zu entries, expected at most %zu", p->file, p->path, key,
            json_array_size(*out), max);
    return RG_OK;
}

static rg_status get_phase(rg_phase *out, const json_t *o, const place *p, rg_err *err)
{
    const json_t *v = json_object_get(o, "phase");
    const char *s = json_string_value(v);
    for (int i = 0; s && i < RG_PHASE_COUNT; i++)
        if (strcmp(s, rg_phase_names[i]) == 0) {
            *out = (rg_phase)i;
            return RG_OK;
        }
    return wrong(p, "phase", v, "\"prefill\" or \"decode\"", err);
}

/* ---- sections ---- */

static rg_status read_machine(rg_saved_run *r, const json_t *run, place *p, const char *prefix, rg_err *err)
{
    static const field machine[] = {SAME(TEXT, rg_saved_run, cpu), SAME(MAYBE_TEXT, rg_saved_run, pinning),
        SAME(TEXT, rg_saved_run, isa), SAME(MAYBE_TEXT, rg_saved_run, blas),
        SAME(MAYBE_TEXT, rg_saved_run, roofs_source), SAME(MAYBE_TEXT, rg_saved_run, roofs_measured_at),
        SAME(COUNT, rg_saved_run, cores), SAME(COUNT, rg_saved_run, threads),
        SAME(REAL, rg_saved_run, memory), SAME(REAL, rg_saved_run, barrier_ns),
        SAME(FLAG, rg_saved_run, roofs_noisy)};
    static const field pmu[] = {
        F(TEXT, rg_saved_run, pmu_status, "status"), F(MAYBE_TEXT, rg_saved_run, pmu_reason, "reason")};
    static const field bandwidth[] = {SAME(TEXT, rg_saved_roof, name),
        SAME(MAYBE_TEXT, rg_saved_roof, source), SAME(REAL, rg_saved_roof, spread),
        F(REAL, rg_saved_roof, value, "value_gbps"), F(COUNT, rg_saved_roof, footprint, "footprint_bytes")};
    static const field compute[] = {SAME(TEXT, rg_saved_roof, name), SAME(MAYBE_TEXT, rg_saved_roof, source),
        SAME(REAL, rg_saved_roof, spread), F(REAL, rg_saved_roof, value, "value_gflops"),
        SAME(MAYBE_TEXT, rg_saved_roof, isa)};
    const json_t *m, *o, *list;
    rg_status st;
    snprintf(p->path, sizeof p->path, "%s", prefix);
    if ((st = get_object(&m, run, "machine", p, err)) != RG_OK) return st;
    snprintf(p->path, sizeof p->path, "%smachine", prefix);
    if ((st = READ(r, m, machine, p)) != RG_OK || (st = get_object(&o, m, "pmu", p, err)) != RG_OK ||
        (st = READ(r, o, pmu, p)) != RG_OK || (st = get_list(&list, m, "roofs", MAX_ROOFS, p, err)) != RG_OK)
        return st;
    r->roof = calloc(json_array_size(list) + 1, sizeof *r->roof);
    if (!r->roof) return rg_fail(err, RG_E_NOMEM, "%s: out of memory", p->file);
    for (size_t i = 0; i < json_array_size(list); i++) {
        rg_saved_roof *roof = &r->roof[r->n_roofs++];
        o = json_array_get(list, i);
        snprintf(p->path, sizeof p->path, "%smachine.roofs[%zu]", prefix, i);
        const char *k = json_string_value(json_object_get(o, "kind"));
        roof->compute = k && strcmp(k, "compute") == 0;
        if (!k || (!roof->compute && strcmp(k, "bandwidth") != 0))
            return wrong(p, "kind", json_object_get(o, "kind"), "\"bandwidth\" or \"compute\"", err);
        st = roof->compute ? READ(roof, o, compute, p) : READ(roof, o, bandwidth, p);
        if (st != RG_OK) return st;
    }
    return RG_OK;
}

static rg_status read_model(rg_saved_run *r, const json_t *run, place *p, const char *prefix, rg_err *err)
{
    static const field model[] = {SAME(TEXT, rg_saved_run, name), SAME(MAYBE_TEXT, rg_saved_run, arch),
        SAME(MAYBE_TEXT, rg_saved_run, format), SAME(MAYBE_TEXT, rg_saved_run, dtype),
        SAME(MAYBE_TEXT, rg_saved_run, head_dtype), SAME(MAYBE_TEXT, rg_saved_run, act),
        SAME(MAYBE_TEXT, rg_saved_run, kv_dtype), SAME(COUNT, rg_saved_run, params),
        SAME(COUNT, rg_saved_run, layers), SAME(COUNT, rg_saved_run, file_bytes),
        SAME(COUNT, rg_saved_run, resident_bytes), SAME(REAL, rg_saved_run, stream_bytes),
        SAME(REAL, rg_saved_run, kv_bytes), SAME(REAL, rg_saved_run, scratch_bytes),
        F(REAL, rg_saved_run, bits_file, "bits_per_weight_file"),
        F(REAL, rg_saved_run, bits_resident, "bits_per_weight_resident"), SAME(REAL, rg_saved_run, ctx),
        F(REAL, rg_saved_run, embd_row, "embd_row_bytes"), SAME(REAL, rg_saved_run, round_rel),
        SAME(FLAG, rg_saved_run, tied)};
    static const field dims[] = {SAME(COUNT, rg_saved_run, hidden), SAME(COUNT, rg_saved_run, ffn),
        SAME(COUNT, rg_saved_run, heads), SAME(COUNT, rg_saved_run, kv_heads),
        SAME(COUNT, rg_saved_run, head_dim), SAME(COUNT, rg_saved_run, vocab),
        SAME(REAL, rg_saved_run, ctx_train)};
    static const field how[] = {SAME(COUNT, rg_saved_run, prompt_tokens),
        SAME(COUNT, rg_saved_run, gen_tokens), SAME(REAL, rg_saved_run, decode_start),
        SAME(REAL, rg_saved_run, ubatch), SAME(REAL, rg_saved_run, repetitions),
        SAME(REAL, rg_saved_run, load_ns), SAME(REAL, rg_saved_run, sample_ns),
        SAME(MAYBE_TEXT, rg_saved_run, fuse), SAME(FLAG, rg_saved_run, flash),
        SAME(FLAG, rg_saved_run, interrupted)};
    const json_t *m, *o;
    rg_status st;
    snprintf(p->path, sizeof p->path, "%s", prefix);
    if ((st = get_object(&m, run, "model", p, err)) != RG_OK ||
        (st = get_object(&o, run, "run", p, err)) != RG_OK)
        return st;
    snprintf(p->path, sizeof p->path, "%srun", prefix);
    if ((st = READ(r, o, how, p)) != RG_OK) return st;
    snprintf(p->path, sizeof p->path, "%smodel", prefix);
    if ((st = READ(r, m, model, p)) != RG_OK || (st = get_object(&o, m, "dims", p, err)) != RG_OK) return st;
    snprintf(p->path, sizeof p->path, "%smodel.dims", prefix);
    return READ(r, o, dims, p);
}

static rg_status read_series(rg_saved_phase *q, const json_t *o, place *p, rg_err *err)
{
    const json_t *list = json_object_get(o, "call_ns");
    if (!list || json_is_null(list)) return RG_OK;
    const rg_status st = get_list(&list, o, "call_ns", MAX_CALLS, p, err);
    for (size_t i = 0; st == RG_OK && i < json_array_size(list); i++)
        if (!json_is_number(json_array_get(list, i)) || !(json_number_value(json_array_get(list, i)) >= 0.0))
            return wrong(p, "call_ns", json_array_get(list, i), "a list of numbers of at least 0", err);
    q->series = list;
    return st;
}

static rg_status read_phases(rg_saved_run *r, const json_t *run, place *p, const char *prefix, rg_err *err)
{
#define P(kind, member) SAME(kind, rg_saved_phase, member)
    static const field phase[] = {P(MAYBE_TEXT, bound), P(COUNT, tokens), P(COUNT, batch), P(REAL, calls),
        P(COUNT, t_ns), P(REAL, p50_ns), P(REAL, p90_ns), P(REAL, p99_ns), P(REAL, spread),
        P(REAL, tokens_per_s), P(COUNT, flop), P(COUNT, bytes_analytic), P(COUNT, bytes_counted),
        P(REAL, stream_bytes), P(REAL, ai_analytic), P(REAL, ai_counted), P(REAL, gflops), P(REAL, gbps),
        P(REAL, mbu), P(REAL, mfu), F(REAL, rg_saved_phase, analytic_ns, "analytic_t_ns"),
        F(REAL, rg_saved_phase, fraction, "roof_fraction"), P(REAL, ops_ns), P(REAL, wait_ns),
        P(SIGNED, overhead_ns)};
#undef P
    const json_t *list;
    rg_status st = get_list(&list, run, "phases", RG_PHASE_COUNT, p, err);
    for (size_t i = 0; st == RG_OK && i < json_array_size(list); i++) {
        const json_t *o = json_array_get(list, i);
        rg_phase ph = RG_PREFILL;
        snprintf(p->path, sizeof p->path, "%sphases[%zu]", prefix, i);
        if ((st = get_phase(&ph, o, p, err)) != RG_OK) break;
        if (r->phase[ph].ran)
            return rg_fail(
                err, RG_E_FILE, "%s: %s: %s for the second time", p->file, p->path, rg_phase_names[ph]);
        if ((st = READ(&r->phase[ph], o, phase, p)) == RG_OK) st = read_series(&r->phase[ph], o, p, err);
        r->phase[ph].ran = true;
    }
    return st;
}

static rg_status read_op(rg_saved_op *w, const json_t *o, const rg_saved_run *r, place *p, rg_err *err)
{
#define P(kind, member) SAME(kind, rg_saved_op, member)
#define B(member, key) F(COUNT, rg_saved_bytes, member, key)
    static const field op[] = {P(TEXT, op), P(TEXT, site), P(MAYBE_TEXT, weight_type), P(MAYBE_TEXT, kernel),
        P(MAYBE_TEXT, roof), P(MAYBE_TEXT, roof_reason), P(MAYBE_TEXT, bound), P(COUNT, calls),
        P(COUNT, t_ns), P(COUNT, wait_ns), P(REAL, share), P(COUNT, flop), P(COUNT, int_op),
        P(REAL, ai_analytic), P(REAL, ai_counted), P(REAL, gflops), P(REAL, gbps), P(REAL, attainable_gflops),
        F(REAL, rg_saved_op, fraction, "roof_fraction")};
    static const field bytes[] = {B(weight, "weight_bytes"), B(act_rd, "act_read_bytes"),
        B(act_wr, "act_write_bytes"), B(kv_rd, "kv_read_bytes"), B(kv_wr, "kv_write_bytes"),
        B(total, "total_bytes")};
    static const field ideal[] = {F(REAL, rg_saved_op, analytic_ns, "t_ns")};
#undef P
#undef B
    const json_t *analytic, *counted, *layer = json_object_get(o, "layer");
    rg_status st;
    if (!json_is_object(o)) return wrong(p, "", o, "an object", err);
    if ((st = get_phase(&w->phase, o, p, err)) != RG_OK || (st = READ(w, o, op, p)) != RG_OK ||
        (st = get_object(&analytic, o, "analytic", p, err)) != RG_OK ||
        (st = get_object(&counted, o, "counted", p, err)) != RG_OK ||
        (st = READ(&w->analytic, analytic, bytes, p)) != RG_OK ||
        (st = READ(w, analytic, ideal, p)) != RG_OK || (st = READ(&w->counted, counted, bytes, p)) != RG_OK)
        return st;
    w->layer = -1;
    if (layer && !json_is_null(layer)) {
        w->layer = json_integer_value(layer);
        if (!json_is_integer(layer) || w->layer < 0 || !((double)w->layer < r->layers))
            return wrong(p, "layer", layer, "null or a layer of the model", err);
    }
    w->group = rg_opgroup_of(w->site);
    return RG_OK;
}

static rg_status read_ops(rg_saved_run *r, const json_t *run, place *p, const char *prefix, rg_err *err)
{
    const json_t *list;
    snprintf(p->path, sizeof p->path, "%s", prefix);
    rg_status st = get_list(&list, run, "ops", MAX_OPS, p, err);
    if (st != RG_OK) return st;
    r->op = calloc(json_array_size(list) + 1, sizeof *r->op);
    if (!r->op) return rg_fail(err, RG_E_NOMEM, "%s: out of memory", p->file);
    for (size_t i = 0; st == RG_OK && i < json_array_size(list); i++) {
        rg_saved_op *w = &r->op[r->n_ops++];
        w->index = i;
        snprintf(p->path, sizeof p->path, "%sops[%zu]", prefix, i);
        st = read_op(w, json_array_get(list, i), r, p, err);
    }
    return st;
}

static rg_status read_lines(
    const json_t **out, const json_t *run, const char *key, place *p, const char *prefix, rg_err *err)
{
    snprintf(p->path, sizeof p->path, "%s", prefix);
    rg_status st = get_list(out, run, key, MAX_LINES, p, err);
    for (size_t i = 0; st == RG_OK && i < json_array_size(*out); i++)
        if (!json_is_string(json_array_get(*out, i)))
            st = wrong(p, key, json_array_get(*out, i), "a list of texts", err);
    return st;
}

static rg_status read_run(
    rg_saved_run *r, const json_t *run, const char *file, const char *prefix, rg_err *err)
{
    static const field head[] = {
        SAME(MAYBE_TEXT, rg_saved_run, command), SAME(MAYBE_TEXT, rg_saved_run, started)};
    place p = {.file = file};
    rg_status st;
    snprintf(p.path, sizeof p.path, "%s", prefix);
    r->json = run;
    if (!json_is_object(run)) return wrong(&p, "", run, "an object", err);
    if ((st = READ(r, run, head, &p)) != RG_OK || (st = read_machine(r, run, &p, prefix, err)) != RG_OK ||
        (st = read_model(r, run, &p, prefix, err)) != RG_OK ||
        (st = read_phases(r, run, &p, prefix, err)) != RG_OK ||
        (st = read_ops(r, run, &p, prefix, err)) != RG_OK ||
        (st = read_lines(&r->verdict, run, "verdict", &p, prefix, err)) != RG_OK)
        return st;
    return read_lines(&r->notes, run, "notes", &p, prefix, err);
}

/* ---- runs ---- */

static rg_status check_head(const json_t *o, const char *file, bool *set, rg_err *err)
{
    const char *schema = json_string_value(json_object_get(o, "schema"));
    const json_t *version = json_object_get(o, "version");
    char clean[64];
    *set = schema && strcmp(schema, "ridge.profile.set") == 0;
    if (!schema || (!*set && strcmp(schema, "ridge.profile") != 0))
        return rg_fail(err, RG_E_FILE,
            "%s: schema is %s, expected \"ridge.profile\" or \"ridge.profile.set\": write one with ridge "
            "profile -o json (bench, compare and roofline: theirs)",
            file, schema ? rg_text_clean(clean, sizeof clean, schema) : "missing");
    if (!json_is_integer(version) || json_integer_value(version) != 1)
        return rg_fail(err, RG_E_UNSUPPORTED,
            "%s: version of the schema is %lld, expected 1: read it with the ridge that wrote it", file,
            json_is_integer(version) ? (long long)json_integer_value(version) : -1LL);
    return RG_OK;
}

static rg_status add_run(rg_saved *s, const json_t *o, const char *file, const char *prefix, rg_err *err)
{
    if (s->n == RG_SAVED_MAX_RUNS)
        return rg_fail(err, RG_E_USAGE, "%s: more than %d runs altogether", file, RG_SAVED_MAX_RUNS);
    rg_saved_run *more = realloc(s->run, (s->n + 1) * sizeof *more);
    if (!more) return rg_fail(err, RG_E_NOMEM, "%s: out of memory", file);
    s->run = more;
    more[s->n] = (rg_saved_run){0};
    return read_run(&more[s->n++], o, file, prefix, err);
}

static const char *label_part(const rg_saved_run *r, int part, char *buf, size_t n)
{
    switch (part) {
    case 0:
        return r->dtype ? r->dtype : "?";
    case 1:
        return r->name;
    case 2:
        snprintf(buf, n, "%.0f+%.0f tokens", r->prompt_tokens, r->gen_tokens);
        return buf;
    case 3:
        snprintf(buf, n, "%.0f thread%s", r->threads, r->threads > 1.5 ? "s" : "");
        return buf;
    default:
        return r->started ? r->started : "?";
    }
}

/* The first property that differs between all runs, else every one that differs at all, else a number. */
static void name_runs(rg_saved *s)
{
    enum { KINDS = 5 };
    char a[96], b[96];
    bool differs[KINDS] = {false};
    int chosen = s->n < 2 ? 0 : -1;
    for (int k = 0; k < KINDS; k++) {
        bool all = true;
        for (size_t i = 0; i < s->n; i++)
            for (size_t j = 0; j < i; j++) {
                const bool same = strcmp(label_part(&s->run[i], k, a, sizeof a),
                                      label_part(&s->run[j], k, b, sizeof b)) == 0;
                all = all && !same;
                differs[k] = differs[k] || !same;
            }
        if (all && chosen < 0) chosen = k;
    }
    for (size_t i = 0; i < s->n; i++) {
        char text[96] = "";
        size_t at = 0;
        if (chosen >= 0) snprintf(text, sizeof text, "%s", label_part(&s->run[i], chosen, a, sizeof a));
        for (int k = 0; chosen < 0 && k < KINDS - 1; k++)
            if (differs[k] && at < sizeof text)
                at += (size_t)snprintf(text + at, sizeof text - at, "%s%s", at ? ", " : "",
                    label_part(&s->run[i], k, a, sizeof a));
        if (chosen < 0 && at < sizeof text)
            snprintf(text + at, sizeof text - at, "%s#%zu", at ? " " : "", i + 1);
        rg_text_clean(s->run[i].label, sizeof s->run[i].label, text);
    }
}

rg_status rg_saved_add_json(rg_saved *s, json_t *root, const char *where, rg_err *err)
{
    json_t **more = realloc(s->root, (s->n_roots + 1) * sizeof *more);
    char prefix[32];
    bool set;
    if (!more) return rg_fail(err, RG_E_NOMEM, "%s: out of memory", where);
    s->root = more;
    s->root[s->n_roots++] = json_incref(root);
    rg_status st = check_head(root, where, &set, err);
    if (st == RG_OK && !set) st = add_run(s, root, where, "", err);
    const json_t *runs = json_object_get(root, "runs");
    if (st == RG_OK && set && (!json_is_array(runs) || json_array_size(runs) == 0))
        st = rg_fail(err, RG_E_FILE, "%s: no list of runs in the set", where);
    for (size_t i = 0; st == RG_OK && set && i < json_array_size(runs); i++) {
        snprintf(prefix, sizeof prefix, "runs[%zu].", i);
        st = add_run(s, json_array_get(runs, i), where, prefix, err);
    }
    if (st == RG_OK) name_runs(s);
    return st;
}

static rg_status parse(json_t **root, const char *text, size_t n, const char *where, rg_err *err)
{
    json_error_t e;
    char what[160];
    *root = json_loadb(text, n, FLAGS, &e);
    return *root ? RG_OK
                 : rg_fail(err, RG_E_FILE, "%s: not JSON: line %d: %s", where, e.line,
                       rg_text_clean(what, sizeof what, e.text));
}

rg_status rg_saved_add_text(rg_saved *s, const char *text, size_t n, const char *where, rg_err *err)
{
    json_t *root;
    rg_status st = parse(&root, text, n, where, err);
    if (st == RG_OK) st = rg_saved_add_json(s, root, where, err);
    json_decref(root);
    return st;
}

rg_status rg_saved_read(json_t **root, const char *path, rg_err *err)
{
    FILE *f = fopen(path, "rb");
    char *text = NULL;
    size_t n = 0, cap = 0;
    rg_status st = RG_OK;
    *root = NULL;
    if (!f) return rg_fail(err, RG_E_FILE, "%s: cannot read: %s", path, strerror(errno));
    for (size_t got = 1; st == RG_OK && got > 0; n += got) { /* not by its size: it may be a pipe */
        if (n == cap) {
            cap = cap ? 2 * cap : 1 << 16;
            char *more = cap <= MAX_FILE ? realloc(text, cap) : NULL;
            if (!more) {
                st = cap <= MAX_FILE
                    ? rg_fail(err, RG_E_NOMEM, "%s: out of memory", path)
                    : rg_fail(err, RG_E_FILE, "%s: larger than %d MiB: not a report", path, MAX_FILE >> 20);
                break;
            }
            text = more;
        }
        got = fread(text + n, 1, cap - n, f);
    }
    if (st == RG_OK && ferror(f)) st = rg_fail(err, RG_E_FILE, "%s: cannot read: %s", path, strerror(errno));
    if (st == RG_OK) st = parse(root, text, n, path, err);
    free(text);
    fclose(f);
    return st;
}

rg_status rg_saved_add_file(rg_saved *s, const char *path, rg_err *err)
{
    json_t *root;
    rg_status st = rg_saved_read(&root, path, err);
    if (st == RG_OK) st = rg_saved_add_json(s, root, path, err);
    json_decref(root);
    return st;
}

rg_status rg_saved_add_reports(rg_saved *s, const rg_report *const *r, int n, rg_err *err)
{
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);
    if (!f) return rg_fail(err, RG_E_NOMEM, "report: out of memory");
    rg_status st = rg_report_json(f, r, n, err);
    if (fclose(f) != 0 && st == RG_OK) st = rg_fail(err, RG_E_NOMEM, "report: out of memory");
    if (st == RG_OK) st = rg_saved_add_text(s, text, len, "this report", err);
    free(text);
    return st;
}

void rg_saved_close(rg_saved *s)
{
    for (size_t i = 0; i < s->n; i++) {
        free(s->run[i].roof);
        free(s->run[i].op);
    }
    for (size_t i = 0; i < s->n_roots; i++) json_decref(s->root[i]);
    free(s->run);
    free(s->root);
    *s = (rg_saved){0};
}
