/* Fills small models with random weights and keeps their true values. */
#include "model_build.h"

#include "testing.h"

#include <sys/stat.h>

#include "base/num.h"
#include "model_build_impl.h"
#include "quant_build.h"
#include "ref_blocks.h"
#include "weights/arch.h"

void *build_get(size_t n)
{
    void *p = calloc(1, n ? n : 1);
    if (!p) abort();
    return p;
}

double *build_add(model_build *b, const char *name, int64_t rows, int64_t cols)
{
    for (int i = 0; i < b->n; i++) { /* one more in a stack */
        const int64_t had = b->t[i].rows * b->t[i].cols;
        if (strcmp(b->t[i].name, name) != 0) continue;
        b->t[i].rows += rows == 1 ? 0 : rows;
        b->t[i].cols += rows == 1 ? cols : 0;
        b->t[i].w = realloc(b->t[i].w, (size_t)(had + rows * cols) * sizeof(double));
        if (!b->t[i].w) abort();
        return b->t[i].w + had;
    }
    if (b->n == BUILD_MAX_TENSORS) abort();
    if (strlen(name) >= sizeof b->t[0].name) abort();
    strcpy(b->t[b->n].name, name);
    b->t[b->n].rows = rows;
    b->t[b->n].cols = cols;
    return b->t[b->n++].w = build_get((size_t)(rows * cols) * sizeof(double));
}

const double *build_truth(const model_build *b, const char *name)
{
    for (int i = 0; i < b->n; i++)
        if (strcmp(b->t[i].name, name) == 0) return b->t[i].w;
    return NULL;
}

const double *build_truth_of(const model_build *b, const rg_ckpt *c, size_t i)
{
    const rg_ckpt_tensor *t = rg_ckpt_at(c, i);
    const double *w = build_truth(b, t->file_name);
    for (size_t k = 0; w && k < i; k++) {
        const rg_ckpt_tensor *above = rg_ckpt_at(c, k);
        if (strcmp(above->file_name, t->file_name) == 0) w += above->rows * above->cols;
    }
    return w;
}

void build_drop(model_build *b)
{
    for (int i = 0; i < b->n; i++) free(b->t[i].w);
    b->n = 0;
}

/* ---- architectures ---- */

/* The row of arch.def that b->arch names: a class of config.json, or a word of GGUF. */
static const rg_arch *arch_of(const model_build *b)
{
    const rg_arch *a = rg_archs;
    for (; b->arch && a->word[RG_ARCH_NAME]; a++)
        if (strcmp(a->word[RG_ARCH_HF], b->arch) == 0 ||
            (a->word[RG_ARCH_GGUF] && strcmp(a->word[RG_ARCH_GGUF], b->arch) == 0))
            break;
    if (!a->word[RG_ARCH_NAME]) abort();
    return a;
}

static bool has(const model_build *b, int trait) { return (arch_of(b)->traits & trait) != 0; }

/* Tensors of a model in the order of a file; bias: of the matrix before. */
typedef struct entry {
    const char *hf, *gguf;
    int64_t rows, cols;
    bool layer, norm, linear, bias, qk;
    bool open; /* more of its stack follows */
} entry;

/* Where matrices of stacks stand. */
static const struct home {
    stacking kind;
    const char *of, *hf, *gguf;
    bool open;
} homes[] = {{STACK_PHI3, "attn_q", "self_attn.qkv_proj", "attn_qkv", true},
    {STACK_PHI3, "attn_k", "self_attn.qkv_proj", "attn_qkv", true},
    {STACK_PHI3, "attn_v", "self_attn.qkv_proj", "attn_qkv", false},
    {STACK_PHI3, "ffn_gate", "mlp.gate_up_proj", "ffn_up", true},
    {STACK_PHI3, "ffn_up", "mlp.gate_up_proj", "ffn_up", false},
    {STACK_GRANITE4, "ffn_gate", "shared_mlp.input_linear", "ffn_up", true},
    {STACK_GRANITE4, "ffn_up", "shared_mlp.input_linear", "ffn_up", false},
    {STACK_GRANITE4, "ffn_down", "shared_mlp.output_linear", "ffn_down", false}};
enum { MOST_ENTRIES = 16 };

static entry norm_entry(const char *hf, const char *gguf, int64_t n)
{
    return (entry){hf, gguf, 1, n, .layer = true, .norm = true};
}

static entry matrix_entry(const char *hf, const char *gguf, int64_t rows, int64_t cols, bool bias)
{
    return (entry){hf, gguf, rows, cols, .layer = true, .linear = true, .bias = bias};
}

