/* Machine files: JSON, written whole or not at all, believed only field by field. */
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "base/outfile.h"
#include "base/text.h"
#include "roofline/measure/json_value.h"
#include "roofline/measure/machine.h"

/* Version 1 had only read bandwidth and FP32 peaks by instruction set. */
enum { VERSION = 2, OLDEST = 1 };

static json_t *measured_json(const char *key, rg_measured v)
{
    return json_pack("{s:o, s:o}", key, rg_json_real(v.value > 0.0 ? v.value : NAN), "spread",
        rg_json_real(v.value > 0.0 ? v.spread : NAN));
}

/* [{"footprint_bytes", "read_gbps", "spread", "write_gbps", "write_spread", ...}], measured kinds only. */
static json_t *points_json(const rg_bw_point *bw, int n)
{
    json_t *a = json_array();
    for (int i = 0; i < n; i++) {
        json_t *p = measured_json("read_gbps", bw[i].read_gbps);
        json_object_set_new(p, "footprint_bytes", json_integer(bw[i].footprint_bytes));
        for (int k = RG_BW_WRITE; k < RG_BW_COUNT; k++) {
            const rg_measured *v = rg_bw_get(&bw[i], (rg_bw_kind)k);
            char key[32];
            if (v->value <= 0.0) continue;
            snprintf(key, sizeof key, "%s_gbps", rg_bw_names[k]);
            json_object_set_new(p, key, rg_json_real(v->value));
            snprintf(key, sizeof key, "%s_spread", rg_bw_names[k]);
            json_object_set_new(p, key, rg_json_real(v->spread));
        }
        json_array_append_new(a, p);
    }
    return a;
}

static json_t *to_json(const rg_machine *m)
{
    json_t *ladders = json_array(), *peak = json_array();
    for (int i = 0; i < m->n_ladders; i++) {
        const rg_bw_ladder *l = &m->ladder[i];
        json_array_append_new(ladders,
            json_pack("{s:i, s:b, s:o, s:o}", "threads", l->threads, "huge_pages", (int)l->huge_pages,
                "huge_share", rg_json_real(l->huge_share), "bandwidth", points_json(l->bw, l->n)));
    }
    for (int i = 0; i < RG_PEAK_COUNT; i++) {
        if (m->peak[i].value <= 0.0) continue;
        json_t *p = measured_json("gops", m->peak[i]);
        json_object_set_new(p, "name", json_string(rg_peaks[i].name));
        json_object_set_new(p, "class", json_string(rg_arith_names[rg_peaks[i].arith]));
        json_object_set_new(p, "isa", json_string(rg_isa_names[rg_peaks[i].isa]));
        json_array_append_new(peak, p);
    }
    json_t *barrier = measured_json("barrier_ns", m->barrier_ns);
    json_object_set_new(barrier, "kind", json_string("sense-reversing spin barrier of pthreads"));
    return json_pack("{s:s, s:i, s:o, s:o, s:o, s:i, s:i, s:I, s:s, s:b, s:o, s:o, s:o, s:o, s:i, s:o, s:o, "
                     "s:o, s:o, s:o, s:o, s:o, s:o}",
        "schema", "ridge.machine", "version", VERSION, "cpu", rg_json_text(m->cpu), "source",
        rg_json_text(m->source), "measured_at", rg_json_text(m->measured_at), "cores", m->cores, "threads",
        m->threads, "memory_bytes", (json_int_t)m->memory_bytes, "isa_best", rg_isa_names[m->isa_best],
        "noisy", (int)m->noisy, "bandwidth", points_json(m->bw, m->n_bw), "peak", peak, "barrier", barrier,
        "huge_share", rg_json_real(m->huge_share), "ladders_left_out", m->ladders_left_out, "cpu_id",
        rg_json_text(m->cpu_id), "kernel", rg_json_text(m->kernel), "memory_limit_bytes",
        m->memory_limit > 0 ? json_integer((json_int_t)m->memory_limit) : json_null(), "noise",
        rg_json_text(m->noise[0] ? m->noise : NULL), "ladders", ladders, "region",
        measured_json("region_ns", m->region_ns), "record", measured_json("record_ns", m->record_ns), "clock",
        measured_json("clock_ns", m->clock_ns));
}

rg_status rg_machine_json(FILE *f, const rg_machine *m, rg_err *err)
{
    return rg_json_write(f, to_json(m), JSON_INDENT(2) | JSON_REAL_PRECISION(6), "machine", err);
}

rg_status rg_machine_save(const rg_machine *m, const char *path, rg_err *err)
{
    rg_outfile o = {0};
    rg_status st = rg_outfile_open(&o, path, err);
    if (!st) st = rg_machine_json(o.f, m, err);
    if (!st) st = rg_outfile_commit(&o, err);
    rg_outfile_abort(&o);
    return st;
}

