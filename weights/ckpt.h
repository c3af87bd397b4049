/* Checkpoints behind one view: HF directories (config.json + safetensors), GGUF, llama2.c.
 *
 * Files are mapped, and hostile until proven sane. On success every tensor of a Llama is there once, inside
 * the file, with the rows and columns of the config. Names are those of sites.def ("blk.3.attn_q"). */
#ifndef RG_CKPT_H
#define RG_CKPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/config.h"
#include "base/dtype.h"
#include "base/status.h"
#include "ops/sites.h"

typedef struct rg_ckpt rg_ckpt;

/* Codes, scales and zero points in tensors of their own (AWQ, GPTQ, compressed-tensors, llama2.c v2). Private
 * to weights/. */
typedef struct rg_grid rg_grid;

typedef struct rg_ckpt_tensor {
    rg_site site;
    int layer;             /* -1 outside layers */
    int expert;            /* which of the matrices of a site; 0 where it has one */
    const char *file_name; /* in the file, where several may stand in one; borrowed until rg_ckpt_close */
    rg_ftype type;
    int64_t rows, cols;  /* [out, in]; vectors are 1 row */
    const void *data;    /* first row (of a grid: all codes), in the mapping; not necessarily aligned */
    uint64_t bytes;      /* its own, scales and zero points included */
    const rg_grid *grid; /* of types INT4 and INT8; borrowed until rg_ckpt_close */
    /* head size if q/k rows are stored for interleaved RoPE pairs (GGUF, llama2.c), else 0 */
    int64_t interleaved;
    /* rows of the file from one of its own to the next, of biases elements (gpt-oss: 2); 0: 1 */
    int64_t step;
    int64_t across; /* elements from column to column, where the file has columns for rows; 0: rows */
    float plus;     /* what every value is less than the gain it stands for (Gemma in safetensors) */
} rg_ckpt_tensor;

/* path: a .gguf (of a split one any part), .safetensors (config.json beside it), llama2.c .bin, or a
 * directory with config.json; the content decides. RG_E_UNSUPPORTED names types, schemes and architectures we
 * lack. */
rg_status rg_ckpt_open(rg_ckpt **out, const char *path, rg_err *err);
/* config.json alone (the file or its directory). */
rg_status rg_config_read(rg_config *c, const char *path, rg_err *err);
/* Range-checks a configuration before its use; where: for the message. */
rg_status rg_config_check(const rg_config *c, const char *where, rg_err *err);
/* Only the vocabulary of a GGUF file, with or without tensors: for rg_ckpt_embedded_vocab and close. */
rg_status rg_ckpt_open_vocab(rg_ckpt **out, const char *path, rg_err *err);
/* Legal on NULL. */
void rg_ckpt_close(rg_ckpt *c);

const rg_config *rg_ckpt_config(const rg_ckpt *c); /* borrowed until close */
/* "safetensors", "GGUF v3", "llama2.c v0"; borrowed until close */
const char *rg_ckpt_format(const rg_ckpt *c);
/* A Llama in all but its sizes. */
bool rg_ckpt_is_plain(const rg_ckpt *c);
/* Quantised files can be written of it: of a plain one as of a Llama; of those with biases, norms of q and k,
 * factors or experts as of what they are. */
bool rg_ckpt_can_quantise(const rg_ckpt *c);
const char *rg_ckpt_path(const rg_ckpt *c);    /* as opened; borrowed until close */
uint64_t rg_ckpt_file_bytes(const rg_ckpt *c); /* all tensor files together */
size_t rg_ckpt_count(const rg_ckpt *c);        /* tensors of the model, in the order of sites.def */
const rg_ckpt_tensor *rg_ckpt_at(const rg_ckpt *c, size_t i);
/* layer: -1 outside layers. NULL: absent (only RG_SITE_OUTPUT of tied models). */
const rg_ckpt_tensor *rg_ckpt_find(const rg_ckpt *c, rg_site site, int layer);
const rg_ckpt_tensor *rg_ckpt_find_expert(const rg_ckpt *c, rg_site site, int layer, int expert);
/* Divisors of the RoPE frequencies, [rg_rope_dim / 2] (GGUF rope_freqs, short factors), or NULL; borrowed
 * until close. Long: of contexts beyond rope_orig_ctx. */
