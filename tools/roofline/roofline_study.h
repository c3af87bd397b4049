/* Studies of ridge roofline: questions answered by several exact cases. */
#ifndef RG_ROOFLINE_STUDY_H
#define RG_ROOFLINE_STUDY_H

#include "tools/roofline/roofline_args.h"

/* Answers cli->study from the one exact case that was asked for. md: a table with words; csv and json: the
 * cases it is made of. */
rg_status rg_roofline_study(const rg_cli *cli, const rg_asked *a, int format, rg_err *err);

#endif
