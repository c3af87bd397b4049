/* What the exporters share. Private to weights/. */
#ifndef RG_EXPORT_IMPL_H
#define RG_EXPORT_IMPL_H

#include "base/outfile.h"
#include "weights/arch.h"
#include "weights/ckpt_impl.h"
#include "weights/export.h"
#include "weights/gguf_write.h"

struct rg_export {
    const rg_ckpt *source;
    rg_export_format format;
    rg_qspec spec;
    rg_export_tensor *t; /* owns [n] */
    size_t n, next;
    bool untie;
    char *path;    /* owns */
    char *tmp_dir; /* PACKED: where everything is written first; owns */
    rg_outfile f;  /* the file of tensors */
    rg_config as;  /* GGUF: of a Llama if it is one */
    rg_gguf_writer gguf;
    uint64_t bytes;
    rg_lines notes;
    unsigned char *row; /* one encoded row; owns */
    float *row_f32;     /* owns */
};

/* The source's tensor behind t: the embedding for a tied output matrix. */
const rg_ckpt_tensor *rg_export_source(const rg_export *e, const rg_export_tensor *t);
/* Type of an unquantised tensor. */
rg_ftype rg_export_float_type(const rg_export *e, const rg_export_tensor *t);
/* Such a tensor in a file where each expert has its own. */
rg_file_tensor rg_export_file_tensor(const rg_export *e, const rg_export_tensor *t);
/* Canonical row r of an unquantised tensor, into e->row; f32 as in rg_export_put. */
void rg_export_float_row(rg_export *e, const rg_export_tensor *t, const float *f32, int64_t r);

rg_status rg_export_gguf_begin(rg_export *e, rg_err *err);
void rg_export_gguf_put(rg_export *e, const rg_export_tensor *t, const rg_qtensor *q, const float *f32);
rg_status rg_export_gguf_end(rg_export *e, rg_err *err);
rg_status rg_export_packed_begin(rg_export *e, rg_err *err);
void rg_export_packed_put(rg_export *e, const rg_export_tensor *t, const rg_qtensor *q, const float *f32);
rg_status rg_export_packed_end(rg_export *e, rg_err *err);
void rg_export_packed_remove(rg_export *e);

#endif
