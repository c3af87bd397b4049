/* Pages and pictures of a report that was just made. */
#include "tools/report/page_out.h"

#include "report/html/page.h"
#include "report/svg/pictures.h"

rg_status rg_page_out(rg_doc *d, const char *html, const char *svg, int *n, rg_err *err)
{
    rg_reports s = {0};
    rg_status st = rg_reports_add(&s, d, "this report", err);
    if (st == RG_OK && svg) st = rg_pictures_write(&s, svg, n, err);
    if (st == RG_OK && html) st = rg_page_save(&s, html, err);
    rg_reports_close(&s);
    return st;
}