/* A number in [low, high]; null is `low` where optional. */
static bool get_real(const json_t *o, const char *key, double low, double high, double *out)
{
    const json_t *v = json_object_get(o, key);
    if (!json_is_number(v)) return false;
    *out = json_number_value(v);
    return isfinite(*out) && *out >= low && *out <= high;
}

static bool get_int(const json_t *o, const char *key, int64_t low, int64_t high, int64_t *out)
{
    const json_t *v = json_object_get(o, key);
    if (!json_is_integer(v)) return false;
    *out = json_integer_value(v);
    return *out >= low && *out <= high;
}

static bool get_text(const json_t *o, const char *key, char *buf, size_t n)
{
    const char *s = json_string_value(json_object_get(o, key));
    if (!s) return false;
    rg_text_clean(buf, n, s);
    return true;
}

static bool get_measured(const json_t *o, const char *key, const char *spread, rg_measured *out)
{
    return get_real(o, key, 1e-6, 1e9, &out->value) && get_real(o, spread, 0.0, 1e6, &out->spread);
}

/* A figure; missing or null is 0. False: it is wrong. */
static bool get_optional(const json_t *o, const char *key, const char *spread, rg_measured *out)
{
    const json_t *v = json_object_get(o, key);
    *out = (rg_measured){0};
    return !v || json_is_null(v) || get_measured(o, key, spread, out);
}

static const char *get_points(const json_t *a, rg_bw_point *bw, int *n)
{
    int64_t last = 0;
    if (!json_is_array(a) || json_array_size(a) > RG_MAX_BW)
        return "bandwidth: expected an array of at most 24 points";
    for (size_t i = 0; i < json_array_size(a); i++, ++*n) {
        const json_t *p = json_array_get(a, i);
        rg_bw_point *to = &bw[*n];
        if (!get_int(p, "footprint_bytes", last + 1, INT64_MAX, &to->footprint_bytes))
            return "bandwidth: expected rising footprint_bytes";
        if (!get_measured(p, "read_gbps", "spread", &to->read_gbps))
            return "bandwidth: expected read_gbps above 0 and a spread";
        if (!get_optional(p, "write_gbps", "write_spread", &to->write_gbps) ||
            !get_optional(p, "copy_gbps", "copy_spread", &to->copy_gbps) ||
            !get_optional(p, "triad_gbps", "triad_spread", &to->triad_gbps))
            return "bandwidth: expected write, copy and triad above 0, each with its spread";
        last = to->footprint_bytes;
    }
    return NULL;
}

/* The row of a class and level; version 1 says "isa" and "fp32_gflops". */
static const char *get_peak(rg_machine *m, const json_t *p, int64_t version)
{
    char isa[32], class[32] = "fp32_fma", name[64] = "";
    if (!get_text(p, "isa", isa, sizeof isa) || rg_isa_from_name(isa) < 0)
        return "peak: expected a level that this program knows as isa";
    if (version > 1 && (!get_text(p, "class", class, sizeof class) || rg_arith_from_name(class) < 0))
        return "peak: expected a class that this program knows";
    if (version > 1 && !get_text(p, "name", name, sizeof name)) return "peak: expected a name";
    int row = version > 1 ? rg_peak_from_name(name) : -1;
    for (int i = 0; i < RG_PEAK_COUNT && row < 0; i++)
        if (rg_peaks[i].arith == (rg_arith)rg_arith_from_name(class) &&
            rg_peaks[i].isa == (rg_isa)rg_isa_from_name(isa))
            row = i;
    if (row < 0 || strcmp(rg_arith_names[rg_peaks[row].arith], class) != 0)
        return "peak: expected a name and class that this program knows";
    if (!get_measured(p, version > 1 ? "gops" : "fp32_gflops", "spread", &m->peak[row]))
        return "peak: expected gops (fp32_gflops in version 1) above 0 and a spread";
    return NULL;
}

/* Missing or null: NAN. */
static bool get_share(const json_t *o, double *out)
{
    const json_t *v = json_object_get(o, "huge_share");
    *out = NAN;
    return !v || json_is_null(v) || get_real(o, "huge_share", 0.0, 1.0, out);
}

