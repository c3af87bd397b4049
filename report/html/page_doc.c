/* The parts of a page that come from a report that is no run: heading, verdict, facts, pictures, tables,
 * notes. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/html/page_impl.h"
#include "report/join.h"

enum { MOST_ROWS = 3000 };
/* PLAIN: a whole number; TIME: from ns */
typedef enum format { TEXT, PLAIN, NUMBER, PERCENT, TIME, SECONDS, BYTES } format;

typedef struct column {
    const char *title, *key, *help; /* key: path in the row; "$key": the row's own key or index */
    format f;
} column;

/* ---- columns ---- */

static const column bench_columns[] = {
    {"test", "test", "prompt tokens, generated tokens, sequences, depth", TEXT},
    {"setting", "setting", "what was varied", TEXT},
    {"model", "model_type", "the model and the type of its weights", TEXT},
    {"threads", "n_threads", "threads", PLAIN},
    {"tokens/s", "median_ts", "tokens per second of the median sample", NUMBER},
    {"low", "ci95_low_ts", "lower end of the interval of the median, tokens/s", NUMBER},
    {"high", "ci95_high_ts", "upper end of the interval of the median, tokens/s", NUMBER},
    {"spread", "spread", "10th to 90th percentile over the median", PERCENT},
    {"measured", "median_ns", "time of the median sample", TIME},
    {"predicted", "ideal_ns", "analytic: ideal time on the measured roofs", TIME},
    {"roof %", "roof_fraction", "predicted over measured time", PERCENT},
    {"MBU", "mbu", "share of the read bandwidth that weights and KV use", PERCENT},
    {"MFU", "mfu", "share of the peak of the instructions used", PERCENT},
    {"FLOP/B", "ai", "intensity by counted bytes", NUMBER}, {"GFLOP/s", "gflops", "measured", NUMBER},
    {"GB/s", "gbps", "counted bytes per time", NUMBER}, {"samples", "samples", "how many", PLAIN},
    {"bound", "bound", "what sets its roof", TEXT}};
static const column variant_columns[] = {{"variant", "name", "what was compared", TEXT},
    {"weights", "dtype", "resident type", TEXT},
    {"bits/weight", "bits_per_weight_resident", "resident", NUMBER},
    {"resident", "resident_bytes", "weights in memory", BYTES},
    {"per step", "stream_bytes", "weights that a decode step reads", BYTES},
    {"KV", "kv_dtype", "type of the cache", TEXT}, {"act", "act", "activations", TEXT},
    {"ISA", "isa", "instruction set", TEXT}, {"threads", "threads", "threads", PLAIN}};
#define PHASE_COLUMNS(p) \
    { \
        {"variant", "name", "what was compared", TEXT}, \
            {"test", p ".test", "prompt or generated tokens, sequences, depth", TEXT}, \
            {"tokens/s", p ".tokens_per_s", "median", NUMBER}, \
            {"low", p ".tokens_per_s_low", "lower end of its interval", NUMBER}, \
            {"high", p ".tokens_per_s_high", "upper end of its interval", NUMBER}, \
            {"spread", p ".spread", "10th to 90th percentile over the median", PERCENT}, \
            {"roof %", p ".roof_fraction", "ideal over measured time", PERCENT}, \
            {"MBU", p ".mbu", "share of the read bandwidth that weights and KV use", PERCENT}, \
            {"gain", p ".gain", "speed over the first variant", NUMBER}, \
            {"gain low", p ".gain_low", "lower end of its interval", NUMBER}, \
            {"gain high", p ".gain_high", "upper end of its interval", NUMBER}, \
            {"bytes ratio", p ".bytes_ratio", "bytes per token of the first over this one's", NUMBER}, \
            {"worth", p ".gain_expected", "what the change is worth on the roofs", NUMBER}, \
        { \
            "reached", p ".gain_reached", "gain over worth", PERCENT \
        } \
    }
