/* The report as one HTML page: everything in it, nothing fetched, readable and printable with scripts off. */
#ifndef RG_PAGE_H
#define RG_PAGE_H

#include "report/doc.h"

/* Writes the page of all runs. */
rg_status rg_page_write(FILE *f, const rg_saved *s, rg_err *err);
/* To a file, whole or not at all. */
rg_status rg_page_save(const rg_saved *s, const char *path, rg_err *err);
/* The same of a report that is no run, with the runs inside it. */
rg_status rg_page_write_doc(FILE *f, const rg_doc *d, rg_err *err);
rg_status rg_page_save_doc(const rg_doc *d, const char *path, rg_err *err);

#endif
