/* Analytic results: LLM-Viewer's tables, the exact model's, sweeps as rows; and CSV. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/text.h"
#include "report/cells.h"
#include "report/cost_case.h"

/* ---- LLM-Viewer ---- */

/* Its way with numbers: whole units, and the next unit only above 1000 of the last. */
static const char *whole(char *buf, size_t n, double x)
{
    static const struct {
        double unit;
        const char *name;
    } units[] = {{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "K"}};
    for (int i = 0; i < 4; i++)
        if (x > units[i].unit) return rg_text(buf, n, "%.0f%s", x / units[i].unit, units[i].name);
    return rg_text(buf, n, "%.0f", x);
}

/* Two decimals where they say something. */
static const char *intensity(char *buf, size_t n, double x)
{
    snprintf(buf, n, x >= 10.0 ? "%.0f" : "%.2f", x);
    if (x < 10.0) {
        size_t len = strlen(buf);
        while (buf[len - 1] == '0') buf[--len] = 0;
        if (buf[len - 1] == '.') buf[--len] = 0;
    }
    return buf;
}

/* 13820530524160 as 13,820,530,524,160. */
static const char *grouped(char *buf, size_t n, double x)
{
    char digits[48];
    const int len = snprintf(digits, sizeof digits, "%.0f", x);
    size_t at = 0;
    for (int i = 0; i < len && at + 2 < n; i++) {
        buf[at++] = digits[i];
        if (digits[i] != '-' && i + 1 < len && (len - 1 - i) % 3 == 0) buf[at++] = ',';
    }
    buf[at] = 0;
    return buf;
}

static bool same_numbers(const rg_cost_point *a, const rg_cost_point *b)
{
    const char *sa, *ka, *sb, *kb;
    rg_lv_name_parts(a, &sa, &ka);
    rg_lv_name_parts(b, &sb, &kb);
    return strcmp(ka, kb) == 0 && ka[0] && a->sum.flop == b->sum.flop && a->sum.bytes == b->sum.bytes;
}

static void lv_table(FILE *f, const rg_cost_case *k, rg_phase ph, bool *failed)
{
    char name[64], ops[16], bytes[16], ai[16], perf[16], b[5][16];
    rg_table t = {0};
    fprintf(f, "\n## %s, one layer\n\n", rg_phase_names[ph]);
    rg_table_head(&t, "<operator", ">OPs", ">bytes", ">intensity", ">attainable OP/s", "<bound", ">time",
        ">load weight", ">load act", ">store act", ">load KV", ">store KV", NULL);
    for (int i = 0; i < k->r.n; i++) {
        const rg_cost_point *p = &k->r.op[i];
        const char *stem, *kind;
        if (p->phase != ph) continue;
        rg_lv_name_parts(p, &stem, &kind);
        snprintf(name, sizeof name, "%s", strcmp(stem, "out") == 0 ? "o" : stem);
        /* equal rows are one, named as it names them */
        while (i + 1 < k->r.n && k->r.op[i + 1].phase == ph && same_numbers(p, &k->r.op[i + 1])) {
            rg_lv_name_parts(&k->r.op[++i], &stem, &kind);
            rg_text_add(name, sizeof name, "/%s", strcmp(stem, "out") == 0 ? "o" : stem);
        }
        rg_text_add(name, sizeof name, "%s%s", kind[0] ? "_" : "", kind);
        const double c = p->calls,
                     parts[] = {p->sum.w_rd, p->sum.act_rd, p->sum.act_wr, p->sum.kv_rd, p->sum.kv_wr};
        for (int j = 0; j < 5; j++) whole(b[j], sizeof b[j], parts[j] / c);
        rg_table_row(&t, name, whole(ops, sizeof ops, p->sum.flop / c),
            whole(bytes, sizeof bytes, p->sum.bytes / c), intensity(ai, sizeof ai, p->ai),
            whole(perf, sizeof perf, p->attainable), rg_limit_names[p->bound],
            RG_TIME(1e9 * p->sum.time_s / c), b[0], b[1], b[2], b[3], b[4], NULL);
    }
    rg_table_end(f, &t, failed);
}

