/* ridge report: saved runs and saved reports of bench, compare and roofline as one page, or as pictures. */
#include "report/html/page.h"
#include "report/svg/doc_pictures.h"
#include "report/svg/pictures.h"
#include "tools/cli/cli.h"

static void drawn(const rg_cli *cli, int n, size_t runs)
{
    fprintf(stderr, "ridge report: %d picture%s", n, n == 1 ? "" : "s");
    if (runs > 0) fprintf(stderr, " of %zu run%s", runs, runs == 1 ? "" : "s");
    fprintf(stderr, " in %s\n", cli->svg);
}

static rg_status of_runs(const rg_saved *s, const rg_cli *cli, const char *page, rg_err *err)
{
    int n = 0;
    rg_status st = page ? rg_page_save(s, page, err) : RG_OK;
    if (st == RG_OK && page) fprintf(stderr, "ridge report: %s\n", page);
    if (st == RG_OK && cli->svg) st = rg_pictures_write(s, cli->svg, &n, err);
    if (st == RG_OK && cli->svg) drawn(cli, n, s->n);
    return st;
}

static rg_status of_doc(json_t *root, const rg_cli *cli, const char *page, rg_err *err)
{
    rg_doc d;
    int n = 0;
    rg_status st = rg_doc_open(&d, root, cli->args[0], err);
    if (st == RG_OK && page) st = rg_page_save_doc(&d, page, err);
    if (st == RG_OK && page) fprintf(stderr, "ridge report: %s\n", page);
    if (st == RG_OK && cli->svg) st = rg_doc_pictures_write(&d, cli->svg, &n, err);
    if (st == RG_OK && cli->svg) drawn(cli, n, 0);
    rg_doc_close(&d);
    return st;
}

rg_status rg_cmd_REPORT(const rg_cli *cli, rg_err *err)
{
    rg_saved s = {0};
    rg_status st = RG_OK;
    if (cli->n_args == 0)
        return rg_fail(err, RG_E_USAGE,
            "report: no file given, expected the JSON of one or more runs (ridge profile -o json > "
            "run.json)");
    if (cli->output && cli->html)
        return rg_fail(err, RG_E_USAGE, "report: -o and --html are the same here: one of them");
    const char *page = cli->output ? cli->output : cli->html;
    if (!cli->svg && !page)
        return rg_fail(err, RG_E_USAGE, "report: nothing to write, expected -o report.html or --svg PATH");
    for (int i = 0; i < cli->n_args && st == RG_OK; i++) {
        json_t *root;
        if ((st = rg_saved_read(&root, cli->args[i], err)) != RG_OK) break;
        if (!rg_doc_known(root))
            st = rg_saved_add_json(&s, root, cli->args[i], err);
        else if (cli->n_args > 1)
            st = rg_fail(err, RG_E_USAGE,
                "%s: a report of bench, compare or roofline has a page of its own, expected it alone; "
                "several runs of ridge profile go together",
                cli->args[i]);
        else
            st = of_doc(root, cli, page, err);
        json_decref(root);
    }
    if (st == RG_OK && s.n > 0) st = of_runs(&s, cli, page, err);
    rg_saved_close(&s);
    return st;
}