static int entries(const model_build *b, entry *e)
{
    const rg_config *c = &b->c;
    const int64_t q = rg_q_dim(c), kv = rg_kv_dim(c);
    const bool post = has(b, RG_HAS_POST_NORM), pre = !has(b, RG_HAS_NO_PRE_NORM),
               whole = has(b, RG_HAS_WHOLE_NORM);
    int n = 0;
    e[n++] = (entry){"model.embed_tokens", "token_embd", c->vocab, c->dim, .linear = b->embd_too};
    if (pre) e[n++] = norm_entry("input_layernorm", "attn_norm", c->dim);
    e[n++] = matrix_entry("self_attn.q_proj", "attn_q", q, c->dim, b->qkv_bias);
    e[n - 1].qk = true;
    e[n++] = matrix_entry("self_attn.k_proj", "attn_k", kv, c->dim, b->qkv_bias);
    e[n - 1].qk = true;
    e[n++] = matrix_entry("self_attn.v_proj", "attn_v", kv, c->dim, b->qkv_bias);
    if (has(b, RG_HAS_QK_NORM)) {
        e[n++] = norm_entry("self_attn.q_norm", "attn_q_norm", whole ? q : c->head_dim);
        e[n++] = norm_entry("self_attn.k_norm", "attn_k_norm", whole ? kv : c->head_dim);
    }
    e[n++] = matrix_entry("self_attn.o_proj", "attn_output", c->dim, q, b->o_bias);
    if (post) e[n++] = norm_entry("post_attention_layernorm", "post_attention_norm", c->dim);
    if (pre)
        e[n++] = norm_entry(post ? "pre_feedforward_layernorm" : "post_attention_layernorm",
            has(b, RG_HAS_CLAMPED) ? "post_attention_norm" : "ffn_norm", c->dim);
    if (c->experts == 0) { /* those of experts: put_experts */
        e[n++] = matrix_entry("mlp.gate_proj", "ffn_gate", c->ffn, c->dim, b->mlp_bias);
        e[n++] = matrix_entry("mlp.up_proj", "ffn_up", c->ffn, c->dim, b->mlp_bias);
        e[n++] = matrix_entry("mlp.down_proj", "ffn_down", c->dim, c->ffn, b->mlp_bias);
    }
    if (post) e[n++] = norm_entry("post_feedforward_layernorm", "post_ffw_norm", c->dim);
    e[n++] = (entry){"model.norm", "output_norm", 1, c->dim, .norm = true};
    if (!c->tied) e[n++] = (entry){"lm_head", "output", c->vocab, c->dim, .linear = b->head_too};
    for (int i = 0; i < n; i++)
        for (size_t k = 0; k < sizeof homes / sizeof *homes; k++)
            if (homes[k].kind == b->stacked && strcmp(homes[k].of, e[i].gguf) == 0) {
                e[i].hf = homes[k].hf;
                e[i].gguf = homes[k].gguf;
                e[i].open = homes[k].open;
                break;
            }
    if (n > MOST_ENTRIES) abort();
    return n;
}

static void entry_name(char *buf, size_t n, const entry *e, bool hf, int layer, const char *tail)
{
    if (e->layer)
        snprintf(buf, n, "%s%d.%s%s", hf ? "model.layers." : "blk.", layer, hf ? e->hf : e->gguf, tail);
    else
        snprintf(buf, n, "%s%s", hf ? e->hf : e->gguf, tail);
}

/* Where files keep row j of neighbouring pairs. */
static int64_t stored(int64_t j, int64_t hd)
{
    return j / hd * hd + 2 * (j % hd % (hd / 2)) + j % hd / (hd / 2);
}

static double spread(const entry *e) { return 1.0 / sqrt((double)e->cols); }

static void put_half(unsigned char *p, float f)
{
    const uint16_t h = rg_f32_to_f16(f);
    p[0] = (unsigned char)h;
    p[1] = (unsigned char)(h >> 8);
}

/* ---- safetensors ---- */

/* Adds to the stack that is being made, of one matrix or more; false: more follow. */
static bool close_stack(model_build *b, bool bias, const void *p, size_t bytes, int64_t rows, bool open)
{
    put_bytes(&b->open[bias].data, p, bytes);
    b->open[bias].rows += rows;
    return !open;
}
static void drop_stack(model_build *b, bool bias)
{
    drop_bytes(&b->open[bias].data);
    b->open[bias].rows = 0;
}

/* plus: what the file's values are less than the weights; hd: head size if the rows are those of neighbouring
 * pairs, else 0. */
