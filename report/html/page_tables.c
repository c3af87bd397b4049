/* Words and tables of the page. */
#include <math.h>
#include <string.h>

#include "report/html/page_impl.h"
#include "report/join.h"
#include "report/svg/svg.h"
#include "report/table.h"

void rg_page_text(FILE *f, const char *s) { rg_text_escape(f, s ? s : "n/a"); }

void rg_page_sentences(FILE *f, const json_t *list)
{
    const json_t *v;
    size_t i;
    fputs("<ul>", f);
    json_array_foreach (list, i, v) {
        fputs("<li>", f);
        rg_page_text(f, json_string_value(v));
    }
    fputs("</ul>\n", f);
}

void rg_page_verdict(FILE *f, const rg_saved *s)
{
    for (size_t i = 0; i < s->n_roots; i++) { /* a set compares its runs itself */
        const json_t *v = json_object_get(s->root[i], "runs") ? json_object_get(s->root[i], "verdict") : NULL;
        if (json_array_size(v) > 0) {
            fputs("<h3>Side by side</h3>", f);
            rg_page_sentences(f, v);
        }
    }
    fputs("<div class=\"side\">\n", f);
    for (size_t i = 0; i < s->n; i++) {
        fprintf(f, "<div data-run=\"%zu\">", i);
        if (s->n > 1) {
            fputs("<h3>", f);
            rg_page_text(f, s->run[i].label);
            fputs("</h3>", f);
        }
        rg_page_sentences(f, s->run[i].verdict);
        fputs("</div>", f);
    }
    fputs("</div>\n", f);
}

void rg_page_notes(FILE *f, const rg_saved *s)
{
    fputs("<div class=\"side\">\n", f);
    for (size_t i = 0; i < s->n; i++) {
        if (json_array_size(s->run[i].notes) == 0) continue;
        fprintf(f, "<div data-run=\"%zu\">", i);
        if (s->n > 1) {
            fputs("<h3>", f);
            rg_page_text(f, s->run[i].label);
            fputs("</h3>", f);
        }
        rg_page_sentences(f, s->run[i].notes);
        fputs("</div>", f);
    }
    fputs("</div>\n", f);
}

/* ---- machine, model, method ---- */

static void cell(FILE *f, const char *s)
{
    fputs("<td>", f);
    rg_page_text(f, s);
}

typedef const char *field_fn(char *buf, size_t n, const rg_saved_run *r);

static const char *f_phase(char *buf, size_t n, const rg_saved_run *r, rg_phase ph)
{
    char a[32], b[32], c[32];
    const rg_saved_phase *p = &r->phase[ph];
    if (!p->ran) return "not run";
    snprintf(buf, n, "%.0f tokens in %s: %s tokens/s, %s of the roofs", p->tokens,
        rg_time(a, sizeof a, p->t_ns), rg_num(b, sizeof b, p->tokens_per_s),
        rg_percent(c, sizeof c, p->fraction));
    return buf;
}
static const char *f_prefill(char *buf, size_t n, const rg_saved_run *r)
{
    return f_phase(buf, n, r, RG_PREFILL);
}
static const char *f_decode(char *buf, size_t n, const rg_saved_run *r)
{
    return f_phase(buf, n, r, RG_DECODE);
}

