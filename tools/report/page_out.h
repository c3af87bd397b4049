/* Pages and pictures of reports that are no runs: bench, compare, roofline. */
#ifndef RG_PAGE_OUT_H
#define RG_PAGE_OUT_H

#include <jansson.h>

#include "base/status.h"

/* Writes the page to html and the pictures to svg; NULL: not asked for. report: the command's JSON, borrowed;
 * NULL is an earlier error in *err. digits: with which the command prints it, so that the page of the saved
 * report is the same to the byte. */
rg_status rg_page_out(const json_t *report, int digits, const char *html, const char *svg, rg_err *err);

#endif