const float *rg_ckpt_rope_freqs(const rg_ckpt *c);
const float *rg_ckpt_rope_long(const rg_ckpt *c);

/* "blk.3.attn_q" or "token_embd", into buf; of experts the name that all of them have. */
const char *rg_tensor_name(char *buf, size_t n, rg_site site, int layer);
/* The name in files of that naming, into buf; false for sites without a tensor. */
enum rg_naming { RG_NAMES_HF, RG_NAMES_GGUF };
bool rg_file_name(char *buf, size_t n, enum rg_naming naming, int traits, rg_site site, int layer);

/* Row r in canonical order (half-split RoPE pairs): its bytes in the file (not for grids); as f32. */
const void *rg_ckpt_row(const rg_ckpt_tensor *t, int64_t r);
void rg_ckpt_row_f32(const rg_ckpt_tensor *t, int64_t r, float *dst);

/* The resident type with the least change, and that change. */
rg_wtype rg_ckpt_resident(const rg_ckpt_tensor *t);
rg_rounding rg_ckpt_rounding(const rg_ckpt_tensor *t);
/* Row r as codes of that type, where rounding is NONE or SCALES: q[cols]; scale and min (only if the type has
 * one) per group, f32. */
void rg_ckpt_row_grid(const rg_ckpt_tensor *t, int64_t r, uint8_t *q, float *scale, float *min);
/* Columns of that grid (GPTQ with act-order): column j meets input order[j]; NULL: as they are. */
const int32_t *rg_ckpt_order(const rg_ckpt_tensor *t);
/* The type in the file: "Q4_K", "AWQ g128"; into buf. */
const char *rg_ckpt_type_name(const rg_ckpt_tensor *t, char *buf, size_t n);
/* The tensor's pages may leave memory. Of grids that stand in one tensor of the file, all leave with the last
 * (in the order of rg_ckpt_at). */
void rg_ckpt_release(const rg_ckpt *c, const rg_ckpt_tensor *t);

/* What the files say that is not followed, or that they contradict, one sentence each; NULL behind the last;
 * borrowed until close. */
const char *rg_ckpt_note(const rg_ckpt *c, int i);

/* Bytes of a row of an untied embedding in memory: floats where the file keeps codes in a grid; 0: tied. */
int64_t rg_ckpt_embd_row(const rg_ckpt *c);

/* Parameters, each tensor once, and their bytes in the files (no headers, no vocabularies). */
uint64_t rg_ckpt_params(const rg_ckpt *c);
uint64_t rg_ckpt_weight_bytes(const rg_ckpt *c);

/* A chat template inside a file: Jinja text. Neither is terminated by NUL. */
typedef struct rg_ckpt_chat {
    const char *name, *text; /* "default" is the one to use */
    size_t name_len, len;
} rg_ckpt_chat;

/* Where the tokenizer is: one of the two is set, or neither. */
typedef struct rg_ckpt_vocab {
    const char *model;  /* "llama" (SentencePiece) or "gpt2" (byte-level BPE) */
    const char *pre;    /* pre-tokeniser name, or NULL */
    rg_ckpt_chat *chat; /* [n_chat] or NULL */
    size_t n_chat;
    size_t n;
    const char **piece;  /* [n], not terminated by NUL */
    size_t *piece_len;   /* [n] */
    const float *score;  /* [n] or NULL */
    const int32_t *type; /* [n] or NULL: 1 normal 2 unknown 3 control 4 user 5 unused 6 byte */
    size_t n_merges;
    const char **merge; /* [n_merges] "a b" */
    size_t *merge_len;
    int32_t bos, eos, eot, unk;             /* below n; -1: not given */
    int add_bos, add_eos, add_space_prefix; /* 0, 1, -1: not given */
} rg_ckpt_vocab;

/* Vocabulary inside a GGUF file, else NULL; borrowed until close. */
const rg_ckpt_vocab *rg_ckpt_embedded_vocab(const rg_ckpt *c);
/* tokenizer.json or tokenizer.model beside the model (llama2.c: also tokenizer.bin and tok<vocab>.bin), or
 * NULL. */
const char *rg_ckpt_tokenizer_path(const rg_ckpt *c);

#endif
