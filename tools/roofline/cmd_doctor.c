/* ridge doctor: what can be measured here, what cannot, why, and the command that would mend it. */
#include "report/report.h"
#include "roofline/count/counters.h"
#include "roofline/count/sde.h"
#include "tools/cli/cli.h"

#ifdef RIDGE_HAVE_OPENMP
#define OPENMP_VERSION "built in"
#else
#define OPENMP_VERSION NULL
#endif
#ifdef RIDGE_HAVE_BLAS
#define BLAS_VERSION "built in (--kernel blas)"
#else
#define BLAS_VERSION NULL
#endif

rg_status rg_cmd_DOCTOR(const rg_cli *cli, rg_err *err)
{
    const int format = rg_cli_choice("-o", cli->output, RG_WORDS("text", "md", "json"), err);
    if (rg_cli_no_args(cli, err) || format < 0) return RG_E_USAGE;
    char papi[96];
    const rg_doctor_lib libs[] = {
        {"PAPI", rg_counters_library(papi, sizeof papi), "no hardware counters per operator",
            "sudo apt-get install libpapi-dev && cmake --preset release -DRIDGE_PAPI=ON"},
        {"libsde", rg_sde_built() ? "events sde:::ridge::..." : NULL,
            "other PAPI tools (TAU, HPCToolkit) cannot read Ridge's counters",
            "sudo apt-get install libpapi-dev libsde1 && cmake --preset release -DRIDGE_SDE=ON"},
        {"OpenMP", OPENMP_VERSION, "one thread only",
            "cmake --preset release -DRIDGE_OPENMP=ON   (clang: sudo apt-get install libomp-dev)"},
        {"OpenBLAS", BLAS_VERSION, "no --kernel blas to compare prefill with",
            "sudo apt-get install libopenblas-openmp-dev && cmake --preset release -DRIDGE_BLAS=ON"},
    };
    rg_host host;
    rg_doctor d;
    rg_host_here(&host);
    rg_doctor_examine(&d, &host, libs, sizeof libs / sizeof *libs);
    const rg_screen s = rg_screen_of(stdout, cli->wide);
    return format == 0 ? rg_doctor_text(&s, &d, err)
        : format == 1  ? rg_doctor_md(stdout, &d, err)
                       : rg_doctor_json(stdout, &d, err);
}
