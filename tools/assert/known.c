/* The metrics that a report can have, before there is one: the numbers of its objects in figures.def, named
 * as metrics.c names those of a report. */
#include <string.h>

#include "base/text.h"
#include "ops/sites.h"
#include "report/figures.h"
#include "tools/assert/metrics.h"

typedef struct teller {
    rg_metric_fn *fn;
    void *user;
} teller;

static void tell(const teller *t, const char *prefix, const char *middle, const char *key)
{
    t->fn(t->user,
        RG_TEXT(160, "%s%s%s%s%s", prefix, *prefix ? "." : "", middle ? middle : "", middle ? "." : "", key));
}

static void each(const teller *t, const char *prefix, const char *middle, rg_object_id object)
{
    const rg_object *o = &rg_objects[object];
    for (int i = 0; i < o->n; i++)
        if (rg_fig_number(&o->fig[i])) tell(t, prefix, middle, o->fig[i].key);
}

static void of_score(const teller *t)
{
    each(t, "", NULL, RG_OBJ_score);
    each(t, "kld", NULL, RG_OBJ_spread);
    each(t, "dp", NULL, RG_OBJ_spread);
}

static void of_results(const teller *t)
{
    static const char *const under[] = {"prefill", "decode", "TEST"},
                             *const model[] = {"bits_per_weight_resident", "bits_per_weight_file",
                                 "resident_bytes", "stream_bytes"};
    for (int i = 0; i < 3; i++) {
        tell(t, under[i], NULL, "tokens_per_s");
        each(t, under[i], NULL, RG_OBJ_result);
    }
    for (int i = 0; i < 4; i++) tell(t, "model", NULL, model[i]);
}

void rg_metrics_each(rg_command_id command, rg_metric_fn *fn, void *user)
{
    const teller t = {fn, user};
    for (int ph = 0; ph < RG_PHASE_COUNT; ph++) {
        const char *phase = rg_phase_names[ph];
        if (command == RG_CMD_PROFILE) {
            each(&t, phase, NULL, RG_OBJ_phase);
            for (int s = 0; s < RG_SITE_COUNT; s++) each(&t, phase, rg_site_name((rg_site)s), RG_OBJ_op);
        }
        if (command == RG_CMD_COMPARE) each(&t, phase, NULL, RG_OBJ_side);
    }
    if (command == RG_CMD_PROFILE) each(&t, "model", NULL, RG_OBJ_model);
    if (command == RG_CMD_COMPARE) each(&t, "model", NULL, RG_OBJ_variant);
    if (command == RG_CMD_COMPARE || command == RG_CMD_BENCH) of_results(&t); /* --ablate is a bench */
    if (command == RG_CMD_COMPARE || command == RG_CMD_EVAL) of_score(&t);
    if (command == RG_CMD_EVAL) {
        tell(&t, "speed", NULL, "tokens_per_s");
        each(&t, "model", NULL, RG_OBJ_eval_model);
    }
}
