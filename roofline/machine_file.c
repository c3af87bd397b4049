/* Machine files: JSON, written whole or not at all, and believed only after every field has been checked. */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/outfile.h"
#include "roofline/machine.h"
#include "roofline/textout.h"

enum { VERSION = 1, MAX_FILE = 1 << 20 };

static json_t *measured_json(const char *key, rg_measured v)
{
    return json_pack("{s:o, s:o}", key, rg_json_real(v.value > 0.0 ? v.value : NAN), "spread", rg_json_real(v.value > 0.0 ? v.spread : NAN));
}

static json_t *to_json(const rg_machine *m)
{
    json_t *bw = json_array(), *peak = json_array();
    for (int i = 0; i < m->n_bw; i++) {
        json_t *p = measured_json("read_gbps", m->bw[i].read_gbps);
        json_object_set_new(p, "footprint_bytes", json_integer(m->bw[i].footprint_bytes));
        json_array_append_new(bw, p);
    }
    for (int i = 0; i < RG_ISA_COUNT; i++) {
        if (m->fma_gflops[i].value <= 0.0) continue;
        json_t *p = measured_json("fp32_gflops", m->fma_gflops[i]);
        json_object_set_new(p, "isa", json_string(rg_isa_names[i]));
        json_array_append_new(peak, p);
    }
    json_t *barrier = measured_json("barrier_ns", m->barrier_ns);
    json_object_set_new(barrier, "kind", json_string("sense-reversing spin barrier of pthreads"));
    return json_pack("{s:s, s:i, s:o, s:o, s:o, s:i, s:i, s:I, s:s, s:b, s:o, s:o, s:o}", "schema", "ridge.machine", "version", VERSION, "cpu",
        rg_json_text(m->cpu), "source", rg_json_text(m->source), "measured_at", rg_json_text(m->measured_at), "cores", m->cores, "threads", m->threads,
        "memory_bytes", (json_int_t)m->memory_bytes, "isa_best", rg_isa_names[m->isa_best], "noisy", (int)m->noisy, "bandwidth", bw, "peak", peak, "barrier",
        barrier);
}

rg_status rg_machine_json(FILE *f, const rg_machine *m, rg_err *err)
{
    json_t *j = to_json(m);
    rg_status st = RG_OK;
    if (!j)
        st = rg_fail(err, RG_E_NOMEM, "machine: out of memory");
    else if (json_dumpf(j, f, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) != 0 || fputc('\n', f) == EOF)
        st = rg_fail(err, RG_E_FILE, "machine: cannot write: %s", strerror(errno));
    json_decref(j);
    return st;
}

rg_status rg_machine_save(const rg_machine *m, const char *path, rg_err *err)
{
    rg_outfile o = {0};
    rg_status st = rg_outfile_open(&o, path, err);
    if (st == RG_OK) st = rg_machine_json(o.f, m, err);
    if (st == RG_OK) st = rg_outfile_commit(&o, err);
    rg_outfile_abort(&o);
    return st;
}

/* ---- loading ---- */

/* A number in [low, high]; null counts as `low` where optional. */
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

static bool get_measured(const json_t *o, const char *key, rg_measured *out)
{
    return get_real(o, key, 1e-6, 1e9, &out->value) && get_real(o, "spread", 0.0, 1e6, &out->spread);
}

