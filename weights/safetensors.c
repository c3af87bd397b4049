/* Hugging Face directories: config.json and one safetensors file, or several with an index. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "weights/ckpt_impl.h"

enum { MAX_HEADER = 100 << 20, MAX_TENSORS = 1 << 16 };

/* The format's element types; ftype -1: we cannot load it. */
static const struct {
    const char *name;
    int ftype, bytes;
} types[] = {{"F32", RG_FT_F32, 4}, {"F16", RG_FT_F16, 2}, {"BF16", RG_FT_BF16, 2}, {"F64", -1, 8},
    {"I64", -1, 8}, {"U64", -1, 8}, {"I32", -1, 4}, {"U32", -1, 4}, {"I16", -1, 2}, {"U16", -1, 2},
    {"I8", -1, 1}, {"U8", -1, 1}, {"BOOL", -1, 1}, {"F8_E4M3", -1, 1}, {"F8_E5M2", -1, 1}};

static rg_status read_entry(rg_ckpt *c, const rg_mapfile *f, uint64_t data, const char *name, json_t *e,
    rg_byte_range *s, const rg_src *src)
{
    json_t *shape;
    const char *dtype;
    json_int_t begin, end;
    const uint64_t size = f->size - data;
    rg_raw_tensor r = {.name = name, .name_len = strlen(name)};
    if (json_unpack(e, "{s:s, s:o, s:[I, I!]}", "dtype", &dtype, "shape", &shape, "data_offsets", &begin,
            &end) != 0 ||
        !json_is_array(shape))
        return rg_bad(src, "tensor %.100s: dtype, shape or data_offsets missing", name);
    int t = -1;
    for (int i = 0; i < (int)(sizeof types / sizeof *types); i++)
        if (strcmp(types[i].name, dtype) == 0) t = i;
    if (t < 0) return rg_bad(src, "tensor %.100s: unknown dtype %.32s", name, dtype);
    uint64_t n = (uint64_t)types[t].bytes;
    for (size_t i = 0; i < json_array_size(shape); i++) {
        const json_t *v = json_array_get(shape, i);
        const json_int_t d = json_is_integer(v) ? json_integer_value(v) : -1;
        if (d < 0 || !rg_mul_ok(n, (uint64_t)d, &n))
            return rg_bad(src, "tensor %.100s: impossible shape", name);
        if (i < 4) r.dim[i] = (uint64_t)d;
    }
    if (begin < 0 || end < begin || (uint64_t)end > size)
        return rg_bad(src, "tensor %.100s: data_offsets outside the %llu bytes of data", name,
            (unsigned long long)size);
    *s = (rg_byte_range){(uint64_t)begin, (uint64_t)end};
    if (s->end - s->begin != n)
        return rg_bad(src, "tensor %.100s: %lld bytes, but its shape and dtype need %llu", name, end - begin,
            (unsigned long long)n);
    r.rank = (int)json_array_size(shape) <= 4 ? (int)json_array_size(shape) : 5;
    r.data = f->data + data + s->begin;
    r.bytes = n;
    rg_status kept = RG_OK;
    if (rg_parts_keep(c, &r, dtype, &kept, src->err)) return kept;
    if (types[t].ftype < 0)
        return rg_lacks(src, "tensor %.100s has dtype %s, expected F32, F16 or BF16", name, dtype);
    r.type = (rg_ftype)types[t].ftype;
    return rg_ckpt_add(c, RG_NAMES_HF, &r, src->err);
}

/* The tensors must cover the data: with a hole or an overlap, header and data do not belong together. */
static rg_status check_cover(rg_byte_range *s, size_t n, uint64_t size, const rg_src *src)
{
    uint64_t at = 0;
    qsort(s, n, sizeof *s, rg_by_begin);
    for (size_t i = 0; i < n; i++) {
        if (s[i].begin != at)
            return rg_bad(src, "tensor data %s at byte %llu of the data",
                s[i].begin > at ? "has a hole" : "overlaps", (unsigned long long)at);
        at = s[i].end;
    }
    if (at != size)
        return rg_bad(src,
            "%llu bytes of data, but the tensors end at %llu: the file is truncated or damaged",
            (unsigned long long)size, (unsigned long long)at);
    return RG_OK;
}

