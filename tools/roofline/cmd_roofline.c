/* ridge roofline: what a configuration costs on a machine, by formulas alone. */
#include <math.h>
#include <string.h>

#include "report/cells.h"
#include "tools/report/page_out.h"
#include "tools/roofline/roofline_args.h"

static double giga(double x) { return x > 0.0 ? 1e-9 * x : NAN; }

static rg_status list_hardware(int format, bool wide, rg_err *err)
{
    const rg_screen s = rg_screen_of(stdout, wide);
    bool failed = false;
    rg_table t = {0};
    char cores[32], ghz[32];
    rg_table_head(&t, "<name", ">cores", ">GHz", ">GB/s", ">FP32 GFLOP/s", ">FP16", ">BF16", ">INT8",
        ">cache", "<source", NULL);
    for (int i = 0; rg_hw_names[i]; i++) {
        rg_hardware h;
        const rg_status st = rg_hw_find(&h, rg_hw_names[i], err);
        if (st) return st;
        snprintf(cores, sizeof cores, h.e_cores ? "%d+%d" : h.cores ? "%d" : "n/a", h.cores, h.e_cores);
        if (h.ghz_base > 0.0)
            snprintf(ghz, sizeof ghz, "%.2f-%.2f", h.ghz_base, h.ghz_max);
        else
            snprintf(ghz, sizeof ghz, h.ghz_max > 0.0 ? "%.2f" : "n/a", h.ghz_max);
        rg_table_line(&t, "sssnnnnnbs", h.name, cores, ghz, giga(h.bandwidth),
            giga(h.peak[RG_ARITH_FP32_FMA]), giga(h.peak[RG_ARITH_FP16_FMA]),
            giga(fmax(h.peak[RG_ARITH_BF16_DOT], h.peak[RG_ARITH_AMX_BF16])),
            giga(fmax(h.peak[RG_ARITH_INT8_DOT], h.peak[RG_ARITH_AMX_INT8])), h.onchip > 0.0 ? h.onchip : NAN,
            h.source);
    }
    if (format == RG_AS_TEXT)
        rg_screen_say(
            &s, RG_INK_HEAD, 0, "%d machines are known by name, and this one by measurement.\n", t.rows - 1);
    if (format == RG_AS_TEXT)
        rg_screen_table(&s, 0, &t, &failed);
    else
        rg_table_end(stdout, &t, &failed);
    printf("\n");
    rg_screen_say(&s, RG_INK_DIM, 0,
        "GB/s: main memory by specification (channels x rate for CPUs). Peaks in 1e9 operations/s of all "
        "cores "
        "at the highest clock; BF16 and INT8: the fastest of dot products and matrix units. cache: the last "
        "level; for LLM-Viewer's entries what it calls on-chip. n/a: not known here. The source of each: "
        "--wide. Also: measured (this machine), a file of ridge machine, or a file of one's own (schema "
        "ridge.hardware; roofline/README.md).");
    return failed ? rg_no_memory(err, "hardware") : RG_OK;
}

enum { MOST_PAGE_CASES = 2000 };

rg_status rg_cost_show(
    const rg_cost_case *k, size_t n, const rg_cost_print *print, int format, const rg_cli *cli, rg_err *err)
{
    rg_doc d;
    rg_status st = RG_OK;
    if (cli->html && n > MOST_PAGE_CASES)
        return rg_fail(err, RG_E_USAGE, "--html: %zu cases, expected at most %d on a page: shorten the lists",
            n, MOST_PAGE_CASES);
    if (format == RG_AS_CSV) st = rg_cost_csv(stdout, k, n, print, err);
    if (st || (format != RG_AS_JSON && !cli->html && !cli->svg)) return st;
    st = rg_cost_doc(&d, k, n, print, err);
    return rg_page_out(st, &d, format == RG_AS_JSON, NULL, cli->html, cli->svg, err);
}

rg_status rg_cmd_ROOFLINE(const rg_cli *cli, rg_err *err)
{
    const int format = rg_cli_choice("-o", cli->output, RG_WORDS("text", "md", "csv", "json"), err);
    rg_status st = rg_cli_no_args(cli, err);
    if (format < 0) return err->code;
    if (st) return st;
    if (cli->validate) return rg_roofline_validate(cli, format, err);
    if (cli->list_hardware) return list_hardware(format, cli->wide, err);
    if (cli->quick) return rg_fail(err, RG_E_USAGE, "--quick: belongs to --validate");
    if (cli->prompt || RG_GIVEN(cli, n_predict))
        return rg_fail(err, RG_E_USAGE, "%s: belongs to --validate; without it: --seqlen, --gen",
            cli->prompt ? "-p" : "-n");
    if (RG_GIVEN(cli, memory) && !cli->study)
        return rg_fail(err, RG_E_USAGE, "--memory: belongs to --study fit");
    rg_asked a = {.n = 0};
    st = rg_asked_open(&a, cli, err);
    if (!st && cli->explain && (a.n != 1 || a.k->cost != RG_COST_EXACT || format > RG_AS_MD))
        st = rg_fail(err, RG_E_USAGE, "--explain: needs one case (no lists), --cost exact and -o text or md");
    a.print.command = cli->line;
    const size_t svg = cli->svg ? strlen(cli->svg) : 0;
    if (!st && svg > 4 && strcmp(cli->svg + svg - 4, ".svg") == 0 && !cli->study && a.hardware.n > 1)
        st = rg_fail(err, RG_E_USAGE,
            "--svg %s: %s and %s in one question, expected one machine: a picture has one set of roofs (a "
            "folder gets one for each, and --html)",
            cli->svg, a.hardware.hw[0].name, a.hardware.hw[1].name);
    if (cli->study) {
        if (!st) st = rg_roofline_study(cli, &a, format, err);
    } else {
        for (size_t i = 0; i < a.n && !st; i++) st = rg_asked_run(&a.k[i], a.gen, err);
        const rg_screen s = rg_screen_of(stdout, cli->wide);
        if (!st && format == RG_AS_TEXT) st = rg_cost_text(&s, a.k, a.n, &a.print, err);
        if (!st && (format == RG_AS_MD || (format == RG_AS_TEXT && s.wide)))
            st = rg_cost_md(stdout, a.k, a.n, &a.print, err);
        if (!st) st = rg_cost_show(a.k, a.n, &a.print, format, cli, err);
        if (!st && cli->explain) st = rg_cost_explain(stdout, a.k, err);
    }
    rg_asked_close(&a);
    return st;
}
