/* A profiler in miniature, to preload: starts PAPI before main, when Ridge has registered nothing yet, and
 * reads its software-defined events when the program ends. Writes "name value" lines to $SDE_SPY_OUT. */
#include <papi.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const events[] = {
    "prefill_tokens", "decode_tokens", "forward_calls", "flop", "weight_bytes_read", "kv_bytes_written"};
enum { EVENTS = sizeof events / sizeof *events };
static int set = PAPI_NULL, started;

__attribute__((constructor)) static void begin(void)
{
    char name[96];
    if (PAPI_library_init(PAPI_VER_CURRENT) != PAPI_VER_CURRENT || PAPI_create_eventset(&set) != PAPI_OK)
        return;
    for (int i = 0; i < EVENTS; i++) {
        snprintf(name, sizeof name, "sde:::ridge::%s", events[i]);
        if (PAPI_add_named_event(set, name) != PAPI_OK) return;
    }
    started = PAPI_start(set) == PAPI_OK;
}

__attribute__((destructor)) static void end(void)
{
    long long v[EVENTS];
    const char *path = getenv("SDE_SPY_OUT");
    FILE *f = path && started && PAPI_stop(set, v) == PAPI_OK ? fopen(path, "w") : NULL;
    for (int i = 0; f && i < EVENTS; i++) fprintf(f, "%s %lld\n", events[i], v[i]);
    if (f) fclose(f);
}
