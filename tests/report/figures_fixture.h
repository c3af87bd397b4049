/* Objects of documents made from their own tables. */
#ifndef RG_FIGURES_FIXTURE_H
#define RG_FIGURES_FIXTURE_H

#include "report/document.h"

/* An object with everything in it; sparse: with as little as it may have. Values follow from n, and differ
 * from figure to figure where their kind has so many. */
json_t *figures_of(rg_object_id id, int n, bool sparse);

/* What stands at a path of keys and indices ("operators.0.site"), or NULL; its number, or NAN. */
json_t *json_at(json_t *o, const char *path);
double number_at(json_t *o, const char *path);

#endif