static void put_f32(model_build *b, st_build *s, rg_rng *r, const char *name, int64_t rows, int64_t cols,
    double mean, double dev, bool vector, float plus, int64_t hd, bool open)
{
    float *f = build_get((size_t)(rows * cols) * sizeof *f);
    double *w = build_add(b, name, rows, cols);
    for (int64_t i = 0; i < rows * cols; i++) {
        const int64_t row = vector ? i : i / cols, at = hd ? stored(row, hd) : row;
        float *to = &f[vector ? at : at * cols + i % cols];
        *to = (float)(mean - (double)plus + dev * (double)rng_normal(r));
        w[i] = (double)(*to + plus);
    }
    if (close_stack(b, vector, f, (size_t)(rows * cols) * 4, vector ? cols : rows, open)) {
        const int64_t n = b->open[vector].rows, dim[2] = {n, cols};
        st_tensor(s, name, "F32", vector ? 1 : 2, vector ? &n : dim, b->open[vector].data.p,
            b->open[vector].data.n);
        drop_stack(b, vector);
    }
    free(f);
}

static void write_config(const model_build *b, const char *dir)
{
    static const char *const schemes[] = {
        [INT4_AWQ] = "\"quant_method\": \"awq\", \"bits\": 4, \"zero_point\": true, \"version\": \"gemm\", "
                     "\"group_size\": %d",
        [INT4_GPTQ] =
            "\"quant_method\": \"gptq\", \"bits\": 4, \"checkpoint_format\": \"gptq\", \"group_size\": %d",
        [INT4_GPTQ_V2] =
            "\"quant_method\": \"gptq\", \"bits\": 4, \"checkpoint_format\": \"gptq_v2\", \"group_size\": %d",
        [INT4_PACKED] = "\"quant_method\": \"compressed-tensors\", \"format\": \"pack-quantized\", "
                        "\"ignore\": [\"lm_head\"], \"config_groups\": {\"group_0\": "
                        "{\"targets\": [\"Linear\"], \"input_activations\": null, \"weights\": "
                        "{\"num_bits\": 4, \"type\": \"int\", \"strategy\": \"group\", "
                        "\"group_size\": %d, \"symmetric\": %s}}}",
        [INT8_GPTQ] =
            "\"quant_method\": \"gptq\", \"bits\": 8, \"checkpoint_format\": \"gptq\", \"group_size\": %d",
        [INT8_GPTQ_V2] =
            "\"quant_method\": \"gptq\", \"bits\": 8, \"checkpoint_format\": \"gptq_v2\", \"group_size\": %d",
        [INT8_PACKED] = "\"quant_method\": \"compressed-tensors\", \"format\": \"pack-quantized\", "
                        "\"config_groups\": {\"group_0\": {\"targets\": [\"Linear\"], "
                        "\"weights\": {\"num_bits\": 8, \"type\": \"int\", \"strategy\": \"group\", "
                        "\"group_size\": %d, \"symmetric\": %s}}}",
        [INT4_MLX] = "\"group_size\": %d, \"bits\": 4, \"mode\": \"affine\"",
        [INT8_MLX] = "\"group_size\": %d, \"bits\": 8",
        [INT8_ROWS] = "\"quant_method\": \"compressed-tensors\", \"format\": \"int-quantized\", "
                      "\"config_groups\": {\"group_0\": {\"targets\": [\"Linear\"], "
                      "\"weights\": {\"num_bits\": 8, \"type\": \"int\", \"strategy\": \"channel\", "
                      "\"symmetric\": true}}}",
        [NF4] =
            "\"quant_method\": \"bitsandbytes\", \"load_in_4bit\": true, \"bnb_4bit_quant_type\": \"nf4\", "
            "\"bnb_4bit_quant_storage\": \"uint8\", \"llm_int8_threshold\": 6.0",
        [FP8_BLOCKS] = "\"quant_method\": \"fp8\", \"fmt\": \"e4m3\", \"weight_block_size\": [%d, %d]",
        [FP8_ROWS] = "\"quant_method\": \"compressed-tensors\", \"format\": \"float-quantized\", "
                     "\"config_groups\": {\"group_0\": {\"targets\": [\"Linear\"], "
                     "\"weights\": {\"num_bits\": 8, \"type\": \"float\", \"strategy\": \"channel\", "
                     "\"symmetric\": true, \"block_structure\": null}}}"};
    const rg_config *c = &b->c;
    char path[600];
    snprintf(path, sizeof path, "%s/config.json", dir);
    FILE *f = fopen(path, "wb");
    if (!f) abort();
    fprintf(f,
        "{\"architectures\": [\"%s\"], \"model_type\": \"%s\", \"hidden_size\": %lld, \"intermediate_size\": "
        "%lld, \"num_hidden_layers\": %lld,\n"
        " \"num_attention_heads\": %lld, \"num_key_value_heads\": %lld, \"head_dim\": %lld, \"vocab_size\": "
        "%lld, \"max_position_embeddings\": %lld,\n"
        " \"rms_norm_eps\": %g, \"rope_theta\": %g, \"%s\": \"%s\", \"tie_word_embeddings\": %s, "
        "\"bos_token_id\": 1, \"eos_token_id\": 2",
        arch_of(b)->word[RG_ARCH_HF], arch_of(b)->word[RG_ARCH_TYPE], (long long)c->dim, (long long)c->ffn,
        (long long)c->layers, (long long)c->heads, (long long)c->kv_heads, (long long)c->head_dim,
        (long long)c->vocab, (long long)c->ctx_train, c->eps, c->rope_theta,
        has(b, RG_HAS_GELU) ? "hidden_activation" : "hidden_act",
        has(b, RG_HAS_GELU) ? "gelu_pytorch_tanh" : "silu", c->tied ? "true" : "false");
    if (b->int4) {
        const bool mlx = b->int4 == INT4_MLX || b->int4 == INT8_MLX;
        fprintf(f, ",\n \"quantization%s\": {", mlx ? "" : "_config");
        if (b->int4 == FP8_BLOCKS && !b->scheme)
            fprintf(f, schemes[FP8_BLOCKS], b->tall, b->group);
        else
            fprintf(f, b->scheme ? b->scheme : schemes[b->int4], b->group, b->symmetric ? "true" : "false");
        fprintf(f, "}");
    }
    if (b->more) fprintf(f, ",\n %s", b->more);
    fprintf(f, "}\n");
    fclose(f);
}

