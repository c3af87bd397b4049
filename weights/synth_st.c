/* A synthetic checkpoint as a Hugging Face directory. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "weights/arch.h"
#include "weights/hf_write.h"
#include "weights/synth_impl.h"

/* A byte-fallback BPE without merges: characters, else bytes. */
static json_t *tokenizer_json(const rg_synth_job *j)
{
    json_t *vocab = json_object(), *added = json_array();
    char piece[32];
    int type;
    for (int64_t i = 0; i < j->c->vocab; i++) {
        rg_synth_piece(piece, i, &type);
        json_object_set_new(vocab, piece, json_integer(i));
        if (i < 3)
            json_array_append_new(added,
                json_pack("{s:i,s:s,s:b,s:b,s:b,s:b,s:b}", "id", (int)i, "content", piece, "single_word", 0,
                    "lstrip", 0, "rstrip", 0, "normalized", 0, "special", 1));
    }
    json_t *normal = json_pack("{s:s,s:[{s:s,s:s},{s:s,s:{s:s},s:s}]}", "type", "Sequence", "normalizers",
        "type", "Prepend", "prepend", "\xe2\x96\x81", "type", "Replace", "pattern", "String", " ", "content",
        "\xe2\x96\x81");
    json_t *post = json_pack("{s:s,s:[{s:{s:s,s:i}},{s:{s:s,s:i}}],s:[],s:{s:{s:s,s:[i],s:[s]}}}", "type",
        "TemplateProcessing", "single", "SpecialToken", "id", "<s>", "type_id", 0, "Sequence", "id", "A",
        "type_id", 0, "pair", "special_tokens", "<s>", "id", "<s>", "ids", 1, "tokens", "<s>");
    json_t *decoder = json_pack("{s:s,s:[{s:s,s:{s:s},s:s},{s:s},{s:s},{s:s,s:s,s:i,s:i}]}", "type",
        "Sequence", "decoders", "type", "Replace", "pattern", "String", "\xe2\x96\x81", "content", " ",
        "type", "ByteFallback", "type", "Fuse", "type", "Strip", "content", " ", "start", 1, "stop", 0);
    return json_pack("{s:s,s:n,s:n,s:o,s:o,s:n,s:o,s:o,s:{s:s,s:n,s:s,s:n,s:n,s:b,s:b,s:o,s:[]}}", "version",
        "1.0", "truncation", "padding", "added_tokens", added, "normalizer", normal, "pre_tokenizer",
        "post_processor", post, "decoder", decoder, "model", "type", "BPE", "dropout", "unk_token", "<unk>",
        "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", 1, "byte_fallback", 1, "vocab", vocab,
        "merges");
}

/* The entry of a tensor of all experts. */
static void put_woven(json_t *header, const char *name, const rg_file_tensor *t, int64_t *at)
{
    const int64_t bytes = (int64_t)rg_file_bytes(t);
    const bool bias = t->woven == RG_WOVEN_BIAS;
    json_t *shape = json_pack("[I,I]", (json_int_t)t->experts, (json_int_t)(bias ? t->cols : t->rows));
    if (!bias) json_array_append_new(shape, json_integer(t->cols / 32));
    if (t->woven == RG_WOVEN_BLOCKS) json_array_append_new(shape, json_integer(16));
    json_object_set_new(header, name,
        json_pack("{s:s,s:o,s:[I,I]}", "dtype", bias ? rg_ftypes[t->type].name : "U8", "shape", shape,
            "data_offsets", (json_int_t)*at, (json_int_t)(*at + bytes)));
    *at += bytes;
}

static rg_status write_tensors(rg_synth_job *j, const char *path, rg_err *err)
{
    rg_outfile f = {0};
    json_t *header = json_object();
    char name[96];
    int64_t at = 0;
    for (size_t i = 0; i < j->n; i++) {
        const rg_file_tensor *t = &j->t[i];
        rg_file_tensor_name(name, sizeof name, RG_NAMES_HF, rg_arch_named(j->c->arch)->traits, t);
        if (t->woven) {
            put_woven(header, name, t, &at);
            continue;
        }
        rg_hf_entry(header, name, rg_ftypes[t->type].name, rg_site_rows(t->site) == RG_EXT_ONE ? 0 : t->rows,
            t->cols, &at, (int64_t)rg_file_bytes(t));
    }
    rg_status st = rg_hf_open(&f, header, path, err);
    for (size_t i = 0; i < j->n && !st; i++) st = rg_synth_rows(j, &j->t[i], f.f, path, err);
    if (!st) st = rg_outfile_commit(&f, err);
    rg_outfile_abort(&f);
    return st;
}

rg_status rg_synth_safetensors(rg_synth_job *j, const char *dir, rg_err *err)
{
    char *config = rg_path_join(dir, "config.json"), *tok = rg_path_join(dir, "tokenizer.json"),
         *data = rg_path_join(dir, "model.safetensors");
    rg_status st = config && tok && data ? RG_OK : rg_no_memory(err, dir);
    bool made = false;
    if (!st && mkdir(dir, 0777) == 0)
        made = true;
    else if (!st && errno != EEXIST)
        st = rg_fail(err, RG_E_FILE, "%s: cannot make the directory: %s", dir, strerror(errno));
    /* the configuration comes last: a directory without it is no checkpoint */
    if (!st && unlink(config) != 0 && errno != ENOENT)
        st = rg_fail(err, RG_E_FILE, "%s: cannot replace: %s", config, strerror(errno));
    const char *done[2] = {NULL, NULL};
    if (!st && !(st = write_tensors(j, data, err))) done[0] = data;
    if (!st && j->c->vocab >= RG_SYNTH_MIN_VOCAB && !(st = rg_hf_write_json(tokenizer_json(j), tok, err)))
        done[1] = tok;
    json_t *said = st ? NULL : rg_hf_config(j->c, j->type, 1, 2);
    if (said && rg_arch_named(j->c->arch)->traits & RG_HAS_CLAMPED)
        json_object_set_new(said, "quantization_config", json_pack("{s:s}", "quant_method", "mxfp4"));
    if (!st) st = rg_hf_write_json(said, config, err);
    for (int i = 0; st && i < 2; i++) /* nothing of ours stays behind */
        if (done[i]) unlink(done[i]);
    if (st && made) rmdir(dir);
    free(config);
    free(tok);
    free(data);
    return st;
}
