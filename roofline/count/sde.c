/* The only file that knows <sde_lib.h>. Events are callbacks: they cost nothing until somebody reads. */
#include "roofline/count/sde.h"

#include <stddef.h>
#include <stdint.h>

static const char *const names[] = {
#define RG_SDE(name, value, text) name,
#include "roofline/count/sde.def"
};
enum { EVENTS = sizeof names / sizeof *names };

const char *rg_sde_name(int i) { return i >= 0 && i < EVENTS ? names[i] : NULL; }

#ifdef RIDGE_HAVE_SDE
#include <sde_lib.h>

static void (*read_totals)(rg_totals *out);

static long long value_of(void *param)
{
    rg_totals t;
    read_totals(&t);
    const uint64_t v[] = {
#define RG_SDE(name, value, text) value,
#include "roofline/count/sde.def"
    };
    return (long long)v[(uintptr_t)param];
}

bool rg_sde_built(void) { return true; }

bool rg_sde_export(void (*totals)(rg_totals *out))
{
    static const char *const texts[] = {
#define RG_SDE(name, value, text) text,
#include "roofline/count/sde.def"
    };
    static const struct {
        const char *sum, *part;
    } sums[] = {
#define RG_SDE_SUM(name, part) {name, part},
#include "roofline/count/sde.def"
    };
    if (read_totals) return true;
    papi_handle_t h = papi_sde_init("ridge");
    if (!h) return false;
    read_totals = totals;
    bool ok = true;
    for (uintptr_t i = 0; i < EVENTS; i++) {
        ok &= papi_sde_register_counter_cb(h, names[i], PAPI_SDE_RO | PAPI_SDE_DELTA, PAPI_SDE_long_long,
                  value_of, (void *)i) == SDE_OK;
        ok &= papi_sde_describe_counter(h, names[i], texts[i]) == SDE_OK;
    }
    for (size_t i = 0; i < sizeof sums / sizeof *sums; i++)
        ok &= papi_sde_add_counter_to_group(h, sums[i].part, sums[i].sum, PAPI_SDE_SUM) == SDE_OK;
    return ok;
}

#else

bool rg_sde_built(void) { return false; }

bool rg_sde_export(void (*totals)(rg_totals *out))
{
    (void)totals;
    return false;
}

#endif