/* ---- experts: F32, without their truth ---- */

/* Values of n rows, one below the other. */
float *build_rows(rg_rng *r, int64_t n, int64_t cols, double dev)
{
    float *f = build_get((size_t)(n * cols) * sizeof *f);
    for (int64_t i = 0; i < n * cols; i++) f[i] = (float)(dev * (double)rng_normal(r));
    return f;
}

void build_put_st(
    st_build *s, int layer, const char *name, int64_t experts, int64_t rows, int64_t cols, float *f)
{
    char full[128];
    const int64_t dim[3] = {experts, rows, cols};
    snprintf(full, sizeof full, "model.layers.%d.%s", layer, name);
    st_tensor(s, full, "F32", experts ? 3 : 2, experts ? dim : dim + 1, f,
        (size_t)((experts ? experts : 1) * rows * cols) * sizeof *f);
    free(f);
}

static void put_experts_hf(const model_build *b, st_build *s, rg_rng *r, int layer)
{
    const rg_config *c = &b->c;
    const bool sparse = has(b, RG_HAS_BLOCK_SPARSE), granite = sparse && has(b, RG_HAS_FACTORS),
               stacked = granite || b->stacked == STACK_EXPERTS;
    const int64_t ffn = c->expert_ffn, E = c->experts;
    const double in = 1.0 / sqrt((double)c->dim), out = 1.0 / sqrt((double)ffn);
    build_put_st(s, layer,
        granite      ? "block_sparse_moe.router.layer.weight"
            : sparse ? "block_sparse_moe.gate.weight"
                     : "mlp.gate.weight",
        0, E, c->dim, build_rows(r, E, c->dim, 2.0 * in));
    if (stacked) {
        build_put_st(s, layer, granite ? "block_sparse_moe.input_linear.weight" : "mlp.experts.gate_up_proj",
            E, 2 * ffn, c->dim, build_rows(r, E * 2 * ffn, c->dim, in));
        build_put_st(s, layer, granite ? "block_sparse_moe.output_linear.weight" : "mlp.experts.down_proj", E,
            c->dim, ffn, build_rows(r, E * c->dim, ffn, out));
    }
    for (int e = 0; !stacked && e < E; e++)
        for (int i = 0; i < 3; i++) {
            static const char *const names[2][3] = {
                {"gate_proj", "up_proj", "down_proj"}, {"w1", "w3", "w2"}};
            char name[96];
            snprintf(name, sizeof name, "%s.experts.%d.%s.weight", sparse ? "block_sparse_moe" : "mlp", e,
                names[sparse][i]);
            build_put_st(s, layer, name, 0, i < 2 ? ffn : c->dim, i < 2 ? c->dim : ffn,
                build_rows(r, i < 2 ? ffn : c->dim, i < 2 ? c->dim : ffn, i < 2 ? in : out));
        }
    if (c->shared_ffn == 0) return;
    const int64_t sh = c->shared_ffn;
    build_put_st(
        s, layer, "mlp.shared_expert.gate_proj.weight", 0, sh, c->dim, build_rows(r, sh, c->dim, in));
    build_put_st(s, layer, "mlp.shared_expert.up_proj.weight", 0, sh, c->dim, build_rows(r, sh, c->dim, in));
    build_put_st(
        s, layer, "mlp.shared_expert.down_proj.weight", 0, c->dim, sh, build_rows(r, c->dim, sh, 0.1));
    build_put_st(s, layer, "mlp.shared_expert_gate.weight", 0, 1, c->dim, build_rows(r, 1, c->dim, in));
}

