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

void rg_page_verdict(FILE *f, const rg_reports *s)
{
    for (size_t i = 0; i < s->n_docs; i++) { /* a set compares its runs itself */
        const json_t *v =
            s->doc[i].kind == RG_DOC_profile_set ? json_object_get(s->doc[i].json, "verdict") : NULL;
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
        rg_page_sentences(f, s->run[i].d->verdict);
        fputs("</div>", f);
    }
    fputs("</div>\n", f);
}

void rg_page_notes(FILE *f, const rg_reports *s)
{
    fputs("<div class=\"side\">\n", f);
    for (size_t i = 0; i < s->n; i++) {
        if (json_array_size(s->run[i].d->notes) == 0) continue;
        fprintf(f, "<div data-run=\"%zu\">", i);
        if (s->n > 1) {
            fputs("<h3>", f);
            rg_page_text(f, s->run[i].label);
            fputs("</h3>", f);
        }
        rg_page_sentences(f, s->run[i].d->notes);
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

typedef const char *field_fn(char *buf, size_t n, const rg_run *r);

static const char *f_phase(char *buf, size_t n, const rg_run *r, rg_phase ph)
{
    char a[32], b[32], c[32];
    const rg_doc_phase *p = &r->phase[ph];
    if (!rg_phase_ran(p)) return "not run";
    snprintf(buf, n, "%.0f tokens in %s: %s tokens/s, %s of the roofs", p->tokens,
        rg_time(a, sizeof a, p->t_ns), rg_num(b, sizeof b, p->tokens_per_s),
        rg_percent(c, sizeof c, p->roof_fraction));
    return buf;
}
static const char *f_prefill(char *buf, size_t n, const rg_run *r) { return f_phase(buf, n, r, RG_PREFILL); }
static const char *f_decode(char *buf, size_t n, const rg_run *r) { return f_phase(buf, n, r, RG_DECODE); }

static const char *f_model(char *buf, size_t n, const rg_run *r)
{
    char a[32];
    snprintf(buf, n, "%s (%s), %s parameters, %.0f layers", r->d->model.name,
        r->d->model.arch ? r->d->model.arch : "unknown", rg_num(a, sizeof a, r->d->model.params),
        r->d->model.layers);
    return buf;
}
static const char *f_dims(char *buf, size_t n, const rg_run *r)
{
    snprintf(buf, n, "hidden %.0f, FFN %.0f, %.0f heads (%.0f for KV) of %.0f, vocabulary %.0f",
        r->d->model.dims.hidden, r->d->model.dims.ffn, r->d->model.dims.heads, r->d->model.dims.kv_heads,
        r->d->model.dims.head_dim, r->d->model.dims.vocab);
    return buf;
}
static const char *f_weights(char *buf, size_t n, const rg_run *r)
{
    char a[32], b[32], c[32];
    snprintf(buf, n, "%s, output %s: %s resident, %s bits per weight (file %s)",
        r->d->model.dtype ? r->d->model.dtype : "unknown",
        r->d->model.head_dtype ? r->d->model.head_dtype : "unknown",
        rg_bytes(a, sizeof a, r->d->model.resident_bytes),
        rg_num(b, sizeof b, r->d->model.bits_per_weight_resident),
        rg_num(c, sizeof c, r->d->model.bits_per_weight_file));
    return buf;
}
static const char *f_kv(char *buf, size_t n, const rg_run *r)
{
    char a[32];
    snprintf(buf, n, "%s, %s for a context of %.0f; attention %s; further fusions %s; activations %s",
        r->d->model.kv_dtype ? r->d->model.kv_dtype : "unknown", rg_bytes(a, sizeof a, r->d->model.kv_bytes),
        r->d->model.ctx, r->d->run.flash ? "fused" : "unfused", r->d->run.fuse ? r->d->run.fuse : "none",
        r->d->model.act ? r->d->model.act : "unknown");
    return buf;
}
static const char *f_machine(char *buf, size_t n, const rg_run *r)
{
    char a[32];
    snprintf(buf, n, "%s, %.0f cores usable, %s of memory, instruction set %s", r->d->machine.cpu,
        r->d->machine.cores, rg_bytes(a, sizeof a, r->d->machine.memory), r->d->machine.isa);
    return buf;
}
static const char *f_threads(char *buf, size_t n, const rg_run *r)
{
    if (r->d->machine.pinning) return r->d->machine.pinning;
    snprintf(buf, n, "%.0f", r->d->machine.threads);
    return buf;
}
static const char *f_method(char *buf, size_t n, const rg_run *r)
{
    char a[32], b[32];
    snprintf(buf, n,
        "%.0f repetitions, the median one is shown; spread (10th to 90th percentile): prefill %s, decode "
        "%s%s",
        r->d->run.repetitions, rg_percent(a, sizeof a, r->phase[RG_PREFILL].spread),
        rg_percent(b, sizeof b, r->phase[RG_DECODE].spread), r->d->run.interrupted ? "; interrupted" : "");
    return buf;
}
static const char *f_roofs(char *buf, size_t n, const rg_run *r)
{
    if (r->d->machine.n_roofs == 0) return "unknown: no percentages (ridge machine measures them)";
    snprintf(buf, n, "%s (%s)%s", r->d->machine.roofs_source ? r->d->machine.roofs_source : "source unknown",
        r->d->machine.roofs_measured_at ? r->d->machine.roofs_measured_at : "not dated",
        r->d->machine.roofs_noisy ? "; noisy, percentages are rough" : "");
    return buf;
}
static const char *f_pmu(char *buf, size_t n, const rg_run *r)
{
    snprintf(buf, n, "%s%s%s", r->d->machine.pmu.status, r->d->machine.pmu.reason ? ": " : "",
        r->d->machine.pmu.reason ? r->d->machine.pmu.reason : "");
    return buf;
}
static const char *f_blas(char *buf, size_t n, const rg_run *r)
{
    (void)buf, (void)n;
    return r->d->machine.blas;
}
static const char *f_started(char *buf, size_t n, const rg_run *r)
{
    (void)buf, (void)n;
    return r->d->started;
}
static const char *f_command(char *buf, size_t n, const rg_run *r)
{
    (void)buf, (void)n;
    return r->d->command;
}

void rg_page_runs(FILE *f, const rg_reports *s)
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

bool rg_page_has_layers(const rg_run *r)
{
    for (size_t i = 0; i < r->d->n_ops; i++)
        if (r->d->ops[i].layer >= 0) return true;
    return false;
}

void rg_page_table(FILE *f, const rg_reports *s, size_t run, bool by_layer)
{
    const rg_doc_profile *d = s->run[run].d;
    rg_leaf leaf[RG_MOST_LEAVES];
    char buf[160];
    const int n = rg_leaves(leaf, RG_OBJ_op, "", true);
    fprintf(f,
        "<div class=\"zoom\"></div><div class=\"scroll tall\" tabindex=\"0\" role=\"region\" "
        "aria-label=\"Operators%s of run %zu\"><table class=\"ops\" data-run=\"%zu\" "
        "data-rows=\"%s\"><thead><tr>",
        by_layer ? " by layer" : "", run + 1, run, by_layer ? "layer" : "sum");
    for (int c = 0; c < n; c++)
        if (by_layer || strcmp(leaf[c].key, "layer") != 0)
            fprintf(f, "<th scope=\"col\" data-key=\"%s\" title=\"%s\">%s", leaf[c].key, leaf[c].fig->help,
                leaf[c].fig->title);
    fputs("<tbody>\n", f);
    for (size_t i = 0; i < d->n_ops; i++) {
        if ((d->ops[i].layer >= 0) != by_layer) continue;
        fprintf(f, "<tr data-op=\"%zu\">", i);
        for (int c = 0; c < n; c++) {
            if (!by_layer && strcmp(leaf[c].key, "layer") == 0) continue;
            fputs(c ? "<td>" : "<th scope=\"row\">", f);
            rg_page_text(f, rg_fig_text(buf, sizeof buf, leaf[c].fig, rg_leaf_value(&leaf[c], &d->ops[i])));
        }
        fputc('\n', f);
    }
    fputs("</table></div>\n", f);
}