static const column prefill_columns[] = PHASE_COLUMNS("prefill"), decode_columns[] = PHASE_COLUMNS("decode");
static const column loss_columns[] = {{"variant", "name", "what was compared", TEXT},
    {"perplexity", "loss.ppl", "of the text", NUMBER},
    {"error", "loss.ppl_error", "its standard error", NUMBER},
    {"over the first", "loss.ppl_ratio", "perplexity over the first variant's", NUMBER},
    {"KL mean", "loss.kld_nats.mean", "KL divergence from the first, nats a token", NUMBER},
    {"KL error", "loss.kld_nats.mean_error", "its standard error", NUMBER},
    {"KL median", "loss.kld_nats.median", "nats", NUMBER}, {"KL 99 %", "loss.kld_nats.p99", "nats", NUMBER},
    {"same top", "loss.same_top", "share of tokens whose likeliest successor is the first's", PERCENT}};
static const column op_gain_columns[] = {{"operator", "site", "the operator's name in the model", TEXT},
    {"phase", "phase", "prefill or decode", TEXT}, {"variant", "name", "against the first", TEXT},
    {"first", "base_ns", "time per token in the first variant", TIME},
    {"this", "ns", "time per token in this variant", TIME}, {"gain", "gain", "first over this", NUMBER},
    {"worth", "gain_expected", "the same of the ideal times", NUMBER},
    {"roof %, first", "base_roof_fraction", "ideal over measured time", PERCENT},
    {"roof %, this", "roof_fraction", "ideal over measured time", PERCENT}};
#define WORTH(key, title, help) \
    {title, key ".speedup", help, NUMBER}, {"low", key ".low", "lower end of its interval", NUMBER}, \
    { \
        "high", key ".high", "upper end of its interval", NUMBER \
    }
static const column switch_columns[] = {{"switch", "name", "what is switched on", TEXT},
    WORTH("prefill_alone", "prefill alone", "against everything off"),
    WORTH("decode_alone", "decode alone", "against everything off"),
    WORTH("prefill_with_others", "prefill with others", "against everything on but it"),
    WORTH("decode_with_others", "decode with others", "against everything on but it")};
static const column case_columns[] = {{"case", "label", "step of a study", TEXT},
    {"hardware", "input.hardware", "machine", TEXT}, {"weights", "input.dtype", "type of the weights", TEXT},
    {"KV", "input.kv_k", "type of the cache", TEXT}, {"act", "input.act", "activations", TEXT},
    {"batch", "input.batch", "sequences", PLAIN},
    {"length", "input.seqlen", "tokens that prefill brings and decode finds", PLAIN},
    {"devices", "input.tp", "tensor parallel", PLAIN},
    {"prefill", "total.prefill.ideal_ns", "ideal time", TIME},
    {"tokens/s", "total.prefill.tokens_per_s", "prefill, all sequences", NUMBER},
    {"FLOP/B", "total.prefill.ai", "intensity of prefill", NUMBER},
    {"decode step", "total.decode.ideal_ns", "ideal time", TIME},
    {"tokens/s", "total.decode.tokens_per_s", "decode, all sequences", NUMBER},
    {"FLOP/B", "total.decode.ai", "intensity of decode", NUMBER},
    {"weights", "memory.weight_bytes", "in memory", BYTES}, {"KV", "memory.kv_bytes", "in memory", BYTES},
    {"memory", "memory.total_bytes", "with scratch and logits", BYTES}};
static const column site_columns[] = {{"operator", "site", "the operator's name in the model", TEXT},
    {"phase", "phase", "prefill or decode", TEXT}, {"calls", "calls", "times it runs", PLAIN},
    {"ideal", "ideal_ns", "time on its roof", TIME}, {"FLOP", "flop", "operations", NUMBER},
    {"bytes", "total_bytes", "compulsory traffic", BYTES}, {"weights", "weight_bytes", "read", BYTES},
    {"act read", "act_read_bytes", "activations", BYTES},
    {"act written", "act_write_bytes", "activations", BYTES}, {"KV read", "kv_read_bytes", "cache", BYTES},
    {"FLOP/B", "ai", "intensity", NUMBER}, {"GFLOP/s", "attainable_gflops", "on its roof", NUMBER},
    {"bound", "bound", "what sets its roof", TEXT}};
