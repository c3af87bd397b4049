/* What names of tensors mean. Private to weights/. */
#ifndef RG_NAMES_H
#define RG_NAMES_H

#include "weights/ckpt_impl.h"

enum { RG_MAX_STACK = 3, RG_MAX_MEANINGS = 2 };

/* The sites whose matrices stand in a tensor, from its first row on. Of experts: in the name of one of them
 * (-1: of all, which stand one behind the other). */
typedef struct stack {
    int n;
    rg_site site[RG_MAX_STACK];
    int expert;
} rg_stack;

/* Rows and columns of the tensor in the file. Biases stand side by side in one row. */
void rg_stack_shape(const rg_config *c, const rg_stack *s, int64_t *rows, int64_t *cols);

/* What a file's name can mean, with or without a wrapper. Returns how many meanings; 0: none.
 * *layer: -1 outside layers. */
int rg_find_stacks(const rg_ckpt *c, enum rg_naming naming, const char *name, size_t len,
    rg_stack can[RG_MAX_MEANINGS], int *layer);

#endif
