/* The lists of kinds.def. */
#include "base/kinds.h"

const char *const rg_fn_names[RG_FN_COUNT] = {
#define RG_FN(fn, proto, member, arith, group) #fn,
#include "base/kinds.def"
};

const char *const rg_kernel_kinds[RG_KK_COUNT] = {
#define RG_KIND(id, name, passes, form, fn) name,
#include "base/kinds.def"
};

const rg_kind_info rg_kinds[RG_KK_COUNT] = {
#define RG_KIND(id, name, passes, form, fn) {passes, RG_X_##form, RG_FN_##fn},
#include "base/kinds.def"
};