static const column lv_case_columns[] = {{"hardware", "input.hardware", "machine", TEXT},
    {"w", "input.w_bit", "bits of a weight", PLAIN}, {"a", "input.a_bit", "bits of an activation", PLAIN},
    {"kv", "input.kv_bit", "bits of a cached value", PLAIN}, {"batch", "input.batchsize", "sequences", PLAIN},
    {"length", "input.seqlen", "tokens", PLAIN}, {"devices", "input.tp_size", "tensor parallel", PLAIN},
    {"prefill", "total.prefill.inference_time", "time by its formulas", SECONDS},
    {"OPs", "total.prefill.OPs", "prefill", NUMBER},
    {"bytes", "total.prefill.memory_access", "prefill", BYTES},
    {"decode step", "total.decode.inference_time", "time by its formulas", SECONDS},
    {"OPs", "total.decode.OPs", "decode", NUMBER}, {"bytes", "total.decode.memory_access", "decode", BYTES},
    {"memory", "total.decode.memory_consumption", "by its formulas", BYTES}};
static const column lv_op_columns[] = {{"operator", "$key", "its name there", TEXT},
    {"OPs", "OPs", "of one layer", NUMBER}, {"bytes", "memory_access", "of one layer", BYTES},
    {"weights", "load_weight", "read", BYTES}, {"act read", "load_act", "activations", BYTES},
    {"act written", "store_act", "activations", BYTES}, {"KV read", "load_kv_cache", "cache", BYTES},
    {"OP/B", "arithmetic_intensity", "intensity", NUMBER}, {"OP/s", "performance", "on its roof", NUMBER},
    {"time", "inference_time", "of one layer", SECONDS}, {"bound", "bound", "what sets its roof", TEXT}};
static const column error_columns[] = {
    {"phase or operator", "$key", "operators count where they take a twentieth of their phase", TEXT},
    {"points", "points", "how many", PLAIN},
    {"median error", "median", "of |predicted - measured| / measured", PERCENT},
    {"90th percentile", "p90", "of the error", PERCENT}, {"worst", "worst", "error", PERCENT}};
static const column point_columns[] = {{"model", "model", "shape", TEXT}, {"weights", "dtype", "type", TEXT},
    {"threads", "threads", "threads", PLAIN}, {"prompt", "prompt", "tokens", PLAIN},
    {"batch", "batch", "sequences", PLAIN}, {"phase", "phase", "prefill or decode", TEXT},
    {"measured", "measured_ns", "time", TIME}, {"predicted", "predicted_ns", "time", TIME},
    {"ideal", "ideal_ns", "the roofline alone", TIME}};

typedef enum when { ALWAYS, EXACT, LLM_VIEWER, EXACT_ONE, LLM_VIEWER_ONE, LOSS } when;

static const struct doc_table {
    rg_doc_kind kind;
    when when;
    const char *from, *title;
    const column *columns;
    size_t n;
} tables[] = {
#define TABLE(kind, when, from, title, columns) \
    { \
        RG_DOC_##kind, when, from, title, columns, sizeof columns / sizeof *columns \
    }
    TABLE(bench, ALWAYS, "results", "All results", bench_columns),
    TABLE(compare, ALWAYS, "variants", "Variants", variant_columns),
    TABLE(compare, ALWAYS, "variants", "Prefill", prefill_columns),
    TABLE(compare, ALWAYS, "variants", "Decode", decode_columns),
    TABLE(compare, LOSS, "variants", "Loss", loss_columns),
    TABLE(compare, ALWAYS, "operators", "Gain by operator", op_gain_columns),
    TABLE(ablate, ALWAYS, "switches", "Switches", switch_columns),
    TABLE(ablate, ALWAYS, "bench.results", "All results", bench_columns),
    TABLE(roofline, EXACT, "cases", "Cases", case_columns),
    TABLE(roofline, EXACT_ONE, "cases.0.ops", "Operators", site_columns),
    TABLE(roofline, LLM_VIEWER, "cases", "Cases", lv_case_columns),
    TABLE(roofline, LLM_VIEWER_ONE, "cases.0.prefill", "Operators of prefill", lv_op_columns),
    TABLE(roofline, LLM_VIEWER_ONE, "cases.0.decode", "Operators of decode", lv_op_columns),
    TABLE(validation, ALWAYS, "errors", "Errors", error_columns),
    TABLE(validation, ALWAYS, "points", "All points", point_columns),
};

