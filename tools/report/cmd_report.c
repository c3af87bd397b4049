/* ridge report: saved reports on the screen, as one page or as pictures, and what their fields mean. */
#include <string.h>

#include "report/html/page.h"
#include "report/report.h"
#include "report/schema.h"
#include "report/svg/pictures.h"
#include "tools/cli/cli.h"

static rg_status print_schema(const char *name, rg_err *err)
{
    char names[256] = "";
    if (strcmp(name, "list") == 0) return rg_schema_list(stdout, err);
    const rg_doc_kind kind = rg_schema_named(name);
    if (kind < RG_DOC_KINDS) return rg_schema_write(stdout, kind, err);
    for (int k = 0; k < RG_DOC_KINDS; k++)
        snprintf(
            names + strlen(names), sizeof names - strlen(names), "%s%s", k ? ", " : "", rg_schema_name(k));
    return rg_fail(
        err, RG_E_USAGE, "--schema: no document is called '%s', expected list or one of: %s", name, names);
}

rg_status rg_cmd_REPORT(const rg_cli *cli, rg_err *err)
{
    rg_reports s = {0};
    rg_status st = RG_OK;
    int n = 0;
    if ((cli->schema || cli->figures) &&
        (cli->n_args || cli->output || cli->html || cli->svg || (cli->schema && cli->figures)))
        return rg_fail(err, RG_E_USAGE, "%s stands alone: it reads no file and prints on standard output",
            cli->schema ? "--schema" : "--figures");
    if (cli->schema) return print_schema(cli->schema, err);
    if (cli->figures) return rg_schema_reference(stdout, err);
    if (cli->n_args == 0)
        return rg_fail(err, RG_E_USAGE,
            "report: no file given, expected the JSON of one or more runs (ridge profile -o json > "
            "run.json)");
    if (cli->output && cli->html)
        return rg_fail(err, RG_E_USAGE, "report: -o and --html are the same here: one of them");
    const char *page = cli->output ? cli->output : cli->html;
    const rg_screen screen = rg_screen_of(stdout, cli->wide);
    for (int i = 0; i < cli->n_args && !st; i++) st = rg_reports_add_file(&s, cli->args[i], err);
    if (!st && !cli->svg && !page)
        st = rg_reports_other(&s) ? rg_fail(err, RG_E_USAGE,
                                        "report: only runs of ridge profile have a view for the screen, "
                                        "expected -o report.html or --svg PATH")
                                  : rg_profile_text(&screen, &s, err);
    if (!st && page && !(st = rg_page_save(&s, page, err))) fprintf(stderr, "ridge report: %s\n", page);
    if (!st && cli->svg) st = rg_pictures_write(&s, cli->svg, &n, err);
    if (!st && cli->svg) {
        fprintf(stderr, "ridge report: %d picture%s", n, n == 1 ? "" : "s");
        if (!rg_reports_other(&s)) fprintf(stderr, " of %zu run%s", s.n, s.n == 1 ? "" : "s");
        fprintf(stderr, " in %s\n", cli->svg);
    }
    rg_reports_close(&s);
    return st;
}
