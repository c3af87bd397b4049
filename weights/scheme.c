/* The quantisation of a checkpoint: AWQ (gemm), GPTQ (auto-round), compressed-tensors, FP8, MLX,
 * bitsandbytes (NF4). Cousins are refused by name. */
#include "weights/scheme.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "weights/members.h"

static rg_status check_group(int64_t g, const rg_src *src)
{
    if (g == -1 || (g >= 1 && g <= 1 << 20)) return RG_OK;
    return rg_bad(src, "quantization_config: group_size %lld, expected -1 or more than 0", (long long)g);
}

static rg_status read_awq(rg_scheme *s, const json_t *q, const rg_src *src)
{
    static const char *const names[] = {"version", "checkpoint_format", "format"};
    const int64_t bits = rg_member_int(q, "bits", rg_member_int(q, "w_bit", 4));
    if (bits != 4) return rg_lacks(src, "AWQ with %lld bits, expected 4", (long long)bits);
    for (int i = 0; i < 3; i++) {
        const char *version = rg_member_word(q, names[i]);
        if (*version && strcasecmp(version, "gemm") != 0)
            return rg_lacks(src,
                "AWQ %s '%.30s' packs rows in another order; expected gemm: convert it, or use the "
                "16-bit checkpoint",
                names[i], version);
    }
    if (json_is_false(json_object_get(q, "zero_point")))
        return rg_lacks(src, "AWQ without zero points is not supported; expected zero_point true");
    s->kind = RG_SCHEME_AWQ;
    s->bits = 4;
    s->group = rg_member_int(q, "group_size", rg_member_int(q, "q_group_size", 128));
    return check_group(s->group, src);
}

static rg_status read_gptq(rg_scheme *s, const json_t *q, const rg_src *src)
{
    const int64_t bits = rg_member_int(q, "bits", 4);
    const char *format = rg_member_word(q, "checkpoint_format"), *other = rg_member_word(q, "format");
    const json_t *sym = json_object_get(q, "sym");
    if (!*format) format = other; /* as newer writers call it */
    if (*other && strcmp(format, other) != 0)
        return rg_lacks(src,
            "quantization_config: checkpoint_format is %.30s, format %.30s: which one is it?", format, other);
    if (bits != 4 && bits != 8) return rg_lacks(src, "GPTQ with %lld bits, expected 4 or 8", (long long)bits);
    if (*format && strcmp(format, "gptq") != 0 && strcmp(format, "gptq_v2") != 0)
        return rg_lacks(src, "GPTQ checkpoint_format '%.30s', expected gptq or gptq_v2", format);
    if (json_is_true(json_object_get(q, "is_marlin_format")))
        return rg_lacks(src, "GPTQ in marlin format, expected gptq or gptq_v2");
    s->kind = RG_SCHEME_GPTQ;
    s->bits = (int)bits;
    s->gptq_v2 = strcmp(format, "gptq_v2") == 0;
    /* modules may have bits and groups of their own: their shapes tell */
    s->mixed = json_object_size(json_object_get(q, "dynamic")) ||
        json_object_size(json_object_get(q, "extra_config"));
    s->sym = json_is_boolean(sym) && !s->mixed ? json_is_true(sym) : -1;
    s->no_order = json_is_false(json_object_get(q, "desc_act"));
    s->group = rg_member_int(q, "group_size", 128);
    return check_group(s->group, src);
}

/* GPTQ's tensors under another name, or another layout. */
static rg_status read_auto_round(rg_scheme *s, const json_t *q, const rg_src *src)
{
    const char *packing = rg_member_word(q, "packing_format");
    if (*packing && strcmp(packing, "auto_round:auto_gptq") != 0 && strcmp(packing, "auto_round:gptq") != 0)
        return rg_lacks(src, "auto-round packing_format '%.40s', expected auto_round:auto_gptq", packing);
    return read_gptq(s, q, src);
}

