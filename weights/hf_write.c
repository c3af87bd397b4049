#include "weights/hf_write.h"

#include <string.h>

#include "base/outfile.h"

json_t *rg_hf_config(const rg_config *c, rg_ftype type, int64_t bos, int64_t eos)
{
    static const char *const dtype[RG_FT_COUNT] = {
        [RG_FT_F32] = "float32", [RG_FT_F16] = "float16", [RG_FT_BF16] = "bfloat16"};
    json_t *o = json_pack("{s:[s],s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:f,s:f,s:b,s:b,s:b,s:s,s:s}",
        "architectures", "LlamaForCausalLM", "model_type", "llama", "hidden_size", (json_int_t)c->dim,
        "intermediate_size", (json_int_t)c->ffn, "num_hidden_layers", (json_int_t)c->layers,
        "num_attention_heads", (json_int_t)c->heads, "num_key_value_heads", (json_int_t)c->kv_heads,
        "head_dim", (json_int_t)c->head_dim, "vocab_size", (json_int_t)c->vocab, "max_position_embeddings",
        (json_int_t)c->ctx_train, "rms_norm_eps", c->eps, "rope_theta", c->rope_theta, "tie_word_embeddings",
        (int)c->tied, "attention_bias", 0, "mlp_bias", 0, "hidden_act", "silu", "torch_dtype", dtype[type]);
    if (o && bos >= 0) json_object_set_new(o, "bos_token_id", json_integer(bos));
    if (o && eos >= 0) json_object_set_new(o, "eos_token_id", json_integer(eos));
    if (o && c->rope_scaling == RG_ROPE_LLAMA3)
        json_object_set_new(o, "rope_scaling",
            json_pack("{s:s,s:f,s:f,s:f,s:I}", "rope_type", "llama3", "factor", c->rope_factor,
                "low_freq_factor", c->rope_low_freq, "high_freq_factor", c->rope_high_freq,
                "original_max_position_embeddings", (json_int_t)c->rope_orig_ctx));
    if (o && c->rope_scaling == RG_ROPE_LINEAR)
        json_object_set_new(
            o, "rope_scaling", json_pack("{s:s,s:f}", "rope_type", "linear", "factor", c->rope_factor));
    return o;
}

rg_status rg_hf_write_json(json_t *o, const char *path, rg_err *err)
{
    rg_outfile f;
    rg_status st = o ? rg_outfile_open(&f, path, err) : rg_fail(err, RG_E_NOMEM, "%s: out of memory", path);
    if (st == RG_OK) {
        if (json_dumpf(o, f.f, JSON_INDENT(1) | JSON_SORT_KEYS) != 0) {
            rg_outfile_abort(&f);
            st = rg_fail(err, RG_E_FILE, "%s: cannot write (disk full?)", path);
        } else {
            st = rg_outfile_commit(&f, err);
        }
    }
    json_decref(o);
    return st;
}

void rg_hf_put_header(FILE *f, const char *text)
{
    const size_t len = strlen(text), padded = (len + 7) / 8 * 8;
    unsigned char n[8];
    for (int i = 0; i < 8; i++) n[i] = (unsigned char)((uint64_t)padded >> (8 * i));
    fwrite(n, 1, sizeof n, f);
    fprintf(f, "%-*s", (int)padded, text);
}
