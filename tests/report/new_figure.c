/* A profile of the paper machine in every form: new_figure md|csv|json|schema|reference|PAGE.html. Built with
 * one figure more by check_new_figure.py. */
#include <string.h>

#include "report/html/page.h"
#include "report/schema.h"
#include "roof_fixture.h"

int main(int argc, char **argv)
{
    const rg_machine m = fixture_machine();
    const rg_model_info i = fixture_model();
    const rg_run_info u = fixture_run();
    const char *what = argc > 1 ? argv[1] : "";
    rg_report *r = NULL;
    rg_reports s = {0};
    rg_doc d;
    rg_err err;
    rg_log l;
    fixture_log(&l);
    rg_status st = rg_report_build(&r, &m, &i, &u, &l, &err);
    if (st == RG_OK) st = rg_report_doc(&d, (const rg_report *const *)&r, 1, &err);
    if (st == RG_OK) st = rg_reports_add(&s, &d, "fixture", &err);
    if (st == RG_OK)
        st = strcmp(what, "md") == 0         ? rg_profile_md(stdout, &s, &err)
            : strcmp(what, "csv") == 0       ? rg_profile_csv(stdout, &s, &err)
            : strcmp(what, "json") == 0      ? rg_doc_json(stdout, s.doc, &err)
            : strcmp(what, "schema") == 0    ? rg_schema_write(stdout, RG_DOC_profile, &err)
            : strcmp(what, "reference") == 0 ? rg_schema_reference(stdout, &err)
                                             : rg_page_save(&s, what, &err);
    if (st != RG_OK) fprintf(stderr, "%s\n", err.msg);
    rg_reports_close(&s);
    rg_report_close(r);
    rg_log_close(&l);
    return (int)st;
}
