/* What the loaders share. Private to weights/. */
#ifndef RG_CKPT_IMPL_H
#define RG_CKPT_IMPL_H

#include "base/mapfile.h"
#include "base/num.h"
#include "base/path.h"
#include "base/text.h"
#include "weights/ckpt.h"
#include "weights/grid.h"

/* How linear weights are stored, by config.json. */
typedef struct rg_scheme {
    enum {
        RG_SCHEME_NONE,
        RG_SCHEME_AWQ,
        RG_SCHEME_GPTQ,
        RG_SCHEME_CT, /* compressed-tensors */
        RG_SCHEME_FP8,
        RG_SCHEME_MLX,
        RG_SCHEME_NF4,
        RG_SCHEME_MXFP4
    } kind;
    int64_t group;    /* declared; -1: one per row; 0: not declared */
    int64_t block[2]; /* rows and columns of a scale of bytes, declared; 0: not declared */
    int bits;         /* declared: 4 or 8 */
    bool mixed;       /* modules may have other bits and groups: their shapes tell */
    bool gptq_v2;     /* zero points are stored as they are, not minus 1 */
    int sym;          /* every zero point is the middle of the codes; -1: nothing says so */
    bool no_order;    /* GPTQ: desc_act is false */
} rg_scheme;

/* A tensor of a quantised module, kept until the others are there. */
typedef struct rg_part rg_part;

struct rg_ckpt {
    rg_config cfg;
    char format[32];
    char *path, *tokenizer_path; /* own */
    rg_mapfile *file;            /* owns [n_files] */
    int n_files;
    uint64_t file_bytes;
    rg_ckpt_tensor *t; /* owns */
    size_t n, cap;
    uint64_t described;            /* tensors in GGUF files, some of which are several of t */
    float *rope_freqs, *rope_long; /* own */
    rg_ckpt_vocab vocab;
    bool has_vocab;
    int traits;      /* of its row in arch.def */
    bool wrapped;    /* the text of a model for text and more */
    int not_text;    /* tensors of a wrapped model that are not read */
    bool rope_short; /* rope_freqs are those of rope_factors_short */
    uint64_t params, weight_bytes;
    rg_scheme scheme;
    rg_lines notes;
    rg_part *part; /* owns [n_parts] */
    size_t n_parts, cap_parts;
};

/* A tensor as a file describes it. dim: outermost first. */
typedef struct rg_raw_tensor {
    const char *name;
    size_t name_len;
    rg_ftype type;
    int rank;
    uint64_t dim[4];
    const void *data;
    uint64_t bytes;
    const rg_grid *grid; /* types INT4 and INT8: every row of it; stays the loader's */
} rg_raw_tensor;

/* "name: sentence", once and printable. */
void rg_note(rg_lines *notes, const rg_src *src, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Files of the checkpoint: maps one more. */
rg_status rg_ckpt_map(rg_ckpt *c, const char *path, const rg_mapfile **out, rg_err *err);
/* Binds a tensor of the shape that the configuration implies to its site, the rows of a stacked one to
 * several. Unknown names are refused: without a weight it is another model. */
rg_status rg_ckpt_add(rg_ckpt *c, enum rg_naming naming, const rg_raw_tensor *r, rg_err *err);
/* The first site of a file's name, and the tensor's shape; false: none of ours. */
bool rg_ckpt_site(const rg_ckpt *c, enum rg_naming naming, const char *name, size_t len, rg_site *site,
    int64_t *rows, int64_t *cols);
/* Whether a tensor of a wrapped model is none of its text; it is counted and not read. */
bool rg_ckpt_skips(rg_ckpt *c, const char *name);
/* Sizes alone, before anything is counted by them. */
rg_status rg_config_ranges(const rg_config *c, const char *path, rg_err *err);
/* Factors of 1 become 0, "none"; the others become sites of the model. */
void rg_config_factors(rg_config *c);
/* Proves that every tensor is there once; sorts them. */
rg_status rg_ckpt_prove(rg_ckpt *c, rg_err *err);
/* The tokenizer file that lies in a directory. */
void rg_ckpt_find_tokenizer(rg_ckpt *c, const char *dir, bool llama2c);

/* A tensor of a file to be written. */
typedef struct rg_file_tensor {
    rg_site site;
    int layer;          /* -1 outside layers */
    int64_t rows, cols; /* of one matrix */
    rg_ftype type;
    int expert;      /* it is that one's alone, */
    int64_t experts; /* or holds the matrices of so many; 0: of a site that has one */
    /* safetensors of gpt-oss: codes, exponents or biases of all experts, of gate with those of up in turns */
    enum { RG_WOVEN_NOT, RG_WOVEN_BLOCKS, RG_WOVEN_SCALES, RG_WOVEN_BIAS } woven;
} rg_file_tensor;

static inline int64_t rg_file_row(const rg_file_tensor *t)
{
    return t->woven == RG_WOVEN_BLOCKS ? t->cols / 2
        : t->woven == RG_WOVEN_SCALES  ? t->cols / 32
                                       : rg_ftype_row_bytes(t->type, t->cols);
}
static inline uint64_t rg_file_bytes(const rg_file_tensor *t)
{
    return (uint64_t)(rg_max(1, t->experts) * t->rows * rg_file_row(t));
}

/* Its name; false for sites without a tensor. */
bool rg_file_tensor_name(char *buf, size_t n, enum rg_naming naming, int traits, const rg_file_tensor *t);

/* GGUF and llama2.c store q and k for RoPE pairs (2i, 2i+1): stored row 2i + s of a head of hd rows is ours s
 * * (hd / 2) + i. hd 0: the rows stay. */
static inline bool rg_site_rotated(rg_site s)
{
    return s == RG_SITE_ATTN_Q || s == RG_SITE_ATTN_K || s == RG_SITE_ATTN_Q_BIAS || s == RG_SITE_ATTN_K_BIAS;
}
static inline int64_t rg_stored_row(int64_t r, int64_t hd)
{
    return hd ? r / hd * hd + 2 * (r % hd % (hd / 2)) + r % hd / (hd / 2) : r;
}
static inline int64_t rg_our_row(int64_t r, int64_t hd)
{
    return hd ? r / hd * hd + r % 2 * (hd / 2) + r % hd / 2 : r;
}

/* Little-endian. */
static inline uint32_t rg_get32(const unsigned char *p, int64_t i)
{
    p += 4 * i;
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}
static inline void rg_put_le(unsigned char *p, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++) p[i] = (unsigned char)(v >> (8 * i));
}

/* Bytes of a tensor in its file; for qsort. */
typedef struct rg_byte_range {
    uint64_t begin, end;
} rg_byte_range;
int rg_by_begin(const void *a, const void *b);

rg_status rg_load_hf(rg_ckpt *c, const char *dir, const char *single_file, rg_err *err);
rg_status rg_load_gguf(rg_ckpt *c, bool vocab_only, rg_err *err); /* c->file[0] is mapped */
rg_status rg_load_llama2c(rg_ckpt *c, rg_err *err);               /* c->file[0] is mapped */
/* config.json into the configuration, the scheme and the divisors of RoPE. */
rg_status rg_config_from_json(rg_ckpt *c, const char *dir, rg_err *err);

/* Quantised modules (parts.c, parts.h). Tensors named like a part of one are kept (true) and put together
 * when all files are read. dtype: as in safetensors. */
bool rg_parts_keep(rg_ckpt *c, const rg_raw_tensor *r, const char *dtype, rg_status *st, rg_err *err);
rg_status rg_parts_bind(rg_ckpt *c, rg_err *err);
void rg_parts_free(rg_ckpt *c);

#endif
