/* What the fuzz targets share: inputs as files, and everything that can be read from what opens. */
#ifndef RG_FUZZ_COMMON_H
#define RG_FUZZ_COMMON_H

#include <stddef.h>
#include <stdint.h>

#include "weights/ckpt.h"

/* The entry point that libFuzzer and AFL++ (persistent mode, through its libFuzzer driver) call. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Path of a file in memory that holds the input; borrowed until the next call. */
const char *fuzz_file(const uint8_t *data, size_t size);
/* A folder of this process in memory, removed at exit. */
const char *fuzz_dir(void);
/* Writes a file into it. */
void fuzz_put(const char *name, const void *data, size_t size);

/* Opens a checkpoint and reads rows of all its tensors in every way; NULL is legal for a path that does not
 * open. */
void fuzz_checkpoint(const char *path);
/* Opens a tokenizer and sends texts and ids through it. */
void fuzz_tokenizer(const char *path);

#endif
