/* Models of architectures: members of config.json as people have them, keys of GGUF. */
#include "arch_models.h"

static void put_multiplier_of_mistral3(gguf_build *g)
{
    gg_f32(g, "mistral3.rope.scaling.yarn_log_multiplier", 1.0f);
}

/* One flag a layer, against the pattern of the architecture. */
static void put_flags_of_gemma3(gguf_build *g)
{
    static const bool slides[4] = {true, false, false, true};
    gg_key(g, "gemma3.attention.sliding_window_pattern", 9);
    put_int(&g->kv, 7, 4);
    put_int(&g->kv, 4, 8);
    for (int i = 0; i < 4; i++) put_int(&g->kv, slides[i], 1);
}

#define YARN(factor, more) \
    "\"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": " factor \
    ", \"original_max_position_embeddings\": 64" more "}"

/* As its makers write it. */
#define OSS \
    "\"attention_bias\": true, \"experts_per_token\": 3, \"num_experts_per_tok\": 3, " \
    "\"num_local_experts\": 8, " \
    "\"initial_context_length\": 64, \"output_router_logits\": false, \"router_aux_loss_coef\": 0.9, " \
    "\"sliding_window\": 24, \"swiglu_limit\": 7.0, \"rope_scaling\": {\"beta_fast\": 32.0, \"beta_slow\": " \
    "1.0, " \
    "\"factor\": 32.0, \"original_max_position_embeddings\": 64, \"rope_type\": \"yarn\", \"truncate\": " \
    "false}"
#define OSS_KEYS \
    { \
        .ffn = 96, .experts = 8, .experts_used = 3, .expert_ffn = 96, .window = ARCH_WINDOW, \
        .rope_scaling = RG_ROPE_YARN, .rope_factor = 32.0, .rope_orig_ctx = 64 \
    }

