/* `ridge bench` as Markdown (llama-bench's table and ours behind it), CSV, JSON, JSON lines and SQL. */
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "report/cells.h"
#include "report/csv.h"
#include "roofline/measure/json_value.h"
#include "tools/bench/bench.h"

/* A roof, or NAN where it is not known. */
static double known(double roof) { return roof > 0.0 ? roof : NAN; }

/* The next row that has samples; NULL: none. */
static const rg_bench_row *next(const rg_bench *b, int *i)
{
    while (*i < b->n_rows && b->row[*i].n == 0) ++*i;
    return *i < b->n_rows ? &b->row[(*i)++] : NULL;
}

static void fill(rg_doc_result *d, const rg_bench *b, const rg_bench_row *r, rg_lines *pool)
{
    char text[192], name[128];
    const rg_bench_test *t = &b->test[r->test];
    const rg_setting *s = &b->setting[r->setting];
    const rg_unit *u = rg_bench_unit_of(b, r);
    const rg_bench_lane *l = &b->lane[r->lane];
    const rg_model_info *m = &u->model;
    rg_bench_figures(d, b, r);
    d->build_version = RIDGE_VERSION;
    d->cpu_info = rg_cpu_name();
    d->backends = u->info.blas ? "BLAS" : "CPU";
    d->model_filename = m->path;
    snprintf(text, sizeof text, "%s %s", rg_text_clean(name, sizeof name, m->config.name), m->dtype);
    d->model_type = rg_doc_keep(pool, text);
    d->model_size = (double)m->resident_bytes;
    d->model_n_params = (double)m->params;
    d->n_batch = s->cli.batch ? (double)s->cli.batch : 2048.0;
    d->n_ubatch = (double)l->so.ubatch;
    d->n_threads = u->info.threads;
    d->type_k = rg_kvtypes[l->so.kv_k].name;
    d->type_v = rg_kvtypes[l->so.kv_v].name;
    d->flash_attn = !l->so.unfused;
    d->n_prompt = (double)t->prompt;
    d->n_gen = (double)t->gen;
    d->n_depth = (double)t->depth;
    d->test_time = rg_doc_keep(pool, rg_stamp(text, sizeof text, r->started));
    d->test = t->name;
    d->setting = s->label;
    d->n_seq = (double)t->seqs;
    d->dtype = m->dtype;
    d->head_dtype = m->head_dtype;
    d->fuse = rg_doc_keep(pool, rg_fuse_text(text, sizeof text, rg_fuse_applied(&m->config, l->so.fuse)));
    d->act = s->cli.act ? s->cli.act : "f32";
    d->isa = rg_isa_names[u->info.isa];
    d->kernel = s->cli.kernel ? s->cli.kernel : "auto";
    d->pinned = u->info.cpus != NULL;
    d->huge_pages = !(s->cli.huge_pages && strcmp(s->cli.huge_pages, "off") == 0);
    d->model_file_bytes = (double)m->file_bytes;
    d->stream_weight_bytes = (double)m->stream_bytes;
    d->bits_per_weight_file = m->bits_file;
    d->bits_per_weight_resident = m->bits_resident;
    d->load_ns = (double)u->info.load_ns;
    d->samples = r->n;
    d->runs_per_sample = r->inner;
    d->roof_read_gbps =
        known(isfinite(d->stream_bytes) ? rg_machine_bw(&u->machine, (int64_t)d->stream_bytes) : 0.0);
    d->roof_gflops = known(rg_machine_peak(&u->machine, u->info.isa));
    d->samples_ns = json_array();
    d->samples_ts = json_array();
    for (int i = 0; i < r->n; i++) {
        json_array_append_new(d->samples_ns, json_real(r->ns[i]));
        json_array_append_new(d->samples_ts, json_real(1e9 * d->tokens / r->ns[i]));
    }
}

bool rg_bench_fill(rg_doc_bench *d, const rg_bench *b, rg_lines *pool)
{
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
        .results = calloc(b->n_rows + 1, sizeof *d->results),
        .verdict = rg_doc_lines(&verdict)};
    const rg_bench_row *r;
    for (int i = 0; d->results && (r = next(b, &i));) fill(&d->results[d->n_results++], b, r, pool);
    const rg_roof_sample *c = b->n_units ? &b->unit[0].now : NULL;
    if (c && c->l2_gbps > 0.0 && (d->machine.canary = malloc(sizeof *d->machine.canary)))
        *d->machine.canary = (rg_doc_canary){.fma_gflops = c->fma_gflops, .l2_gbps = c->l2_gbps};
    const bool ok = d->results && !verdict.failed && !pool->failed;
    rg_lines_free(&verdict);
    return ok;
}

rg_status rg_bench_doc(rg_doc *d, const rg_bench *b, rg_err *err)
{
    rg_doc_bench face;
    rg_lines pool = {0};
    const bool ok = rg_bench_fill(&face, b, &pool);
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
    return rg_written(f, "bench", false, err);
}

rg_status rg_bench_jsonl(FILE *f, const rg_doc *d, rg_err *err)
{
    json_t *row;
    size_t i;
    json_array_foreach (json_object_get(d->json, "results"), i, row) {
        const rg_status st =
            rg_json_write(f, json_incref(row), JSON_COMPACT | JSON_REAL_PRECISION(10), "bench", err);
        if (st) return st;
    }
    return rg_written(f, "bench", false, err);
}

/* ---- md ---- */

/* "1.10 B" */
static const char *params(char *buf, size_t n, double x)
{
    const int i = x >= 1e9 ? 2 : x >= 1e6;
    const double unit[] = {1e3, 1e6, 1e9};
    snprintf(buf, n, "%.2f %c", x / unit[i], "KMB"[i]);
    return buf;
}

/* Columns of settings are shown where given, as in llama-bench; model, weights and threads always. */
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

static void md_row(rg_table *t, const rg_bench *b, const rg_setting *s, const rg_doc_result *d)
{
    char size[32];
    rg_cells c = {.n = 0};
    rg_cells_add(&c, "cbssd", d->model_type, d->model_size, params(size, sizeof size, d->model_n_params),
        d->backends, (int)d->n_threads);
    for (int a = 0; a < RG_AX_COUNT; a++)
        if (shown(b, a)) rg_cells_add(&c, "c", s->value[a] ? s->value[a] : "default");
    char ts[64];
    snprintf(ts, sizeof ts, isfinite(d->stddev_ts) ? "%.2f \xc2\xb1 %.2f" : "%.2f", d->avg_ts, d->stddev_ts);
    rg_cells_add(&c, "ss2pnnnhhh", d->test, ts, d->median_ts, d->spread, d->ai, d->gflops, d->gbps, d->mbu,
        d->mfu, d->roof_fraction);
    rg_cells_end(&c, t);
}

rg_status rg_bench_md(FILE *f, const rg_doc *doc, const rg_bench *b, rg_err *err)
{
    const rg_doc_bench *d = doc->at;
    const rg_doc_result *result = d->results;
    const rg_bench_row *r;
    rg_table t = {0};
    size_t k;
    json_t *said;
    md_head(&t, b);
    for (int i = 0; (r = next(b, &i));) md_row(&t, b, &b->setting[r->setting], result++);
    rg_table_print(f, &t);
    fputc('\n', f);
    json_array_foreach (d->verdict, k, said) fprintf(f, "- %s\n", json_string_value(said));
    const bool failed = t.failed;
    rg_table_free(&t);
    return failed ? rg_fail(err, RG_E_NOMEM, "bench: out of memory for the table")
                  : rg_written(f, "bench", false, err);
}