/* Rows and columns that share a scale, or null. */
static rg_status read_block(rg_scheme *s, const json_t *v, const char *name, const rg_src *src)
{
    int64_t side[2] = {0, 0};
    if (!v || json_is_null(v)) return RG_OK;
    for (size_t i = 0; i < 2; i++) {
        const json_t *n = json_array_get(v, i);
        side[i] = json_is_integer(n) ? json_integer_value(n) : 0;
    }
    if (json_array_size(v) != 2 || side[0] < 1 || side[0] > 1 << 20 || side[1] < 1 || side[1] > 1 << 20)
        return rg_bad(src, "quantization_config: %s is not two whole numbers from 1", name);
    if (s->block[0] && (s->block[0] != side[0] || s->block[1] != side[1]))
        return rg_lacks(src, "quantization_config: %s of several sizes is not supported", name);
    s->block[0] = side[0];
    s->block[1] = side[1];
    return RG_OK;
}

/* What weights each format of compressed-tensors may hold. */
static const struct {
    const char *name, *types;
    bool four; /* of 4 bits too, in words */
} formats[] = {{"pack-quantized", "int", true}, {"int-quantized", "int", false},
    {"float-quantized", "float", false}, {"naive-quantized", "int float", false}};

static rg_status read_group_weights(rg_scheme *s, const json_t *w, const char *format, const rg_src *src)
{
    const int64_t bits = rg_member_int(w, "num_bits", 8);
    const char *type = rg_member_word(w, "type"), *strategy = rg_member_word(w, "strategy");
    size_t f = 0;
    while (f < sizeof formats / sizeof *formats && strcmp(formats[f].name, format) != 0) f++;
    if (f == sizeof formats / sizeof *formats)
        return rg_lacks(src,
            "compressed-tensors format '%.40s', expected pack-quantized, int-quantized, float-quantized or "
            "naive-quantized",
            format);
    if (!*type) type = "int";
    if (!rg_word_in(formats[f].types, type) || (bits != 8 && !(bits == 4 && formats[f].four)))
        return rg_lacks(src,
            "compressed-tensors %s weights of type '%.30s' with %lld bits, expected %s with %s",
            formats[f].name, type, (long long)bits, formats[f].types, formats[f].four ? "4 or 8" : "8");
    const int sym = !json_is_false(json_object_get(w, "symmetric")); /* the default of compressed-tensors */
    if (!sym && f > 0)
        return rg_lacks(src,
            "compressed-tensors %s weights with zero points are not supported; expected symmetric ones",
            formats[f].name);
    if (*strategy && !rg_word_in(f > 0 ? "group channel tensor block" : "group channel", strategy))
        return rg_lacks(src, "compressed-tensors %s with strategy '%.30s', expected group or channel%s",
            formats[f].name, strategy, f > 0 ? ", tensor or block" : "");
    s->mixed |= s->kind == RG_SCHEME_CT && s->bits != bits;
    s->sym =
        s->kind == RG_SCHEME_CT && s->sym != sym ? -1 : sym; /* groups of both: a module's is not known */
    s->kind = RG_SCHEME_CT;
    s->bits = (int)bits;
    if (s->group == 0) s->group = rg_member_int(w, "group_size", 0);
    return read_block(s, json_object_get(w, "block_structure"), "block_structure", src);
}

static rg_status check(const json_t *o, rg_member_place place, rg_lines *notes, const rg_src *src)
{
    return rg_members_check(o, &(rg_reader){.place = place}, notes, src);
}

static rg_status read_compressed(rg_scheme *s, const json_t *q, rg_lines *notes, const rg_src *src)
{
    const char *format = rg_member_word(q, "format"),
               *sparse = rg_member_word(json_object_get(q, "sparsity_config"), "format"), *name;
    json_t *groups = json_object_get(q, "config_groups"), *g;
    if (*sparse && strcmp(sparse, "dense") != 0)
        return rg_lacks(src, "compressed-tensors with sparsity format '%.40s', expected dense", sparse);
    json_object_foreach (groups, name, g) {
        const json_t *w = json_object_get(g, "weights");
        if (!json_is_object(g) || (w && !json_is_null(w) && !json_is_object(w)))
            return rg_bad(src, "compressed-tensors %.40s: not an object", name);
        rg_status st = check(g, RG_IN_GROUP, notes, src);
        if (st) return st;
        if (!json_is_object(w)) continue; /* layers that are not quantised */
        const char *own =
            rg_member_word(g, "format"); /* an empty object means the defaults, which quantise */
        if ((st = read_group_weights(s, w, *own ? own : format, src)) ||
            (st = check(w, RG_IN_WEIGHTS, notes, src)))
            return st;
    }
    if (s->kind != RG_SCHEME_CT)
        return rg_bad(src, "compressed-tensors without config_groups: how many bits?");
    return check(q, RG_IN_PACKED, notes, src);
}

