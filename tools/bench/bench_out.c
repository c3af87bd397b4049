/* `ridge bench` as Markdown (llama-bench's table and ours behind it), CSV, JSON, JSON lines and SQL. */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "report/table.h"
#include "roofline/measure/json_value.h"
#include "tools/measure/bench.h"

typedef struct cell {
    const rg_bench *b;
    const rg_bench_row *r;
    rg_bench_numbers n;
} cell;

static const char *fuse_text(const rg_bench_unit *u, const rg_bench_lane *l)
{
    static char text[64];
    return rg_fuse_text(text, sizeof text, rg_fuse_applied(u->info.config, l->so.fuse));
}

static const char *stamp(time_t t)
{
    static char buf[32];
    struct tm tm;
    buf[0] = 0;
    if (t && gmtime_r(&t, &tm)) strftime(buf, sizeof buf, "%Y-%m-%dT%H:%M:%SZ", &tm);
    return buf;
}

/* llama-bench's first column: what the model is and the type of its weights. */
static const char *model_type(const rg_bench_unit *u)
{
    static char buf[192];
    char name[128];
    snprintf(
        buf, sizeof buf, "%s %s", rg_text_clean(name, sizeof name, u->model.config.name), u->model.dtype);
    return buf;
}

static double roof_read(const rg_bench_unit *u, const rg_bench_numbers *n)
{
    const double bw = isfinite(n->stream_bytes) ? rg_machine_bw(&u->machine, (int64_t)n->stream_bytes) : 0.0;
    return bw > 0.0 ? bw : NAN;
}

static double roof_peak(const rg_bench_unit *u)
{
    const double peak = rg_machine_peak(&u->machine, u->info.isa);
    return peak > 0.0 ? peak : NAN;
}

typedef enum kind { TEXT, INT, REAL, BOOL } kind;

typedef struct field {
    const char *name, *text; /* text: of TEXT, borrowed until the next; NULL: unknown */
    kind kind;
    double number; /* of INT and REAL; NAN: unknown */
} field;

enum {
#define RG_FIELD(name, kind, value) F_##name,
#include "tools/bench/bench_fields.def"
    N_FIELDS
};

#define AS_TEXT(x) .text = (x)
#define AS_INT(x) .number = (double)(x)
#define AS_REAL(x) .number = (x)
#define AS_BOOL(x) .number = (x) ? 1.0 : 0.0