const arch_model arch_models[] = {
    {"qwen3", "Qwen3ForCausalLM", "qwen3",
        "\"attention_bias\": false, \"use_sliding_window\": false, \"sliding_window\": 24, "
        "\"max_window_layers\": 1",
        .m = {.layers = "ff"}, .theta = 1e6, .tied = true},
    {"qwen3-window", "Qwen3ForCausalLM", NULL,
        "\"use_sliding_window\": true, \"sliding_window\": 24, \"max_window_layers\": 1",
        .m = {.layers = "fww"}},
    {"qwen2-window", "Qwen2ForCausalLM", NULL,
        "\"use_sliding_window\": true, \"sliding_window\": 24, \"max_window_layers\": 2, "
        "\"layer_types\": [\"sliding_attention\", \"full_attention\", \"sliding_attention\"]",
        .m = {.layers = "wfw"}, .qkv_bias = true},
    {"qwen2-yarn", "Qwen2ForCausalLM", "qwen2", YARN("4.0", ""),
        .m = {.layers = "ff", .magnitude = 1.1386294361119891}, .theta = 1e6,
        .keys = {.rope_scaling = RG_ROPE_YARN, .rope_factor = 4.0, .rope_orig_ctx = 64}, .qkv_bias = true},
    {"llama-yarn-betas", "LlamaForCausalLM", "llama",
        YARN("4.0", ", \"beta_fast\": 8, \"beta_slow\": 2, \"truncate\": false, \"attention_factor\": 0.75"),
        .m = {.layers = "ff", .magnitude = 0.75},
        .keys = {.rope_scaling = RG_ROPE_YARN,
            .rope_factor = 4.0,
            .rope_orig_ctx = 64,
            .rope_beta_fast = 8.0,
            .rope_beta_slow = 2.0,
            .rope_magnitude = 0.75 / 1.1386294361119891}},
    {"gemma", "GemmaForCausalLM", "gemma", "\"hidden_act\": \"gelu\"", .m = {.layers = "ff", .embd = 8.0},
        .tied = true},
    {"gemma2", "Gemma2ForCausalLM", "gemma2",
        "\"sliding_window\": 24, \"query_pre_attn_scalar\": 16, \"attn_logit_softcapping\": 1.5, "
        "\"final_logit_softcapping\": 3.0",
        .m = {.layers = "wfw", .embd = 8.0, .attn = 0.25, .attn_cap = 1.5, .logit_cap = 3.0},
        .keys = {.window = ARCH_WINDOW, .attn_scale = 0.25, .attn_cap = 1.5, .logit_cap = 3.0}, .tied = true},
    {"gemma2-uncapped", "Gemma2ForCausalLM", NULL,
        "\"sliding_window\": 24, \"query_pre_attn_scalar\": 16, \"attn_logit_softcapping\": null, "
        "\"final_logit_softcapping\": null",
        .m = {.layers = "wf", .embd = 8.0, .attn = 0.25}, .tied = true},
    {"gemma3", "Gemma3ForCausalLM", "gemma3",
        "\"sliding_window\": 24, \"query_pre_attn_scalar\": 16, \"rope_local_base_freq\": 100.0, "
        "\"rope_scaling\": {\"rope_type\": \"linear\", \"factor\": 8.0}",
        .m = {.layers = "wwwwwfw", .local = 100.0, .embd = 8.0, .attn = 0.25}, .theta = 1e6,
        .keys = {.window = ARCH_WINDOW,
            .rope_local = 100.0,
            .attn_scale = 0.25,
            .rope_scaling = RG_ROPE_LINEAR,
            .rope_factor = 8.0},
        .tied = true},
    {"gemma3-by-layer", "Gemma3ForCausalLM", "gemma3",
        "\"sliding_window\": 24, \"query_pre_attn_scalar\": 32, "
        "\"layer_types\": [\"sliding_attention\", \"full_attention\", \"full_attention\", "
        "\"sliding_attention\"], "
        "\"rope_parameters\": {\"full_attention\": {\"rope_type\": \"linear\", \"factor\": 4.0, "
        "\"rope_theta\": 1e6}, "
        "\"sliding_attention\": {\"rope_type\": \"default\", \"rope_theta\": 1000.0}}",
        .m = {.layers = "wffw", .local = 1000.0, .embd = 8.0, .attn = 0.17677669529663687}, .theta = 1e6,
        .keys = {.window = ARCH_WINDOW,
            .rope_local = 1000.0,
            .attn_scale = 0.17677669529663687,
            .rope_scaling = RG_ROPE_LINEAR,
            .rope_factor = 4.0},
        .put = put_flags_of_gemma3, .tied = true},
    {"smollm3", "SmolLM3ForCausalLM", "smollm3", NULL, .m = {.layers = "fffnf"}, .theta = 2e6, .tied = true},
    {"smollm3-listed", "SmolLM3ForCausalLM", NULL, "\"no_rope_layers\": [0, 1, 0]", .m = {.layers = "nfn"},
        .tied = true},
    {"olmo2", "Olmo2ForCausalLM", "olmo2", "\"attention_bias\": false", .m = {.layers = "ff"}, .theta = 5e5},
    {"olmo3", "Olmo3ForCausalLM", NULL, "\"sliding_window\": 24, " YARN("8.0", ", \"attention_factor\": 1.2"),
        .m = {.layers = "wwwfw", .local = 5e5, .magnitude = 1.2}, .theta = 5e5},
    {"olmo3.gguf", NULL, "olmo2", NULL, .m = {.layers = "wwwfw", .local = 5e5, .magnitude = 1.2},
        .theta = 5e5,
        .keys = {.window = ARCH_WINDOW,
            .rope_scaling = RG_ROPE_YARN,
            .rope_factor = 8.0,
            .rope_orig_ctx = 64,
            .rope_magnitude = 1.2 / 1.2079441541679836}},
    {"phi3", "Phi3ForCausalLM", "phi3", "\"partial_rotary_factor\": 0.75, \"sliding_window\": null",
        .m = {.layers = "ff", .rot = 18}, .keys = {.rope_dim = 18}, .stacked = STACK_PHI3},
    {"phi3-longrope", "Phi3ForCausalLM", "phi3",
        "\"sliding_window\": null, \"original_max_position_embeddings\": 400, "
        "\"rope_scaling\": {\"rope_type\": \"longrope\", "
        "\"short_factor\": [1.0, 1.1, 1.2, 1.0, 1.5, 1.2, 1.3, 1.1, 1.7, 1.4, 1.6, 1.9], "
        "\"long_factor\": [1.0, 2.1, 2.2, 3.0, 3.5, 4.2, 5.3, 6.1, 7.7, 8.4, 9.6, 9.9]}",
        .m = {.layers = "ff", .magnitude = 1.0203930415378755},
        .keys = {.rope_orig_ctx = 400, .rope_magnitude = 1.0203930415378755}, .stacked = STACK_PHI3,
        .factors = true},
    {"granite4", "GraniteMoeHybridForCausalLM", NULL,
        "\"num_local_experts\": 0, \"shared_intermediate_size\": 104, \"layer_types\": [\"attention\", "
        "\"attention\"], "
        "\"position_embedding_type\": \"nope\", \"embedding_multiplier\": 12.0, \"attention_multiplier\": "
        "0.125, "
        "\"residual_multiplier\": 0.5, \"logits_scaling\": 4.0",
        .m = {.layers = "nn", .embd = 12.0, .attn = 0.125, .resid = 0.5, .logit = 4.0},
        .stacked = STACK_GRANITE4, .tied = true},
    {"ministral3", "Ministral3ForCausalLM", "mistral3",
        "\"rope_parameters\": {\"rope_type\": \"yarn\", \"factor\": 16.0, "
        "\"original_max_position_embeddings\": 64, "
        "\"beta_fast\": 32.0, \"beta_slow\": 1.0, \"mscale\": 1.0, \"mscale_all_dim\": 1.0, "
        "\"llama_4_scaling_beta\": 0.1, \"rope_theta\": 1e6}",
        .m = {.layers = "ff", .magnitude = 1.0, .temp = 0.1}, .theta = 1e6,
        .keys = {.rope_scaling = RG_ROPE_YARN, .rope_factor = 16.0, .rope_orig_ctx = 64, .q_temp = 0.1},
        .put = put_multiplier_of_mistral3},
    {"ernie4_5", "Ernie4_5ForCausalLM", "ernie4_5", "\"use_bias\": false", .m = {.layers = "ff"},
        .theta = 5e5, .tied = true},
    {"ernie4_5-biases", "Ernie4_5ForCausalLM", NULL, "\"use_bias\": true", .m = {.layers = "ff"},
        .all_bias = true, .tied = true},
    {"minicpm", "MiniCPMForCausalLM", "minicpm",
        "\"scale_emb\": 12, \"scale_depth\": 1.4, \"dim_model_base\": 16",
        .m = {.layers = "ff", .embd = 12.0, .resid = 0.98994949366116658, .logit = 4.0},
        .keys = {.embd_scale = 12.0, .resid_scale = 0.98994949366116658, .logit_scale = 4.0}, .tied = true},
    {"llama-longrope", "LlamaForCausalLM", "llama",
        "\"rope_scaling\": {\"rope_type\": \"longrope\", \"original_max_position_embeddings\": 400, "
        "\"short_factor\": [1.0, 1.1, 1.2, 1.0, 1.5, 1.2, 1.3, 1.1, 1.7, 1.4, 1.6, 1.9], "
        "\"long_factor\": [1.0, 2.1, 2.2, 3.0, 3.5, 4.2, 5.3, 6.1, 7.7, 8.4, 9.6, 9.9], "
        "\"attention_factor\": 1.125}",
        .m = {.layers = "ff", .magnitude = 1.125}, .keys = {.rope_orig_ctx = 400, .rope_magnitude = 1.125},
        .factors = true},
    {"mixtral", "MixtralForCausalLM", "llama", "\"num_local_experts\": 8, \"num_experts_per_tok\": 2",
        .m = {.layers = "ff"}, .keys = {.experts = 8, .experts_used = 2, .expert_ffn = 104}},
    {"olmoe", "OlmoeForCausalLM", "olmoe",
        "\"num_experts\": 12, \"num_experts_per_tok\": 5, \"norm_topk_prob\": false, \"clip_qkv\": null",
        .m = {.layers = "ff"}, .keys = {.experts = 12, .experts_used = 5, .expert_ffn = 104}},
    {"qwen3moe", "Qwen3MoeForCausalLM", "qwen3moe",
        "\"num_experts\": 8, \"num_experts_per_tok\": 3, \"norm_topk_prob\": true, "
        "\"moe_intermediate_size\": 40, \"decoder_sparse_step\": 1, \"mlp_only_layers\": [], "
        "\"use_sliding_window\": false",
        .m = {.layers = "ff"}, .keys = {.experts = 8, .experts_used = 3, .expert_ffn = 40}, .theta = 1e6},
    {"qwen3moe-stacked", "Qwen3MoeForCausalLM", NULL,
        "\"num_experts\": 8, \"num_experts_per_tok\": 3, \"norm_topk_prob\": true, "
        "\"moe_intermediate_size\": 64, \"use_sliding_window\": false",
        .m = {.layers = "ff"}, .keys = {.experts = 8, .experts_used = 3, .expert_ffn = 64},
        .stacked = STACK_EXPERTS},
    {"qwen2moe", "Qwen2MoeForCausalLM", "qwen2moe",
        "\"num_experts\": 8, \"num_experts_per_tok\": 2, \"norm_topk_prob\": false, "
        "\"moe_intermediate_size\": 40, \"shared_expert_intermediate_size\": 72, "
        "\"use_sliding_window\": false",
        .m = {.layers = "ff"}, .keys = {.experts = 8, .experts_used = 2, .expert_ffn = 40, .shared_ffn = 72},
        .qkv_bias = true},
    {"gpt-oss", "GptOssForCausalLM", "gpt-oss",
        OSS ", \"quantization_config\": {\"quant_method\": \"mxfp4\", "
            "\"modules_to_not_convert\": [\"model.layers.*.self_attn\", \"model.layers.*.mlp.router\"]}",
        .m = {.layers = "wf", .magnitude = 1.3465735902799727}, .theta = 150000, .keys = OSS_KEYS,
        .qkv_bias = true, .o_bias = true},
    {"gpt-oss-floats", "GptOssForCausalLM", NULL, OSS, .m = {.layers = "wf", .magnitude = 1.3465735902799727},
        .theta = 150000, .keys = OSS_KEYS, .qkv_bias = true, .o_bias = true},
    {"granitemoe", "GraniteMoeForCausalLM", "granitemoe",
        "\"num_local_experts\": 8, \"num_experts_per_tok\": 4, \"embedding_multiplier\": 12.0, "
        "\"attention_multiplier\": 0.125, \"residual_multiplier\": 0.5, \"logits_scaling\": 4.0",
        .m = {.layers = "ff", .embd = 12.0, .attn = 0.125, .resid = 0.5, .logit = 4.0},
        .keys = {.experts = 8,
            .experts_used = 4,
            .expert_ffn = 104,
            .embd_scale = 12.0,
            .attn_scale = 0.125,
            .resid_scale = 0.5,
            .logit_scale = 4.0},
        .tied = true},
};

