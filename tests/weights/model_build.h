/* Small models of random weights in every storage that importers know, with what each weight truly is. Files
 * are made by file_build. */
#ifndef RG_MODEL_BUILD_H
#define RG_MODEL_BUILD_H

#include "file_build.h"
#include "weights/ckpt.h"

typedef enum int4_kind {
    INT4_NONE,
    INT4_AWQ,
    INT4_GPTQ,
    INT4_GPTQ_V2,
    INT4_PACKED,
    INT4_MLX,
    INT8_GPTQ,
    INT8_GPTQ_V2,
    INT8_PACKED,
    INT8_MLX,
    INT8_ROWS,  /* compressed-tensors, int-quantized */
    FP8_BLOCKS, /* quant_method fp8 */
    FP8_ROWS,   /* compressed-tensors, float-quantized */
    NF4         /* bitsandbytes */
} int4_kind;

enum { BUILD_MAX_TENSORS = 128 };

/* Matrices that stand in one tensor of the file: none; q, k, v and gate, up under Phi-3's names; gate, up
 * under Granite 4's (HF). The weights are those of the same seed without. */
typedef enum stacking {
    STACK_NONE,
    STACK_PHI3,
    STACK_GRANITE4,
    STACK_EXPERTS, /* of experts: transformers 5's; Granite-MoE's are so always */
} stacking;

/* Zero-initialise, fill c and what differs. */
typedef struct model_build {
    rg_config c;
    uint64_t seed;
    /* safetensors */
    int4_kind int4;
    int group;               /* -1: one per row */
    int tall;                /* rows of a scale, of bytes; -1: all, 0: one */
    bool power_of_two;       /* scales of bytes are */
    bool double_quant;       /* scales of NF4 are codes themselves */
    bool symmetric;          /* every zero point in the middle (compressed-tensors: none stored) */
    bool act_order;          /* columns belong to groups in random order */
    bool head_too, embd_too; /* the output matrix, the embedding is quantised as well */
    const char *scale_dtype; /* of compressed-tensors; NULL: F16 */
    int shards;              /* more than 1: that many files and an index */
    const char *scheme;      /* NULL: that of int4; else what quantization_config holds, %d: the group */
    const char *more;        /* further members of config.json, each behind a comma: "\"key\": 1" */
    /* GGUF */
    int ggml;      /* type number of matrices; rows that do not divide into its blocks get Q8_0, or F16 */
    int ggml_down; /* if not 0: another type for ffn_down, as mixed files have */
    bool rope_freqs, rope_factors; /* divisors: of all contexts; of short and of long ones */
    const char *arch;              /* the row of arch.def, by its class or its word in GGUF; NULL: llama */
    const char *skip;              /* this key is left out */
    void (*put)(gguf_build *g);    /* writes further metadata */
    /* both */
    bool qkv_bias, o_bias, mlp_bias;
    bool decided; /* gpt-oss: biases of routers choose the experts, so that none are near each other */
    stacking stacked;
    /* a stack that is being made, of weights and of biases */
    struct {
        byte_buf data;
        int64_t rows;
    } open[2];
    /* out: the weights, canonical rows (half-split RoPE pairs) */
    struct {
        char name[96]; /* in the file */
        int64_t rows, cols;
        double *w; /* owns */
    } t[BUILD_MAX_TENSORS];
    int n;
} model_build;

void build_hf(model_build *b, const char *dir);
void build_gguf(model_build *b, const char *path);
/* The pieces of a split GGUF: path with -00001-of-0000N.gguf for "%s-%05d-of-%05d.gguf"; files in *out[n]. */
void build_gguf_split(model_build *b, const char *stem, int n);
/* llama2.c, version 0 to 2; group: of version 2. Untied models store an output matrix. */
void build_llama2c(model_build *b, int version, int64_t group, const char *path);
/* The GGUF file itself. */
void build_gguf_bytes(model_build *b, byte_buf *out);
const double *build_truth(const model_build *b, const char *name); /* NULL if there is none */
/* Of the i-th tensor of a checkpoint: its rows of a stack. */
const double *build_truth_of(const model_build *b, const rg_ckpt *c, size_t i);
/* Experts of gpt-oss, the same in every storage: a weight (which: 0 gate, 1 up, 2 down), a bias. */
float build_oss_weight(int layer, int which, int64_t expert, int64_t row, int64_t col);
float build_oss_bias(int layer, int which, int64_t expert, int64_t row);
void build_drop(model_build *b); /* the truth; the rest stays */

#endif