static field field_of(const cell *c, int which)
{
    const rg_bench *b = c->b;
    const rg_bench_row *r = c->r;
    const rg_bench_test *t = &b->test[r->test];
    const rg_setting *s = &b->setting[r->setting];
    const rg_bench_unit *u = rg_bench_unit_of(b, r);
    const rg_bench_lane *l = &b->lane[r->lane];
    const rg_model_info *m = &u->model;
    const rg_bench_numbers *n = &c->n;
    switch (which) {
#define RG_FIELD(name_, kind_, value) \
    case F_##name_: \
        return (field){.name = #name_, .kind = kind_, AS_##kind_(value)};
#include "tools/bench/bench_fields.def"
    default:
        return (field){0};
    }
}

/* The rows that have samples, one after the other. */
static bool next(cell *c, const rg_bench *b, int *i)
{
    for (; *i < b->n_rows; ++*i)
        if (b->row[*i].n > 0) {
            *c = (cell){.b = b, .r = &b->row[(*i)++]};
            rg_bench_numbers_of(&c->n, b, c->r);
            return true;
        }
    return false;
}

static rg_status written(FILE *f, rg_err *err)
{
    return ferror(f) ? rg_fail(err, RG_E_FILE, "bench: cannot write: %s", strerror(errno)) : RG_OK;
}

/* ---- csv and sql ---- */

static void quoted(FILE *f, const char *s, char quote)
{
    char clean[1024];
    fputc(quote, f);
    for (const char *p = rg_text_clean(clean, sizeof clean, s ? s : ""); *p; p++) {
        if (*p == quote) fputc(quote, f);
        fputc(*p, f);
    }
    fputc(quote, f);
}

/* Unknown numbers are `unknown`. */
static void plain(FILE *f, const field *v, char quote, const char *unknown)
{
    if (v->kind == TEXT && !v->text)
        fputs(unknown, f);
    else if (v->kind == TEXT)
        quoted(f, v->text, quote);
    else if (!isfinite(v->number))
        fputs(unknown, f);
    else if (v->kind == REAL)
        fprintf(f, "%.10g", v->number);
    else
        fprintf(f, "%.0f", v->number);
}

rg_status rg_bench_csv(FILE *f, const rg_bench *b, rg_err *err)
{
    static const char *const names[] = {
#define RG_FIELD(name, kind, value) #name,
#include "tools/bench/bench_fields.def"
    };
    cell c;
    for (int k = 0; k < N_FIELDS; k++) fprintf(f, "%s%s", k ? "," : "", names[k]);
    fputc('\n', f);
    for (int i = 0; next(&c, b, &i);)
        for (int k = 0; k < N_FIELDS; k++) {
            const field v = field_of(&c, k);
            plain(f, &v, '"', "");
            fputc(k + 1 < N_FIELDS ? ',' : '\n', f);
        }
    return written(f, err);
}

rg_status rg_bench_sql(FILE *f, const rg_bench *b, rg_err *err)
{
    static const char *const types[] = {
        [TEXT] = "TEXT", [INT] = "INTEGER", [REAL] = "REAL", [BOOL] = "INTEGER"};
    static const struct {
        const char *name;
        kind kind;
    } columns[] = {
#define RG_FIELD(name, kind, value) {#name, kind},
#include "tools/bench/bench_fields.def"
    };
    cell c;
    fputs("CREATE TABLE IF NOT EXISTS ridge_bench (\n", f);
    for (int k = 0; k < N_FIELDS; k++)
        fprintf(f, "  %s %s%s\n", columns[k].name, types[columns[k].kind], k + 1 < N_FIELDS ? "," : "");
    fputs(");\n", f);
    for (int i = 0; next(&c, b, &i);) {
        fputs("INSERT INTO ridge_bench (", f);
        for (int k = 0; k < N_FIELDS; k++) fprintf(f, "%s%s", k ? ", " : "", columns[k].name);
        fputs(") VALUES (", f);
        for (int k = 0; k < N_FIELDS; k++) {
            const field v = field_of(&c, k);
            if (k) fputs(", ", f);
            plain(f, &v, '\'', "NULL");
        }
        fputs(");\n", f);
    }
    return written(f, err);
}

/* ---- json ---- */

static json_t *value_of(const field *v)
{
    switch (v->kind) {
    case TEXT:
        return rg_json_text(v->text);
    case INT:
        return isfinite(v->number) ? json_integer((json_int_t)v->number) : json_null();
    case BOOL:
        return json_boolean(v->number != 0.0);
    default:
        return rg_json_real(v->number);
    }
}

static json_t *result(const cell *c, bool *ok)
{
    json_t *o = json_object(), *ns = json_array(), *ts = json_array();
    for (int k = 0; k < N_FIELDS; k++) {
        const field v = field_of(c, k);
        if (json_object_set_new(o, v.name, value_of(&v)) != 0) *ok = false;
    }
    for (int i = 0; i < c->r->n; i++) {
        json_array_append_new(ns, json_real(c->r->ns[i]));
        json_array_append_new(ts, json_real(1e9 * c->n.tokens / c->r->ns[i]));
    }
    if (json_object_set_new(o, "samples_ns", ns) != 0 || json_object_set_new(o, "samples_ts", ts) != 0)
        *ok = false;
    return o;
}

rg_status rg_bench_jsonl(FILE *f, const rg_bench *b, rg_err *err)
{
    cell c;
    bool ok = true;
    for (int i = 0; next(&c, b, &i) && ok;) {
        json_t *o = result(&c, &ok);
        if (ok && (json_dumpf(o, f, JSON_COMPACT | JSON_REAL_PRECISION(10)) != 0 || fputc('\n', f) == EOF)) {
            json_decref(o);
            return rg_fail(err, RG_E_FILE, "bench: cannot write: %s", strerror(errno));
        }
        json_decref(o);
    }
    return ok ? written(f, err) : rg_fail(err, RG_E_NOMEM, "bench: out of memory for the JSON");
}

json_t *rg_bench_to_json(const rg_bench *b, rg_err *err)
{
    cell c;
    bool ok = true;
    json_t *results = json_array(), *lines = json_array();
    rg_lines verdict = {0};
    for (int i = 0; next(&c, b, &i);) json_array_append_new(results, result(&c, &ok));
    rg_bench_verdict(&verdict, b);
    for (int i = 0; i < verdict.n; i++) json_array_append_new(lines, rg_json_text(verdict.s[i]));
    const rg_machine *m = b->n_units ? &b->unit[0].machine : NULL;
    json_t *o =
        json_pack("{s:s, s:i, s:o, s:s, s:{s:o, s:i, s:o, s:o, s:b}, s:{s:i, s:b, s:i, s:b}, s:o, s:o}",
            "schema", "ridge.bench", "version", 1, "command", rg_json_text(b->cli->line), "started",
            stamp(b->started), "machine", "cpu", rg_json_text(rg_cpu_name()), "cores", m ? m->cores : 0,
            "memory", m && m->memory_bytes > 0 ? json_integer((json_int_t)m->memory_bytes) : json_null(),
            "roofs_source", rg_json_text(m ? m->source : NULL), "roofs_noisy", m ? (int)m->noisy : 0, "run",
            "repetitions", b->reps, "interleaved", (int)b->together, "loads", b->loads, "interrupted",
            (int)b->interrupted, "results", results, "verdict", lines);
    if (!o || !ok || verdict.failed) {
        json_decref(o);
        o = NULL;
        rg_fail(err, RG_E_NOMEM, "bench: out of memory for the JSON");
    }
    rg_lines_free(&verdict);
    return o;
}

rg_status rg_bench_json(FILE *f, const rg_bench *b, rg_err *err)
{
    json_t *o = rg_bench_to_json(b, err);
    if (!o) return RG_E_NOMEM;
    const bool ok = json_dumpf(o, f, JSON_INDENT(1) | JSON_REAL_PRECISION(10)) == 0 && fputc('\n', f) != EOF;
    json_decref(o);
    return ok ? RG_OK : rg_fail(err, RG_E_FILE, "bench: cannot write: %s", strerror(errno));
}

/* ---- md ---- */

/* "1.10 B" */
static const char *params(char *buf, size_t n, double x)
{
    snprintf(buf, n,
        x >= 1e9       ? "%.2f B"
            : x >= 1e6 ? "%.2f M"
                       : "%.2f K",
        x /
            (x >= 1e9          ? 1e9
                    : x >= 1e6 ? 1e6
                               : 1e3));
    return buf;
}

/* Columns of settings are shown where they were given, as in llama-bench; model, weights and threads always
 * are. */
static bool shown(const rg_bench *b, int axis)
{
    if (axis == RG_AX_models || axis == RG_AX_dtypes || axis == RG_AX_thread_counts) return false;
    for (int i = 0; i < b->n_settings; i++)
        if (b->setting[i].value[axis]) return true;
    return false;
}

static void md_head(rg_table *t, const rg_bench *b)
{
    static const char *const before[] = {"<model", ">size", ">params", "<backend", ">threads"};
    static const char *const behind[] = {
        "<test", ">t/s", ">median", ">spread", ">FLOP/B", ">GFLOP/s", ">GB/s", ">MBU %", ">MFU %", ">roof %"};
    const char *titles[RG_TABLE_COLS];
    char name[RG_AX_COUNT][40];
    int n = 0;
    for (size_t i = 0; i < sizeof before / sizeof *before; i++) titles[n++] = before[i];
    for (int a = 0; a < RG_AX_COUNT; a++) {
        if (!shown(b, a)) continue;
        snprintf(name[a], sizeof name[a], ">%s", rg_axes[a].json);
        titles[n++] = name[a];
    }
    for (size_t i = 0; i < sizeof behind / sizeof *behind; i++) titles[n++] = behind[i];
    rg_table_head_n(t, titles, n);
}

static void md_row(rg_table *t, const cell *c)
{
    enum { WIDTH = 96 };
    char text[RG_TABLE_COLS][WIDTH];
    const char *p[RG_TABLE_COLS];
    const rg_bench *b = c->b;
    const rg_setting *s = &b->setting[c->r->setting];
    const rg_bench_unit *u = rg_bench_unit_of(b, c->r);
    const rg_bench_numbers *n = &c->n;
    int k = 0;
    rg_text_cell(text[k++], WIDTH, model_type(u));
    rg_bytes(text[k++], WIDTH, (double)u->model.resident_bytes);
    params(text[k++], WIDTH, (double)u->model.params);
    snprintf(text[k++], WIDTH, "%s", u->info.blas ? "BLAS" : "CPU");
    snprintf(text[k++], WIDTH, "%d", u->info.threads);
    for (int a = 0; a < RG_AX_COUNT; a++)
        if (shown(b, a)) rg_text_cell(text[k++], WIDTH, s->value[a] ? s->value[a] : "default");
    snprintf(text[k++], WIDTH, "%s", b->test[c->r->test].name);
    snprintf(text[k++], WIDTH, "%.2f \xc2\xb1 %.2f", n->ts.mean, n->ts.sd);
    snprintf(text[k++], WIDTH, "%.2f", n->median_ts);
    rg_percent(text[k++], WIDTH, c->r->n > 1 ? n->ns.spread : NAN);
    rg_num(text[k++], WIDTH, n->ai);
    rg_num(text[k++], WIDTH, n->gflops);
    rg_num(text[k++], WIDTH, n->gbps);
    const double share[] = {n->mbu, n->mfu, n->roof_fraction};
    for (int i = 0; i < 3; i++) {
        if (isfinite(share[i]))
            snprintf(text[k++], WIDTH, "%.1f", 100.0 * share[i]);
        else
            snprintf(text[k++], WIDTH, "n/a");
    }
    for (int i = 0; i < k; i++) p[i] = text[i];
    rg_table_row_n(t, p, k);
}

rg_status rg_bench_md(FILE *f, const rg_bench *b, rg_err *err)
{
    cell c;
    rg_table t = {0};
    rg_lines verdict = {0};
    md_head(&t, b);
    for (int i = 0; next(&c, b, &i);) md_row(&t, &c);
    rg_table_print(f, &t);
    rg_bench_verdict(&verdict, b);
    fputc('\n', f);
    for (int i = 0; i < verdict.n; i++) fprintf(f, "- %s\n", verdict.s[i]);
    const bool failed = t.failed || verdict.failed;
    rg_lines_free(&verdict);
    rg_table_free(&t);
    return failed ? rg_fail(err, RG_E_NOMEM, "bench: out of memory for the table") : written(f, err);
}
