/* Writes GGUF and safetensors byte by byte, from the definition of the formats. */
#include "file_build.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void put_bytes(byte_buf *b, const void *p, size_t n)
{
    if (b->n + n > b->cap) {
        b->cap = 2 * b->cap + n + 64;
        b->p = realloc(b->p, b->cap);
        if (!b->p) abort();
    }
    if (n) memcpy(b->p + b->n, p, n);
    b->n += n;
}

void put_int(byte_buf *b, uint64_t v, int width)
{
    unsigned char t[8];
    for (int i = 0; i < width; i++) t[i] = (unsigned char)(v >> (8 * i));
    put_bytes(b, t, (size_t)width);
}

static void put_text(byte_buf *b, const char *s) { put_bytes(b, s, strlen(s)); }

void save_bytes(const byte_buf *b, const char *path)
{
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(b->p, 1, b->n, f) != b->n || fclose(f) != 0) {
        perror(path);
        abort();
    }
}

void drop_bytes(byte_buf *b)
{
    free(b->p);
    *b = (byte_buf){0};
}

/* ---- GGUF ---- */

static void put_str(byte_buf *b, const char *s)
{
    put_int(b, strlen(s), 8);
    put_text(b, s);
}

void gg_key(gguf_build *g, const char *key, uint32_t type)
{
    put_str(&g->kv, key);
    put_int(&g->kv, type, 4);
    g->n_kv++;
}

void gg_u32(gguf_build *g, const char *key, uint32_t v)
{
    gg_key(g, key, 4);
    put_int(&g->kv, v, 4);
}

void gg_f32(gguf_build *g, const char *key, float v)
{
    uint32_t u;
    memcpy(&u, &v, 4);
    gg_key(g, key, 6);
    put_int(&g->kv, u, 4);
}

void gg_str(gguf_build *g, const char *key, const char *v)
{
    gg_key(g, key, 8);
    put_str(&g->kv, v);
}

static void pad(byte_buf *b, size_t align)
{
    while (b->n % align) put_int(b, 0, 1);
}

void gg_tensor(
    gguf_build *g, const char *name, uint32_t type, int rank, const uint64_t *ne, const void *data, size_t n)
{
    pad(&g->data, g->align ? g->align : 32);
    put_str(&g->info, name);
    put_int(&g->info, (uint64_t)rank, 4);
    for (int i = 0; i < rank; i++) put_int(&g->info, ne[i], 8);
    put_int(&g->info, type, 4);
    put_int(&g->info, g->data.n, 8);
    put_bytes(&g->data, data, n);
    g->n_tensors++;
}

void gg_finish(gguf_build *g, byte_buf *out)
{
    put_text(out, "GGUF");
    put_int(out, 3, 4);
    put_int(out, g->n_tensors, 8);
    put_int(out, g->n_kv, 8);
    put_bytes(out, g->kv.p, g->kv.n);
    put_bytes(out, g->info.p, g->info.n);
    pad(out, g->align ? g->align : 32);
    put_bytes(out, g->data.p, g->data.n);
    drop_bytes(&g->kv);
    drop_bytes(&g->info);
    drop_bytes(&g->data);
}

void gg_write(gguf_build *g, const char *path)
{
    byte_buf out = {0};
    gg_finish(g, &out);
    save_bytes(&out, path);
    drop_bytes(&out);
}

/* ---- safetensors ---- */

void st_tensor(st_build *s, const char *name, const char *dtype, int rank, const int64_t *dim,
    const void *data, size_t n)
{
    char t[512];
    int k =
        snprintf(t, sizeof t, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[", s->head.n ? "," : "{", name, dtype);
    for (int i = 0; i < rank; i++)
        k += snprintf(t + k, sizeof t - (size_t)k, "%s%lld", i ? "," : "", (long long)dim[i]);
    snprintf(t + k, sizeof t - (size_t)k, "],\"data_offsets\":[%zu,%zu]}", s->data.n, s->data.n + n);
    put_text(&s->head, t);
    put_bytes(&s->data, data, n);
}

void st_finish(st_build *s, byte_buf *out)
{
    put_text(&s->head, s->head.n ? "}" : "{}");
    put_int(out, s->head.n, 8);
    put_bytes(out, s->head.p, s->head.n);
    put_bytes(out, s->data.p, s->data.n);
    drop_bytes(&s->head);
    drop_bytes(&s->data);
}

void st_save(st_build *s, const char *path)
{
    byte_buf out = {0};
    st_finish(s, &out);
    save_bytes(&out, path);
    drop_bytes(&out);
}
