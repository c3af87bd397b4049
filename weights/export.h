/* Writers of quantised checkpoints: compressed-tensors (HF directory, pack-quantized) and GGUF (Q4_0, Q4_1,
 * Q8_0). They appear whole or not at all. */
#ifndef RG_EXPORT_H
#define RG_EXPORT_H

#include "base/qtensor.h"
#include "weights/ckpt.h"

typedef enum rg_export_format { RG_EXPORT_PACKED, RG_EXPORT_GGUF } rg_export_format;

typedef struct rg_export_tensor {
    rg_site site;
    int layer;  /* -1 outside layers */
    int expert; /* which of the matrices of a site, all of which are put one after the other */
    int64_t rows, cols;
    bool quantised; /* else as in the source, or as f32 rows in the source's type */
} rg_export_tensor;

typedef struct rg_export rg_export;

/* source: gives configuration, unquantised tensors and tokenizer; borrowed until close. t[n]: what will be
 * put, in order. untie: the output matrix is a tensor of its own, not the source's embedding.
 * RG_E_UNSUPPORTED: the format cannot hold it. RG_E_USAGE: path exists as something else. */
rg_status rg_export_open(rg_export **out, const rg_ckpt *source, rg_export_format format, rg_qspec spec,
    const rg_export_tensor *t, size_t n, bool untie, const char *path, rg_err *err);
/* The next tensor: codes, or f32 rows [rows][cols] (rounded to the source's type; vectors and routers
 * in GGUF are F32), or
 * neither: the source's own. */
rg_status rg_export_put(rg_export *e, const rg_qtensor *q, const float *f32, rg_err *err);
/* All tensors are there: the result appears under its name. */
rg_status rg_export_commit(rg_export *e, rg_err *err);
void rg_export_close(rg_export *e); /* legal on NULL; what was not committed is removed */

/* Bytes of tensor data written so far. */
uint64_t rg_export_bytes(const rg_export *e);
/* The type norms are stored in. */
rg_ftype rg_export_norm_type(const rg_ckpt *source, rg_export_format format);
/* Remarks, as what could not be carried over, one sentence each; NULL behind the last; borrowed until
 * close. */
const char *rg_export_note(const rg_export *e, int i);

#endif
