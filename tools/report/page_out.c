/* The end of a command that reports: print, judge, draw. */
#include "tools/report/page_out.h"

#include "report/html/page.h"
#include "report/svg/pictures.h"
#include "tools/assert/judge.h"

rg_status rg_page_out(
    rg_status made, rg_doc *d, bool json, const rg_cli *judge, const char *html, const char *svg, rg_err *err)
{
    rg_reports s = {0};
    rg_err why = {0};
    rg_status st = made == RG_OK && json ? rg_doc_json(stdout, d, err) : made;
    const rg_status judged = !st && judge ? rg_judge(judge, d->json, &why) : RG_OK;
    if (!st && (html || svg)) {
        st = rg_reports_add(&s, d, "this report", err);
        if (!st && svg) st = rg_pictures_write(&s, svg, NULL, err);
        if (!st && html) st = rg_page_save(&s, html, err);
        rg_reports_close(&s);
    } else {
        rg_doc_close(d);
    }
    if (!st && judged != RG_OK) *err = why, st = judged;
    return st;
}