static void lv_totals(FILE *f, const rg_cost_case *k, bool *failed)
{
    rg_table t = {0};
    const rg_cost_sum *x = &k->r.total[RG_PREFILL], *y = &k->r.total[RG_DECODE];
    const rg_cost_memory *m = &k->r.memory[RG_PREFILL], *n = &k->r.memory[RG_DECODE];
    const struct {
        const char *name;
        double pre, dec;
    } rows[] = {{"OPs", x->flop, y->flop}, {"memory_access", x->bytes, y->bytes},
        {"load_weight", x->w_rd, y->w_rd}, {"load_act", x->act_rd, y->act_rd},
        {"store_act", x->act_wr, y->act_wr}, {"load_kv_cache", x->kv_rd, y->kv_rd},
        {"store_kv_cache", x->kv_wr, y->kv_wr}, {"memory_consumption", m->total, n->total},
        {"memory_consumption_weight", m->weights, n->weights}, {"memory_consumption_kv_cache", m->kv, n->kv},
        {"memory_consumption_tmp_act", m->scratch, n->scratch}};
    fprintf(f, "\n## totals\n\n");
    rg_table_head(&t, "<total", ">prefill", ">decode", "<unit", NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        rg_table_row(&t, rows[i].name, grouped((char[48]){0}, 48, rows[i].pre),
            grouped((char[48]){0}, 48, rows[i].dec), i == 0 ? "OP" : "B", NULL);
    rg_table_row(&t, "inference_time", RG_TEXT(48, "%.6f", 1e3 * x->time_s),
        RG_TEXT(48, "%.6f", 1e3 * y->time_s), "ms", NULL);
    rg_table_end(f, &t, failed);
    if (k->task.gen > 0)
        fprintf(f,
            "\ngenerate, %" PRId64 " tokens: %.6f s (its task without flash attention); chat: %.6f s (its "
            "web page, from at most ten lengths)\n",
            k->task.gen, k->task.total_s, k->task.chat_s);
}

static void lv_md(FILE *f, const rg_cost_case *k, const rg_cost_print *p, bool *failed)
{
    char format[48], bw[16], peak[16];
    fprintf(f, "# LLM-Viewer's roofline: %s on %s\n\n", RG_CELL(160, k->config.name), k->hw->name);
    fprintf(f,
        "seqlen %.0f, batch %" PRId64 ", %s, flash attention %s, tp %" PRId64 "; %sB/s, %sOP/s (%s; %s)\n",
        k->lv.seqlen, k->lv.batch, rg_cost_format(format, sizeof format, k), k->lv.flash ? "on" : "off",
        k->lv.tp, whole(bw, sizeof bw, k->hw->bandwidth), whole(peak, sizeof peak, k->r.op[0].peak),
        k->lv.w_bit <= 8 && k->lv.a_bit <= 8 && k->lv.kv_bit <= 8 ? "INT8" : k->lv_peak, k->hw->source);
    for (int ph = 0; ph < RG_PHASE_COUNT && !p->totals; ph++)
        if (rg_cost_wants(p, ph)) lv_table(f, k, ph, failed);
    lv_totals(f, k, failed);
    fprintf(f,
        "\nThese are LLM-Viewer's formulas with their faults; --cost exact is Ridge's own model, and its "
        "--explain lists the differences.\n");
}

/* ---- exact ---- */

static void exact_table(FILE *f, const rg_cost_case *k, rg_phase ph, bool *failed)
{
    rg_table t = {0};
    const rg_cost_sum *all = &k->r.total[ph];
    const double n = k->r.tokens[ph], ms = 1e3 * all->time_s;
    fprintf(f, "\n## %s: %.0f token%s in %s ms, %s tokens/s\n\n", rg_phase_names[ph], n, n == 1.0 ? "" : "s",
        RG_NUM(ms), RG_NUM(n / all->time_s));
    rg_table_head(&t, "<operator", ">calls", ">ms", ">time%", ">GFLOP", ">MB weights", ">MB act", ">MB KV",
        ">FLOP/byte", ">GFLOP/s at the roof", ">GB/s", "<bound", NULL);
    for (int i = 0; i <= k->r.n; i++) {
        const rg_cost_point *p = i < k->r.n ? &k->r.op[i] : NULL;
        const rg_cost_sum *s = p ? &p->sum : all;
        if (p && p->phase != ph) continue;
        rg_cells c = {.n = 0};
        rg_cells_add(&c, "s", p ? p->name : "total");
        if (p)
            rg_cells_add(&c, "0", p->calls);
        else
            rg_cells_add(&c, "s", "");
        rg_cells_add(&c, "nhnnnnnnns", 1e3 * s->time_s, isfinite(all->time_s) ? s->time_s / all->time_s : NAN,
            1e-9 * s->flop, 1e-6 * s->w_rd, 1e-6 * (s->act_rd + s->act_wr), 1e-6 * (s->kv_rd + s->kv_wr),
            s->bytes > 0.0 ? s->flop / s->bytes : 0.0, 1e-9 * (s->flop > 0.0 ? s->flop / s->time_s : 0.0),
            1e-9 * s->bytes / s->time_s,
            !p                                 ? ""
                : p->bound == RG_LIMIT_UNKNOWN ? "n/a"
                                               : rg_limit_names[p->bound]);
        rg_cells_end(&c, &t);
    }
    rg_table_end(f, &t, failed);
    if (k->exact.tp > 1) {
        fprintf(f,
            "\nEach of %" PRId64 " devices sends %s in all-reduces (a ring; two a layer, and the logits)",
            k->exact.tp, RG_BYTES(k->r.allreduce_bytes[ph]));
        if (isfinite(k->r.allreduce_s[ph]))
            fprintf(f, ", %s, which is in the total.\n", RG_TIME(1e9 * k->r.allreduce_s[ph]));
        else
            fprintf(f, "; the link's speed is not known (--link), and the total is without it.\n");
    }
}

static void exact_memory(FILE *f, const rg_cost_case *k, bool *failed)
{
    rg_table t = {0};
    const rg_cost_memory *m = &k->r.memory[RG_PREFILL];
    const struct {
        const char *name;
        double x;
    } rows[] = {{"weights", m->weights}, {"KV cache", m->kv}, {"activations", m->scratch},
        {"logits", m->logits}, {"total", m->total}};
    fprintf(f, "\n## memory%s\n\n", k->exact.tp > 1 ? " of one device" : "");
    rg_table_head(&t, "<what", ">bytes", NULL);
    for (int i = 0; i < 5; i++)
        if (rows[i].x > 0.0) rg_table_line(&t, "sb", rows[i].name, rows[i].x);
    rg_table_end(f, &t, failed);
    if (k->hw->memory > 0.0)
        fprintf(f, "\n%s has %s: it %s.\n", k->hw->name, RG_BYTES(k->hw->memory),
            m->total <= k->hw->memory ? "fits" : "does not fit");
}

static void exact_task(FILE *f, const rg_cost_case *k)
{
    if (k->task.gen == 0) return;
    fprintf(f,
        "\n## task: prompt of %" PRId64 ", %" PRId64
        " generated\n\nFirst token after %s; generation %s, %s tokens/s; together %s.\n",
        k->exact.seqlen, k->task.gen, RG_TIME(1e9 * k->task.prefill_s), RG_TIME(1e9 * k->task.gen_s),
        RG_NUM(k->task.tokens_per_s), RG_TIME(1e9 * k->task.total_s));
}

static void exact_md(FILE *f, const rg_cost_case *k, const rg_cost_print *p, bool *failed)
{
    char fuse[64];
    const rg_exact_input *e = &k->exact;
    fprintf(f, "# Analytic roofline: %s on %s\n\n", RG_CELL(160, k->config.name), k->hw->name);
    fprintf(f,
        "Cost model exact (ideal times); length %" PRId64 ", batch %" PRId64
        ", weights %s (output matrix %s), activations %s, KV %s/%s, attention %s, further fusions %s, tp "
        "%" PRId64 "; %s\n",
        e->seqlen, e->batch, rg_wtypes[e->dtype].name, rg_wtypes[e->head].name, rg_exact_acts[e->act],
        rg_kvtypes[e->kv_k].name, rg_kvtypes[e->kv_v].name, e->flash ? "fused" : "unfused",
        rg_fuse_text(fuse, sizeof fuse, rg_exact_fusions(&k->config, e)), e->tp,
        e->ubatch > 0 ? RG_TEXT(64, "forward calls of up to %" PRId64 " tokens", e->ubatch)
                      : "prefill in one call");
    fprintf(f, "Roofs: %s\n", k->hw->source);
    for (int ph = 0; ph < RG_PHASE_COUNT && !p->totals; ph++)
        if (rg_cost_wants(p, ph)) exact_table(f, k, ph, failed);
    if (p->totals) {
        rg_table t = {0};
        fprintf(f, "\n## totals\n\n");
        rg_table_head(
            &t, "<phase", ">tokens", ">ms", ">tokens/s", ">GFLOP", ">MB", ">FLOP/byte", ">GFLOP/s", NULL);
        for (rg_phase ph = 0; ph < RG_PHASE_COUNT; ph++) {
            const rg_cost_sum *s = &k->r.total[ph];
            if (!rg_cost_wants(p, ph)) continue;
            rg_table_line(&t, "s0nnnnnn", rg_phase_names[ph], k->r.tokens[ph], 1e3 * s->time_s,
                k->r.tokens[ph] / s->time_s, 1e-9 * s->flop, 1e-6 * s->bytes, s->flop / s->bytes,
                1e-9 * s->flop / s->time_s);
        }
        rg_table_end(f, &t, failed);
    }
    rg_cost_experts_md(f, k, failed);
    exact_memory(f, k, failed);
    exact_task(f, k);
    if (!isfinite(k->r.total[RG_PREFILL].time_s))
        fprintf(f,
            "\nTimes that say n/a need a roof that is not known: the bandwidth, or the peak of the class of "
            "arithmetic in use.\n");
    if (!k->hw->machine && k->hw->n_levels)
        fprintf(f,
            "\nPeaks are at the highest clock; a cache level without a published speed is charged at the "
            "rate of main memory.\n");
}

/* ---- sweeps ---- */

static void sweep_md(FILE *f, const rg_cost_case *k, size_t n, const rg_cost_print *p, bool *failed)
{
    rg_table t = {0};
    char format[48];
    fprintf(f, "# Sweep: %s, cost model %s\n\n", RG_CELL(160, k->config.name), rg_cost_models[k->cost]);
    rg_table_head(&t, "<hardware", "<weights", ">tp", ">batch", ">length", "<phase", ">ms", ">tokens/s",
        ">GFLOP", ">MB", ">FLOP/byte", "<limit", ">memory", ">first token", ">task tokens/s", NULL);
    for (size_t i = 0; i < n; i++, k++) {
        for (rg_phase ph = 0; ph < RG_PHASE_COUNT; ph++) {
            const rg_cost_sum *s = &k->r.total[ph];
            double flop_s = 0.0, mem_s = 0.0;
            if (!rg_cost_wants(p, ph)) continue;
            for (int o = 0; o < k->r.n; o++) {
                if (k->r.op[o].phase != ph) continue;
                flop_s += k->r.op[o].flop_s;
                mem_s += k->r.op[o].mem_s;
            }
            rg_cells c = {.n = 0};
            rg_cells_add(&c, "sslllsnnnnnsb", k->hw->name, rg_cost_format(format, sizeof format, k),
                rg_cost_tp(k), rg_cost_batch(k), rg_cost_seqlen(k), rg_phase_names[ph], 1e3 * s->time_s,
                k->r.tokens[ph] / s->time_s, 1e-9 * s->flop, 1e-6 * s->bytes, s->flop / s->bytes,
                isnan(flop_s) || isnan(mem_s) ? "n/a"
                    : flop_s > mem_s          ? "compute"
                                              : "memory",
                k->r.memory[ph].total);
            if (k->task.gen > 0 && ph == RG_DECODE)
                rg_cells_add(&c, "sn", RG_TIME(1e9 * k->task.prefill_s), k->task.tokens_per_s);
            rg_cells_end(&c, &t);
        }
    }
    rg_table_end(f, &t, failed);
}

rg_status rg_cost_md(FILE *f, const rg_cost_case *k, size_t n, const rg_cost_print *p, rg_err *err)
{
    bool failed = false;
    if (n > 1)
        sweep_md(f, k, n, p, &failed);
    else if (k->cost == RG_COST_LLM_VIEWER)
        lv_md(f, k, p, &failed);
    else
        exact_md(f, k, p, &failed);
    return rg_written(f, "roofline", failed, err);
}

/* ---- CSV ---- */

static void real(FILE *f, double x)
{
    if (isfinite(x)) fprintf(f, "%.17g", x);
    fputc(',', f);
}

static void csv_row(FILE *f, const rg_cost_case *k, rg_phase ph, const rg_cost_point *p)
{
    char format[48], name[160];
    const rg_cost_sum *s = p ? &p->sum : &k->r.total[ph];
    rg_text_clean(name, sizeof name, k->config.name);
    for (char *q = name; *q; q++)
        if (*q == '"') *q = '\'';
    fprintf(f, "\"%s\",\"%s\",%s,%s,%" PRId64 ",%" PRId64 ",%" PRId64 ",%s,%s,", name, k->hw->name,
        rg_cost_models[k->cost], rg_cost_format(format, sizeof format, k), rg_cost_tp(k), rg_cost_batch(k),
        rg_cost_seqlen(k), rg_phase_names[ph], p ? p->name : "total");
    const double all[] = {p ? p->calls : NAN, s->flop, s->w_rd, s->act_rd, s->act_wr, s->kv_rd, s->kv_wr,
        s->bytes, 1e9 * s->time_s, s->bytes > 0.0 ? s->flop / s->bytes : 0.0, p ? 1e-9 * p->peak : NAN,
        p ? 1e-9 * p->attainable : NAN, p ? 1e-9 * p->bandwidth : NAN};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) real(f, all[i]);
    fprintf(f, "%s,", p && rg_limit_names[p->bound] ? rg_limit_names[p->bound] : "");
    const double more[] = {k->r.tokens[ph] / k->r.total[ph].time_s, k->r.memory[ph].total,
        k->task.gen > 0 ? 1e9 * k->task.prefill_s : NAN, k->task.gen > 0 ? 1e9 * k->task.total_s : NAN};
    for (size_t i = 0; i < 4; i++) real(f, p ? NAN : more[i]);
    if (!p && isfinite(k->task.tokens_per_s)) fprintf(f, "%.17g", k->task.tokens_per_s);
    fputc('\n', f);
}

rg_status rg_cost_csv(FILE *f, const rg_cost_case *k, size_t n, const rg_cost_print *p, rg_err *err)
{
    fprintf(f,
        "model,hardware,cost,weights,tp,batch,seqlen,phase,op,calls,flop,weight_bytes,act_read_bytes,act_"
        "write_bytes,kv_read_bytes,kv_write_bytes,"
        "total_bytes,ideal_ns,ai,peak_gflops,attainable_gflops,bandwidth_gbps,bound,tokens_per_s,memory_"
        "bytes,"
        "task_first_token_ns,task_ns,task_tokens_per_s\n");
    for (size_t i = 0; i < n; i++)
        for (rg_phase ph = 0; ph < RG_PHASE_COUNT; ph++) {
            if (!rg_cost_wants(p, ph)) continue;
            for (int o = 0; o < k[i].r.n && n == 1 && !p->totals; o++)
                if (k[i].r.op[o].phase == ph) csv_row(f, &k[i], ph, &k[i].r.op[o]);
            csv_row(f, &k[i], ph, NULL);
        }
    return rg_written(f, "roofline", false, err);
}
