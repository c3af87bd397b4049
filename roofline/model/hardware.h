/* Machines that a configuration can be put on without running it: LLM-Viewer's table, CPUs by specification
 * (hardware.def), a machine file of `ridge machine`, or a user's file.
 *
 * The user's file is JSON: {"schema": "ridge.hardware", "version": 1, "name": "...", "bandwidth_gbps": 51.2}
 * and, where known, "fp32_gflops", "fp16_gflops", "bf16_gflops", "int8_gops", "memory_bytes", "onchip_bytes",
 * "link_gbps", "source": "...", "caches": [{"bytes": ..., "gbps": ...}], small to large, both summed over the
 * cores. Missing or null: unknown. */
#ifndef RG_HARDWARE_H
#define RG_HARDWARE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arith.h"
#include "base/status.h"
#include "ops/rec.h"
#include "roofline/measure/machine.h"
#include "roofline/model/llm_viewer.h"
#include "roofline/model/predict.h"

enum { RG_HW_LEVELS = 8 };

typedef struct rg_hw_level {
    int64_t bytes; /* summed over the cores */
    double gbps;   /* 0: unknown; charged at the next level's rate */
} rg_hw_level;

typedef struct rg_hardware {
    char name[96];
    char source[400];
    bool accelerator;            /* of LLM-Viewer's table: 16-bit activations, FP16 peak */
    double bandwidth;            /* main memory, bytes/s; 0: unknown, as everywhere here */
    double peak[RG_ARITH_COUNT]; /* op/s of all cores by class */
    double onchip, memory;       /* bytes */
    double link;                 /* bytes/s to another device of the same kind */
    int cores, e_cores, channels, mts;
    double ghz_base, ghz_max, e_ghz_max;
    int n_levels;
    rg_hw_level level[RG_HW_LEVELS]; /* caches, rising */
    /* borrowed: measured roofs replace bandwidth, peak and level */
    const rg_machine *machine;
} rg_hardware;

extern const char *const rg_hw_names[]; /* of hardware.def, ended by NULL */

/* By name; NULL words: the message has the nearest names. RG_E_USAGE. */
rg_status rg_hw_find(rg_hardware *h, const char *name, rg_err *err);
/* A user's file or a machine file (kept in *machine, to which h points). */
rg_status rg_hw_load(rg_hardware *h, rg_machine *machine, const char *path, rg_err *err);
/* Measured roofs; m is borrowed. */
void rg_hw_from_machine(rg_hardware *h, const rg_machine *m);

/* Peak of a class at the level of its kernels here, op/s; NAN: unknown. *name: what it is called. */
double rg_hw_peak(const rg_hardware *h, rg_arith arith, const char **name);
/* The roof of operands of that precision: of the fastest class that takes them. */
rg_arith rg_hw_best(const rg_hardware *h, const rg_arith *from, int n);
/* Bandwidth for a working set, bytes/s; NAN: unknown. */
double rg_hw_bandwidth(const rg_hardware *h, int64_t footprint);
/* Ideal time of a call, as by rg_predict. ops: operations of the class. */
rg_ideal rg_hw_predict(
    const rg_hardware *h, const rg_tally *a, rg_arith arith, rg_kernel_kind kernel, int64_t streamed);

/* What LLM-Viewer's formulas need. FP16: the fastest class of 16-bit operands, else FP32. *fp16: its name. */
rg_lv_hardware rg_hw_llm_viewer(const rg_hardware *h, const char **fp16);

#endif