static rg_status load_file(rg_ckpt *c, const char *path, rg_err *err)
{
    const rg_src src = {path, err};
    const rg_mapfile *f;
    json_error_t je;
    json_t *root = NULL, *e;
    rg_byte_range *s = NULL;
    rg_status st = rg_ckpt_map(c, path, &f, err);
    if (st) return st;
    rg_cursor cur = {.p = f->data, .end = f->data + f->size};
    const uint64_t n = rg_cur_u64(&cur);
    if (cur.bad || n > MAX_HEADER || n > f->size - 8)
        return rg_bad(&src, "header of %llu bytes in a file of %zu: truncated, or not a safetensors file",
            (unsigned long long)n, f->size);
    const char *text = (const char *)rg_cur_take(&cur, n);
    if (n == 0 || *text != '{') return rg_bad(&src, "header does not begin with '{': not a safetensors file");
    root = json_loadb(text, n, JSON_REJECT_DUPLICATES, &je);
    if (!json_is_object(root)) {
        st = rg_bad(&src, "header is not a JSON object: %.200s", root ? "another type" : je.text);
        goto out;
    }
    const size_t count = json_object_size(root);
    if (count > MAX_TENSORS || !(s = malloc((count + 1) * sizeof *s))) {
        st = rg_bad(&src, "%zu tensors, expected at most %d", count, MAX_TENSORS);
        goto out;
    }
    size_t used = 0;
    const char *name;
    json_object_foreach (root, name, e) {
        if (strcmp(name, "__metadata__") == 0) continue;
        if ((st = read_entry(c, f, 8 + n, name, e, &s[used], &src))) goto out;
        used++;
    }
    st = check_cover(s, used, f->size - 8 - n, &src);
out:
    free(s);
    json_decref(root);
    return st;
}

static rg_status load_index(rg_ckpt *c, const char *dir, const char *index, rg_err *err)
{
    const rg_src src = {index, err};
    json_error_t je;
    rg_status st = RG_OK;
    json_t *root = json_load_file(index, JSON_REJECT_DUPLICATES, &je),
           *map = json_object_get(root, "weight_map"), *v;
    json_t *seen = json_object();
    const char *key;
    if (!json_is_object(map)) {
        st = rg_bad(&src, "no weight_map: %.200s", root ? "not an index" : je.text);
        goto out;
    }
    json_object_foreach (map, key, v) {
        const char *file = json_string_value(v);
        if (!file || !*file || strchr(file, '/') || strcmp(file, "..") == 0) {
            st = rg_bad(&src, "tensor %.100s: '%.100s' is not a plain file name", key, file ? file : "");
            goto out;
        }
        if (json_object_get(seen, file)) continue;
        json_object_set_new(seen, file, json_true());
        char *p = rg_path_join(dir, file);
        st = p ? load_file(c, p, err) : rg_no_memory(err, index);
        free(p);
        if (st) goto out;
    }
out:
    json_decref(seen);
    json_decref(root);
    return st;
}

rg_status rg_load_hf(rg_ckpt *c, const char *dir, const char *single_file, rg_err *err)
{
    snprintf(c->format, sizeof c->format, "safetensors");
    rg_status st = rg_config_from_json(&c->cfg, &c->scheme, dir, err);
    if (st) return st;
    char *single = rg_path_join(dir, "model.safetensors"),
         *index = rg_path_join(dir, "model.safetensors.index.json");
    if (!single || !index)
        st = rg_no_memory(err, dir);
    else if (single_file)
        st = load_file(c, single_file, err);
    else if (access(single, F_OK) == 0)
        st = load_file(c, single, err);
    else if (access(index, F_OK) == 0)
        st = load_index(c, dir, index, err);
    else
        st = rg_fail(
            err, RG_E_FILE, "%s: neither model.safetensors nor model.safetensors.index.json is there", dir);
    free(single);
    free(index);
    if (!st) st = rg_parts_bind(c, err);
    if (!st) rg_ckpt_find_tokenizer(c, dir, false);
    return st;
}
