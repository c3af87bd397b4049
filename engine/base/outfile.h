/* Files that appear whole or not at all: written under a temporary name beside the target and renamed at the
 * end. A symbolic link stays, and the file behind it is replaced, with its mode kept. What is not a regular
 * file (a device, a pipe), and the file that the program prints into, is written to instead: renaming over it
 * would take it away from everybody. */
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
/* What open would refuse for want of a folder or of permission, without touching anything: to say so before
 * the work is done. */
rg_status rg_outfile_try(const char *path, rg_err *err);
/* Flushes, syncs, renames. On failure the temporary file is gone and the old file, if any, untouched. */
rg_status rg_outfile_commit(rg_outfile *o, rg_err *err);
/* Removes the temporary file. Legal on a zeroed or committed struct. */
void rg_outfile_abort(rg_outfile *o);
/* Removes the temporary files of all open outputs; async-signal-safe, for handlers that end the process. */
void rg_outfile_unlink_pending(void);

#endif
