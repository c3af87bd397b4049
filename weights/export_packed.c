/* A quantised checkpoint as a Hugging Face directory of compressed-tensors: pack-quantized, 4 or 8 bits,
 * groups along the inputs. It gets its name at the end. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "weights/export_impl.h"
#include "weights/hf_write.h"

/* Copied from the source directory. */
static const char *const companions[] = {"tokenizer.json", "tokenizer.model", "tokenizer_config.json",
    "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt", "generation_config.json",
    "chat_template.jinja", "chat_template.json"};
enum { N_COMPANIONS = sizeof companions / sizeof *companions };

typedef enum part { PACKED, SCALE, ZERO, SHAPE, PARTS } part;
static const char *const tails[PARTS] = {
    "weight_packed", "weight_scale", "weight_zero_point", "weight_shape"};
static const char *const dtypes[PARTS] = {"I32", "F16", "I32", "I64"};

static void shape_of(const rg_export *e, const rg_export_tensor *t, part p, int64_t dim[2], int64_t *bytes)
{
    const int64_t groups = t->cols / e->spec.group;
    dim[0] = t->rows;
    dim[1] = t->cols * rg_qspec_bits(&e->spec) / 32;
    if (p == SCALE) dim[1] = groups;
    if (p == ZERO) dim[0] = rg_div_up(t->rows, 8), dim[1] = groups;
    *bytes = dim[0] * dim[1] * (p == SCALE ? 2 : 4);
    if (p == SHAPE) dim[0] = 0, dim[1] = 2, *bytes = 16;
}

/* Of the architecture that is written: a plain model is a Llama. */
static int traits_of(const rg_export *e)
{
    return rg_ckpt_is_plain(e->source) ? 0 : rg_arch_named(rg_ckpt_config(e->source)->arch)->traits;
}

static bool has_part(const rg_export *e, part p) { return p != ZERO || e->spec.kind == RG_QK_ZERO4; }

/* Its tensor where it is not quantised: "model.layers.0.mlp.up_proj.weight". */
static void tensor_name(char *buf, size_t n, const rg_export *e, const rg_export_tensor *t)
{
    const rg_file_tensor f = rg_export_file_tensor(e, t);
    rg_file_tensor_name(buf, n, RG_NAMES_HF, traits_of(e), &f);
}

static void module_name(char *buf, size_t n, const rg_export *e, const rg_export_tensor *t)
{
    tensor_name(buf, n, e, t);
    const size_t len = strlen(buf), tail = strlen(".weight");
    if (len > tail && strcmp(buf + len - tail, ".weight") == 0) buf[len - tail] = 0;
}

/* The header of model.safetensors, tensors in order. */
static json_t *header(const rg_export *e)
{
    json_t *root = json_pack("{s:{s:s}}", "__metadata__", "format", "pt");
    char module[160], name[200];
    int64_t at = 0;
    for (size_t i = 0; i < e->n; i++) {
        const rg_export_tensor *t = &e->t[i];
        module_name(module, sizeof module, e, t);
        for (int p = 0; p < PARTS && t->quantised; p++) {
            int64_t dim[2], bytes;
            if (!has_part(e, (part)p)) continue;
            shape_of(e, t, (part)p, dim, &bytes);
            snprintf(name, sizeof name, "%s.%s", module, tails[p]);
            rg_hf_entry(root, name, dtypes[p], dim[0], dim[1], &at, bytes);
        }
        if (t->quantised) continue;
        const rg_ftype type = rg_export_float_type(e, t);
        /* a gate is a matrix of one row */
        const bool vector = rg_site_rows(t->site) == RG_EXT_ONE && rg_site_op(t->site) != RG_OP_GATED_ADD;
        tensor_name(name, sizeof name, e, t);
        rg_hf_entry(root, name, rg_ftypes[type].name, vector ? 0 : t->rows, t->cols, &at,
            t->rows * rg_ftype_row_bytes(type, t->cols));
    }
    return root;
}

static bool from_hf(const rg_export *e) { return strncmp(rg_ckpt_format(e->source), "safetensors", 11) == 0; }