/* The first field that is wrong, as "name: what was expected"; NULL if none. */
static const char *from_json(rg_machine *m, const json_t *j)
{
    const char *schema = json_string_value(json_object_get(j, "schema"));
    int64_t version, cores, threads, memory, last = 0;
    char isa[32];
    const json_t *bw = json_object_get(j, "bandwidth"), *peak = json_object_get(j, "peak"), *barrier = json_object_get(j, "barrier");
    if (!schema || strcmp(schema, "ridge.machine") != 0) return "schema: expected \"ridge.machine\"";
    if (!get_int(j, "version", VERSION, VERSION, &version)) return "version: expected 1";
    if (!get_text(j, "cpu", m->cpu, sizeof m->cpu)) return "cpu: expected a string";
    if (!get_text(j, "measured_at", m->measured_at, sizeof m->measured_at)) return "measured_at: expected a string";
    if (!get_int(j, "cores", 1, 1 << 20, &cores)) return "cores: expected 1 or more";
    if (!get_int(j, "threads", 1, 1024, &threads)) return "threads: expected 1 to 1024";
    if (!get_int(j, "memory_bytes", 0, INT64_MAX, &memory)) return "memory_bytes: expected a number of bytes";
    if (!get_text(j, "isa_best", isa, sizeof isa) || rg_isa_from_name(isa) < 0) return "isa_best: expected a level that this program knows";
    m->cores = (int)cores;
    m->threads = (int)threads;
    m->memory_bytes = memory;
    m->isa_best = (rg_isa)rg_isa_from_name(isa);
    m->noisy = json_is_true(json_object_get(j, "noisy"));
    if (!json_is_array(bw) || json_array_size(bw) > RG_MAX_BW) return "bandwidth: expected an array of at most 24 points";
    for (size_t i = 0; i < json_array_size(bw); i++, m->n_bw++) {
        const json_t *p = json_array_get(bw, i);
        rg_bw_point *to = &m->bw[m->n_bw];
        if (!get_int(p, "footprint_bytes", last + 1, INT64_MAX, &to->footprint_bytes)) return "bandwidth: expected rising footprint_bytes";
        if (!get_measured(p, "read_gbps", &to->read_gbps)) return "bandwidth: expected read_gbps above 0 and a spread";
        last = to->footprint_bytes;
    }
    if (!json_is_array(peak)) return "peak: expected an array";
    for (size_t i = 0; i < json_array_size(peak); i++) {
        const json_t *p = json_array_get(peak, i);
        if (!get_text(p, "isa", isa, sizeof isa) || rg_isa_from_name(isa) < 0) return "peak: expected isa c, avx2 or avx512";
        if (!get_measured(p, "fp32_gflops", &m->fma_gflops[rg_isa_from_name(isa)])) return "peak: expected fp32_gflops above 0 and a spread";
    }
    if (json_is_object(barrier) && !json_is_null(json_object_get(barrier, "barrier_ns")) && !get_measured(barrier, "barrier_ns", &m->barrier_ns))
        return "barrier: expected barrier_ns above 0 and a spread";
    return NULL;
}

rg_status rg_machine_load(rg_machine *m, const char *path, rg_err *err)
{
    FILE *f = fopen(path, "rb");
    char *text = malloc(MAX_FILE + 1);
    json_t *j = NULL;
    json_error_t je;
    rg_status st = RG_OK;
    *m = (rg_machine){0};
    if (!f) {
        st = rg_fail(err, RG_E_FILE, "%s: cannot open the machine file: %s", path, strerror(errno));
        goto out;
    }
    if (!text) {
        st = rg_fail(err, RG_E_NOMEM, "%s: out of memory", path);
        goto out;
    }
    const size_t n = fread(text, 1, MAX_FILE + 1, f);
    if (ferror(f) || n > MAX_FILE) {
        st = rg_fail(err, RG_E_FILE, "%s: not a machine file (%s)", path, n > MAX_FILE ? "larger than 1 MiB" : "cannot be read");
        goto out;
    }
    j = json_loadb(text, n, JSON_REJECT_DUPLICATES, &je);
    if (!j) {
        char why[96];
        rg_text_clean(why, sizeof why, je.text);
        st = rg_fail(err, RG_E_FILE, "%s: not a machine file: line %d: %s; write one with ridge machine --save", path, je.line, why);
        goto out;
    }
    const char *wrong = from_json(m, j);
    if (wrong) {
        st = rg_fail(err, RG_E_FILE, "%s: not a machine file: %s; write one with ridge machine --save", path, wrong);
        goto out;
    }
    snprintf(m->source, sizeof m->source, "file %s", path);
out:
    if (st != RG_OK) *m = (rg_machine){0};
    json_decref(j);
    free(text);
    if (f) fclose(f);
    return st;
}