static void put_experts_gguf(const model_build *b, gguf_build *g, rg_rng *r, int layer)
{
    const rg_config *c = &b->c;
    const struct {
        const char *name;
        int64_t experts, rows, cols;
    } all[] = {{"ffn_gate_inp", 0, c->experts, c->dim}, {"ffn_gate_exps", c->experts, c->expert_ffn, c->dim},
        {"ffn_up_exps", c->experts, c->expert_ffn, c->dim},
        {"ffn_down_exps", c->experts, c->dim, c->expert_ffn}, {"ffn_gate_shexp", 0, c->shared_ffn, c->dim},
        {"ffn_up_shexp", 0, c->shared_ffn, c->dim}, {"ffn_down_shexp", 0, c->dim, c->shared_ffn},
        {"ffn_gate_inp_shexp", 0, 1, c->dim}};
    for (int i = 0; i < (c->shared_ffn ? 8 : 4); i++) {
        char name[96];
        const int64_t n = (all[i].experts ? all[i].experts : 1) * all[i].rows;
        const uint64_t ne[3] = {(uint64_t)all[i].cols, (uint64_t)all[i].rows, (uint64_t)all[i].experts};
        float *f = build_rows(r, n, all[i].cols, (i ? 1.0 : 2.0) / sqrt((double)all[i].cols));
        snprintf(name, sizeof name, "blk.%d.%s.weight", layer, all[i].name);
        gg_tensor(g, name, 0,
            all[i].experts        ? 3
                : all[i].rows > 1 ? 2
                                  : 1,
            ne, f, (size_t)(n * all[i].cols) * sizeof *f);
        free(f);
    }
}

/* Every tensor of a file that is about to be written: names stand in its header before {"dtype". */
static void add_to_index(byte_buf *map, const st_build *s, int file, int files)
{
    static const char mark[] = "\":{\"dtype";
    const char *p = (const char *)s->head.p, *end = p + s->head.n, *at;
    for (; (at = memmem(p, (size_t)(end - p), mark, sizeof mark - 1)); p = at + 1) {
        char line[256];
        const char *name = at;
        while (name[-1] != '"') name--;
        const int n = snprintf(line, sizeof line, "%s\"%.*s\":\"model-%05d-of-%05d.safetensors\"",
            map->n ? "," : "", (int)(at - name), name, file, files);
        put_bytes(map, line, (size_t)n);
    }
}

void build_hf(model_build *b, const char *dir)
{
    entry e[MOST_ENTRIES];
    rg_rng r = {b->seed ? b->seed : 1};
    st_build s = {0};
    char path[600], name[128];
    const int n = entries(b, e), shards = b->shards > 1 ? b->shards : 1;
    static const char index_head[] = "{\"metadata\":{\"total_size\":0},\"weight_map\":{";
    byte_buf map = {0};
    build_drop(b);
    mkdir(dir, 0777);
    write_config(b, dir);
    int written = 0;
    for (int layer = 0; layer < b->c.layers && b->c.experts > 0; layer++)
        (has(b, RG_HAS_CLAMPED) ? build_oss_hf : put_experts_hf)(b, &s, &r, layer);
    for (int layer = 0; layer < b->c.layers || layer == 0; layer++)
        for (int i = 0; i < n; i++) {
            if (!e[i].layer && layer != (i == 0 ? 0 : b->c.layers - 1)) continue;
            const int64_t hd = e[i].qk && has(b, RG_HAS_INTERLEAVED) ? b->c.head_dim : 0;
            entry_name(name, sizeof name, &e[i], true, layer, "");
            if (e[i].linear && b->int4) {
                if (close_stack(b, false, "", 0, e[i].rows, e[i].open)) {
                    build_module(b, &s, &r, name, b->open[0].rows, e[i].cols);
                    drop_stack(b, false);
                }
            } else {
                entry_name(name, sizeof name, &e[i], true, layer, ".weight");
                put_f32(b, &s, &r, name, e[i].rows, e[i].cols, e[i].norm, e[i].norm ? 0.05 : spread(&e[i]),
                    e[i].norm, e[i].norm && has(b, RG_HAS_PLUS_ONE) ? 1.0f : 0.0f, hd, e[i].open);
            }
            if (e[i].bias) {
                entry_name(name, sizeof name, &e[i], true, layer, ".bias");
                put_f32(b, &s, &r, name, 1, e[i].rows, 0.0, 0.3, true, 0.0f, hd, e[i].open);
            }
            if (written + 1 < shards && i % 4 == 3) { /* somewhere in the middle of a layer */
                add_to_index(&map, &s, ++written, shards);
                snprintf(path, sizeof path, "%s/model-%05d-of-%05d.safetensors", dir, written, shards);
                st_save(&s, path);
            }
        }
    if (shards > 1) {
        snprintf(path, sizeof path, "%s/model.safetensors.index.json", dir);
        byte_buf index = {0};
        add_to_index(&map, &s, written + 1, shards);
        put_bytes(&index, index_head, strlen(index_head));
        put_bytes(&index, map.p, map.n);
        put_bytes(&index, "}}", 2);
        save_bytes(&index, path);
        drop_bytes(&index);
        snprintf(path, sizeof path, "%s/model-%05d-of-%05d.safetensors", dir, written + 1, shards);
    } else {
        snprintf(path, sizeof path, "%s/model.safetensors", dir);
    }
    st_save(&s, path);
    drop_bytes(&map);
}

