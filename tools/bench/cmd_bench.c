/* ridge bench: llama-bench's tests over lists of settings, sampled in rounds, beside the roofs. */
#include <stdlib.h>

#include "tools/assert/judge.h"
#include "tools/bench/bench.h"
#include "tools/report/page_out.h"

static rg_status print(const rg_doc *d, const rg_bench *b, int format, rg_err *err)
{
    const rg_screen s = rg_screen_of(stdout, b->cli->wide);
    rg_status st = format == 0 ? rg_bench_text(&s, b, err) : RG_OK;
    if (st || (format == 0 && !s.wide)) return st;
    return format <= 1 ? rg_bench_md(stdout, d, b, err)
        : format == 3  ? rg_doc_json(stdout, d, err)
        : format == 4  ? rg_bench_jsonl(stdout, d, err)
                       : rg_bench_table(stdout, d, format == 5, err);
}

/* A promise about a test that is not run must not cost the run. */
static rg_status check_tests(const rg_bench *b, rg_err *err)
{
    const char **name = calloc(b->n_tests, sizeof *name);
    if (!name) return rg_no_memory(err, "--assert");
    for (int i = 0; i < b->n_tests; i++) name[i] = b->test[i].name;
    const rg_status st = rg_judge_tests(b->cli, name, b->n_tests, err);
    free(name);
    return st;
}

rg_status rg_cmd_BENCH(const rg_cli *cli, rg_err *err)
{
    rg_bench b = {.cli = cli,
        .reps = (int)RG_OR(cli, bench_reps, 5),
        .records = 1,
        .loads = 1,
        .no_warmup = cli->no_warmup,
        .started = time(NULL)};
    const int format =
        rg_cli_choice("-o", cli->bench_output, RG_WORDS("text", "md", "csv", "json", "jsonl", "sql"), err);
    rg_status st = format < 0 ? RG_E_USAGE : rg_cli_no_args(cli, err);
    if (!st && rg_judge_help(cli)) return RG_OK;
    if (!st) st = rg_judge_check(cli, err);
    if (!st) st = rg_bench_settings(&b, err);
    if (!st) st = rg_bench_open(&b, err);
    if (!st) st = rg_bench_tests(&b, err);
    if (!st) st = check_tests(&b, err);
    if (!st) {
        bool any = false;
        st = rg_bench_run(&b, err);
        for (int i = 0; i < b.n_rows; i++) any = any || b.row[i].n > 0;
        if (any && (!st || st == RG_E_INTERRUPTED)) { /* the report so far */
            rg_doc d = {0};
            rg_status shown = rg_bench_doc(&d, &b, err);
            if (shown == RG_OK) shown = print(&d, &b, format, err);
            shown = rg_page_out(shown, &d, false, cli, cli->html, cli->svg, err);
            if (shown != RG_OK) st = shown;
        }
    }
    rg_bench_close(&b);
    return st;
}
