/* ridge bench: llama-bench's tests over lists of settings, sampled in rounds, beside the roofs of this
 * machine. */
#include "tools/assert/judge.h"
#include "tools/measure/bench.h"
#include "tools/report/page_out.h"

rg_status rg_cmd_BENCH(const rg_cli *cli, rg_err *err)
{
    static const char *const formats[] = {"md", "csv", "json", "jsonl", "sql", NULL};
    rg_status (*const print[])(FILE *, const rg_bench *, rg_err *) = {
        rg_bench_md, rg_bench_csv, rg_bench_json, rg_bench_jsonl, rg_bench_sql};
    rg_bench b = {.cli = cli,
        .reps = RG_GIVEN(cli, bench_reps) ? (int)cli->bench_reps : 5,
        .records = 1,
        .no_warmup = cli->no_warmup,
        .started = time(NULL)};
    const int format = rg_cli_choice("-o", cli->bench_output, formats, err);
    rg_status st = format < 0 ? RG_E_USAGE : rg_cli_no_args(cli, err);
    if (st == RG_OK && rg_judge_wants_help(cli)) return rg_judge_help();
    if (st == RG_OK) st = rg_judge_check(cli, err);
    if (st == RG_OK) st = rg_bench_settings(&b, err);
    if (st == RG_OK) st = rg_bench_open(&b, err);
    if (st == RG_OK) st = rg_bench_tests(&b, err);
    if (st == RG_OK) {
        bool any = false;
        st = rg_bench_run(&b, err);
        for (int i = 0; i < b.n_rows; i++) any = any || b.row[i].n > 0;
        if (any && (st == RG_OK || st == RG_E_INTERRUPTED)) { /* the report so far */
            const rg_status printed = print[format](stdout, &b, err);
            if (printed != RG_OK) st = printed;
            if (printed == RG_OK && (cli->html || cli->svg || rg_judge_wanted(cli))) {
                json_t *o = rg_bench_to_json(&b, err);
                const rg_status drawn = cli->html || cli->svg ? rg_page_out(o, 10, cli->html, cli->svg, err)
                    : o                                       ? RG_OK
                                                              : RG_E_NOMEM;
                if (drawn != RG_OK && st == RG_OK) st = drawn;
                if (st == RG_OK) st = rg_judge(cli, o, err);
                json_decref(o);
            }
        }
    }
    rg_bench_close(&b);
    return st;
}
