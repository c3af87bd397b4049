/* ridge report: saved runs as one page, or as pictures. */
#include "roofline/page/page.h"
#include "roofline/pictures/pictures.h"
#include "tools/cli.h"

rg_status rg_cmd_REPORT(const rg_cli *cli, rg_err *err)
{
    rg_saved s = {0};
    rg_status st = RG_OK;
    int n = 0;
    if (cli->n_args == 0) return rg_fail(err, RG_E_USAGE, "report: no file given, expected the JSON of one or more runs (ridge profile -o json > run.json)");
    if (cli->output && cli->html) return rg_fail(err, RG_E_USAGE, "report: -o and --html are the same here: one of them");
    const char *page = cli->output ? cli->output : cli->html;
    if (!cli->svg && !page) return rg_fail(err, RG_E_USAGE, "report: nothing to write, expected -o report.html or --svg PATH");
    for (int i = 0; i < cli->n_args && st == RG_OK; i++) st = rg_saved_add_file(&s, cli->args[i], err);
    if (st == RG_OK && page) st = rg_page_save(&s, page, err);
    if (st == RG_OK && page) fprintf(stderr, "ridge report: %s\n", page);
    if (st == RG_OK && cli->svg) st = rg_pictures_write(&s, cli->svg, &n, err);
    if (st == RG_OK && cli->svg) fprintf(stderr, "ridge report: %d picture%s of %zu run%s in %s\n", n, n == 1 ? "" : "s", s.n, s.n == 1 ? "" : "s", cli->svg);
    rg_saved_close(&s);
    return st;
}
