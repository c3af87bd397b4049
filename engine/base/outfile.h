/* Files that appear whole or not at all: written under a temporary name beside the target, then renamed.
 * Behind a symbolic link the file is replaced, with its mode. Devices, pipes and the file that the program
 * prints into are written to instead: renaming would take them from everybody. */
#ifndef RG_OUTFILE_H
#define RG_OUTFILE_H

#include <stdbool.h>
#include <stdio.h>

#include "base/status.h"

typedef struct rg_outfile {
    FILE *f;          /* write here; borrowed until commit or abort */
    char *path, *tmp; /* tmp: NULL where it is written in place */
} rg_outfile;

rg_status rg_outfile_open(rg_outfile *o, const char *path, rg_err *err);
/* Says before the work is done what open would refuse: opens, and leaves everything as it was. */
rg_status rg_outfile_try(const char *path, rg_err *err);
/* Flushes, syncs, renames. On failure the temporary file is gone and the old file, if any, untouched. */
rg_status rg_outfile_commit(rg_outfile *o, rg_err *err);
/* Removes the temporary file. Legal on a zeroed or committed struct. */
void rg_outfile_abort(rg_outfile *o);
/* Removes the temporary files of all open outputs; async-signal-safe. */
void rg_outfile_unlink_pending(void);

#endif
