/* --assert: what profile, bench, compare and eval promise a build machine. */
#ifndef RG_JUDGE_H
#define RG_JUDGE_H

#include <jansson.h>

#include "tools/cli/cli.h"

/* Before the work: the syntax and the names of every assertion, and that the baseline can be read. */
rg_status rg_judge_check(const rg_cli *cli, rg_err *err);
/* Of bench: that a test which an assertion names is one of the n of the run (pp512, tg128 @ d64 ...). */
rg_status rg_judge_tests(const rg_cli *cli, const char *const *tests, int n, rg_err *err);
/* --assert help: prints the list, instead of any work. */
bool rg_judge_help(const rg_cli *cli);
bool rg_judge_wanted(const rg_cli *cli);

/* Judges the JSON of the command: results on stderr, --junit, --summary. RG_E_ASSERT: one fails; RG_E_NOISY:
 * none does, but one cannot be told. */
rg_status rg_judge(const rg_cli *cli, const json_t *report, rg_err *err);

#endif
