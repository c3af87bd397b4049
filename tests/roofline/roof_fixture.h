/* A machine, a model and a log whose every number can be worked out on paper. */
#ifndef RG_ROOF_FIXTURE_H
#define RG_ROOF_FIXTURE_H

#include <math.h>

#include "report/report.h"

/* Read 100 GB/s up to 1 MiB, 10 GB/s from 1 GiB, peaks 10 / 100 / 200 GFLOP/s, a barrier of 500 ns. */
rg_machine fixture_machine(void);
/* Two layers of dim 64, ffn 128, 4/2 heads of 16, vocabulary 96. */
rg_model_info fixture_model(void);
rg_run_info fixture_run(void);

/* A prefill call of 8 tokens and three decode calls, with every site; outside operators every call has 1000
 * ns. Close with rg_log_close. */
void fixture_log(rg_log *log);

/* cmocka compares floats only. NAN is near nothing. */
#define assert_near(a, b, eps) \
    do { \
        const double got_ = (a), want_ = (b); \
        if (!(fabs(got_ - want_) <= (eps))) fail_msg(#a " is %.17g, expected %.17g", got_, want_); \
    } while (0)

/* What a printer wrote; the caller frees. */
typedef rg_status fixture_print(FILE *f, const rg_report *const *r, int n, rg_err *err);
char *fixture_text(fixture_print *print, const rg_report *const *r, int n);

#endif
