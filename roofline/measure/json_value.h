/* Values as jansson takes them, and one way to write a document. */
#ifndef RG_JSON_VALUE_H
#define RG_JSON_VALUE_H

#include <jansson.h>
#include <stdio.h>

#include "base/status.h"

/* Bad UTF-8 is replaced; NULL and NAN become null. */
json_t *rg_json_text(const char *s);
json_t *rg_json_real(double x);

/* Writes j and a newline; takes the reference. j NULL: RG_E_NOMEM. flags: of json_dumpf. what: named in
 * messages. */
rg_status rg_json_write(FILE *f, json_t *j, size_t flags, const char *what, rg_err *err);

/* The JSON in a file of at most 1 MiB. what: "machine", for messages; hint: their end. */
rg_status rg_json_load(json_t **j, const char *path, const char *what, const char *hint, rg_err *err);

#endif
