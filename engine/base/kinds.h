/* Kinds of kernels in records, and functions of the kernel table, from kinds.def. */
#ifndef RG_KINDS_H
#define RG_KINDS_H

#include "base/arith.h"

/* Forms in which products take x (kernels.h says how they lie in memory); from RG_X_FORMS on: as it is. */
typedef enum rg_xform {
    RG_X_I8,
    RG_X_I16,
    RG_X_BF16,
    RG_X_BF16X2,
    RG_X_FORMS,
    RG_X_NONE = RG_X_FORMS
} rg_xform;

static inline bool rg_x_in_bytes(rg_xform f) { return f == RG_X_I8 || f == RG_X_I16; }

enum {
    RG_GEMV_MAX = 8,      /* most tokens a gemv call takes */
    RG_DOT_MAX = 16,      /* most tokens a dot call takes */
    RG_ATTN_MANY_HD = 256 /* largest heads whose keys and values are turned for many tokens */
};

typedef enum rg_fn {
#define RG_FN(fn, proto, member, arith, group) RG_FN_##fn,
#include "base/kinds.def"
    RG_FN_COUNT
} rg_fn;
extern const char *const rg_fn_names[RG_FN_COUNT]; /* as in kinds.def */

typedef enum rg_kernel_kind {
#define RG_KIND(id, name, passes, form, fn) RG_KK_##id,
#include "base/kinds.def"
    RG_KK_COUNT
} rg_kernel_kind;
/* "gemv", "gemm", "blas", "gemv i8", ..., "attn bf16x3", "elem" */
extern const char *const rg_kernel_kinds[RG_KK_COUNT];

typedef struct rg_kind_info {
    int passes;
    rg_xform form;
    rg_fn fn;
} rg_kind_info;
extern const rg_kind_info rg_kinds[RG_KK_COUNT];

static inline int rg_kernel_passes(rg_kernel_kind k) { return rg_kinds[k].passes; }

#endif
