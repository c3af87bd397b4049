/* The status line of a run, on the last row of the terminal. */
#include "tools/run/live.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "roofline/measure/machine.h"
#include "tools/cli/cli.h"

enum { EVERY_NS = 200000000 };

double rg_live_roof(int threads, uint64_t bytes)
{
    char path[1024];
    rg_machine m;
    rg_err err;
    rg_machine_cache_path(path, sizeof path, threads);
    if (!*path || rg_machine_load(&m, path, &err) || m.threads != threads) return 0.0;
    return rg_machine_bw(&m, bytes);
}

/* Text scrolls above the last row, which is ours. */
static void claim(rg_live *l)
{
    struct winsize w;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &w) != 0 || w.ws_row < 4 || w.ws_col < 20) return;
    if (l->on && w.ws_row == l->rows && w.ws_col == l->cols) return;
    l->rows = w.ws_row;
    l->cols = w.ws_col;
    l->on = true;
    rg_terminal_dirty = 1;
    /* a line break first, so that the cursor is not on the row that is taken away */
    fprintf(stderr, "\n\033[1A\0337\033[1;%dr\0338", l->rows - 1);
    fflush(stderr);
}

void rg_live_open(rg_live *l, const rg_engine *e, double roof_gbps)
{
    rg_engine_info i;
    const char *term = getenv("TERM");
    *l = (rg_live){.roof_gbps = roof_gbps};
    if (!isatty(STDOUT_FILENO) || !isatty(STDERR_FILENO) || !term || !*term || strcmp(term, "dumb") == 0)
        return;
    rg_engine_get_info(e, &i);
    l->what = rg_wtypes[i.dtype].name;
    fflush(stdout);
    claim(l);
}

static void paint(rg_live *l, int64_t n_ctx, int64_t ctx)
{
    char text[256];
    snprintf(text, sizeof text, " %s%scontext %lld/%lld | %s ", l->speed, *l->speed ? " | " : "",
        (long long)n_ctx, (long long)ctx, l->what);
    claim(l);
    fflush(stdout);
    fprintf(stderr, "\0337\033[%d;1H\033[2K\033[7m%.*s\033[0m\0338", l->rows, l->cols - 1, text);
    fflush(stderr);
}

/* Begins a new window. */
static void draw(rg_live *l, int64_t tokens, uint64_t bytes, uint64_t ns, int64_t n_ctx, int64_t ctx)
{
    char roof[64];
    const double gbps = (double)bytes / (double)ns;
    l->window_ns = l->window_bytes = 0;
    l->window_tokens = 0;
    if (l->roof_gbps > 0.0)
        snprintf(roof, sizeof roof, "%.0f %% of %.3g GB/s", 100.0 * gbps / l->roof_gbps, l->roof_gbps);
    else
        snprintf(roof, sizeof roof, "roof n/a (ridge machine)");
    snprintf(l->speed, sizeof l->speed, "%.1f tok/s | %.3g GB/s counted | %s",
        (double)tokens * 1e9 / (double)ns, gbps, roof);
    paint(l, n_ctx, ctx);
}

void rg_live_step(rg_live *l, const rg_log *log, uint64_t t_ns, int64_t n_ctx, int64_t ctx)
{
    if (!l->on) return;
    uint64_t bytes = 0;
    for (size_t i = 0; i < log->n; i++) bytes += rg_tally_bytes(&log->rec[i].tally);
    l->window_bytes += bytes;
    l->window_ns += t_ns;
    l->window_tokens++;
    l->all_bytes += bytes;
    l->all_ns += t_ns;
    l->all_tokens++;
    const uint64_t now = rg_now_ns();
    if (now - l->drawn_ns < EVERY_NS || l->window_ns == 0) return;
    draw(l, l->window_tokens, l->window_bytes, l->window_ns, n_ctx, ctx);
    l->drawn_ns = now;
}

void rg_live_rest(rg_live *l, int64_t n_ctx, int64_t ctx)
{
    if (!l->on || l->all_ns == 0) return;
    draw(l, l->all_tokens, l->all_bytes, l->all_ns, n_ctx, ctx);
    l->all_ns = l->all_bytes = 0;
    l->all_tokens = 0;
}

void rg_live_context(rg_live *l, int64_t n_ctx, int64_t ctx)
{
    if (l->on) paint(l, n_ctx, ctx);
}

void rg_live_close(rg_live *l)
{
    if (!l->on) return;
    fflush(stdout);
    fprintf(stderr, "\0337\033[r\033[%d;1H\033[2K\0338", l->rows);
    fflush(stderr);
    rg_terminal_dirty = 0;
    *l = (rg_live){0};
}