rg_status rg_export_packed_begin(rg_export *e, rg_err *err)
{
    struct stat sb;
    const int traits = traits_of(e);
    if (traits & RG_HAS_MOE && traits & RG_HAS_FACTORS) /* parameters of three sides, no linear modules */
        return rg_fail(err, RG_E_UNSUPPORTED,
            "%s: Granite-MoE keeps all experts of a layer in one tensor, for which compressed-tensors has no "
            "form: write GGUF (q4g32)",
            e->path);
    if (rg_ckpt_rope_freqs(e->source))
        return rg_fail(err, RG_E_UNSUPPORTED,
            "%s: the RoPE frequency divisors of a GGUF file have no place in config.json: write GGUF (q4g32)",
            e->path);
    if (stat(e->path, &sb) == 0 && !S_ISDIR(sb.st_mode))
        return rg_fail(err, RG_E_USAGE, "%s: is a file, expected the name of a new directory", e->path);
    if (stat(e->path, &sb) == 0 && rmdir(e->path) != 0)
        return rg_fail(
            err, RG_E_USAGE, "%s: exists and is not empty: remove it, or choose another name", e->path);
    char *tmp;
    rg_status st;
    if (asprintf(&tmp, "%s.%ld.tmp", e->path, (long)getpid()) < 0) return rg_no_memory(err, e->path);
    if (mkdir(tmp, 0777) != 0) {
        st = rg_fail(err, RG_E_FILE, "%s: cannot make the directory: %s", tmp, strerror(errno));
        free(tmp);
        return st;
    }
    e->tmp_dir = tmp;
    char *file = rg_path_join(tmp, "model.safetensors");
    st = file ? rg_hf_open(&e->f, header(e), file, err) : rg_no_memory(err, e->path);
    free(file);
    return st;
}

static void put(rg_export *e, uint64_t v, int bytes)
{
    rg_put_le(e->row, v, bytes);
    fwrite(e->row, 1, (size_t)bytes, e->f.f);
    e->bytes += (uint64_t)bytes;
}

/* Eight codes to a word, or four of 8 bits as value + 128, from the lowest bits up. */
static void put_codes(rg_export *e, const rg_qtensor *q)
{
    const int bits = rg_qspec_bits(&q->spec), n = 32 / bits;
    const uint32_t flip = bits == 8 ? 0x80 : 0;
    for (int64_t r = 0; r < q->rows; r++)
        for (int64_t c = 0; c < q->cols; c += n) {
            uint32_t w = 0;
            for (int i = 0; i < n; i++) w |= (q->code[r * q->cols + c + i] ^ flip) << (bits * i);
            put(e, w, 4);
        }
}

static void put_scales(rg_export *e, const rg_qtensor *q)
{
    const int64_t n = q->rows * (q->cols / q->spec.group);
    for (int64_t i = 0; i < n; i++) put(e, q->scale[i], 2);
}

/* Zero points of eight rows to a word. */
static void put_zeros(rg_export *e, const rg_qtensor *q)
{
    const int64_t groups = q->cols / q->spec.group;
    for (int64_t r = 0; r < q->rows; r += 8)
        for (int64_t g = 0; g < groups; g++) {
            uint32_t w = 0;
            for (int64_t i = 0; i < 8 && r + i < q->rows; i++)
                w |= (uint32_t)q->offset[(r + i) * groups + g] << (4 * i);
            put(e, w, 4);
        }
}

void rg_export_packed_put(rg_export *e, const rg_export_tensor *t, const rg_qtensor *q, const float *f32)
{
    if (q) {
        put_codes(e, q);
        put_scales(e, q);
        if (has_part(e, ZERO)) put_zeros(e, q);
        put(e, (uint64_t)t->rows, 8);
        put(e, (uint64_t)t->cols, 8);
        return;
    }
    const size_t bytes = (size_t)rg_ftype_row_bytes(rg_export_float_type(e, t), t->cols);
    for (int64_t r = 0; r < t->rows; r++) {
        rg_export_float_row(e, t, f32, r);
        fwrite(e->row, 1, bytes, e->f.f);
        e->bytes += bytes;
    }
}

/* quantization_config, as transformers and vLLM read it. */
static json_t *scheme(const rg_export *e)
{
    json_t *ignore = json_array();
    char module[160];
    bool head = false;
    for (size_t i = 0; i < e->n; i++) {
        const rg_export_tensor *t = &e->t[i];
        head |= t->site == RG_SITE_OUTPUT && t->quantised;
        const bool linear = rg_site_has_matrix(t->site) || rg_site_op(t->site) == RG_OP_GATED_ADD;
        if (t->quantised || !linear || t->site == RG_SITE_OUTPUT) continue;
        module_name(module, sizeof module, e, t);
        json_array_append_new(ignore, json_string(module));
    }
    if (!head) json_array_append_new(ignore, json_string("lm_head"));
    json_t *weights =
        json_pack("{s:i,s:s,s:b,s:s,s:i,s:b,s:n,s:n,s:s,s:{}}", "num_bits", rg_qspec_bits(&e->spec), "type",
            "int", "symmetric", e->spec.kind != RG_QK_ZERO4, "strategy", "group", "group_size", e->spec.group,
            "dynamic", 0, "actorder", "block_structure", "observer", "minmax", "observer_kwargs");
    return json_pack("{s:s,s:s,s:s,s:n,s:n,s:{s:{s:[s],s:o,s:n,s:n}},s:o}", "quant_method",
        "compressed-tensors", "format", "pack-quantized", "quantization_status", "compressed",
        "global_compression_ratio", "kv_cache_scheme", "config_groups", "group_0", "targets", "Linear",
        "weights", weights, "input_activations", "output_activations", "ignore", ignore);
}

