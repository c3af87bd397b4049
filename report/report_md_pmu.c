/* What counters said of a phase, for people: a line for the phase, and a row per operator or layer where
 * hardware counted. */
#include <math.h>
#include <string.h>

#include "report/join.h"
#include "report/table.h"

static double of(const rg_report *r, const double ctr[RG_MAX_CTR], const char *name)
{
    const int i = rg_ctr_index(r, name);
    return i < 0 ? NAN : ctr[i];
}

static bool hardware(const rg_report *r) { return strcmp(r->run.pmu_status, "hardware") == 0; }

/* Instructions per cycle, and every metric: hardware counts in millions, software ones as they are. */
static void cells(const rg_report *r, char c[RG_MAX_CTR + 1][32], const double ctr[RG_MAX_CTR])
{
    rg_num(c[0], 32, rg_ratio(of(r, ctr, "instructions"), of(r, ctr, "cycles")));
    for (int i = 0; i < r->run.n_ctr; i++) rg_num(c[1 + i], 32, hardware(r) ? 1e-6 * ctr[i] : ctr[i]);
}

static void summary(FILE *f, const rg_report *r, rg_phase ph)
{
    const rg_phase_sum *p = &r->phase[ph];
    char a[32], b[32];
    fprintf(f, "pmu: ");
    for (int i = 0; i < r->run.n_ctr; i++)
        fprintf(f, "%s%s %s", i ? ", " : "", r->run.ctr_name[i], rg_num(a, sizeof a, p->ctr[i]));
    const double flop = of(r, p->ctr, "flop"), bytes = of(r, p->ctr, "read_bytes");
    const uint64_t rd = p->counted.w_rd + p->counted.act_rd + p->counted.kv_rd;
    if (isfinite(flop))
        fprintf(f, "; flop / counted %s", rg_num(a, sizeof a, rg_ratio(flop, (double)p->counted.flop)));
    if (isfinite(bytes))
        fprintf(
            f, "; bytes read from DRAM / counted reads %s", rg_num(b, sizeof b, rg_ratio(bytes, (double)rd)));
    fprintf(f, "\n");
}

static void head(rg_table *t, const rg_report *r, const char *what)
{
    char title[RG_MAX_CTR][48];
    for (int i = 0; i < RG_MAX_CTR; i++) {
        title[i][0] = 0;
        if (i < r->run.n_ctr)
            snprintf(title[i], sizeof title[i], hardware(r) ? ">M %.40s" : ">%.40s", r->run.ctr_name[i]);
    }
    const char *s[RG_MAX_CTR];
    for (int i = 0; i < RG_MAX_CTR; i++) s[i] = title[i][0] ? title[i] : NULL;
    rg_table_head(t, what, ">IPC", s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7], NULL);
}

static void row(rg_table *t, const rg_report *r, const char *name, const double ctr[RG_MAX_CTR])
{
    char c[RG_MAX_CTR + 1][32];
    const char *s[RG_MAX_CTR + 1];
    cells(r, c, ctr);
    for (int i = 0; i <= RG_MAX_CTR; i++) s[i] = i <= r->run.n_ctr ? c[i] : NULL;
    rg_table_row(t, name, s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7], s[8], NULL);
}
_Static_assert(RG_MAX_CTR == 8, "head and row spell out eight metrics");

/* Memory controllers and energy, where somebody counts them. */
static void socket(FILE *f, const rg_report *r, rg_phase ph)
{
    const double *v = r->run.socket[ph], tokens = (double)r->phase[ph].tokens;
    char a[32], b[32], c[32];
    if (!r->run.has_socket) return;
    if (isfinite(v[RG_SOCKET_READ]))
        fprintf(f, "socket: %s MB read, %s MB written by the memory controllers (everything on the socket)\n",
            rg_num(a, sizeof a, 1e-6 * v[RG_SOCKET_READ]), rg_num(b, sizeof b, 1e-6 * v[RG_SOCKET_WRITE]));
    if (isfinite(v[RG_SOCKET_PACKAGE]))
        fprintf(f, "energy: package %s J, %s J per token; DRAM %s J\n",
            rg_num(a, sizeof a, v[RG_SOCKET_PACKAGE]),
            rg_num(b, sizeof b, rg_ratio(v[RG_SOCKET_PACKAGE], tokens)),
            rg_num(c, sizeof c, v[RG_SOCKET_DRAM]));
}

void rg_md_pmu(FILE *f, const rg_report *r, rg_phase ph, bool *failed)
{
    rg_table t = {0};
    char name[64];
    socket(f, r, ph);
    double ctr[RG_MAX_CTR];
    if (r->run.n_ctr == 0) return;
    summary(f, r, ph);
    if (!hardware(r) && r->n_layers == 0) return;
    head(&t, r, r->n_layers ? "<layer" : "<operator");
    for (int i = 0; i < r->n_rows && r->n_layers == 0; i++) {
        const rg_row *w = &r->row[i];
        if (w->phase != ph || w->layer >= 0) continue;
        for (int c = 0; c < RG_MAX_CTR; c++) ctr[c] = rg_row_ctr(w, c);
        row(&t, r, rg_site_name(w->site), ctr);
    }
    for (int i = 0; i < r->n_layers; i++) {
        const rg_layer_sum *l = &r->layer[i];
        if (l->phase != ph) continue;
        snprintf(name, sizeof name, l->layer < 0 ? "outside layers" : "%d", l->layer);
        for (int c = 0; c < RG_MAX_CTR; c++) ctr[c] = rg_layer_ctr(l, c);
        row(&t, r, name, ctr);
    }
    fprintf(f, "\n");
    rg_table_print(f, &t);
    *failed = *failed || t.failed;
    rg_table_free(&t);
}