/* FP8 of transformers ("fp8"), of FBGEMM and of ModelOpt: a matrix of bytes and its scales. */
static rg_status read_fp8(rg_scheme *s, const json_t *q, rg_lines *notes, const rg_src *src)
{
    const bool modelopt = !rg_word_in("fp8 fbgemm_fp8", rg_member_word(q, "quant_method"));
    const char *algo = rg_member_word(q, "quant_algo");
    if (modelopt && !rg_word_in("FP8 FP8_PER_CHANNEL_PER_TOKEN", algo))
        return rg_lacks(src, "modelopt with quant_algo '%.40s', expected FP8", algo);
    s->kind = RG_SCHEME_FP8;
    s->bits = 8;
    const rg_status st = read_block(s, json_object_get(q, "weight_block_size"), "weight_block_size", src);
    return st ? st : check(q, modelopt ? RG_IN_MODELOPT : RG_IN_FP8, notes, src);
}

static rg_status read_bitsandbytes(rg_scheme *s, const json_t *q, rg_lines *notes, const rg_src *src)
{
    const char *type = rg_member_word(q, "bnb_4bit_quant_type");
    if (!rg_member_true(q, "load_in_4bit") && !rg_member_true(q, "_load_in_4bit"))
        return rg_lacks(src,
            "quantization_config: bitsandbytes with 8 bits is not supported; expected load_in_4bit: use the "
            "16-bit "
            "checkpoint with --dtype");
    if (strcmp(type, "nf4") != 0) /* silence means fp4 */
        return rg_lacks(
            src, "quantization_config: bnb_4bit_quant_type '%.30s', expected nf4", *type ? type : "fp4");
    s->kind = RG_SCHEME_NF4;
    s->bits = 4;
    return check(q, RG_IN_BNB, notes, src);
}

/* MLX: the sizes of all modules, or of one. */
static rg_status read_mlx_sizes(rg_scheme *s, const json_t *q, const char *module, const rg_src *src)
{
    const char *mode = rg_member_word(q, "mode"), *is = *module ? ": " : "";
    const int64_t bits = rg_member_int(q, "bits", 4), group = rg_member_int(q, "group_size", 64);
    if (*mode && strcmp(mode, "affine") != 0)
        return rg_lacks(src, "quantization: %.100s%smode '%.30s', expected affine", module, is, mode);
    if (bits != 4 && bits != 8)
        return rg_lacks(
            src, "quantization: %.100s%sMLX with %lld bits, expected 4 or 8", module, is, (long long)bits);
    if (group < 1 || group > 1 << 20)
        return rg_bad(
            src, "quantization: %.100s%sgroup_size %lld, expected more than 0", module, is, (long long)group);
    s->mixed |= *module && (s->bits != bits || s->group != group);
    if (*module) return RG_OK;
    s->bits = (int)bits;
    s->group = group;
    return RG_OK;
}

/* Sizes, and beside them modules by name: sizes of their own, or whether they are quantised, as their tensors
 * say. */
static rg_status read_mlx(rg_scheme *s, const json_t *q, rg_lines *notes, const rg_src *src)
{
    const char *key;
    json_t *v, *rest = json_object();
    s->kind = RG_SCHEME_MLX;
    rg_status st = rest ? read_mlx_sizes(s, q, "", src) : rg_no_memory(src->err, src->name);
    json_object_foreach ((json_t *)(uintptr_t)q, key, v) {
        if (st) break;
        if (json_is_object(v)) {
            st = read_mlx_sizes(s, v, RG_CLEAN(128, key), src);
            if (!st) st = check(v, RG_IN_MLX, notes, src);
        } else if (!json_is_boolean(v)) {
            json_object_set(rest, key, v);
        }
    }
    if (!st) st = check(rest, RG_IN_MLX, notes, src);
    json_decref(rest);
    return st;
}

