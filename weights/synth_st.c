/* A synthetic checkpoint as a Hugging Face directory. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/outfile.h"
#include "weights/ckpt_impl.h"
#include "weights/synth_impl.h"

static json_t *config_json(const rg_synth_job *j)
{
    const rg_config *c = j->c;
    static const char *const dtype[RG_FT_COUNT] = {[RG_FT_F32] = "float32", [RG_FT_F16] = "float16", [RG_FT_BF16] = "bfloat16"};
    json_t *o = json_pack("{s:[s],s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:f,s:f,s:b,s:b,s:b,s:s,s:s,s:i,s:i}", "architectures", "LlamaForCausalLM", "model_type",
        "llama", "hidden_size", (json_int_t)c->dim, "intermediate_size", (json_int_t)c->ffn, "num_hidden_layers", (json_int_t)c->layers, "num_attention_heads",
        (json_int_t)c->heads, "num_key_value_heads", (json_int_t)c->kv_heads, "head_dim", (json_int_t)c->head_dim, "vocab_size", (json_int_t)c->vocab,
        "max_position_embeddings", (json_int_t)c->ctx_train, "rms_norm_eps", c->eps, "rope_theta", c->rope_theta, "tie_word_embeddings", (int)c->tied,
        "attention_bias", 0, "mlp_bias", 0, "hidden_act", "silu", "torch_dtype", dtype[j->type], "bos_token_id", 1, "eos_token_id", 2);
    if (o && c->rope_scaling == RG_ROPE_LLAMA3)
        json_object_set_new(o, "rope_scaling",
            json_pack("{s:s,s:f,s:f,s:f,s:I}", "rope_type", "llama3", "factor", c->rope_factor, "low_freq_factor", c->rope_low_freq, "high_freq_factor",
                c->rope_high_freq, "original_max_position_embeddings", (json_int_t)c->rope_orig_ctx));
    if (o && c->rope_scaling == RG_ROPE_LINEAR) json_object_set_new(o, "rope_scaling", json_pack("{s:s,s:f}", "rope_type", "linear", "factor", c->rope_factor));
    return o;
}

/* A byte-fallback BPE without merges: text becomes characters, and bytes where there is no character. */
static json_t *tokenizer_json(const rg_synth_job *j)
{
    json_t *vocab = json_object(), *added = json_array();
    char piece[32];
    int type;
    for (int64_t i = 0; i < j->c->vocab; i++) {
        rg_synth_piece(piece, i, &type);
        json_object_set_new(vocab, piece, json_integer(i));
        if (i < 3)
            json_array_append_new(added, json_pack("{s:i,s:s,s:b,s:b,s:b,s:b,s:b}", "id", (int)i, "content", piece, "single_word", 0, "lstrip", 0, "rstrip", 0,
                                             "normalized", 0, "special", 1));
    }
    json_t *normal = json_pack("{s:s,s:[{s:s,s:s},{s:s,s:{s:s},s:s}]}", "type", "Sequence", "normalizers", "type", "Prepend", "prepend", "\xe2\x96\x81", "type",
        "Replace", "pattern", "String", " ", "content", "\xe2\x96\x81");
    json_t *post = json_pack("{s:s,s:[{s:{s:s,s:i}},{s:{s:s,s:i}}],s:[],s:{s:{s:s,s:[i],s:[s]}}}", "type", "TemplateProcessing", "single", "SpecialToken", "id",
        "<s>", "type_id", 0, "Sequence", "id", "A", "type_id", 0, "pair", "special_tokens", "<s>", "id", "<s>", "ids", 1, "tokens", "<s>");
    json_t *decoder = json_pack("{s:s,s:[{s:s,s:{s:s},s:s},{s:s},{s:s},{s:s,s:s,s:i,s:i}]}", "type", "Sequence", "decoders", "type", "Replace", "pattern",
        "String", "\xe2\x96\x81", "content", " ", "type", "ByteFallback", "type", "Fuse", "type", "Strip", "content", " ", "start", 1, "stop", 0);
    return json_pack("{s:s,s:n,s:n,s:o,s:o,s:n,s:o,s:o,s:{s:s,s:n,s:s,s:n,s:n,s:b,s:b,s:o,s:[]}}", "version", "1.0", "truncation", "padding", "added_tokens",
        added, "normalizer", normal, "pre_tokenizer", "post_processor", post, "decoder", decoder, "model", "type", "BPE", "dropout", "unk_token", "<unk>",
        "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", 1, "byte_fallback", 1, "vocab", vocab, "merges");
}

