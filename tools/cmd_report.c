/* ridge report: saved runs as pictures. */
#include "roofline/pictures/pictures.h"
#include "tools/cli.h"

rg_status rg_cmd_REPORT(const rg_cli *cli, rg_err *err)
{
    rg_saved s = {0};
    rg_status st = RG_OK;
    int n = 0;
    if (cli->n_args == 0) return rg_fail(err, RG_E_USAGE, "report: no file given, expected the JSON of one or more runs (ridge profile -o json > run.json)");
    if (!cli->svg) return rg_fail(err, RG_E_USAGE, "report: nothing to write, expected --svg PATH");
    for (int i = 0; i < cli->n_args && st == RG_OK; i++) st = rg_saved_add_file(&s, cli->args[i], err);
    if (st == RG_OK) st = rg_pictures_write(&s, cli->svg, &n, err);
    if (st == RG_OK) fprintf(stderr, "ridge report: %d picture%s of %zu run%s in %s\n", n, n == 1 ? "" : "s", s.n, s.n == 1 ? "" : "s", cli->svg);
    rg_saved_close(&s);
    return st;
}
