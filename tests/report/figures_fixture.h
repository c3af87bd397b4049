/* Objects of documents made from their own tables. */
#ifndef RG_FIGURES_FIXTURE_H
#define RG_FIGURES_FIXTURE_H

#include "report/document.h"

/* An object with everything in it; sparse: with as little as it may have. Values follow from n, and differ from figure
 * to figure where their kind has so many. */
json_t *figures_of(rg_object_id id, int n, bool sparse);

#endif
