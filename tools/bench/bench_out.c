/* `ridge bench` as Markdown (llama-bench's table and ours behind it), CSV, JSON, JSON lines and SQL. */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "report/csv.h"
#include "report/table.h"
#include "roofline/measure/json_value.h"
#include "tools/measure/bench.h"

typedef struct cell {
    const rg_bench *b;
    const rg_bench_row *r;
    rg_bench_numbers n;
} cell;

/* llama-bench's first column: what the model is and the type of its weights. */
static const char *model_type(char *buf, size_t n, const rg_bench_unit *u)
{
    char name[128];
    snprintf(buf, n, "%s %s", rg_text_clean(name, sizeof name, u->model.config.name), u->model.dtype);
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

static rg_status written(FILE *f, rg_err *err)
{
    return ferror(f) ? rg_fail(err, RG_E_FILE, "bench: cannot write: %s", strerror(errno)) : RG_OK;
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

static void fill(rg_doc_result *d, const cell *c, rg_lines *pool)
{
    char text[192];
    const rg_bench *b = c->b;
    const rg_bench_row *r = c->r;
    const rg_bench_test *t = &b->test[r->test];
    const rg_setting *s = &b->setting[r->setting];
    const rg_bench_unit *u = rg_bench_unit_of(b, r);
    const rg_bench_lane *l = &b->lane[r->lane];
    const rg_model_info *m = &u->model;
    const rg_bench_numbers *n = &c->n;
    *d = (rg_doc_result){.build_version = RIDGE_VERSION,
        .cpu_info = rg_cpu_name(),
        .backends = u->info.blas ? "BLAS" : "CPU",
        .model_filename = m->path,
        .model_type = rg_doc_keep(pool, model_type(text, sizeof text, u)),
        .model_size = (double)m->resident_bytes,
        .model_n_params = (double)m->params,
        .n_batch = s->cli.batch ? (double)s->cli.batch : 2048.0,
        .n_ubatch = (double)l->so.ubatch,
        .n_threads = u->info.threads,
        .type_k = rg_kvtypes[l->so.kv_k].name,
        .type_v = rg_kvtypes[l->so.kv_v].name,
        .flash_attn = !l->so.unfused,
        .n_prompt = (double)t->prompt,
        .n_gen = (double)t->gen,
        .n_depth = (double)t->depth,
        .test_time = rg_doc_keep(pool, rg_stamp(text, sizeof text, r->started)),
        .avg_ns = floor(n->ns.mean),
        .stddev_ns = floor(n->ns.sd),
        .avg_ts = n->ts.mean,
        .stddev_ts = n->ts.sd,
        .test = t->name,
        .setting = s->label,
        .n_seq = (double)t->seqs,
        .dtype = m->dtype,
        .head_dtype = m->head_dtype,
        .fuse =
            rg_doc_keep(pool, rg_fuse_text(text, sizeof text, rg_fuse_applied(u->info.config, l->so.fuse))),
        .act = s->cli.act ? s->cli.act : "f32",
        .isa = rg_isa_names[u->info.isa],
        .kernel = s->cli.kernel ? s->cli.kernel : "auto",
        .pinned = u->info.cpus != NULL,
        .huge_pages = !(s->cli.huge_pages && strcmp(s->cli.huge_pages, "off") == 0),
        .model_file_bytes = (double)m->file_bytes,
        .stream_weight_bytes = (double)m->stream_bytes,
        .bits_per_weight_file = m->bits_file,
        .bits_per_weight_resident = m->bits_resident,
        .load_ns = (double)u->info.load_ns,
        .samples = r->n,
        .runs_per_sample = r->inner,
        .tokens = n->tokens,
        .median_ns = n->ns.median,
        .median_ts = n->median_ts,
        .ci95_low_ts = n->low_ts,
        .ci95_high_ts = n->high_ts,
        .spread = r->n > 1 ? n->ns.spread : NAN,
        .flop = n->flop,
        .bytes_counted = n->bytes_counted,
        .bytes_analytic = n->bytes_analytic,
        .stream_bytes = n->stream_bytes,
        .ai = n->ai,
        .gflops = n->gflops,
        .gbps = n->gbps,
        .mbu = n->mbu,
        .mfu = n->mfu,
        .roof_fraction = n->roof_fraction,
        .ideal_ns = n->ideal_ns,
        .ideal_flop_ns = n->flop_ns,
        .ideal_mem_ns = n->mem_ns,
        .roof_read_gbps = roof_read(u, n),
        .roof_gflops = roof_peak(u),
        .bound = n->bound,
        .samples_ns = json_array(),
        .samples_ts = json_array()};
    for (int i = 0; i < r->n; i++) {
        json_array_append_new(d->samples_ns, json_real(r->ns[i]));
        json_array_append_new(d->samples_ts, json_real(1e9 * n->tokens / r->ns[i]));
    }
}

/* The face of the document, whose list of results the caller frees with it. */
bool rg_bench_fill(rg_doc_bench *d, const rg_bench *b, rg_lines *pool)
{
    cell c;
    char stamp[32];
    rg_lines verdict = {0};
    const rg_machine *m = b->n_units ? &b->unit[0].machine : NULL;
    rg_bench_verdict(&verdict, b);
    *d = (rg_doc_bench){.command = b->cli->line,
        .started = rg_doc_keep(pool, rg_stamp(stamp, sizeof stamp, b->started)),
        .machine = {.cpu = rg_cpu_name(),
            .cores = m ? m->cores : 0.0,
            .memory = m && m->memory_bytes > 0 ? (double)m->memory_bytes : NAN,
            .roofs_source = m ? m->source : "",
            .roofs_noisy = m && m->noisy},
        .run = {.repetitions = b->reps,
            .interleaved = b->together,
            .loads = b->loads,
            .interrupted = b->interrupted},
        .results = calloc((size_t)b->n_rows + 1, sizeof *d->results),
        .verdict = rg_doc_lines(&verdict)};
    for (int i = 0; d->results && next(&c, b, &i);) fill(&d->results[d->n_results++], &c, pool);
    const bool ok = d->results && !verdict.failed && !pool->failed;
    rg_lines_free(&verdict);
    return ok;
}

rg_status rg_bench_doc(rg_doc *d, const rg_bench *b, rg_err *err)
{
    rg_doc_bench face;
    rg_lines pool = {0};
    const bool ok = rg_bench_fill(&face, b, &pool);
    *d = (rg_doc){.kind = RG_DOC_KINDS};
    const rg_status st = ok ? rg_doc_make(d, RG_DOC_bench, &face, err)
                            : rg_fail(err, RG_E_NOMEM, "bench: out of memory for the report");
    rg_object_free(RG_OBJ_bench, &face);
    rg_lines_free(&pool);
    return st;
}

rg_status rg_bench_table(FILE *f, const rg_doc *d, bool sql, rg_err *err)
{
    const rg_doc_bench *b = d->at;
    rg_leaf leaf[RG_MOST_LEAVES];
    const int n = rg_leaves(leaf, RG_OBJ_result, "", false);
    if (sql)
        rg_sql_table(f, "ridge_bench", leaf, n);
    else
        rg_csv_head(f, leaf, n), fputc('\n', f);
    for (size_t i = 0; i < b->n_results; i++) {
        if (sql)
            rg_sql_row(f, "ridge_bench", leaf, n, &b->results[i]);
        else
            rg_csv_row(f, leaf, n, &b->results[i]), fputc('\n', f);
    }
    return written(f, err);
}

rg_status rg_bench_jsonl(FILE *f, const rg_doc *d, rg_err *err)
{
    json_t *row;
    size_t i;
    json_array_foreach (json_object_get(d->json, "results"), i, row) {
        const rg_status st =
            rg_json_write(f, json_incref(row), JSON_COMPACT | JSON_REAL_PRECISION(10), "bench", err);
        if (st != RG_OK) return st;
    }
    return written(f, err);
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
    char type[192];
    rg_text_cell(text[k++], WIDTH, model_type(type, sizeof type, u));
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
