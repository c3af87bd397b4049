/* How a command ends that has made its document. */
#ifndef RG_PAGE_OUT_H
#define RG_PAGE_OUT_H

#include "report/document.h"
#include "tools/cli/cli.h"

/* Prints the document if `json`, judges it by the assertions of judge (NULL: not at all), writes the page to
 * html and the pictures to svg (NULL: not asked for). d is closed, whatever is returned. What cannot be
 * written goes before what was judged. */
rg_status rg_page_out(
    rg_doc *d, bool json, const rg_cli *judge, const char *html, const char *svg, rg_err *err);

#endif
