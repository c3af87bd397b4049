/* Reports that no run on this machine makes: counters, pinned threads, a socket that was watched, a hostile
 * name, unknown roofs. golden_fixture md|csv|json: two runs of the paper machine; one: one without a roof;
 * steady: one that is near its roofs. */
#include <stdio.h>
#include <string.h>

#include "report/join.h"
#include "roof_fixture.h"

/* Every record takes what its share of the roof says. */
static void near_roofs(rg_log *l, const rg_report *r)
{
    static const struct {
        rg_site site;
        double share;
    } far[] = {{RG_SITE_FFN_DOWN, 0.72}, {RG_SITE_ATTN_CORE, 0.41}, {RG_SITE_FFN_GATE, 0.95},
        {RG_SITE_OUTPUT, 0.94}, {RG_SITE_ATTN_OUTPUT, 1.06}};
    for (size_t i = 0; i < l->n_steps; i++) l->step[i].t_ns = 300;
    for (size_t i = 0; i < l->n; i++) {
        rg_rec *rec = &l->rec[i];
        const rg_row *w = rg_report_row(r, rec->phase, rec->site);
        double share = 0.85;
        for (size_t k = 0; k < sizeof far / sizeof *far; k++)
            if (far[k].site == rec->site) share = far[k].share;
        rec->t_ns = (uint64_t)(w->ideal_ns / (double)w->calls / share + 0.5);
        rec->wait_ns = rec->t_ns / 20;
        rec->barriers = 1;
        l->step[rec->step].t_ns += rec->t_ns;
    }
}

static rg_report *make(bool known, bool steady, const char *dtype)
{
    static const rg_metric metrics[] = {{.name = "cycles",
                                            .source = "pmu",
                                            .available = true,
                                            .events = "perf::CYCLES",
                                            .ctr = 0,
                                            .group = 1},
        {.name = "dram_bytes",
            .source = "uncore",
            .ctr = -1,
            .reason = "closed to users",
            .remedy = "sudo sysctl kernel.perf_event_paranoid=0"}};
    rg_machine m = fixture_machine();
    rg_model_info i = fixture_model();
    rg_run_info u = fixture_run();
    rg_report *r = NULL;
    rg_err err = {0};
    rg_log l;
    if (!known) {
        m.peak[RG_PEAK_FP32_AVX512].value = 0.0;
        snprintf(i.config.name, sizeof i.config.name, "a|b\"c, =1 <script>%%s");
        u.interrupted = true;
    }
    i.dtype = dtype;
    i.act = RG_ACT_Q8;
    u.per_layer = !known;
    u.metric = metrics;
    u.n_metrics = 2;
    u.pmu_status = "hardware";
    u.pmu_reason = NULL;
    u.ctr_name[0] = "cycles";
    u.ctr_name[1] = "instructions";
    fixture_log(&l);
    rg_status st = rg_report_build(&r, &m, &i, &u, &l, &err);
    if (st == RG_OK && steady) {
        m.barrier_ns.value = 5.0; /* or all would be too small to count */
        near_roofs(&l, r);
        rg_report_close(r);
        st = rg_report_build(&r, &m, &i, &u, &l, &err);
    }
    if (st != RG_OK) fprintf(stderr, "%s\n", err.msg);
    rg_log_close(&l);
    return r;
}

int main(int argc, char **argv)
{
    const bool steady = argc > 2 && strcmp(argv[2], "steady") == 0;
    rg_report *two[] = {make(true, false, "f16"), make(true, false, "q4g64")},
              *single = make(steady, steady, "q4g64");
    const bool one = argc > 2, made = argc > 1 && two[0] && two[1] && single;
    rg_reports s = {0};
    rg_doc d;
    rg_err err;
    rg_status st = !made ? RG_E_USAGE
        : one            ? rg_report_doc(&d, (const rg_report *const *)&single, 1, &err)
                         : rg_report_doc(&d, (const rg_report *const *)two, 2, &err);
    if (st == RG_OK) st = rg_reports_add(&s, &d, "fixture", &err);
    if (st == RG_OK)
        st = strcmp(argv[1], "md") == 0   ? rg_profile_md(stdout, &s, &err)
            : strcmp(argv[1], "csv") == 0 ? rg_profile_csv(stdout, &s, &err)
                                          : rg_doc_json(stdout, s.doc, &err);
    if (st != RG_OK && made) fprintf(stderr, "%s\n", err.msg);
    rg_reports_close(&s);
    for (int k = 0; k < 2; k++) rg_report_close(two[k]);
    rg_report_close(single);
    return (int)st;
}
