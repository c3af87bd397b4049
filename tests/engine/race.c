/* race planted|mended: threads of a team read what their neighbour wrote, without a barrier or with one.
 * ThreadSanitizer must report the first and not the second. */
#include "testing.h"

#include "exec/team.h"

enum { THREADS = 4 };

static struct {
    int wrote[THREADS], read[THREADS];
    bool barrier;
} shared;

static void pass_on(rg_ctx *cx, void *arg)
{
    (void)arg;
    shared.wrote[cx->tid] = cx->tid + 1;
    if (shared.barrier) rg_barrier(cx);
    shared.read[cx->tid] = shared.wrote[(cx->tid + 1) % cx->nt];
}

int main(int argc, char **argv)
{
    rg_ktab k = {0};
    rg_team *t;
    rg_err err;
    if (rg_team_open(&t, THREADS, NULL, &k, 64, 1 << 20, &err) != RG_OK) return 1;
    shared.barrier = argc > 1 && strcmp(argv[1], "mended") == 0;
    for (int i = 0; i < 100; i++) rg_team_run(t, pass_on, NULL, NULL, NULL, 0);
    rg_team_close(t);
    return 0;
}