/* ---- tables ---- */

static bool shown(const rg_doc *d, when w)
{
    const bool exact = rg_doc_family(d->kind) == RG_DOC_roofline &&
        strcmp(rg_doc_text(d->json, "cost"), "exact") == 0,
               one = json_array_size(rg_doc_rows(d)) == 1;
    bool loss = false;
    switch (w) {
    case EXACT:
        return exact;
    case LLM_VIEWER:
        return !exact;
    case EXACT_ONE:
        return exact && one;
    case LLM_VIEWER_ONE:
        return !exact && one;
    case LOSS:
        for (size_t i = 0; i < json_array_size(rg_doc_rows(d)); i++)
            loss = loss || isfinite(rg_doc_num(json_array_get(rg_doc_rows(d), i), "loss.ppl"));
        return loss;
    default:
        return true;
    }
}

static const char *cell_text(char *buf, size_t n, const column *c, const json_t *row, const char *key)
{
    const bool own = strcmp(c->key, "$key") == 0;
    const double x = own ? NAN : rg_doc_num(row, c->key);
    switch (c->f) {
    case TEXT:
        return own ? key : rg_doc_text(row, c->key);
    case PLAIN:
        if (!isfinite(x)) return NULL;
        snprintf(buf, n, "%.0f", x);
        return buf;
    case NUMBER:
        return rg_num(buf, n, x);
    case PERCENT:
        return rg_percent(buf, n, x);
    case TIME:
        return rg_time(buf, n, x);
    case SECONDS:
        return rg_time(buf, n, 1e9 * x);
    default:
        return rg_bytes(buf, n, x);
    }
}

static void table_row(FILE *f, const struct doc_table *t, const bool *use, const json_t *row, const char *key)
{
    char buf[64];
    bool first = true;
    fputs("<tr data-row=\"", f);
    rg_page_text(f, key);
    fputs("\">", f);
    for (size_t c = 0; c < t->n; c++) {
        if (!use[c]) continue;
        fputs(first ? "<th scope=\"row\">" : t->columns[c].f == TEXT ? "<td class=\"word\">" : "<td>", f);
        rg_page_text(f, cell_text(buf, sizeof buf, &t->columns[c], row, key));
        first = false;
    }
    fputc('\n', f);
}

/* Columns that no row has are left out. */
static void columns_in_use(bool *use, const struct doc_table *t, const json_t *rows)
{
    const char *key;
    json_t *row;
    size_t i;
    for (size_t c = 0; c < t->n; c++) {
        use[c] = strcmp(t->columns[c].key, "$key") == 0;
        json_array_foreach (rows, i, row)
            if (!use[c])
                use[c] =
                    rg_doc_get(row, t->columns[c].key) && !json_is_null(rg_doc_get(row, t->columns[c].key));
        json_object_foreach ((json_t *)(uintptr_t)rows, key, row)
            if (!use[c])
                use[c] =
                    rg_doc_get(row, t->columns[c].key) && !json_is_null(rg_doc_get(row, t->columns[c].key));
    }
}

