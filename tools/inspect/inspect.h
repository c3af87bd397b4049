/* What ridge inspect knows of a checkpoint, for its views. */
#ifndef RG_INSPECT_H
#define RG_INSPECT_H

#include <jansson.h>

#include "base/text.h"
#include "report/screen.h"
#include "tools/cli/cli.h"
#include "tools/inspect/fit_table.h"

/* One tensor, or those of one site and type of all layers. */
typedef struct rg_inspect_line {
    const rg_ckpt_tensor *t; /* the first */
    char name[64], type[32], resident[32];
    const char *rounding;
    int64_t count;
    uint64_t file_bytes, resident_bytes;
} rg_inspect_line;

typedef struct rg_inspection {
    const rg_cli *cli;
    rg_ckpt *ckpt;
    const rg_config *cfg;
    rg_engine_opts eo;
    uint64_t tensor_bytes, resident_bytes, params;
    rg_memory_plan plan;
    rg_session_opts so;
    rg_status fits;
    rg_err fit_err;
    rg_fit fit;
} rg_inspection;

/* The line that begins at tensor i; false: it belongs to an earlier line. */
bool rg_inspect_take(const rg_inspection *x, size_t i, rg_inspect_line *l);
/* Cache bytes of one token; 0: the head size does not divide into blocks. */
int64_t rg_inspect_kv(const rg_config *c, rg_kvtype t);

/* The scaling of RoPE; what else the model has beyond a plain Llama, a phrase each; all of it as members
 * of an object. */
const char *rg_inspect_rope(char *buf, size_t n, const rg_inspection *x);
void rg_inspect_beyond(rg_lines *out, const rg_config *c);
void rg_inspect_beyond_json(json_t *o, const rg_config *c);

/* Everything, and the answer first. */
void rg_inspect_md(const rg_inspection *x);
rg_status rg_inspect_text(const rg_screen *s, const rg_inspection *x, rg_err *err);

#endif
