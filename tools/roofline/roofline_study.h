/* Studies of ridge roofline: questions answered by several exact cases. */
#ifndef RG_ROOFLINE_STUDY_H
#define RG_ROOFLINE_STUDY_H

#include "tools/roofline/roofline_args.h"

/* Answers cli->study from the one exact case that was asked for. md: a table with words; csv and json: the
 * cases it is made of. */
rg_status rg_roofline_study(const rg_cli *cli, const rg_asked *a, int format, rg_err *err);

/* Cases as CSV (format 1) or JSON (2), and their page and pictures where the command line asks for them. */
rg_status rg_cost_show(
    const rg_cost_case *k, size_t n, const rg_cost_print *print, int format, const rg_cli *cli, rg_err *err);

#endif
