/* The quantisation of a checkpoint: AWQ (gemm), GPTQ (auto-round), compressed-tensors (pack-quantized). Cousins are
 * refused by name. */
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

static rg_status read_group_weights(rg_scheme *s, const json_t *w, const rg_src *src)
{
    const int64_t bits = rg_member_int(w, "num_bits", 8);
    const char *type = rg_member_word(w, "type"), *strategy = rg_member_word(w, "strategy");
    if (strcmp(type, "int") != 0 && *type)
        return rg_lacks(src,
            "compressed-tensors weights of type '%.30s' with %lld bits, expected int with 4 or 8", type,
            (long long)bits);
    if (bits != 4 && bits != 8)
        return rg_lacks(src, "compressed-tensors weights with %lld bits, expected 4 or 8", (long long)bits);
    const int sym = !json_is_false(json_object_get(w, "symmetric")); /* the default of compressed-tensors */
    s->mixed |= s->kind == RG_SCHEME_PACKED && s->bits != bits;
    s->sym =
        s->kind == RG_SCHEME_PACKED && s->sym != sym ? -1 : sym; /* groups of both: a module's is not known */
    s->kind = RG_SCHEME_PACKED;
    s->bits = (int)bits;
    if (*strategy && strcmp(strategy, "group") != 0 && strcmp(strategy, "channel") != 0)
        return rg_lacks(src, "compressed-tensors strategy '%.30s', expected group or channel", strategy);
    return RG_OK;
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
    if (strcmp(format, "pack-quantized") != 0)
        return rg_lacks(
            src, "compressed-tensors format '%.40s', expected pack-quantized (4- or 8-bit weights)", format);
    if (*sparse && strcmp(sparse, "dense") != 0)
        return rg_lacks(src, "compressed-tensors with sparsity format '%.40s', expected dense", sparse);
    json_object_foreach (groups, name, g) {
        const json_t *w = json_object_get(g, "weights");
        if (!json_is_object(g) || (w && !json_is_null(w) && !json_is_object(w)))
            return rg_bad(src, "compressed-tensors %.40s: not an object", name);
        rg_status st = check(g, RG_IN_GROUP, notes, src);
        if (st) return st;
        /* an empty object means the defaults, which quantise */
        static const char *const acts[] = {"input_activations", "output_activations"};
        for (int i = 0; i < 2; i++)
            if (json_is_object(json_object_get(g, acts[i])))
                return rg_lacks(src,
                    "compressed-tensors %.40s: %s: quantised activations are not supported; expected weights "
                    "only",
                    name, acts[i]);
        if (!json_is_object(w)) continue; /* layers that are not quantised */
        if ((st = read_group_weights(s, w, src)) || (st = check(w, RG_IN_WEIGHTS, notes, src))) return st;
        if (s->group == 0) s->group = rg_member_int(w, "group_size", 0);
    }
    if (s->kind != RG_SCHEME_PACKED)
        return rg_bad(src, "compressed-tensors without config_groups: how many bits?");
    return check(q, RG_IN_PACKED, notes, src);
}

rg_status rg_scheme_from_json(
    rg_scheme *s, const json_t *root, const char *dir, rg_lines *notes, const rg_src *config)
{
    char *beside = rg_path_join(dir, "quantize_config.json");
    json_t *own = NULL;
    const json_t *q = json_object_get(root, "quantization_config");
    rg_status st = RG_OK;
    *s = (rg_scheme){.sym = -1};
    if (!beside) return rg_no_memory(config->err, dir);
    rg_src src = *config;
    /* the old key of compressed-tensors */
    if (!q || json_is_null(q)) q = json_object_get(root, "compression_config");
    if (q && !json_is_null(q) && !json_is_object(q)) {
        st = rg_bad(&src, "quantization_config is not an object");
        goto out;
    }
    if (!json_is_object(q)) { /* AutoGPTQ and early AutoAWQ wrote a file of their own */
        json_error_t je;
        if (access(beside, R_OK) != 0) goto out;
        q = own = json_load_file(beside, JSON_REJECT_DUPLICATES, &je);
        src.name = beside;
        if (!json_is_object(q)) {
            st = rg_bad(&src, "cannot read: %.200s", q ? "not an object" : je.text);
            goto out;
        }
    }
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
    else
        st = rg_lacks(&src,
            "quantization_config: method '%.40s' is not supported; expected awq, gptq, "
            "auto-round or compressed-tensors: use the 16-bit checkpoint with --dtype",
            method);
    if (!st && s->kind != RG_SCHEME_PACKED) st = check(q, RG_IN_QUANT, notes, &src);
out:
    json_decref(own);
    free(beside);
    return st;
}
