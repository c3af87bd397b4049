/* Pages and pictures of a report that was just made. */
#ifndef RG_PAGE_OUT_H
#define RG_PAGE_OUT_H

#include "report/document.h"

/* Writes the page to html and the pictures to svg; NULL: not asked for. d is closed, whatever is returned. n: how many
 * pictures, or NULL. */
rg_status rg_page_out(rg_doc *d, const char *html, const char *svg, int *n, rg_err *err);

#endif