const size_t n_arch_models = sizeof arch_models / sizeof *arch_models;

const arch_model *arch_model_named(const char *name)
{
    for (size_t i = 0; i < n_arch_models; i++)
        if (strcmp(arch_models[i].name, name) == 0) return &arch_models[i];
    fail_msg("%s: no model", name);
    return NULL;
}

rg_ckpt *arch_model_open(const arch_model *x, bool gguf)
{
    static char path[512];
    model_build b = {.c = x->keys,
        .seed = (uint64_t)strlen(x->name),
        .arch = gguf ? x->gguf : x->hf,
        .more = x->more,
        .put = x->put,
        .rope_factors = x->factors,
        .stacked = x->stacked,
        .qkv_bias = x->qkv_bias || x->all_bias,
        .o_bias = x->o_bias || x->all_bias,
        .mlp_bias = x->all_bias,
        .decided = x->decided};
    b.c.dim = 64;
    b.c.ffn = x->keys.ffn > 0 ? x->keys.ffn : 104;
    b.c.layers = (int64_t)strlen(x->m.layers);
    b.c.heads = 4;
    b.c.kv_heads = 2;
    b.c.head_dim = 24; /* queries are wider than the model */
    b.c.vocab = 100;
    b.c.ctx_train = 512;
    b.c.eps = 1e-5;
    b.c.rope_theta = x->theta > 0.0 ? x->theta : 10000.0;
    b.c.tied = x->tied;
    snprintf(path, sizeof path, "%s/%s%s", scratch_dir(), x->name, gguf ? ".gguf" : "");
    (gguf ? build_gguf : build_hf)(&b, path);
    build_drop(&b);
    return ckpt_open(path);
}
