/* Example: reads Ridge's own counters through PAPI, as a profiler would, around a prefill and some decode
 * calls.
 *
 *     ridge-read-sde MODEL PROMPT_TOKENS GENERATED_TOKENS [THREADS]
 *
 * Prints "name value" for every event sde:::ridge::<name>, counted between PAPI_start and PAPI_stop.
 * rg_sde_export registers callbacks; the program that reads links libpapi. */
#include <papi.h>
#include <stdio.h>
#include <stdlib.h>

#include "ridge/engine.h"
#include "roofline/count/sde.h"
#include "weights/ckpt.h"

enum { MOST = 16 };

static int fail(const char *what, const char *why)
{
    fprintf(stderr, "ridge-read-sde: %s: %s\n", what, why);
    return 1;
}

static rg_status work(rg_session *s, int64_t prompt, int64_t gen, rg_err *err)
{
    int32_t *id = malloc(prompt * sizeof *id);
    if (!id) return rg_fail(err, RG_E_NOMEM, "out of memory");
    for (int64_t i = 0; i < prompt; i++) id[i] = (int32_t)(i % 50 + 3);
    rg_session_truncate(s, 0, 0);
    rg_status st = rg_session_eval(s, &(rg_batch){.n = prompt, .token = id}, RG_PREFILL, NULL, err);
    for (int64_t i = 0; i < gen && !st; i++)
        st = rg_session_eval(s, &(rg_batch){.n = 1, .token = id}, RG_DECODE, NULL, err);
    free(id);
    return st;
}

int main(int argc, char **argv)
{
    const int64_t prompt = argc > 2 ? atoll(argv[2]) : 0, gen = argc > 3 ? atoll(argv[3]) : 0;
    if (argc < 4 || prompt < 1 || gen < 0)
        return fail("usage", "ridge-read-sde MODEL PROMPT_TOKENS GENERATED_TOKENS [THREADS]");
    rg_err err;
    rg_ckpt *c = NULL;
    rg_engine *e = NULL;
    rg_session *s = NULL;
    if (!rg_sde_export(rg_process_totals))
        return fail("software-defined events", "built without libsde, or it refused");
    const rg_engine_opts eo = {.dtype = -1, .isa_cap = RG_ISA_COUNT, .threads = argc > 4 ? atoi(argv[4]) : 1};
    rg_session_opts so = {.ctx = prompt + gen};
    if (rg_ckpt_open(&c, argv[1], &err) || rg_engine_open(&e, c, &eo, &err)) return fail(argv[1], err.msg);
    so.kv_k = so.kv_v = rg_default_kv(c, &eo);
    if (rg_session_open(&s, e, &so, &err)) return fail(argv[1], err.msg);

    int set = PAPI_NULL, n = 0;
    long long value[MOST] = {0};
    const char *name[MOST];
    if (PAPI_library_init(PAPI_VER_CURRENT) != PAPI_VER_CURRENT || PAPI_create_eventset(&set) != PAPI_OK)
        return fail("PAPI", "does not start");
    for (; n < MOST - 1 && rg_sde_name(n); n++) name[n] = rg_sde_name(n);
    name[n++] = "bytes_total"; /* a group: libsde adds its members up */
    for (int i = 0; i < n; i++) {
        char event[96];
        snprintf(event, sizeof event, "sde:::ridge::%s", name[i]);
        const int rc = PAPI_add_named_event(set, event);
        if (rc != PAPI_OK) return fail(event, PAPI_strerror(rc));
    }
    /* before PAPI_start: not counted */
    if (work(s, prompt, gen, &err)) return fail("warm-up", err.msg);
    if (PAPI_start(set) != PAPI_OK) return fail("PAPI", "does not start the events");
    if (work(s, prompt, gen, &err)) return fail("run", err.msg);
    if (PAPI_stop(set, value) != PAPI_OK) return fail("PAPI", "does not read the events");
    for (int i = 0; i < n; i++) printf("%s %lld\n", name[i], value[i]);

    PAPI_cleanup_eventset(set);
    PAPI_destroy_eventset(&set);
    rg_session_close(s);
    rg_engine_close(e);
    rg_ckpt_close(c);
    return 0;
}