static rg_status write_json(json_t *o, const char *path, rg_err *err)
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

static rg_status write_tensors(rg_synth_job *j, const char *path, rg_err *err)
{
    rg_outfile f = {0};
    json_t *root = json_object();
    char *text = NULL;
    uint64_t at = 0;
    for (size_t i = 0; root && i < j->n; i++) {
        const rg_synth_tensor *t = &j->t[i];
        json_t *shape = t->rows == 1 && rg_site_op(t->site) == RG_OP_RMSNORM ? json_pack("[I]", (json_int_t)t->cols)
                                                                             : json_pack("[I,I]", (json_int_t)t->rows, (json_int_t)t->cols);
        const uint64_t end = at + rg_synth_bytes(t);
        json_object_set_new(
            root, t->name, json_pack("{s:s,s:o,s:[I,I]}", "dtype", rg_ftypes[t->type].name, "shape", shape, "data_offsets", (json_int_t)at, (json_int_t)end));
        at = end;
    }
    if (root) text = json_dumps(root, JSON_COMPACT);
    rg_status st = text ? rg_outfile_open(&f, path, err) : rg_fail(err, RG_E_NOMEM, "%s: out of memory", path);
    if (st != RG_OK) goto out;
    const size_t len = strlen(text), padded = (len + 7) / 8 * 8;
    unsigned char n[8];
    for (int i = 0; i < 8; i++) n[i] = (unsigned char)((uint64_t)padded >> (8 * i));
    fwrite(n, 1, sizeof n, f.f);
    fprintf(f.f, "%-*s", (int)padded, text);
    for (size_t i = 0; i < j->n && st == RG_OK; i++) st = rg_synth_rows(j, &j->t[i], f.f, path, err);
    if (st == RG_OK) st = rg_outfile_commit(&f, err);
out:
    rg_outfile_abort(&f);
    free(text);
    json_decref(root);
    return st;
}

rg_status rg_synth_safetensors(rg_synth_job *j, const char *dir, rg_err *err)
{
    char *config = rg_path_join(dir, "config.json"), *tok = rg_path_join(dir, "tokenizer.json"), *data = rg_path_join(dir, "model.safetensors");
    rg_status st = config && tok && data ? RG_OK : rg_fail(err, RG_E_NOMEM, "%s: out of memory", dir);
    bool made = false;
    if (st == RG_OK && mkdir(dir, 0777) == 0)
        made = true;
    else if (st == RG_OK && errno != EEXIST)
        st = rg_fail(err, RG_E_FILE, "%s: cannot make the directory: %s", dir, strerror(errno));
    /* the configuration comes last: a directory without it is no checkpoint */
    if (st == RG_OK && unlink(config) != 0 && errno != ENOENT) st = rg_fail(err, RG_E_FILE, "%s: cannot replace: %s", config, strerror(errno));
    const char *done[2] = {NULL, NULL};
    if (st == RG_OK && (st = write_tensors(j, data, err)) == RG_OK) done[0] = data;
    if (st == RG_OK && j->c->vocab >= RG_SYNTH_MIN_VOCAB && (st = write_json(tokenizer_json(j), tok, err)) == RG_OK) done[1] = tok;
    if (st == RG_OK) st = write_json(config_json(j), config, err);
    for (int i = 0; st != RG_OK && i < 2; i++) /* nothing of ours stays behind */
        if (done[i]) unlink(done[i]);
    if (st != RG_OK && made) rmdir(dir);
    free(config);
    free(tok);
    free(data);
    return st;
}
