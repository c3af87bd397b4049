/* How a command ends that has made its document. */
#ifndef RG_PAGE_OUT_H
#define RG_PAGE_OUT_H

#include "report/document.h"
#include "tools/cli/cli.h"

/* made: how d was made; if it failed, d is closed and that is all. Else prints the document if `json`, judges
 * it by the assertions of judge, writes the page to html and the pictures to svg (each may be NULL), and
 * closes d. What cannot be written goes before what was judged. */
rg_status rg_page_out(rg_status made, rg_doc *d, bool json, const rg_cli *judge, const char *html,
    const char *svg, rg_err *err);

#endif