static void table(FILE *f, const struct doc_table *t, const json_t *rows, int number)
{
    bool use[32], first = true;
    const char *key;
    char index[32];
    json_t *row;
    size_t i;
    columns_in_use(use, t, rows);
    fprintf(f, "<h3>%s</h3>", t->title);
    if (json_array_size(rows) > MOST_ROWS)
        fprintf(f, "<p>The first %d of %zu; the data has all.</p>", MOST_ROWS, json_array_size(rows));
    fprintf(f,
        "<div class=\"zoom\"></div><div class=\"scroll tall\" tabindex=\"0\" role=\"region\" "
        "aria-label=\"%s\"><table class=\"ops doc\" data-table=\"%d\" "
        "data-from=\"%s\"><thead><tr>",
        t->title, number, t->from);
    for (size_t c = 0; c < t->n; c++) {
        if (!use[c]) continue;
        fprintf(f, "<th scope=\"col\"%s data-key=\"%s\" title=\"%s\">%s",
            t->columns[c].f == TEXT && !first ? " class=\"word\"" : "", t->columns[c].key, t->columns[c].help,
            t->columns[c].title);
        first = false;
    }
    fputs("<tbody>\n", f);
    json_array_foreach (rows, i, row) {
        snprintf(index, sizeof index, "%zu", i);
        if (i < MOST_ROWS) table_row(f, t, use, row, index);
    }
    json_object_foreach ((json_t *)(uintptr_t)rows, key, row) table_row(f, t, use, row, key);
    fputs("</table></div>\n", f);
}

void rg_page_doc_tables(FILE *f, const rg_doc *d)
{
    int n = 0;
    fputs("<section id=\"results\"><h2>Figures</h2>\n<p>n/a: not known. Titles sort; the exact figures are "
          "in the copy as CSV and in the data.</p>\n",
        f);
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        const json_t *rows = rg_doc_get(d->json, tables[i].from);
        if (tables[i].kind != rg_doc_family(d->kind) || !shown(d, tables[i].when) ||
            json_array_size(rows) + json_object_size(rows) == 0)
            continue;
        table(f, &tables[i], rows, n++);
    }
    fputs("</section>\n", f);
}

/* ---- heading, verdict, facts, notes ---- */

static const char *text_at(const rg_doc *d, const char *path, const char *otherwise)
{
    const char *s = rg_doc_text(d->json, path);
    return s ? s : otherwise;
}

static const char *model_of(const rg_doc *d)
{
    const char *s = rg_doc_family(d->kind) == RG_DOC_bench ? text_at(d, "results.0.model_type", NULL)
        : rg_doc_family(d->kind) == RG_DOC_ablate          ? text_at(d, "bench.results.0.model_type", NULL)
                                                           : NULL;
    if (rg_doc_family(d->kind) == RG_DOC_compare) {
        const rg_doc_compare *c = d->at;
        for (size_t i = 0; i < c->n_runs && !s; i++) s = c->runs[i] ? c->runs[i]->model.name : NULL;
    }
    if (rg_doc_family(d->kind) == RG_DOC_roofline)
        s = text_at(d, "cases.0.input.model", text_at(d, "cases.0.input.model_id", NULL));
    return s;
}

static const char *machine_of(const rg_doc *d)
{
    switch (rg_doc_family(d->kind)) {
    case RG_DOC_bench:
        return text_at(d, "machine.cpu", "unknown machine");
    case RG_DOC_ablate:
        return text_at(d, "bench.machine.cpu", "unknown machine");
    case RG_DOC_roofline:
        return text_at(d, "hardware.0.name", "unknown machine");
    default:
        return text_at(d, "cpu", "unknown machine");
    }
}

void rg_page_doc_title(FILE *f, const rg_doc *d)
{
    static const char *const names[RG_DOC_KINDS] = {[RG_DOC_bench] = "Bench",
        [RG_DOC_compare] = "Comparison",
        [RG_DOC_ablate] = "Ablation",
        [RG_DOC_roofline] = "Analytic roofline",
        [RG_DOC_validation] = "Prediction against measurement"};
    fputs(names[rg_doc_family(d->kind)], f);
    if (!model_of(d)) return;
    fputs(": ", f);
    rg_page_text(f, model_of(d));
    for (size_t i = 1; rg_doc_family(d->kind) == RG_DOC_bench && i < json_array_size(rg_doc_rows(d)); i++)
        if (strcmp(rg_doc_text(json_array_get(rg_doc_rows(d), i), "model_type"), model_of(d)) != 0) {
            fputs(" and others", f);
            break;
        }
}

