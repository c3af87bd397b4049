/* A machine, a model and a log whose every number can be worked out on paper. */
#ifndef RG_ROOF_FIXTURE_H
#define RG_ROOF_FIXTURE_H

#include "report/report.h"

/* Read 100 GB/s up to 1 MiB, 10 GB/s from 1 GiB, peaks 10 / 100 / 200 GFLOP/s, a barrier of 500 ns. */
rg_machine fixture_machine(void);
/* Two layers of dim 64, ffn 128, 4/2 heads of 16, vocabulary 96. */
rg_model_info fixture_model(void);
rg_run_info fixture_run(void);

/* A prefill call of 8 tokens and three decode calls, with every site; outside operators every call has 1000
 * ns. Close with rg_log_close. */
void fixture_log(rg_log *log);

/* The same with 16 experts of 64, of which a token goes to two: as wide as the one network. */
rg_model_info fixture_mixture(void);
/* A prefill call of 8 tokens, three steps of so many sequences; of a mixture all tokens go to the same
 * experts in the first layer, to others each in the second. */
void fixture_log_of(rg_log *log, const rg_config *c, int64_t batch);

/* The document of runs of one session, opened; reports stay the caller's. Close with rg_reports_close. */
rg_reports fixture_reports(const rg_report *const *r, int n);

/* One run as JSON, for an edit; and such JSON opened, which gives the reference back. */
json_t *fixture_run_json(void);
rg_reports fixture_open(json_t *run);
void fixture_add(rg_reports *s, json_t *run);

/* What a view of their document wrote; the caller frees. */
typedef rg_status fixture_view(FILE *f, const rg_reports *s, rg_err *err);
char *fixture_show(fixture_view *view, const rg_reports *s);
char *fixture_text(fixture_view *view, const rg_report *const *r, int n);
fixture_view fixture_json; /* as `-o json` */

#endif
