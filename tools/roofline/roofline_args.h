/* The parts of ridge roofline: the configurations that its options ask for, and what is done with them. */
#ifndef RG_ROOFLINE_ARGS_H
#define RG_ROOFLINE_ARGS_H

#include "report/cost_case.h"
#include "tools/cli/cli.h"

enum { RG_HW_MAX = 16 };

/* -o: the answer first, everything, rows for programs. */
enum { RG_AS_TEXT, RG_AS_MD, RG_AS_CSV, RG_AS_JSON };

typedef struct rg_asked_model {
    rg_config config;
    rg_ckpt *ckpt; /* owns; NULL without weights */
} rg_asked_model;
rg_status rg_asked_model_open(rg_asked_model *m, const rg_cli *cli, rg_err *err);

typedef struct rg_asked_hardware {
    rg_hardware hw[RG_HW_MAX];
    rg_machine *machine; /* owns [RG_HW_MAX]; hw points to them */
    int n;
} rg_asked_hardware;
/* footprint: bytes a forward call streams, for roofs that are measured now. */
rg_status rg_asked_hardware_open(rg_asked_hardware *a, const rg_cli *cli, int64_t footprint, rg_err *err);

/* Every combination of the lists. */
typedef struct rg_asked {
    rg_asked_model model;
    rg_asked_hardware hardware;
    rg_cost_case *k; /* owns; inputs filled, not yet run */
    size_t n;
    int64_t gen;
    rg_cost_print print;
} rg_asked;
/* Legal to close whatever the outcome. */
rg_status rg_asked_open(rg_asked *a, const rg_cli *cli, rg_err *err);
void rg_asked_close(rg_asked *a);

/* Runs the question, and adds what the engine would allocate. */
rg_status rg_asked_run(rg_cost_case *k, int64_t gen, rg_err *err);

/* Answers cli->study from one exact case. text, md: words and a table; csv, json: the cases it is made of. */
rg_status rg_roofline_study(const rg_cli *cli, const rg_asked *a, int format, rg_err *err);
/* Cases as CSV or JSON, and their page and pictures where asked for. */
rg_status rg_cost_show(
    const rg_cost_case *k, size_t n, const rg_cost_print *print, int format, const rg_cli *cli, rg_err *err);

/* The model against a measured grid of models, types, lengths, batches and threads. */
rg_status rg_roofline_validate(const rg_cli *cli, int format, rg_err *err);

#endif