void rg_page_doc_subtitle(FILE *f, const rg_doc *d)
{
    static const char *const words[RG_DOC_KINDS] = {[RG_DOC_bench] = "result",
        [RG_DOC_compare] = "variant",
        [RG_DOC_ablate] = "row",
        [RG_DOC_roofline] = "case",
        [RG_DOC_validation] = "point"};
    const size_t n = json_array_size(rg_doc_rows(d)),
                 machines = json_array_size(json_object_get(d->json, "hardware"));
    fprintf(f, "%zu %s%s on ", n, words[rg_doc_family(d->kind)], n == 1 ? "" : "s");
    if (rg_doc_family(d->kind) == RG_DOC_roofline && machines > 1)
        fprintf(f, "%zu machines", machines);
    else
        rg_page_text(f, machine_of(d));
    const char *started =
        text_at(d, rg_doc_family(d->kind) == RG_DOC_ablate ? "bench.started" : "started", NULL);
    if (started) {
        fputs(", ", f);
        rg_page_text(f, started);
    }
}

static void fact(FILE *f, const char *name, const char *text)
{
    if (!text) return;
    fprintf(f, "<tr><th scope=\"row\">%s<td>", name);
    rg_page_text(f, text);
    fputc('\n', f);
}

static void bench_facts(FILE *f, const json_t *b)
{
    char text[512], a[32], cpu[128], source[160];
    const json_t *noisy = rg_doc_get(b, "machine.roofs_noisy"), *together = rg_doc_get(b, "run.interleaved"),
                 *stopped = rg_doc_get(b, "run.interrupted");
    rg_text_clean(cpu, sizeof cpu, rg_doc_text(b, "machine.cpu") ? rg_doc_text(b, "machine.cpu") : "unknown");
    snprintf(text, sizeof text, "%s, %.0f cores usable, %s of memory", cpu, rg_doc_num(b, "machine.cores"),
        rg_bytes(a, sizeof a, rg_doc_num(b, "machine.memory")));
    fact(f, "Machine", text);
    snprintf(text, sizeof text,
        "%.0f samples of every test after a warm-up, %s; the median and its interval from order statistics "
        "(95 %% from six samples)%s",
        rg_doc_num(b, "run.repetitions"),
        json_is_true(together)
            ? "in rounds over all tests and settings, so that a machine that drifts drifts for all alike"
            : "engines loaded in turns, because memory does not hold all: drift between turns is part of the "
              "ratios",
        json_is_true(stopped) ? "; interrupted" : "");
    fact(f, "Method", text);
    rg_text_clean(source, sizeof source,
        rg_doc_text(b, "machine.roofs_source") ? rg_doc_text(b, "machine.roofs_source")
                                               : "unknown: no percentages");
    snprintf(text, sizeof text, "%s%s", source, json_is_true(noisy) ? "; noisy, percentages are rough" : "");
    fact(f, "Roofs", text);
    fact(f, "Sources",
        "tokens/s and times are measured; bytes are counted in the loops; predicted times are analytic, on "
        "the measured roofs; hardware counters are not read");
}

static void hardware_facts(FILE *f, const rg_doc *d)
{
    const json_t *h;
    size_t i;
    char text[900], name[110], source[420], a[32];
    json_array_foreach (json_object_get(d->json, "hardware"), i, h) {
        const char *n = rg_doc_text(h, "name"), *s = rg_doc_text(h, "source");
        if (i >= 16) break;
        snprintf(text, sizeof text, "%s: main memory %s GB/s; %s",
            rg_text_clean(name, sizeof name, n ? n : "unknown"),
            rg_num(a, sizeof a, rg_doc_num(h, "bandwidth_gbps")),
            rg_text_clean(source, sizeof source, s ? s : "source unknown"));
        fact(f, "Machine", text);
    }
}

