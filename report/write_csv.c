/* A row per operator, a column per figure. Unknown numbers are empty; texts are quoted. */
#include <math.h>
#include <string.h>

#include "report/csv.h"
#include "report/report.h"
#include "report/table.h"

rg_status rg_profile_csv(FILE *f, const rg_reports *s, rg_err *err)
{
    rg_leaf leaf[RG_MOST_LEAVES];
    const int n = rg_leaves(leaf, RG_OBJ_op, "", false);
    fputs("model,dtype,", f);
    rg_csv_head(f, leaf, n);
    for (size_t i = 0; i < RG_MAX_CTR; i++) { /* a fixed number of columns, whatever the machine can count */
        const char *name =
            s->n > 0 ? json_string_value(json_array_get(s->run[0].d->machine.pmu.events, i)) : NULL;
        if (name)
            fprintf(f, ",pmu_%s", name);
        else
            fprintf(f, ",pmu_%zu", i);
    }
    fputc('\n', f);
    for (size_t k = 0; k < s->n; k++) {
        const rg_doc_profile *d = s->run[k].d;
        for (size_t i = 0; i < d->n_ops; i++) {
            rg_csv_text(f, d->model.name);
            fputc(',', f);
            rg_csv_text(f, d->model.dtype);
            fputc(',', f);
            rg_csv_row(f, leaf, n, &d->ops[i]);
            for (size_t c = 0; c < RG_MAX_CTR; c++) {
                const char *name = json_string_value(json_array_get(d->machine.pmu.events, c));
                const json_t *v = name ? json_object_get(d->ops[i].pmu, name) : NULL;
                fputc(',', f);
                if (json_is_number(v)) fprintf(f, "%.0f", json_number_value(v));
            }
            fputc('\n', f);
        }
    }
    return rg_written(f, "report", false, err);
}
