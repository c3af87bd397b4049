/* Pictures that runs and analytic answers share: times of both phases, bytes by part of the model. */
#ifndef RG_BARS_H
#define RG_BARS_H

#include "report/svg/axis.h"
#include "report/svg/roof_plot.h"

/* ---- stages ---- */

typedef struct rg_stage {
    char name[160], attrs[64]; /* name: "" in a further bar of the same; attrs: of its group */
    const char *kind;          /* "analytic", "measured" */
    double ns[RG_PHASE_COUNT], tokens[RG_PHASE_COUNT]; /* NAN: unknown */
    bool ran[RG_PHASE_COUNT], analytic, last;          /* last: of those with its name */
} rg_stage;

rg_status rg_picture_stage_bars(
    FILE *f, const char *sub, const rg_stage *b, size_t n, const char *legend, bool embedded, rg_err *err);

/* ---- bytes ---- */

enum {
    RG_BYTE_PARTS = 4,
    RG_BYTE_KINDS = 3
}; /* attention, FFN, output, the rest; weights, activations, KV */

/* Of one forward call. */
typedef struct rg_part_bytes {
    double analytic[RG_PHASE_COUNT][RG_BYTE_PARTS][RG_BYTE_KINDS],
        counted[RG_PHASE_COUNT][RG_BYTE_PARTS][RG_BYTE_KINDS]; /* 0: none, or nothing ran */
    double tokens[RG_PHASE_COUNT];                             /* of a call; 0: the phase did not run */
    double least, most;                                        /* what the axes hold */
} rg_part_bytes;

/* Where a group of operators is counted, a bit per part of the model. */
int rg_byte_part(rg_opgroup g);
/* Widens least and most by the bytes of another. */
void rg_part_bytes_reach(rg_part_bytes *b, const rg_part_bytes *other);
rg_status rg_picture_part_bytes(FILE *f, const char *sub, const rg_part_bytes *b, bool embedded, rg_err *err);

#endif