static const char *f_model(char *buf, size_t n, const rg_saved_run *r)
{
    char a[32];
    snprintf(buf, n, "%s (%s), %s parameters, %.0f layers", r->name, r->arch ? r->arch : "unknown",
        rg_num(a, sizeof a, r->params), r->layers);
    return buf;
}
static const char *f_dims(char *buf, size_t n, const rg_saved_run *r)
{
    snprintf(buf, n, "hidden %.0f, FFN %.0f, %.0f heads (%.0f for KV) of %.0f, vocabulary %.0f", r->hidden,
        r->ffn, r->heads, r->kv_heads, r->head_dim, r->vocab);
    return buf;
}
static const char *f_weights(char *buf, size_t n, const rg_saved_run *r)
{
    char a[32], b[32], c[32];
    snprintf(buf, n, "%s, output %s: %s resident, %s bits per weight (file %s)",
        r->dtype ? r->dtype : "unknown", r->head_dtype ? r->head_dtype : "unknown",
        rg_bytes(a, sizeof a, r->resident_bytes), rg_num(b, sizeof b, r->bits_resident),
        rg_num(c, sizeof c, r->bits_file));
    return buf;
}
static const char *f_kv(char *buf, size_t n, const rg_saved_run *r)
{
    char a[32];
    snprintf(buf, n, "%s, %s for a context of %.0f; attention %s; further fusions %s; activations %s",
        r->kv_dtype ? r->kv_dtype : "unknown", rg_bytes(a, sizeof a, r->kv_bytes), r->ctx,
        r->flash ? "fused" : "unfused", r->fuse ? r->fuse : "none", r->act ? r->act : "unknown");
    return buf;
}
static const char *f_machine(char *buf, size_t n, const rg_saved_run *r)
{
    char a[32];
    snprintf(buf, n, "%s, %.0f cores usable, %s of memory, instruction set %s", r->cpu, r->cores,
        rg_bytes(a, sizeof a, r->memory), r->isa);
    return buf;
}
static const char *f_threads(char *buf, size_t n, const rg_saved_run *r)
{
    if (r->pinning) return r->pinning;
    snprintf(buf, n, "%.0f", r->threads);
    return buf;
}
static const char *f_method(char *buf, size_t n, const rg_saved_run *r)
{
    char a[32], b[32];
    snprintf(buf, n,
        "%.0f repetitions, the median one is shown; spread (10th to 90th percentile): prefill %s, decode "
        "%s%s",
        r->repetitions, rg_percent(a, sizeof a, r->phase[RG_PREFILL].spread),
        rg_percent(b, sizeof b, r->phase[RG_DECODE].spread), r->interrupted ? "; interrupted" : "");
    return buf;
}
static const char *f_roofs(char *buf, size_t n, const rg_saved_run *r)
{
    if (r->n_roofs == 0) return "unknown: no percentages (ridge machine measures them)";
    snprintf(buf, n, "%s (%s)%s", r->roofs_source ? r->roofs_source : "source unknown",
        r->roofs_measured_at ? r->roofs_measured_at : "not dated",
        r->roofs_noisy ? "; noisy, percentages are rough" : "");
    return buf;
}
static const char *f_pmu(char *buf, size_t n, const rg_saved_run *r)
{
    snprintf(buf, n, "%s%s%s", r->pmu_status, r->pmu_reason ? ": " : "", r->pmu_reason ? r->pmu_reason : "");
    return buf;
}
static const char *f_blas(char *buf, size_t n, const rg_saved_run *r)
{
    (void)buf, (void)n;
    return r->blas;
}
static const char *f_started(char *buf, size_t n, const rg_saved_run *r)
{
    (void)buf, (void)n;
    return r->started;
}
static const char *f_command(char *buf, size_t n, const rg_saved_run *r)
{
    (void)buf, (void)n;
    return r->command;
}

void rg_page_runs(FILE *f, const rg_saved *s)
{
    static const struct {
        const char *name;
        field_fn *fn;
    } fields[] = {{"Prefill", f_prefill}, {"Decode", f_decode}, {"Model", f_model}, {"Dimensions", f_dims},
        {"Weights", f_weights}, {"KV cache", f_kv}, {"Machine", f_machine}, {"Threads", f_threads},
        {"BLAS", f_blas}, {"Method", f_method}, {"Roofs", f_roofs}, {"Hardware counters", f_pmu},
        {"Started", f_started}, {"Command", f_command}};
    char buf[1024];
    fputs("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Runs\"><table "
          "class=\"facts\"><thead><tr><th scope=\"col\">",
        f);
    for (size_t i = 0; i < s->n; i++) {
        fputs("<th scope=\"col\">", f);
        rg_page_text(f, s->run[i].label);
    }
    fputs("<tbody>\n", f);
    for (size_t k = 0; k < sizeof fields / sizeof *fields; k++) {
        fprintf(f, "<tr><th scope=\"row\">%s", fields[k].name);
        for (size_t i = 0; i < s->n; i++) cell(f, fields[k].fn(buf, sizeof buf, &s->run[i]));
        fputc('\n', f);
    }
    fputs("</table></div>\n", f);
}

