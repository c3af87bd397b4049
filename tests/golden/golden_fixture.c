/* Reports that no run on this machine makes: counters, pinned threads, a socket that was watched, a hostile
 * name, unknown roofs. golden_fixture md|csv|json: two runs of the paper machine, then one without a roof. */
#include <stdio.h>
#include <string.h>

#include "roof_fixture.h"

static rg_report *make(bool known, const char *dtype)
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
    if (rg_report_build(&r, &m, &i, &u, &l, &err) != RG_OK) fprintf(stderr, "%s\n", err.msg);
    rg_log_close(&l);
    return r;
}

int main(int argc, char **argv)
{
    rg_report *two[] = {make(true, "f16"), make(true, "q4g64")}, *blind = make(false, "q4g64");
    const bool one = argc > 2, made = argc > 1 && two[0] && two[1] && blind;
    rg_reports s = {0};
    rg_doc d;
    rg_err err;
    rg_status st = !made ? RG_E_USAGE
        : one            ? rg_report_doc(&d, (const rg_report *const *)&blind, 1, &err)
                         : rg_report_doc(&d, (const rg_report *const *)two, 2, &err);
    if (st == RG_OK) st = rg_reports_add(&s, &d, "fixture", &err);
    if (st == RG_OK)
        st = strcmp(argv[1], "md") == 0   ? rg_profile_md(stdout, &s, &err)
            : strcmp(argv[1], "csv") == 0 ? rg_profile_csv(stdout, &s, &err)
                                          : rg_doc_json(stdout, s.doc, &err);
    if (st != RG_OK && made) fprintf(stderr, "%s\n", err.msg);
    rg_reports_close(&s);
    for (int k = 0; k < 2; k++) rg_report_close(two[k]);
    rg_report_close(blind);
    return (int)st;
}
