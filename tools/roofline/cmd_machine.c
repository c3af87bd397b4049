/* ridge machine: the roofs, measured with the threads and cores of a run, printed and kept for later runs. */
#include "base/outfile.h"
#include "report/report.h"
#include "report/svg/pictures.h"
#include "ridge/latency.h"
#include "ridge/topo.h"
#include "tools/cli/cli.h"

static rg_status keep(rg_machine *m, const rg_cli *cli, rg_err *err)
{
    char path[1024];
    if (cli->save) return rg_machine_save(m, cli->save, err);
    if (cli->no_save) return RG_OK;
    rg_machine_cache_path(path, sizeof path, m->threads);
    rg_err why;
    if (!path[0])
        fprintf(stderr, "ridge machine: not kept: there is no home directory (use --save FILE)\n");
    else if (rg_machine_keep(m, path, &why))
        fprintf(stderr, "ridge machine: not kept: %s\n", why.msg);
    else
        fprintf(stderr, "ridge machine: kept in %s%s\n", path,
            m->noisy ? ", noisy: runs raise its roofs where they find better ones" : "");
    return RG_OK;
}

static rg_status draw(const rg_machine *m, const char *path, rg_err *err)
{
    rg_outfile o = {0};
    rg_status st = rg_outfile_open(&o, path, err);
    if (!st) st = rg_picture_machine(o.f, m, false, err);
    if (!st) st = rg_outfile_commit(&o, err);
    rg_outfile_abort(&o);
    return st;
}

/* Without OpenMP there is no team of more than one, and its figures stay unknown. */
static rg_status team_latencies(rg_machine *m, int threads, const int *cpus, rg_err *err)
{
    rg_latency l;
    const rg_status st = rg_latency_measure(&l, threads, cpus, err);
    if (st == RG_E_UNSUPPORTED) return RG_OK;
    if (st) return st;
    m->region_ns = (rg_measured){l.region_ns, l.region_spread};
    m->record_ns = (rg_measured){l.record_ns, l.record_spread};
    return RG_OK;
}

rg_status rg_cmd_MACHINE(const rg_cli *cli, rg_err *err)
{
    const int format = rg_cli_choice("-o", cli->output, RG_WORDS("text", "md", "json"), err),
              pin = format < 0 ? -1 : rg_cli_choice("--pin", cli->pin, RG_WORDS("on", "off"), err);
    rg_status st = rg_cli_no_args(cli, err);
    if (format < 0 || pin < 0) return RG_E_USAGE;
    if (!st) st = rg_threads_check(cli, cli->threads, err);
    if (!st && cli->save && cli->no_save) st = rg_fail(err, RG_E_USAGE, "--save and --no-save: one of them");
    if (st) return st;

    rg_topo topo;
    rg_machine m;
    rg_progress p = {0};
    rg_topo_read(&topo);
    const int *cpus, threads = rg_topo_place(&topo, (int)cli->threads, pin == 0, &cpus);
    st = rg_machine_measure(&m, threads, cpus, 0, cli->quick, rg_progress_draw, &p, &rg_stop, err);
    rg_progress_clear(&p);
    /* last: the waiting threads of a team would disturb the rest */
    if (!st) st = team_latencies(&m, threads, cpus, err);
    const rg_screen s = rg_screen_of(stdout, cli->wide);
    if (!st)
        st = format == 0  ? rg_machine_text(&s, &m, err)
            : format == 1 ? rg_machine_md(stdout, &m, err)
                          : rg_machine_json(stdout, &m, err);
    if (!st && cli->svg) st = draw(&m, cli->svg, err);
    if (!st) st = keep(&m, cli, err);
    return st;
}
