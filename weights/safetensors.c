/* Hugging Face directories: config.json and one safetensors file, or several with an index. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/foreign.h"
#include "weights/ckpt_impl.h"

enum { MAX_HEADER = 100 << 20, MAX_TENSORS = 1 << 16 };

/* The format's element types; ftype -1: we cannot load it. */
static const struct {
    const char *name;
    int ftype, bits;
} types[] = {{"F32", RG_FT_F32, 32}, {"F16", RG_FT_F16, 16}, {"BF16", RG_FT_BF16, 16}, {"F64", -1, 64},
    {"I64", -1, 64}, {"U64", -1, 64}, {"I32", -1, 32}, {"U32", -1, 32}, {"I16", -1, 16}, {"U16", -1, 16},
    {"I8", -1, 8}, {"U8", -1, 8}, {"BOOL", -1, 8}, {"F8_E4M3", -1, 8}, {"F8_E5M2", -1, 8}, {"F8_E8M0", -1, 8},
    {"F8_E4M3FNUZ", -1, 8}, {"F8_E5M2FNUZ", -1, 8}, {"C64", -1, 64}, {"F4", -1, 4}, {"F6_E2M3", -1, 6},
    {"F6_E3M2", -1, 6}};

/* The index of a sharded checkpoint: which file each tensor is read from. */
typedef struct shards {
    const json_t *map; /* tensor: file; borrowed */
    json_t *found;     /* owns; names of map that were there */
    char first[160];   /* a tensor that is not read, */
    int unread;        /* and how many there are */
} shards;

/* Whether this file is where the index has the tensor; sh NULL: there is no index. */
static bool is_here(shards *sh, const char *name, const rg_src *src)
{
    if (!sh) return true;
    const char *file = json_string_value(json_object_get(sh->map, name)), *slash = strrchr(src->name, '/');
    if (file && strcmp(file, slash ? slash + 1 : src->name) == 0)
        return json_object_set_new(sh->found, name, json_true()) == 0;
    if (!sh->unread++) rg_text_clean(sh->first, sizeof sh->first, name);
    return false;
}

static rg_status read_entry(rg_ckpt *c, const rg_mapfile *f, uint64_t data, const char *name, json_t *e,
    rg_byte_range *s, shards *sh, const rg_src *src)
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
    uint64_t n = (uint64_t)types[t].bits;
    for (size_t i = 0; i < json_array_size(shape); i++) {
        const json_t *v = json_array_get(shape, i);
        const json_int_t d = json_is_integer(v) ? json_integer_value(v) : -1;
        if (d < 0 || !rg_mul_ok(n, (uint64_t)d, &n))
            return rg_bad(src, "tensor %.100s: impossible shape", name);
        if (i < 4) r.dim[i] = (uint64_t)d;
    }
    n = n / 8 + (n % 8 != 0);
    if (begin < 0 || end < begin || (uint64_t)end > size)
        return rg_bad(src, "tensor %.100s: data_offsets outside the %llu bytes of data", name,
            (unsigned long long)size);
    *s = (rg_byte_range){(uint64_t)begin, (uint64_t)end};
    if (s->end - s->begin != n)
        return rg_bad(src, "tensor %.100s: %lld bytes, but its shape and dtype need %llu", name, end - begin,
            (unsigned long long)n);
    if (!is_here(sh, name, src)) return RG_OK;
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

static rg_status load_file(rg_ckpt *c, const char *path, shards *sh, rg_err *err)
{
    const rg_src src = {path, err};
    const rg_mapfile *f;
    json_error_t je;
    json_t *root = NULL, *e;
    rg_byte_range *s = NULL;
    rg_status st = rg_ckpt_map(c, path, &f, err);
    if (st || (st = rg_foreign(&src, f->data, f->size))) return st;
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
        if ((st = read_entry(c, f, 8 + n, name, e, &s[used], sh, &src))) goto out;
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
    shards sh = {.map = map, .found = json_object()};
    const char *key;
    if (!json_is_object(map)) {
        st = rg_foreign_file(&src);
        if (!st) st = rg_bad(&src, "no weight_map: %.200s", root ? "not an index" : je.text);
        goto out;
    }
    if (!seen || !sh.found) {
        st = rg_no_memory(err, index);
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
        st = p ? load_file(c, p, &sh, err) : rg_no_memory(err, index);
        free(p);
        if (st) goto out;
    }
    json_object_foreach (map, key, v) {
        rg_site site;
        int64_t rows, cols;
        if (json_object_get(sh.found, key) ||
            !rg_ckpt_site(c, RG_NAMES_HF, key, strlen(key), &site, &rows, &cols) ||
            (site == RG_SITE_OUTPUT && c->cfg.tied))
            continue;
        st = rg_bad(&src, "tensor %.100s: not in %.100s, where the index has it", key, json_string_value(v));
        goto out;
    }
    if (sh.unread)
        rg_note(&c->notes, &src,
            "%d tensor%s in other files than the index says, or not in the index: not read (%s%s)", sh.unread,
            sh.unread == 1 ? " is" : "s are", sh.first, sh.unread == 1 ? "" : ", ...");
out:
    json_decref(sh.found);
    json_decref(seen);
    json_decref(root);
    return st;
}

/* Weights of other formats that may lie in a folder. */
static rg_status no_weights(const char *dir, rg_err *err)
{
    static const char *const others[][2] = {{"pytorch_model.bin", "a Python pickle"},
        {"pytorch_model.bin.index.json", "of Python pickles"}, {"consolidated.00.pth", "a Python pickle"},
        {"consolidated.safetensors", "in Mistral's own layout"},
        {"adapter_model.safetensors", "a LoRA adapter without its base"},
        {"adapter_model.bin", "a LoRA adapter without its base"}, {"tf_model.h5", "of TensorFlow"},
        {"flax_model.msgpack", "of Flax"}, {"model.onnx", "of ONNX"}};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        char *p = rg_path_join(dir, others[i][0]);
        const bool there = p && access(p, F_OK) == 0;
        free(p);
        if (there)
            return rg_fail(err, RG_E_UNSUPPORTED,
                "%s: its weights are %s, %s: expected model.safetensors; convert it, or take the model as "
                "safetensors or GGUF",
                dir, others[i][0], others[i][1]);
    }
    return rg_fail(
        err, RG_E_FILE, "%s: neither model.safetensors nor model.safetensors.index.json is there", dir);
}

rg_status rg_load_hf(rg_ckpt *c, const char *dir, const char *single_file, rg_err *err)
{
    snprintf(c->format, sizeof c->format, "safetensors");
    rg_status st = rg_config_from_json(&c->cfg, &c->scheme, dir, &c->notes, err);
    if (st) return st;
    char *single = rg_path_join(dir, "model.safetensors"),
         *index = rg_path_join(dir, "model.safetensors.index.json");
    if (!single || !index)
        st = rg_no_memory(err, dir);
    else if (single_file)
        st = load_file(c, single_file, NULL, err);
    else if (access(single, F_OK) == 0)
        st = load_file(c, single, NULL, err);
    else if (access(index, F_OK) == 0)
        st = load_index(c, dir, index, err);
    else
        st = no_weights(dir, err);
    if (!st && !single_file && access(single, F_OK) == 0 && access(index, F_OK) == 0)
        rg_note(&c->notes, &(rg_src){index, err},
            "not read: model.safetensors stands beside it and goes first, as in transformers");
    free(single);
    free(index);
    if (!st) st = rg_parts_bind(c, err);
    if (!st) rg_ckpt_find_tokenizer(c, dir, false);
    return st;
}
