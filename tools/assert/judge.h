/* --assert: what profile, bench, compare and eval promise a build machine. */
#ifndef RG_JUDGE_H
#define RG_JUDGE_H

#include <jansson.h>

#include "tools/cli/cli.h"

/* Before the work: the syntax of every assertion, and that the baseline can be read. */
rg_status rg_judge_check(const rg_cli *cli, rg_err *err);
/* `--assert help` was asked: print the list instead of working. */
bool rg_judge_wants_help(const rg_cli *cli);
rg_status rg_judge_help(void);
bool rg_judge_wanted(const rg_cli *cli);

/* Judges the report (the JSON of the command), says each result on stderr, writes --junit and --summary.
 * RG_E_ASSERT if an assertion fails, RG_E_NOISY if none fails but one cannot be told. */
rg_status rg_judge(const rg_cli *cli, const json_t *report, rg_err *err);

#endif