/* ---- GGUF ---- */

/* Blocks at random whose scales give weights of about the right size. */
static void random_blocks(rg_rng *r, int ggml, unsigned char *p, int64_t blocks, double dev)
{
    const int bytes = ref_block_bytes(ggml), weights = ref_block_weights(ggml);
    for (int64_t i = 0; i < blocks; i++, p += bytes) {
        const float s = (float)(dev * (0.5 + rng_unit(r)));
        for (int j = 0; j < bytes; j++) p[j] = (unsigned char)rng_u64(r);
        if (weights == 1) {
            const float f = (float)(dev * (double)rng_normal(r));
            const uint16_t h = rg_f32_to_bf16(f);
            if (ggml == 0) memcpy(p, &f, 4);
            if (ggml == 1) put_half(p, f);
            if (ggml == 30) memcpy(p, &h, 2);
        }
        switch (ggml) {
        case 8:
            put_half(p, s / 64);
            for (int j = 2; j < bytes; j++)
                if (p[j] == 128) p[j] = 0;
            break;
        case 2:
            put_half(p, s / 4);
            break;
        case 6:
            put_half(p, s / 8);
            break;
        case 3:
            put_half(p, s / 4);
            put_half(p + 2, -2 * s);
            break;
        case 7:
            put_half(p, s / 8);
            put_half(p + 2, -2 * s);
            break;
        case 10:
            put_half(p + 80, s / 16);
            put_half(p + 82, s / 8);
            break;
        case 11:
            put_half(p + 108, s / 64);
            break;
        case 20:
            put_half(p, s / 64);
            break;
        case 23:
            put_half(p, s / 1024);
            break;
        case 39:
            p[0] = (unsigned char)(128 + ilogb((double)s) - 2 - (p[0] & 1));
            break;
        case 12:
            put_half(p, s / 128);
            put_half(p + 2, s / 32);
            break;
        case 13:
            put_half(p, s / 256);
            put_half(p + 2, s / 32);
            break;
        case 14:
            put_half(p + 208, s / 1024);
            break;
        default:
            break;
        }
    }
}

static void put_gguf_tensor(
    model_build *b, gguf_build *g, rg_rng *r, const entry *e, const char *name, bool bias)
{
    const bool permute = e->qk && !has(b, RG_HAS_HALF_SPLIT);
    const int64_t rows = bias ? 1 : e->rows, cols = bias ? e->rows : e->cols;
    int type = e->norm || bias                             ? 0
        : strcmp(e->gguf, "ffn_down") == 0 && b->ggml_down ? b->ggml_down
                                                           : b->ggml;
    if (cols % ref_block_weights(type)) type = cols % 32 ? 1 : 8;
    const int64_t row_bytes = cols / ref_block_weights(type) * ref_block_bytes(type);
    unsigned char *p = build_get((size_t)(rows * row_bytes));
    if (e->norm) {
        for (int64_t i = 0; i < cols; i++) {
            const float f = (float)(1.0 + 0.05 * (double)rng_normal(r));
            memcpy(p + 4 * i, &f, 4);
        }
    } else {
        random_blocks(r, type, p, rows * row_bytes / ref_block_bytes(type), bias ? 0.3 : spread(e));
    }
    double *w = build_add(b, name, rows, cols);
    for (int64_t i = 0; i < rows; i++)
        ref_blocks(
            type, w + i * cols, p + (permute && !bias ? stored(i, b->c.head_dim) : i) * row_bytes, cols);
    if (bias && permute)
        for (int64_t i = 0; i < cols; i++) ref_blocks(0, w + i, p + 4 * stored(i, b->c.head_dim), 1);
    if (close_stack(b, bias, p, (size_t)(rows * row_bytes), bias ? cols : rows, e->open)) {
        const uint64_t all = (uint64_t)b->open[bias].rows, ne[2] = {bias ? all : (uint64_t)cols, all};
        gg_tensor(
            g, name, (uint32_t)type, e->norm || bias ? 1 : 2, ne, b->open[bias].data.p, b->open[bias].data.n);
        drop_stack(b, bias);
    }
    free(p);
}

