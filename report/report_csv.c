/* One row per operator, names as in the JSON with nested ones joined by '_'. Unknown numbers are empty; texts
 * are quoted. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "report/join.h"

static const char HEAD[] =
    "model,dtype,phase,op,site,layer,calls,t_ns,wait_ns,share,flop,int_op,weight_type,kernel,"
    "analytic_weight_bytes,analytic_act_read_bytes,analytic_act_write_bytes,analytic_kv_read_bytes,analytic_"
    "kv_write_bytes,analytic_total_bytes,analytic_t_ns,"
    "counted_weight_bytes,counted_act_read_bytes,counted_act_write_bytes,counted_kv_read_bytes,counted_kv_"
    "write_bytes,counted_total_bytes,counted_flop,"
    "ai_analytic,ai_counted,gflops,gbps,roof,attainable_gflops,roof_fraction,bound,served_from_cache";

/* s NULL: empty. Quotes double, control characters are gone. */
static void text(FILE *f, const char *s)
{
    char buf[512];
    if (!s) {
        fputc(',', f);
        return;
    }
    fputc('"', f);
    for (s = rg_text_clean(buf, sizeof buf, s); *s; s++) {
        if (*s == '"') fputc('"', f);
        fputc(*s, f);
    }
    fputs("\",", f);
}

static void real(FILE *f, double x)
{
    if (isfinite(x)) fprintf(f, "%.6g", x);
    fputc(',', f);
}

static void count(FILE *f, uint64_t x) { fprintf(f, "%" PRIu64 ",", x); }

static void tally(FILE *f, const rg_tally *t)
{
    count(f, t->w_rd);
    count(f, t->act_rd);
    count(f, t->act_wr);
    count(f, t->kv_rd);
    count(f, t->kv_wr);
    count(f, rg_tally_bytes(t));
}

static void row(FILE *f, const rg_report *r, const rg_row *w)
{
    char buf[96];
    text(f, r->model.config.name);
    text(f, r->model.dtype);
    text(f, rg_phase_names[w->phase]);
    text(f, rg_op_name(rg_site_op(w->site)));
    text(f, rg_site_name(w->site));
    if (w->layer >= 0) fprintf(f, "%d", w->layer);
    fputc(',', f);
    count(f, w->calls);
    count(f, w->t_ns);
    count(f, w->wait_ns);
    real(f, rg_ratio((double)w->t_ns, (double)r->phase[w->phase].t_ns));
    count(f, w->analytic.flop);
    count(f, w->analytic.iop);
    text(f, rg_row_wtype(buf, sizeof buf, w));
    text(f, rg_row_kernel(buf, sizeof buf, w));
    tally(f, &w->analytic);
    real(f, w->ideal_ns);
    tally(f, &w->counted);
    count(f, w->counted.flop);
    real(f, rg_intensity(w->analytic.flop, rg_tally_bytes(&w->analytic)));
    real(f, rg_intensity(w->analytic.flop, rg_tally_bytes(&w->counted)));
    real(f, rg_row_gflops(w));
    real(f, rg_row_gbps(w));
    text(f, rg_row_roof(buf, sizeof buf, w));
    real(f, rg_row_attainable(w));
    real(f, rg_row_fraction(w));
    text(f, rg_bound_names[w->bound]);
    if (isfinite(w->stream_gbps)) fputc(w->from_cache ? '1' : '0', f);
    fputc(',', f);
    for (int i = 0; i < RG_MAX_CTR; i++) { /* a fixed number of columns, whatever the machine can count */
        if (i < r->run.n_ctr && isfinite(rg_row_ctr(w, i))) fprintf(f, "%.0f", rg_row_ctr(w, i));
        fputc(i + 1 < RG_MAX_CTR ? ',' : '\n', f);
    }
}

rg_status rg_report_csv(FILE *f, const rg_report *const *r, int n, rg_err *err)
{
    fputs(HEAD, f);
    for (int i = 0; i < RG_MAX_CTR; i++) {
        if (n > 0 && i < r[0]->run.n_ctr)
            fprintf(f, ",pmu_%s", r[0]->run.ctr_name[i]);
        else
            fprintf(f, ",pmu_%d", i);
    }
    fputc('\n', f);
    for (int i = 0; i < n; i++)
        for (int k = 0; k < r[i]->n_rows; k++) row(f, r[i], &r[i]->row[k]);
    return ferror(f) ? rg_fail(err, RG_E_FILE, "report: cannot write: %s", strerror(errno)) : RG_OK;
}