/* Copies a file; *there: it existed. */
static rg_status copy(const char *from, const char *to, bool *there, rg_err *err)
{
    char buf[1 << 16];
    rg_outfile o;
    FILE *f = fopen(from, "rb");
    *there = f != NULL;
    if (!f)
        return errno == ENOENT ? RG_OK
                               : rg_fail(err, RG_E_FILE, "%s: cannot read: %s", from, strerror(errno));
    rg_status st = rg_outfile_open(&o, to, err);
    if (!st) {
        for (size_t n; (n = fread(buf, 1, sizeof buf, f)) > 0;) fwrite(buf, 1, n, o.f);
        if (ferror(f)) {
            rg_outfile_abort(&o);
            st = rg_fail(err, RG_E_FILE, "%s: cannot read", from);
        } else {
            st = rg_outfile_commit(&o, err);
        }
    }
    fclose(f);
    return st;
}

/* What is written of a plain model is a Llama, or a Mistral, which has a window, whatever the source was. */
static bool is_either(const rg_config *c)
{
    return strcmp(c->arch, "llama") == 0 || strcmp(c->arch, "mistral") == 0;
}
static void set_class(json_t *config, const rg_config *c)
{
    const bool window = c->window > 0;
    json_object_set_new(
        config, "architectures", json_pack("[s]", window ? "MistralForCausalLM" : "LlamaForCausalLM"));
    json_object_set_new(config, "model_type", json_string(window ? "mistral" : "llama"));
    json_object_del(config, "auto_map"); /* Python files of the source's class */
}

static rg_status write_config(rg_export *e, const char *dir, rg_err *err)
{
    const rg_config *c = rg_ckpt_config(e->source);
    char *from = rg_path_join(dir, "config.json"), *to = rg_path_join(e->tmp_dir, "config.json");
    json_t *o = from && from_hf(e) ? json_load_file(from, 0, NULL)
                                   : rg_hf_config(c, rg_ckpt_find(e->source, RG_SITE_TOKEN_EMBD, -1)->type,
                                         c->bos, c->n_eos ? c->eos[0] : -1);
    rg_status st = RG_OK;
    if (!from || !to || !o) {
        st = rg_fail(err, RG_E_NOMEM, "%s: cannot make config.json", e->path);
        json_decref(o);
    } else {
        if (rg_ckpt_is_plain(e->source) && !is_either(c)) set_class(o, c);
        json_object_set_new(o, "quantization_config", scheme(e));
        if (e->untie) json_object_set_new(o, "tie_word_embeddings", json_false());
        st = rg_hf_write_json(o, to, err);
    }
    free(from);
    free(to);
    return st;
}

rg_status rg_export_packed_end(rg_export *e, rg_err *err)
{
    bool tokenizer = false;
    char *dir = rg_path_folder(rg_ckpt_path(e->source));
    rg_status st = dir ? rg_outfile_commit(&e->f, err) : rg_no_memory(err, e->path);
    for (int i = 0; i < N_COMPANIONS && !st && from_hf(e); i++) {
        bool there = false;
        char *from = rg_path_join(dir, companions[i]), *to = rg_path_join(e->tmp_dir, companions[i]);
        st = from && to ? copy(from, to, &there, err) : rg_no_memory(err, e->path);
        tokenizer |= there && i < 2;
        free(from);
        free(to);
    }
    if (!tokenizer)
        rg_lines_add(&e->notes,
            "the tokenizer was not carried over: the source has no tokenizer.json or tokenizer.model beside "
            "it; give the file with -z");
    if (!st) st = write_config(e, dir, err);
    if (!st && rename(e->tmp_dir, e->path) != 0)
        st = rg_fail(err, RG_E_FILE, "%s: cannot rename %s to it: %s", e->path, e->tmp_dir, strerror(errno));
    if (!st) {
        free(e->tmp_dir);
        e->tmp_dir = NULL;
    }
    free(dir);
    return st;
}

void rg_export_packed_remove(rg_export *e)
{
    static const char *const own[] = {"config.json", "model.safetensors"};
    for (int i = 0; i < N_COMPANIONS + 2; i++) {
        char *p = rg_path_join(e->tmp_dir, i < 2 ? own[i] : companions[i - 2]);
        if (p) unlink(p);
        free(p);
    }
    rmdir(e->tmp_dir);
}