static void put_keys(const model_build *b, gguf_build *g)
{
    const rg_config *c = &b->c;
    const char *arch = b->arch ? b->arch : "llama";
    char key[96];
    gg_str(g, "general.architecture", arch);
    const struct {
        const char *key;
        int64_t v;
    } ints[] = {{"block_count", c->layers}, {"context_length", c->ctx_train}, {"embedding_length", c->dim},
        {"feed_forward_length", c->ffn}, {"vocab_size", c->vocab}, {"attention.head_count", c->heads},
        {"attention.head_count_kv", c->kv_heads}, {"attention.key_length", c->head_dim},
        {"attention.value_length", c->head_dim}, {"rope.dimension_count", rg_rope_dim(c)},
        {"attention.sliding_window", c->window}, {"expert_count", c->experts},
        {"expert_used_count", c->experts_used},
        {"expert_feed_forward_length", c->expert_ffn == c->ffn ? 0 : c->expert_ffn},
        {"expert_shared_feed_forward_length", c->shared_ffn},
        {"rope.scaling.original_context_length", c->rope_orig_ctx}};
    for (size_t i = 0; i < sizeof ints / sizeof *ints; i++) {
        snprintf(key, sizeof key, "%s.%s", arch, ints[i].key);
        if (ints[i].v && (!b->skip || strcmp(key, b->skip) != 0)) gg_u32(g, key, (uint32_t)ints[i].v);
    }
    const struct {
        const char *key;
        double v;
    } reals[] = {{"attention.layer_norm_rms_epsilon", c->eps}, {"rope.freq_base", c->rope_theta},
        {"embedding_scale", c->embd_scale}, {"attention.scale", c->attn_scale},
        {"residual_scale", c->resid_scale}, {"logit_scale", c->logit_scale},
        {"attn_logit_softcapping", c->attn_cap}, {"final_logit_softcapping", c->logit_cap},
        {"rope.freq_base_swa", c->rope_local}, {"attention.temperature_scale", c->q_temp},
        {"rope.scaling.attn_factor", c->rope_magnitude}, {"rope.scaling.yarn_beta_fast", c->rope_beta_fast},
        {"rope.scaling.yarn_beta_slow", c->rope_beta_slow}};
    for (size_t i = 0; i < sizeof reals / sizeof *reals; i++) {
        snprintf(key, sizeof key, "%s.%s", arch, reals[i].key);
        if (reals[i].v != 0.0 && (!b->skip || strcmp(key, b->skip) != 0)) gg_f32(g, key, (float)reals[i].v);
    }
    if (c->rope_scaling == RG_ROPE_LINEAR || c->rope_scaling == RG_ROPE_YARN) {
        snprintf(key, sizeof key, "%s.rope.scaling.type", arch);
        gg_str(g, key, c->rope_scaling == RG_ROPE_YARN ? "yarn" : "linear");
        snprintf(key, sizeof key, "%s.rope.scaling.factor", arch);
        gg_f32(g, key, (float)c->rope_factor);
    }
    if (b->put) b->put(g);
}

/* Tensors whose running number lies in [from, to). */
static int put_tensors(model_build *b, gguf_build *g, rg_rng *r, int from, int to)
{
    entry e[MOST_ENTRIES];
    char name[128];
    const int n = entries(b, e);
    int at = 0;
#define MINE() (at >= from && at < to)
    for (int i = 0; i < 3; i++) {
        static const char *const divisors[] = {
            "rope_freqs.weight", "rope_factors_short.weight", "rope_factors_long.weight"};
        float f[512];
        const int64_t pairs = rg_rope_dim(&b->c) / 2;
        if (!(i ? b->rope_factors : b->rope_freqs)) continue;
        for (int64_t k = 0; k < pairs; k++) f[k] = (float)((i == 2 ? 3.0 : 1.0) + 0.5 * rng_unit(r));
        if (MINE())
            gg_tensor(g, divisors[i], 0, 1, &(uint64_t){(uint64_t)pairs}, f, (size_t)pairs * sizeof *f);
        at++;
    }
    for (int layer = 0; layer < b->c.layers; layer++)
        for (int i = 0; i < n; i++) {
            if (!e[i].layer && layer != (i == 0 ? 0 : b->c.layers - 1)) continue;
            for (int bias = 0; bias <= (int)e[i].bias; bias++, at += !e[i].open) {
                if (!MINE()) continue;
                entry_name(name, sizeof name, &e[i], false, layer, bias ? ".bias" : ".weight");
                put_gguf_tensor(b, g, r, &e[i], name, bias);
            }
        }
#undef MINE
    return at;
}

