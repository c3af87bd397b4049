/* The model held against measurement: a grid of models, types, lengths, batches and threads is run on this
 * machine. */
#ifndef RG_ROOFLINE_VALIDATE_H
#define RG_ROOFLINE_VALIDATE_H

#include "tools/cli/cli.h"

rg_status rg_roofline_validate(const rg_cli *cli, int format, rg_err *err);

#endif