void rg_page_doc_facts(FILE *f, const rg_doc *d)
{
    fputs("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Machine and method\"><table "
          "class=\"facts\"><tbody>\n",
        f);
    fact(f, "Model", model_of(d));
    switch (rg_doc_family(d->kind)) {
    case RG_DOC_bench:
        bench_facts(f, d->json);
        break;
    case RG_DOC_ablate:
        bench_facts(f, rg_doc_get(d->json, "bench"));
        break;
    case RG_DOC_roofline:
        hardware_facts(f, d);
        fact(f, "Method",
            strcmp(rg_doc_text(d->json, "cost"), "exact") == 0
                ? "nothing ran: operations and bytes by the exact formulas of every operator, each at the "
                  "larger of its time at the peak and at the bandwidth"
                : "nothing ran: LLM-Viewer's formulas to the last digit, faults included");
        break;
    case RG_DOC_validation:
        fact(f, "Machine", machine_of(d));
        fact(f, "Method",
            "synthesised models ran here; roofs, barriers and the speed of each kernel class on a reference "
            "model were measured before; nothing was fitted to "
            "the "
            "models shown");
        break;
    default:
        fact(f, "Machine", machine_of(d));
        fact(f, "Method",
            json_is_true(json_object_get(d->json, "interleaved"))
                ? "samples in rounds in which every variant ran; gains are medians over the rounds, with "
                  "intervals from order statistics (95 % from six "
                  "samples)"
                : "medians; the variants did not run in the same rounds, so drift of the machine is part of "
                  "the gains");
        if (json_is_true(json_object_get(d->json, "interrupted")))
            fact(f, "Interrupted", "this is the part that was measured before the stop");
    }
    fact(f, "Started",
        rg_doc_text(d->json, rg_doc_family(d->kind) == RG_DOC_ablate ? "bench.started" : "started"));
    fact(f, "Command",
        rg_doc_text(d->json, rg_doc_family(d->kind) == RG_DOC_ablate ? "bench.command" : "command"));
    fputs("</table></div>\n", f);
}

void rg_page_doc_verdict(FILE *f, const rg_doc *d)
{
    rg_page_sentences(f, json_object_get(d->json, "verdict"));
}

void rg_page_doc_notes(FILE *f, const rg_doc *d)
{
    static const char *const words[RG_DOC_KINDS] = {
        [RG_DOC_bench] = "Predicted: ideal time on the roofs that were measured on this machine beside the "
                         "run. Roof %: predicted over measured time. MBU: share of the "
                         "read bandwidth that weights and KV cache use; MFU: share of the peak of the "
                         "instructions used. A result above 100 % had operands in "
                         "closer caches than its footprint says, or roofs from a busier minute.",
        [RG_DOC_compare] = "Worth: ideal time of the first variant over this one's, on the measured roofs. "
                           "Reached: gain over worth. Bytes ratio: counted bytes per "
                           "token of the first over this one's. Gains by operator come from one recorded run "
                           "per variant, the one with the median time, and "
                           "have no interval.",
        [RG_DOC_ablate] = "Alone: the switch on and all others off, against everything off. With the others: "
                          "everything on, against everything on but it. An "
                          "interval that holds 1 means: no worth that this noise lets one see.",
        [RG_DOC_roofline] = "All figures are analytic: what an ideal machine with these roofs would need. "
                            "What runs is slower by the distance that the pages of "
                            "measured runs show.",
        [RG_DOC_validation] = "Predicted: per operator the larger of its memory time, its arithmetic at the "
                              "roof and its work at the speed of its kernel class, with "
                              "the measured cost of barriers and records. Ideal: the roofline alone."};
    const json_t *notes = json_object_get(d->json, "notes");
    fprintf(f, "<p>%s</p>\n", words[rg_doc_family(d->kind)]);
    if (json_array_size(notes) > 0) rg_page_sentences(f, notes);
}