/* ---- operators ---- */

bool rg_page_has_layers(const rg_saved_run *r)
{
    for (size_t i = 0; i < r->n_ops; i++)
        if (r->op[i].layer >= 0) return true;
    return false;
}

static void number_cell(FILE *f, double x)
{
    char b[32];
    fprintf(f, "<td>%s", rg_num(b, sizeof b, x));
}

/* Column titles with the JSON field that sorts them; the script reads both. */
static const struct column {
    const char *title, *key, *help;
} columns[] = {
    {"operator", "site", "the operator's name in the model"},
    {"phase", "phase", "prefill or decode"},
    {"layer", "layer", "layer of the model"},
    {"calls", "calls", "times it ran"},
    {"ms", "t_ns", "measured time"},
    {"time %", "share", "share of its phase"},
    {"ideal ms", "analytic.t_ns", "analytic: what the roofs would allow"},
    {"roof %", "roof_fraction", "ideal time over measured time"},
    {"GFLOP", "flop", "analytic floating-point operations"},
    {"MB counted", "counted.total_bytes", "what the loops streamed"},
    {"MB analytic", "analytic.total_bytes", "compulsory traffic"},
    {"cnt/ana", "ratio", "counted over analytic bytes"},
    {"FLOP/B", "ai_counted", "intensity by counted bytes"},
    {"GFLOP/s", "gflops", "measured"},
    {"GB/s", "gbps", "counted bytes per time"},
    {"bound", "bound", "what sets its roof"},
};

void rg_page_table(FILE *f, const rg_saved *s, size_t run, bool by_layer)
{
    const rg_saved_run *r = &s->run[run];
    fprintf(f,
        "<div class=\"zoom\"></div><div class=\"scroll tall\" tabindex=\"0\" role=\"region\" "
        "aria-label=\"Operators%s of run %zu\"><table class=\"ops\" "
        "data-run=\"%zu\" "
        "data-rows=\"%s\"><thead><tr>",
        by_layer ? " by layer" : "", run + 1, run, by_layer ? "layer" : "sum");
    for (size_t c = 0; c < sizeof columns / sizeof *columns; c++)
        if (by_layer || c != 2)
            fprintf(f, "<th scope=\"col\" data-key=\"%s\" title=\"%s\">%s", columns[c].key, columns[c].help,
                columns[c].title);
    fputs("<tbody>\n", f);
    for (size_t i = 0; i < r->n_ops; i++) {
        const rg_saved_op *w = &r->op[i];
        if ((w->layer >= 0) != by_layer) continue;
        fprintf(f, "<tr data-op=\"%zu\"><th scope=\"row\">", w->index);
        rg_page_text(f, w->site);
        fprintf(f, "<td>%s", rg_phase_names[w->phase]);
        if (by_layer) fprintf(f, "<td>%lld", (long long)w->layer);
        fprintf(f, "<td>%.0f", w->calls);
        number_cell(f, w->t_ns / 1e6);
        number_cell(f, 100.0 * w->share);
        number_cell(f, w->analytic_ns / 1e6);
        number_cell(f, 100.0 * w->fraction);
        number_cell(f, w->flop / 1e9);
        number_cell(f, w->counted.total / 1e6);
        number_cell(f, w->analytic.total / 1e6);
        number_cell(f, rg_ratio(w->counted.total, w->analytic.total));
        number_cell(f, w->ai_counted);
        number_cell(f, w->gflops);
        number_cell(f, w->gbps);
        cell(f, w->bound);
        fputc('\n', f);
    }
    fputs("</table></div>\n", f);
}
