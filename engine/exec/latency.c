/* What an empty parallel region and a record cost. */
#include "ridge/latency.h"

#include <stdlib.h>

#include "base/ticks.h"
#include "exec/team.h"

enum { SAMPLES = 21, REGIONS = 500, RECORDS = 1000 };

static void nothing(rg_ctx *cx, void *arg) { (void)cx, (void)arg; }

static void records(rg_ctx *cx, void *arg)
{
    double *ns = arg;
    const uint64_t start = rg_now_ns();
    const rg_op_desc d = rg_elem_op(cx, RG_SITE_FFN_ADD, (rg_dims){0}, false);
    for (int i = 0; i < RECORDS; i++) {
        if (i % 2) rg_ticks(); /* half of all operators end at a barrier, which is timed too */
        rg_op_end(cx, &d);
    }
    if (cx->tid == 0) *ns = (double)(rg_now_ns() - start) / RECORDS;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void summary(double *v, double *median, double *spread)
{
    qsort(v, SAMPLES, sizeof *v, by_value);
    *median = v[SAMPLES / 2];
    *spread = *median > 0.0 ? (v[SAMPLES - 1 - SAMPLES / 10] - v[SAMPLES / 10]) / *median : 0.0;
}

rg_status rg_latency_measure(rg_latency *l, int threads, const int *cpus, rg_err *err)
{
    static const rg_ktab none;
    rg_team *t = NULL;
    rg_log log = {0};
    double region[SAMPLES], record[SAMPLES];
    *l = (rg_latency){0};
    rg_status st = rg_team_open(&t, threads, cpus, &none, 64, 0, err);
    if (!st && rg_log_open(&log, 1, RECORDS) != 0) st = rg_no_memory(err, "latencies");
    if (st) goto out;
    for (int i = -1; i < SAMPLES; i++) { /* the first warms up */
        const uint64_t start = rg_now_ns();
        for (int k = 0; k < REGIONS; k++) rg_team_run(t, nothing, NULL, NULL, NULL, 0);
        if (i >= 0) region[i] = (double)(rg_now_ns() - start) / REGIONS;
        double ns = 0.0;
        rg_log_clear(&log);
        rg_team_run(t, records, &ns, &log, &(rg_step){.phase = RG_DECODE}, RECORDS);
        if (i >= 0) record[i] = ns;
    }
    summary(region, &l->region_ns, &l->region_spread);
    summary(record, &l->record_ns, &l->record_spread);
out:
    rg_log_close(&log);
    rg_team_close(t);
    return st;
}