void build_gguf_bytes(model_build *b, byte_buf *out)
{
    gguf_build g = {0};
    rg_rng r = {b->seed ? b->seed : 1};
    build_drop(b);
    put_keys(b, &g);
    put_tensors(b, &g, &r, 0, INT32_MAX);
    for (int layer = 0; layer < b->c.layers && b->c.experts > 0; layer++)
        (has(b, RG_HAS_CLAMPED) ? build_oss_gguf : put_experts_gguf)(b, &g, &r, layer);
    gg_finish(&g, out);
}

void build_gguf(model_build *b, const char *path)
{
    byte_buf out = {0};
    build_gguf_bytes(b, &out);
    save_bytes(&out, path);
    drop_bytes(&out);
}

void build_gguf_split(model_build *b, const char *stem, int n)
{
    rg_rng r = {b->seed ? b->seed : 1};
    gguf_build count = {0};
    const int total = put_tensors(b, &count, &(rg_rng){1}, 0, 0);
    build_drop(b);
    for (int i = 0; i < n; i++) {
        gguf_build g = {0};
        char path[600];
        if (i == 0) put_keys(b, &g);
        gg_key(&g, "split.no", 2);
        put_int(&g.kv, (uint64_t)i, 2);
        gg_key(&g, "split.count", 2);
        put_int(&g.kv, (uint64_t)n, 2);
        gg_key(&g, "split.tensors.count", 5);
        put_int(&g.kv, (uint64_t)total, 4);
        put_tensors(b, &g, &r, total * i / n, total * (i + 1) / n);
        snprintf(path, sizeof path, "%s-%05d-of-%05d.gguf", stem, i + 1, n);
        gg_write(&g, path);
    }
}

/* ---- llama2.c ---- */

/* A tensor of all layers: floats, or codes and scales. The truth has GGUF's names and canonical rows. */
static void put_bin(model_build *b, byte_buf *out, rg_rng *r, const entry *e, int64_t group)
{
    for (int layer = 0; layer < (e->layer ? b->c.layers : 1); layer++) {
        char name[128];
        const int64_t n = e->rows * e->cols;
        entry_name(name, sizeof name, e, false, layer, ".weight");
        double *w = build_add(b, name, e->rows, e->cols);
        int8_t *q = build_get((size_t)n);
        float *s = build_get((size_t)n * sizeof *s);
        for (int64_t i = 0; i < n; i++) {
            q[i] = (int8_t)rng_in(r, -127, 127);
            s[i] =
                (float)(e->norm ? 1.0 + 0.05 * (double)rng_normal(r)
                                : spread(e) * (group ? (0.5 + rng_unit(r)) / 64.0 : (double)rng_normal(r)));
        }
        const bool codes = group && !e->norm;
        if (codes) put_bytes(out, q, (size_t)n);
        put_bytes(out, s, (size_t)(codes ? n / group : n) * sizeof *s);
        for (int64_t i = 0; i < e->rows; i++)
            for (int64_t k = 0; k < e->cols; k++) {
                const int64_t at = (e->qk ? stored(i, b->c.head_dim) : i) * e->cols + k;
                w[i * e->cols + k] = codes ? (double)q[at] * (double)s[at / group] : (double)s[at];
            }
        free(q);
        free(s);
    }
}

void build_llama2c(model_build *b, int version, int64_t group, const char *path)
{
    /* entries(): embd 0, attn_norm 1, q 2, k 3, v 4, o 5, ffn_norm 6, gate 7, up 8, down 9, output_norm 10,
     * output 11 */
    static const int order[2][11] = {{0, 1, 2, 3, 4, 5, 6, 7, 9, 8, 10}, {1, 6, 10, 0, 2, 3, 4, 5, 7, 9, 8}};
    const rg_config *c = &b->c;
    entry e[MOST_ENTRIES];
    rg_rng r = {b->seed ? b->seed : 1};
    byte_buf out = {0};
    build_drop(b);
    entries(b, e);
    if (version) {
        put_int(&out, 0x616b3432, 4);
        put_int(&out, (uint64_t)version, 4);
    }
    const int64_t head[] = {c->dim, c->ffn, c->layers, c->heads, c->kv_heads,
        version || c->tied ? c->vocab : -c->vocab, c->ctx_train};
    for (int i = 0; i < 7; i++) put_int(&out, (uint64_t)head[i], 4);
    if (version) put_int(&out, c->tied, 1);
    if (version == 2) put_int(&out, (uint64_t)group, 4);
    while (version && out.n < 256) put_int(&out, 0, 1);
    for (int i = 0; i < 11; i++) put_bin(b, &out, &r, &e[order[version > 0][i]], version == 2 ? group : 0);
    for (int64_t i = 0; !version && i < c->ctx_train * c->head_dim; i++) put_int(&out, 0, 4);
    if (!c->tied) put_bin(b, &out, &r, &e[11], version == 2 ? group : 0);
    save_bytes(&out, path);
    drop_bytes(&out);
}
