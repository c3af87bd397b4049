/* Files that appear whole or not at all: written under a temporary name beside the target and renamed at the end. */
#ifndef RG_OUTFILE_H
#define RG_OUTFILE_H

#include <stdio.h>

#include "base/status.h"

typedef struct rg_outfile {
    FILE *f; /* write here; borrowed until commit or abort */
    char *path, *tmp;
} rg_outfile;

rg_status rg_outfile_open(rg_outfile *o, const char *path, rg_err *err);
/* Flushes, syncs, renames. On failure the temporary file is gone and the old file, if any, untouched. */
rg_status rg_outfile_commit(rg_outfile *o, rg_err *err);
/* Removes the temporary file. Legal on a zeroed or committed struct. */
void rg_outfile_abort(rg_outfile *o);

#endif
