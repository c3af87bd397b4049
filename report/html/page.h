/* The report as one HTML page: everything in it, nothing fetched, readable and printable with scripts off. */
#ifndef RG_PAGE_H
#define RG_PAGE_H

#include "report/runs.h"

/* Writes the page of runs, or of a report with the runs inside it. */
rg_status rg_page_write(FILE *f, const rg_reports *s, rg_err *err);
/* To a file, whole or not at all. */
rg_status rg_page_save(const rg_reports *s, const char *path, rg_err *err);

#endif