rg_status rg_scheme_from_json(
    rg_scheme *s, const json_t *root, const char *dir, rg_lines *notes, const rg_src *config)
{
    /* of AutoGPTQ and early AutoAWQ; of ModelOpt */
    static const char *const files[] = {"quantize_config.json", "hf_quant_config.json"};
    char *beside = NULL;
    json_t *own = NULL;
    const json_t *q = json_object_get(root, "quantization_config"),
                 *mlx = json_object_get(root, "quantization");
    rg_status st = RG_OK;
    *s = (rg_scheme){.sym = -1};
    rg_src src = *config;
    /* the old key of compressed-tensors */
    if (!q || json_is_null(q)) q = json_object_get(root, "compression_config");
    if (q && !json_is_null(q) && !json_is_object(q)) {
        st = rg_bad(&src, "quantization_config is not an object");
        goto out;
    }
    if (json_is_object(mlx)) { /* MLX writes it twice; auto-round names its own method beside it */
        if (json_is_object(q) && !json_equal(q, mlx) &&
            strcmp(rg_member_word(q, "packing_format"), "mlx") != 0)
            st = rg_lacks(&src, "quantization (of MLX) and quantization_config differ: which one is it?");
        if (!st) st = read_mlx(s, mlx, notes, &src);
        goto out;
    }
    for (int i = 0; i < 2 && !json_is_object(q); i++) {
        json_error_t je;
        free(beside);
        beside = rg_path_join(dir, files[i]);
        if (!beside) return rg_no_memory(config->err, dir);
        if (access(beside, R_OK) != 0) continue;
        own = json_load_file(beside, JSON_REJECT_DUPLICATES, &je);
        q = i == 0 ? own : json_object_get(own, "quantization");
        src.name = beside;
        if (!json_is_object(q)) {
            st = rg_bad(&src, "cannot read: %.200s", own ? "not an object" : je.text);
            goto out;
        }
    }
    if (!json_is_object(q)) goto out;
    const char *method = rg_member_word(q, "quant_method");
    if (strcmp(method, "awq") == 0 ||
        (!*method && (json_object_get(q, "w_bit") || json_object_get(q, "zero_point"))))
        st = read_awq(s, q, &src);
    else if (strcmp(method, "gptq") == 0 || (!*method && json_object_get(q, "bits")))
        st = read_gptq(s, q, &src);
    else if (strcmp(method, "auto-round") == 0 || strcmp(method, "intel/auto-round") == 0)
        st = read_auto_round(s, q, &src);
    else if (strcmp(method, "compressed-tensors") == 0 || (!*method && json_object_get(q, "config_groups")))
        st = read_compressed(s, q, notes, &src);
    else if (rg_word_in("fp8 fbgemm_fp8 modelopt", method) || (!*method && json_object_get(q, "quant_algo")))
        st = read_fp8(s, q, notes, &src);
    else if (strcmp(method, "mxfp4") == 0) {
        s->kind = RG_SCHEME_MXFP4;
        s->bits = 4;
        st = check(q, RG_IN_MXFP4, notes, &src);
    } else if (strcmp(method, "bitsandbytes") == 0 ||
        (!*method && (json_object_get(q, "load_in_4bit") || json_object_get(q, "load_in_8bit"))))
        st = read_bitsandbytes(s, q, notes, &src);
    else
        st = rg_lacks(&src,
            "quantization_config: method '%.40s' is not supported; expected awq, gptq, "
            "auto-round, compressed-tensors, fp8, fbgemm_fp8, modelopt, mxfp4 or bitsandbytes: use the "
            "16-bit "
            "checkpoint with "
            "--dtype",
            method);
    if (!st && s->kind <= RG_SCHEME_GPTQ) st = check(q, RG_IN_QUANT, notes, &src);
out:
    json_decref(own);
    free(beside);
    return st;
}