static const char *get_ladders(rg_machine *m, const json_t *a)
{
    if (!a) return NULL;
    if (!json_is_array(a) || json_array_size(a) > RG_MAX_LADDERS)
        return "ladders: expected an array of at most 16";
    for (size_t i = 0; i < json_array_size(a); i++) {
        const json_t *o = json_array_get(a, i);
        rg_bw_ladder *l = &m->ladder[m->n_ladders++];
        int64_t threads;
        if (!get_int(o, "threads", 1, 1024, &threads)) return "ladders: expected threads from 1 to 1024";
        if (!json_is_boolean(json_object_get(o, "huge_pages")))
            return "ladders: expected huge_pages true or false";
        l->threads = (int)threads;
        l->huge_pages = json_is_true(json_object_get(o, "huge_pages"));
        if (!get_share(o, &l->huge_share)) return "ladders: expected huge_share from 0 to 1";
        const char *wrong = get_points(json_object_get(o, "bandwidth"), l->bw, &l->n);
        if (wrong) return wrong;
    }
    return NULL;
}

/* "name: what was expected" of the first wrong field, or NULL. */
static const char *from_json(rg_machine *m, const json_t *j)
{
    const char *schema = json_string_value(json_object_get(j, "schema")), *wrong;
    int64_t version, cores, threads, memory;
    char isa[32];
    const json_t *peak = json_object_get(j, "peak"), *limit = json_object_get(j, "memory_limit_bytes");
    if (!schema || strcmp(schema, "ridge.machine") != 0) return "schema: expected \"ridge.machine\"";
    if (!get_int(j, "version", OLDEST, VERSION, &version)) return "version: expected 1 or 2";
    if (!get_text(j, "cpu", m->cpu, sizeof m->cpu)) return "cpu: expected a string";
    if (!get_text(j, "measured_at", m->measured_at, sizeof m->measured_at))
        return "measured_at: expected a string";
    if (!get_int(j, "cores", 1, 1 << 20, &cores)) return "cores: expected 1 or more";
    if (!get_int(j, "threads", 1, 1024, &threads)) return "threads: expected 1 to 1024";
    if (!get_int(j, "memory_bytes", 0, INT64_MAX, &memory)) return "memory_bytes: expected a number of bytes";
    if (!get_text(j, "isa_best", isa, sizeof isa) || rg_isa_from_name(isa) < 0)
        return "isa_best: expected a level that this program knows";
    m->cores = (int)cores;
    m->threads = (int)threads;
    m->memory_bytes = memory;
    m->isa_best = (rg_isa)rg_isa_from_name(isa);
    m->noisy = json_is_true(json_object_get(j, "noisy"));
    /* may be missing: nothing is computed from these */
    get_text(j, "cpu_id", m->cpu_id, sizeof m->cpu_id);
    get_text(j, "kernel", m->kernel, sizeof m->kernel);
    get_text(j, "noise", m->noise, sizeof m->noise);
    if (limit && !json_is_null(limit) && !get_int(j, "memory_limit_bytes", 1, INT64_MAX, &m->memory_limit))
        return "memory_limit_bytes: expected a number of bytes";
    if (!get_share(j, &m->huge_share)) return "huge_share: expected 0 to 1";
    int64_t left_out = 0;
    if (json_object_get(j, "ladders_left_out") &&
        !get_int(j, "ladders_left_out", 0, RG_MAX_LADDERS, &left_out))
        return "ladders_left_out: expected 0 or more";
    m->ladders_left_out = (int)left_out;
    if ((wrong = get_points(json_object_get(j, "bandwidth"), m->bw, &m->n_bw))) return wrong;
    if (!json_is_array(peak)) return "peak: expected an array";
    for (size_t i = 0; i < json_array_size(peak); i++)
        if ((wrong = get_peak(m, json_array_get(peak, i), version))) return wrong;
    if ((wrong = get_ladders(m, json_object_get(j, "ladders")))) return wrong;
#define FIGURE(name) \
    if (!get_optional(json_object_get(j, #name), #name "_ns", "spread", &m->name##_ns)) \
        return #name ": expected " #name "_ns above 0 and a spread";
    FIGURE(barrier)
    FIGURE(region)
    FIGURE(record)
    FIGURE(clock)
    return NULL;
}

bool rg_machine_of_file(const rg_machine *m) { return strncmp(m->source, "file ", 5) == 0; }

rg_status rg_machine_load(rg_machine *m, const char *path, rg_err *err)
{
    static const char hint[] = "; write one with ridge machine --save";
    json_t *j;
    *m = (rg_machine){0};
    rg_status st = rg_json_load(&j, path, "machine", hint, err);
    const char *wrong = j ? from_json(m, j) : NULL;
    if (wrong) st = rg_fail(err, RG_E_FILE, "%s: not a machine file: %s%s", path, wrong, hint);
    if (st)
        *m = (rg_machine){0};
    else
        snprintf(m->source, sizeof m->source, "file %s", path);
    json_decref(j);
    return st;
}
