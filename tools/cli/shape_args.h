/* --shape NAME or --dims LIST, for commands that make or model a configuration without a checkpoint. */
#ifndef RG_SHAPE_ARGS_H
#define RG_SHAPE_ARGS_H

#include "base/config.h"
#include "tools/cli/cli.h"

/* Exactly one of the two must be given. */
rg_status rg_shape_args(rg_config *c, const rg_cli *cli, rg_err *err);

#endif
