#include "tools/report/page_out.h"

#include <stdlib.h>

#include "report/html/page.h"
#include "report/svg/doc_pictures.h"

rg_status rg_page_out(const json_t *report, int digits, const char *html, const char *svg, rg_err *err)
{
    rg_doc d = {.root = NULL};
    int n;
    if (!report) return err->code;
    char *text = json_dumps(report, JSON_COMPACT | JSON_REAL_PRECISION(digits));
    json_t *saved = text ? json_loads(text, 0, NULL) : NULL;
    rg_status st =
        saved ? rg_doc_open(&d, saved, "this report", err) : rg_fail(err, RG_E_NOMEM, "page: out of memory");
    if (st == RG_OK && svg) st = rg_doc_pictures_write(&d, svg, &n, err);
    if (st == RG_OK && html) st = rg_page_save_doc(&d, html, err);
    rg_doc_close(&d);
    json_decref(saved);
    free(text);
    return st;
}
