/* Files made in memory, byte by byte, for tests and fuzz seeds: GGUF and safetensors, written from the
 * format's definition. */
#ifndef RG_FILE_BUILD_H
#define RG_FILE_BUILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct byte_buf {
    unsigned char *p; /* owns */
    size_t n, cap;
} byte_buf;

void put_bytes(byte_buf *b, const void *p, size_t n);
void put_int(byte_buf *b, uint64_t v, int width); /* little-endian */
void save_bytes(const byte_buf *b, const char *path);
void drop_bytes(byte_buf *b);

/* GGUF v3. Zero-initialise; align 0 means 32. */
typedef struct gguf_build {
    byte_buf kv, info, data;
    uint64_t n_kv, n_tensors;
    uint32_t align;
} gguf_build;

void gg_key(gguf_build *g, const char *key, uint32_t type); /* then the value, through put_int(&g->kv, ...) */
void gg_u32(gguf_build *g, const char *key, uint32_t v);
void gg_f32(gguf_build *g, const char *key, float v);
void gg_str(gguf_build *g, const char *key, const char *v);
/* ne: innermost first, as in the file. */
void gg_tensor(
    gguf_build *g, const char *name, uint32_t type, int rank, const uint64_t *ne, const void *data, size_t n);
/* The file in *out; frees the parts. */
void gg_finish(gguf_build *g, byte_buf *out);
void gg_write(gguf_build *g, const char *path);

/* safetensors. Zero-initialise. */
typedef struct st_build {
    byte_buf head, data;
} st_build;

void st_tensor(st_build *s, const char *name, const char *dtype, int rank, const int64_t *dim,
    const void *data, size_t n);
void st_finish(st_build *s, byte_buf *out);
void st_save(st_build *s, const char *path);

#endif
