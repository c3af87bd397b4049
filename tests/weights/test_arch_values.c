/* Members and keys that only some architectures have: sound values are read, hostile ones refused in one
 * line. */
#include "ckpt_fixture.h"

#include "base/text.h"
#include "file_build.h"
#include "weights/ckpt_impl.h"
#include "weights/gguf_write.h"

enum { U32 = 4, I32 = 5, F32 = 6, BOOL = 7, STR = 8, ARR = 9, U64 = 10, F64 = 12 };

typedef struct change {
    const char *class, *key, *value; /* key: several, with their values, are in value alone (NULL key) */
    const char *says;                /* in what was read; behind '!' in the refusal */
} change;

#define GEMMA2 "Gemma2ForCausalLM"
#define GEMMA3 "Gemma3ForCausalLM"
#define SMOL "SmolLM3ForCausalLM"
#define QWEN "Qwen2ForCausalLM"
#define OLMO "Olmo3ForCausalLM"
#define PHI "Phi3ForCausalLM"
#define MISTRAL "MistralForCausalLM"
#define MINISTRAL "Ministral3ForCausalLM"
#define GRANITE4 "GraniteMoeHybridForCausalLM"
#define MINICPM "MiniCPMForCausalLM"
#define LLAMA "LlamaForCausalLM"
#define OSS "GptOssForCausalLM"
#define MEMBERS_OF_OSS "\"rope_scaling\": " YARN("") ", \"num_local_experts\": 4, "
#define USED "\"num_experts_per_tok\": 2"
#define FULL "\"full_attention\""
#define SLID "\"sliding_attention\""
#define YARN(members) \
    "{\"rope_type\":\"yarn\",\"factor\":4,\"original_max_position_embeddings\":8" members "}"
#define BETA "\"rope_parameters\": " YARN(",\"llama_4_scaling_beta\":0.1")
#define LONG(orig, shorts, longs) \
    "{\"rope_type\":\"longrope\",\"original_max_position_embeddings\":" orig ",\"short_factor\":" shorts \
    ",\"long_factor\":" longs "}"
#define F4 "[1.0,1.1,1.2,1.3]"

/* Four layers, heads of 8, a context of 16. */
static const change changes[] = {
    /* the window */
    {MISTRAL, "sliding_window", "8", "window 8 in 4"},
    {MISTRAL, "sliding_window", "8.0", "window 8 in 4"},
    {MISTRAL, "sliding_window", "1", "window 1 in 4"},
    {MISTRAL, "sliding_window", "0", "!sliding_window"},
    {MISTRAL, "sliding_window", "-1", "!sliding_window"},
    {MISTRAL, "sliding_window", "8.5", "!sliding_window"},
    {MISTRAL, "sliding_window", "\"8\"", "!sliding_window"},
    {MISTRAL, "sliding_window", "true", "!sliding_window"},
    {MISTRAL, "sliding_window", "{}", "!sliding_window"},
    {MISTRAL, "sliding_window", "[8,8]", "window 8 in 4"},
    {MISTRAL, "sliding_window", "[8,9]", "!sliding_window is a list"},
    {MISTRAL, "sliding_window", "1073741824", "window 1073741824 in 4"},
    {MISTRAL, "sliding_window", "1073741825", "!sliding_window is not a whole number from 1"},
    {MISTRAL, "sliding_window", "9223372036854775807", "!sliding_window"},
    {MISTRAL, "sliding_window", "9223372036854775808", "!cannot read the configuration"},
    {MISTRAL, "sliding_window", "1e300", "!sliding_window"},
    {MISTRAL, "sliding_window", "NaN", "!cannot read the configuration"},
    {MINISTRAL, NULL, BETA ", \"sliding_window\": 8", "window 8 in 4"},
    {MINISTRAL, NULL, BETA ", \"sliding_window\": null", "rope 10000 yarn"},
    {MINISTRAL, NULL, NULL, "!rope_parameters is not there"},
    {MINISTRAL, "rope_parameters", "{}", "!rope_parameters is not there"},
    {MINISTRAL, "rope_parameters", YARN(",\"max_position_embeddings\":16"), "yarn 4 of 8"},
    {MINISTRAL, "sliding_window", "0", "!sliding_window"},
    {PHI, "sliding_window", "8", "window 8 in 4"},
    {PHI, "sliding_window", "-8", "!sliding_window"},
    {GEMMA3, "sliding_window", "8", "window 8 in 4"},
    {GEMMA3, "sliding_window", "null", "!sliding_window is null"},
    {GEMMA2, "sliding_window", "null", "!sliding_window is null"},
    {GEMMA3, NULL, "\"sliding_window\": null, \"sliding_window_pattern\": 1", "rope 1e+06"},
    {GEMMA2, NULL, NULL, "window 4096 in 2"},
    {OLMO, NULL, NULL, "window 4096 in 3"},
    {QWEN, "use_sliding_window", "\"yes\"", "!use_sliding_window is neither true nor false"},
    {QWEN, "use_sliding_window", "1", "!use_sliding_window"},
    {QWEN, NULL, "\"use_sliding_window\": true, \"max_window_layers\": -1", "!max_window_layers"},
    {QWEN, NULL, "\"use_sliding_window\": true, \"max_window_layers\": \"2\"", "!max_window_layers"},
    {QWEN, NULL, "\"use_sliding_window\": true, \"max_window_layers\": 3, \"sliding_window\": 8",
        "window 8 in 1"},
    {QWEN, NULL, "\"use_sliding_window\": true, \"sliding_window\": 0", "!sliding_window"},
    {SMOL, NULL, "\"use_sliding_window\": true, \"sliding_window\": 8", "!use_sliding_window"},
    /* layers that differ */
    {GEMMA3, "sliding_window_pattern", "2", "window 4096 in 2"},
    {GEMMA3, "sliding_window_pattern", "0", "!sliding_window_pattern"},
    {GEMMA3, "sliding_window_pattern", "-6", "!sliding_window_pattern"},
    {GEMMA3, "sliding_window_pattern", "\"LLLLLG\"", "!sliding_window_pattern"},
    {GEMMA3, "sliding_window_pattern", "[1,0]", "!sliding_window_pattern"},
    {OLMO, "layer_types", "[" SLID "," FULL "," FULL "," FULL "]", "window 4096 in 1"},
    {OLMO, "layer_types", "[" SLID "," FULL "]", "!layer_types has 2 entries"},
    {OLMO, "layer_types", "[]", "!layer_types has 0 entries"},
    {OLMO, "layer_types", "\"full\"", "!layer_types"},
    {OLMO, "layer_types", "[1,2,3,4]", "!layer 0 is no string"},
    {OLMO, "layer_types", "[" SLID ",\"chunked_attention\"," FULL "," FULL "]",
        "!layer 1 is chunked_attention"},
    {OLMO, "layer_types", "[" SLID ",\"linear_attention\"," FULL "," FULL "]",
        "!layer 1 is linear_attention"},
    {LLAMA, "layer_types", "[" SLID "," FULL "," FULL "," FULL "]", "!no window"},
    {SMOL, "layer_types", "[" SLID "," FULL "," FULL "," FULL "]", "!no window"},
    {SMOL, NULL, NULL, ", 1 unrotated"},
    {SMOL, "no_rope_layer_interval", "2", ", 2 unrotated"},
    {SMOL, "no_rope_layer_interval", "0", "!no_rope_layer_interval"},
    {SMOL, "no_rope_layer_interval", "\"4\"", "!no_rope_layer_interval"},
    {SMOL, "no_rope_layers", "[1,0,0,0]", ", 3 unrotated"},
    {SMOL, "no_rope_layers", "null", ", 1 unrotated"},
    {SMOL, "no_rope_layers", "[1,1,1]", "!no_rope_layers has 3 entries"},
    {SMOL, "no_rope_layers", "[]", "!no_rope_layers has 0 entries"},
    {SMOL, "no_rope_layers", "[1,1,1,2]", "!no_rope_layers: layer 3"},
    {SMOL, "no_rope_layers", "[1,\"0\",1,1]", "!no_rope_layers: layer 1"},
    {SMOL, "no_rope_layers", "7", "!no_rope_layers"},
    {GRANITE4, "position_embedding_type", "\"rope\"", "rope 10000"},
    {GRANITE4, "position_embedding_type", "\"nope\"", ", 4 unrotated"},
    {GRANITE4, "position_embedding_type", "\"alibi\"", "!position_embedding_type is 'alibi'"},
    {GRANITE4, "position_embedding_type", "3", "!position_embedding_type"},
    {GRANITE4, "num_local_experts", "8", "!mixture of experts"},
    {GRANITE4, "num_local_experts", "\"0\"", "!num_local_experts"},
    {GRANITE4, "shared_intermediate_size", "48", "32x48"},
    {GRANITE4, "shared_intermediate_size", "0", "!intermediate size is 0"},
    {GRANITE4, "shared_intermediate_size", "\"64\"", "!intermediate size"},
    {GRANITE4, "layer_types", "[\"attention\",\"attention\",\"attention\",\"attention\"]", "granite"},
    {GRANITE4, "normalization_function", "\"layernorm\"", "!its norms"},
    /* the rotated part */
    {PHI, "partial_rotary_factor", "0.75", "rope 10000 on 6"},
    {PHI, "partial_rotary_factor", "1", "rope 10000"},
    {PHI, "partial_rotary_factor", "0.4", "!of heads of 8 values that rotates 3"},
    {PHI, "partial_rotary_factor", "0", "!partial_rotary_factor is 0"},
    {PHI, "partial_rotary_factor", "-0.5", "!partial_rotary_factor is -0.5"},
    {PHI, "partial_rotary_factor", "2", "!partial_rotary_factor is 2"},
    {PHI, "partial_rotary_factor", "\"0.5\"", "!partial_rotary_factor"},
    {LLAMA, "partial_rotary_factor", "0.5", "!partial_rotary_factor"},
    {PHI, "rope_parameters", "{\"rope_theta\":1e4,\"partial_rotary_factor\":0.5}", "rope 10000 on 4"},
    /* caps and factors */
    {GEMMA2, "attn_logit_softcapping", "null", "logits to 30"},
    {GEMMA2, "attn_logit_softcapping", "20", "scores to 20"},
    {GEMMA2, "attn_logit_softcapping", "0", "!attn_logit_softcapping is 0"},
    {GEMMA2, "final_logit_softcapping", "-1", "!final_logit_softcapping is -1"},
    {GEMMA2, "final_logit_softcapping", "\"30\"", "!final_logit_softcapping is \"30\""},
    {GEMMA2, "final_logit_softcapping", "1e9", "!final_logit_softcapping"},
    {GEMMA3, "final_logit_softcapping", "25", "logits to 25"},
    {GEMMA3, "final_logit_softcapping", "null", "gelu"},
    {GEMMA3, "final_logit_softcapping", "-25", "!final_logit_softcapping is -25"},
    {GEMMA3, "query_pre_attn_scalar", "64", "scores by 0.125"},
    {GEMMA3, "query_pre_attn_scalar", "0", "!query_pre_attn_scalar"},
    {GEMMA3, "query_pre_attn_scalar", "null", "!query_pre_attn_scalar is null"},
    {GEMMA3, "query_pre_attn_scalar", "-256", "!query_pre_attn_scalar"},
    {GEMMA3, "rope_local_base_freq", "5000", " and 5000"},
    {GEMMA3, "rope_local_base_freq", "0", "!rope_local_base_freq"},
    {GEMMA3, "rope_local_base_freq", "null", "!rope_local_base_freq"},
    {GEMMA3, "hidden_activation", "\"gelu\"", "!hidden_activation"},
    {GEMMA3, "hidden_activation", "7", "gelu"},
    {MINICPM, NULL, "\"scale_emb\": 12, \"scale_depth\": 2, \"dim_model_base\": 8",
        "x0 by 12, logits over 4"},
    {MINICPM, NULL, "\"scale_depth\": 1.4, \"dim_model_base\": 32", "blocks by 0.7"},
    {MINICPM, "scale_emb", "0", "!scale_emb is 0"},
    {MINICPM, "scale_depth", "null", "!scale_depth is null"},
    {MINICPM, "dim_model_base", "-256", "!dim_model_base"},
    {MINICPM, "num_experts", "8", "!mixture of experts"},
    {QWEN, "dual_chunk_attention_config", "{\"chunk_size\": 8}", "!dual chunk attention"},
    {QWEN, "dual_chunk_attention_config", "null", "qwen2"},
    /* gpt-oss */
    {OSS, NULL, MEMBERS_OF_OSS USED, "2 of 4 experts of 64"},
    {OSS, NULL, MEMBERS_OF_OSS USED ", \"experts_per_token\": 2", "2 of 4 experts of 64"},
    {OSS, NULL, MEMBERS_OF_OSS USED ", \"experts_per_token\": 3",
        "!experts_per_token is 3, expected num_experts_per_tok again (2)"},
    {OSS, NULL, MEMBERS_OF_OSS USED ", \"experts_per_token\": \"2\"", "!experts_per_token is \"2\""},
    {OSS, NULL, MEMBERS_OF_OSS USED ", \"experts_per_token\": null", "!experts_per_token is null"},
    {OSS, NULL, MEMBERS_OF_OSS "\"experts_per_token\": 2", "!experts of a token is"},
    {OSS, NULL, MEMBERS_OF_OSS "\"num_experts_per_tok\": 5", "!experts of a token is 5, expected 1 to 4"},
    {OSS, NULL, MEMBERS_OF_OSS "\"num_experts_per_tok\": 0", "!experts of a token is 0, expected 1 to 4"},
    {OSS, NULL, MEMBERS_OF_OSS "\"num_experts_per_tok\": 9223372036854775807", "!experts of a token is 92"},
    {OSS, NULL, MEMBERS_OF_OSS "\"num_experts_per_tok\": \"2\"", "!experts of a token is"},
    {OSS, NULL, MEMBERS_OF_OSS USED ", \"swiglu_limit\": 7.0", "2 of 4 experts"},
    {OSS, NULL, MEMBERS_OF_OSS USED ", \"swiglu_limit\": 7", "2 of 4 experts"},
    {OSS, NULL, MEMBERS_OF_OSS USED ", \"swiglu_limit\": 0", "!swiglu_limit is 0"},
    {OSS, NULL, MEMBERS_OF_OSS USED ", \"swiglu_limit\": -7", "!swiglu_limit is -7"},
    {OSS, NULL, MEMBERS_OF_OSS USED ", \"swiglu_limit\": 1e300", "!swiglu_limit is 1"},
    {OSS, NULL, MEMBERS_OF_OSS USED ", \"swiglu_limit\": \"7\"", "!swiglu_limit is \"7\""},
    {OSS, NULL, MEMBERS_OF_OSS USED ", \"swiglu_limit\": true", "!swiglu_limit is true"},
    {OSS, NULL, MEMBERS_OF_OSS USED ", \"hidden_act\": \"gelu\"", "!hidden_act 'gelu'"},
    {OSS, NULL, "\"num_local_experts\": 4, " USED, "!a gpt-oss model has a scaling"},
    /* YaRN */
    {LLAMA, "rope_scaling", YARN(""), "yarn 4 of 8 times 1.1386"},
    {LLAMA, "rope_scaling", "{\"rope_type\":\"yarn\",\"factor\":4}", "yarn 4 of 16"},
    {LLAMA, "rope_scaling", YARN(",\"attention_factor\":2"), "times 2"},
    {LLAMA, "rope_scaling", YARN(",\"attention_factor\":null"), "times 1.1386"},
    {LLAMA, "rope_scaling", YARN(",\"attention_factor\":0"), "!attention_factor is 0"},
    {LLAMA, "rope_scaling", YARN(",\"attention_factor\":-1"), "!attention_factor is -1"},
    {LLAMA, "rope_scaling", YARN(",\"attention_factor\":\"1\""), "!attention_factor"},
    {LLAMA, "rope_scaling", YARN(",\"mscale\":1,\"mscale_all_dim\":1"), "yarn 4 of 8"},
    {LLAMA, "rope_scaling", YARN(",\"mscale\":2,\"mscale_all_dim\":1"), "times 1.1218"},
    {LLAMA, "rope_scaling", YARN(",\"mscale\":-1"), "!mscale -1"},
    {LLAMA, "rope_scaling", YARN(",\"mscale\":\"1\""), "!mscale"},
    {LLAMA, "rope_scaling", YARN(",\"beta_fast\":1,\"beta_slow\":32"), "!beta_fast 1 and beta_slow 32"},
    {LLAMA, "rope_scaling", YARN(",\"beta_fast\":1,\"beta_slow\":1"), "!beta_fast"},
    {LLAMA, "rope_scaling", YARN(",\"beta_slow\":0"), "!beta_slow 0"},
    {LLAMA, "rope_scaling", YARN(",\"beta_fast\":\"32\""), "!beta_fast"},
    {LLAMA, "rope_scaling", YARN(",\"beta_fast\":1e300"), "!beta_fast"},
    {LLAMA, "rope_scaling", YARN(",\"truncate\":\"no\""), "!truncate"},
    {LLAMA, "rope_scaling", YARN(",\"truncate\":false"), "yarn 4 of 8"},
    {LLAMA, "rope_scaling", YARN(",\"attn_factor\":2"), "!attn_factor"},
    {LLAMA, "rope_scaling", "{\"rope_type\":\"yarn\",\"factor\":0.5}", "!factor 0.5"},
    {LLAMA, "rope_scaling", "{\"rope_type\":\"yarn\",\"factor\":null}", "!factor"},
    {LLAMA, "rope_scaling", "{\"rope_type\":\"yarn\",\"factor\":1e300}", "!factor"},
    {LLAMA, "rope_scaling", "{\"rope_type\":\"yarn\",\"factor\":2,\"original_max_position_embeddings\":0}",
        "!original_max_position_embeddings is 0"},
    {LLAMA, "rope_scaling",
        "{\"rope_type\":\"yarn\",\"factor\":2,\"original_max_position_embeddings\":\"8\"}",
        "!original_max_position_embeddings"},
    {MINISTRAL, "rope_parameters", YARN(",\"llama_4_scaling_beta\":0.1"), "queries by 0.1"},
    {MINISTRAL, "rope_parameters", YARN(",\"llama_4_scaling_beta\":-0.1"), "!llama_4_scaling_beta is -0.1"},
    {MINISTRAL, "rope_parameters", YARN(",\"llama_4_scaling_beta\":\"x\""), "!llama_4_scaling_beta"},
    {MINISTRAL, "rope_parameters", "{\"rope_theta\":1e6,\"llama_4_scaling_beta\":0.1}",
        "!llama_4_scaling_beta needs"},
    {LLAMA, "rope_parameters", YARN(",\"llama_4_scaling_beta\":0.1"), "!llama_4_scaling_beta"},
    {OLMO, "rope_scaling", YARN(""), "rope 10000 and 10000 yarn 4 of 8"},
    /* longrope: 8 of 16 */
    {PHI, "rope_scaling", LONG("8", F4, F4), "longrope 0 of 8 times 1.1547"},
    {PHI, "rope_scaling", LONG("16", F4, F4), "longrope 0 of 16"},
    {PHI, NULL,
        "\"original_max_position_embeddings\": 8, \"rope_scaling\": {\"type\":\"su\",\"short_factor\":" F4
        ",\"long_factor\":" F4 "}",
        "longrope 0 of 8 times"},
    {PHI, "rope_scaling", LONG("0", F4, F4), "!original_max_position_embeddings is 0"},
    {PHI, "rope_scaling", "{\"type\":\"longrope\",\"short_factor\":" F4 ",\"long_factor\":" F4 "}",
        "!original_max_position_embeddings is -1"},
    {PHI, "rope_scaling", LONG("8", "[1,1,1]", F4), "!short_factor has 3 numbers, expected 4"},
    {PHI, "rope_scaling", LONG("8", F4, "[1,1,1,1,1]"), "!long_factor has 5 numbers"},
    {PHI, "rope_scaling", LONG("8", F4, "[]"), "!long_factor has 0 numbers"},
    {PHI, "rope_scaling", LONG("8", F4, "null"), "!long_factor"},
    {PHI, "rope_scaling", LONG("8", "4", F4), "!short_factor"},
    {PHI, "rope_scaling", LONG("8", F4, "[1,1,0,1]"), "!long_factor: number 2 is not positive"},
    {PHI, "rope_scaling", LONG("8", F4, "[1,1,-2,1]"), "!long_factor: number 2"},
    {PHI, "rope_scaling", LONG("8", "[\"1\",1,1,1]", F4), "!short_factor: number 0"},
    {PHI, "rope_scaling", LONG("8", F4, "[1,1,1e300,1]"), "!long_factor: number 2"},
    {PHI, NULL, "\"partial_rotary_factor\": 0.5, \"rope_scaling\": " LONG("8", F4, F4),
        "!short_factor has 4 numbers, expected 2"},
    {PHI, "rope_scaling",
        "{\"type\":\"longrope\",\"factor\":2,\"original_max_position_embeddings\":8,\"short_factor\":" F4
        ",\"long_factor\":" F4 "}",
        "times 1.1547"},
    {PHI, "rope_scaling",
        "{\"type\":\"longrope\",\"factor\":3,\"original_max_position_embeddings\":8,\"short_factor\":" F4
        ",\"long_factor\":" F4 "}",
        "!factor is 3"},
    /* RoPE by type of layer */
    {GEMMA3, "rope_parameters",
        "{\"full_attention\":{\"rope_theta\":5e5},\"sliding_attention\":{\"rope_theta\":3e3}}",
        "rope 500000 and 3000"},
    {GEMMA3, "rope_parameters",
        "{\"full_attention\":{\"rope_theta\":5e5},\"sliding_attention\":" YARN(",\"rope_theta\":3e3") "}",
        "!yarn"},
    {GEMMA3, "rope_parameters",
        "{\"full_attention\":{\"rope_theta\":5e5},\"sliding_attention\":{\"rope_theta\":0}}",
        "!layers with a window is 0"},
    {GEMMA3, "rope_parameters", "{\"full_attention\":{\"rope_theta\":5e5},\"other\":{\"rope_theta\":3e3}}",
        "!per layer type"},
    {MISTRAL, "rope_parameters",
        "{\"full_attention\":{\"rope_theta\":5e5},\"sliding_attention\":{\"rope_theta\":3e3}}",
        "!per layer type"},
};

static void members(void **state)
{
    (void)state;
    int wrong = 0;
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        const change *c = &changes[i];
        char class[64], text[2000], json[1000] = "";
        rg_config f;
        rg_err err = {0};
        rg_text(class, sizeof class, "\"%s\"", c->class);
        if (c->value)
            rg_text(json, sizeof json, ", %s%s%s%s", c->key ? "\"" : "", c->key ? c->key : "",
                c->key ? "\": " : "", c->value);
        rg_text(text, sizeof text,
            "{\"architectures\": [%s], \"hidden_size\": 32, \"intermediate_size\": 64, "
            "\"num_hidden_layers\": 4, "
            "\"num_attention_heads\": 4, \"num_key_value_heads\": 4, \"head_dim\": 8, \"vocab_size\": 16, "
            "\"max_position_embeddings\": "
            "16%s}",
            class, json);
        write_text(at("config.json"), text);
        const rg_status st = rg_config_read(&f, at("config.json"), &err);
        const char *said = st ? err.msg : config_summary(&f);
        const bool refused = c->says[0] == '!';
        if (refused == (st != RG_OK) && strstr(said, c->says + refused) && !strchr(said, '\n') &&
            (!st || st == RG_E_FILE || st == RG_E_UNSUPPORTED))
            continue;
        print_error("%s, %s: %s\n   expected %s\n", c->class, json, said, c->says);
        wrong++;
    }
    assert_int_equal(wrong, 0);
}

typedef struct key_case {
    const char *arch, *key;
    uint32_t type, elem; /* of an array of n, else n is 1 */
    int n;
    double v[5];
    const char *says;
} key_case;

/* A scalar: n 0. */
static const key_case cases[] = {
    {"gemma3", NULL, 0, 0, 0, {0}, "gemma3 32x64, 4 of 4/2 x 8, rope 10000 and 10000"},
    {"gemma3", "attention.sliding_window", U32, 0, 0, {8}, "window 8 in 4"},
    {"gemma3", "attention.sliding_window", U32, 0, 0, {0}, "gemma3"},
    {"gemma3", "attention.sliding_window", U32, 0, 0, {4294967295.0},
        "!attention.sliding_window is 4294967295"},
    {"gemma3", "attention.sliding_window", I32, 0, 0, {-1}, "!attention.sliding_window is -1"},
    {"gemma3", "attention.sliding_window", U64, 0, 0, {0x1p62}, "!attention.sliding_window"},
    {"gemma3", "attention.sliding_window", F32, 0, 0, {NAN}, "!whole number"},
    {"gemma3", "attention.sliding_window", F32, 0, 0, {8.5}, "!whole number"},
    {"gemma3", "attention.sliding_window", STR, 0, 0, {0}, "!not a number"},
    {"gemma3", "attention.sliding_window", ARR, U32, 4, {8, 8, 8, 9}, "!array of different values"},
    {"gemma2", NULL, 0, 0, 0, {0}, "window 4096 in 2, scores to 50, logits to 30"},
    {"gemma2", "attention.sliding_window", U32, 0, 0, {8}, "window 8 in 2"},
    {"gemma2", "attention.sliding_window_pattern", U32, 0, 0, {4}, "window 4096 in 3"},
    {"gemma2", "attention.sliding_window_pattern", U32, 0, 0, {0}, "!sliding_window_pattern"},
    {"gemma2", "attention.sliding_window_pattern", I32, 0, 0, {-2}, "!sliding_window_pattern"},
    {"gemma2", "attention.sliding_window_pattern", STR, 0, 0, {0}, "!not a number"},
    {"gemma2", "attention.sliding_window_pattern", ARR, BOOL, 4, {1, 0, 0, 0}, "window 4096 in 1"},
    {"gemma2", "attention.sliding_window_pattern", ARR, BOOL, 3, {1, 0, 0}, "!one flag for each of 4 layers"},
    {"gemma2", "attention.sliding_window_pattern", ARR, BOOL, 5, {1, 0, 0}, "!one flag for each of 4 layers"},
    {"gemma2", "attention.sliding_window_pattern", ARR, BOOL, 0, {0}, "!one flag for each of 4 layers"},
    {"gemma2", "attention.sliding_window_pattern", ARR, U32, 4, {1, 0, 0, 0},
        "!one flag for each of 4 layers"},
    {"gemma2", "attention.sliding_window_pattern", ARR, STR, 4, {0}, "!one flag for each of 4 layers"},
    {"gemma2", "attn_logit_softcapping", F32, 0, 0, {0}, "window 4096 in 2, logits to 30"},
    {"gemma2", "attn_logit_softcapping", F32, 0, 0, {-1}, "!attn_logit_softcapping is -1"},
    {"gemma2", "final_logit_softcapping", F32, 0, 0, {NAN}, "!final_logit_softcapping is nan"},
    {"gemma2", "final_logit_softcapping", F32, 0, 0, {INFINITY}, "!final_logit_softcapping is inf"},
    {"gemma3", "final_logit_softcapping", F32, 0, 0, {25}, "logits to 25"},
    {"gemma3", "rope.freq_base_swa", F32, 0, 0, {5000}, "rope 10000 and 5000"},
    {"gemma3", "rope.freq_base_swa", F32, 0, 0, {0}, "!rope.freq_base_swa is 0"},
    {"gemma3", "rope.freq_base_swa", F32, 0, 0, {NAN}, "!rope.freq_base_swa is nan"},
    {"olmo2", NULL, 0, 0, 0, {0}, "olmo2 32x64, 4 of 4/2 x 8, rope 10000, whole norms"},
    {"olmo2", "attention.sliding_window", U32, 0, 0, {8}, "window 8 in 3"},
    {"qwen2", "attention.sliding_window", U32, 0, 0, {8}, "qwen2 32x64, 4 of 4/2 x 8, rope 10000"},
    {"smollm3", NULL, 0, 0, 0, {0}, ", 1 unrotated"},
    {"granite", "rope.scaling.finetuned", BOOL, 0, 0, {0}, ", 4 unrotated"},
    {"qwen3", "pooling_type", U32, 0, 0, {3}, "!makes embeddings or ranks"},
    {"qwen3", "pooling_type", U32, 0, 0, {0}, "qwen3"},
    {"minicpm", NULL, 0, 0, 0, {0}, "x0 by 12, blocks by 0.7, logits over 0.125"},
    {"minicpm", "embedding_scale", F32, 0, 0, {-12}, "!embedding_scale is -12"},
    {"minicpm", "residual_scale", F32, 0, 0, {NAN}, "!residual_scale is nan"},
    {"phi3", "rope.dimension_count", U32, 0, 0, {6}, "rope 10000 on 6"},
    {"phi3", "rope.dimension_count", U32, 0, 0, {0}, "!rope.dimension_count is 0"},
    {"phi3", "rope.dimension_count", U32, 0, 0, {3}, "!rope.dimension_count is 3"},
    {"phi3", "rope.dimension_count", U32, 0, 0, {10}, "!rope.dimension_count is 10"},
    {"llama", "rope.dimension_count", U32, 0, 0, {0}, "!sizes 8, 8, 0 differ"},
    {"llama", "rope.dimension_count", U32, 0, 0, {6}, "!sizes 8, 8, 6 differ"},
    {"mistral3", "attention.temperature_scale", F32, 0, 0, {0.1}, "queries by 0.1"},
    {"mistral3", "attention.temperature_scale", F32, 0, 0, {-0.1}, "!queries grow by -0.1"},
    {"mistral3", "attention.temperature_scale", F32, 0, 0, {NAN}, "!queries grow by nan"},
    {"llama", "rope.scaling.factor", F32, 0, 0, {4}, "linear 4"},
    {"llama", "rope.scaling.factor", F32, 0, 0, {0.5}, "!rope scaling factor 0.5"},
    {"llama", "rope.scaling.factor", F32, 0, 0, {NAN}, "!rope scaling factor nan"},
    {"llama", "rope.scaling.alpha", F32, 0, 0, {1000}, "!another base of RoPE"},
};

/* The same with "rope.scaling.type": yarn, a factor of 4, and an original context of 8. */
static const key_case yarn_cases[] = {
    {"llama", NULL, 0, 0, 0, {0}, "yarn 4 of 8 times 1.1386"},
    {"llama", "rope.scaling.yarn_attn_factor", F32, 0, 0, {2}, "yarn 4 of 8 times 2"},
    {"llama", "rope.scaling.yarn_attn_factor", F32, 0, 0, {-2}, "!yarn"},
    {"llama", "rope.scaling.attn_factor", F32, 0, 0, {2}, "times 2.2773"},
    {"llama", "rope.scaling.yarn_log_multiplier", F32, 0, 0, {1}, "yarn 4 of 8"},
    {"llama", "rope.scaling.yarn_log_multiplier", F32, 0, 0, {NAN}, "!logarithmic factor nan"},
    {"llama", "rope.scaling.yarn_beta_fast", F32, 0, 0, {0.5}, "!betas 0.5 and 1"},
    {"llama", "rope.scaling.yarn_beta_slow", F32, 0, 0, {0}, "!betas 32 and 0"},
    {"llama", "rope.scaling.yarn_beta_slow", F32, 0, 0, {NAN}, "!betas 32 and nan"},
    {"llama", "rope.scaling.yarn_ext_factor", F32, 0, 0, {1}, "yarn 4 of 8"},
    {"llama", "rope.scaling.yarn_ext_factor", F32, 0, 0, {0.5}, "!a part of YaRN"},
    {"olmo2", "attention.sliding_window", U32, 0, 0, {8}, "rope 10000 and 10000 yarn 4 of 8"},
};

static void put_value(byte_buf *b, uint32_t type, double v)
{
    const float f = (float)v;
    if (type == F32)
        put_bytes(b, &f, 4);
    else if (type == F64)
        put_bytes(b, &v, 8);
    else if (type == STR) {
        put_int(b, 1, 8);
        put_bytes(b, "x", 1);
    } else
        put_int(b, v < 0.0 ? (uint64_t)(int64_t)v : (uint64_t)v, type == BOOL ? 1 : type == U64 ? 8 : 4);
}

/* Keys of a model of four layers, and one; key: not to be written. */
static void put_keys(gguf_build *g, const char *arch, const char *key)
{
    static const struct {
        const char *key;
        uint32_t v;
    } all[] = {{"block_count", 4}, {"context_length", 16}, {"embedding_length", 32},
        {"feed_forward_length", 64}, {"vocab_size", 16}, {"attention.head_count", 4},
        {"attention.head_count_kv", 2}, {"attention.key_length", 8}, {"attention.value_length", 8},
        {"rope.dimension_count", 8}};
    gg_str(g, "general.architecture", arch);
    gg_f32(g, RG_TEXT(96, "%s.attention.layer_norm_rms_epsilon", arch), 1e-5f);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (!key || strcmp(key, all[i].key) != 0) gg_u32(g, RG_TEXT(96, "%s.%s", arch, all[i].key), all[i].v);
}

/* What a file says whose tensors are none of the model's: its keys have been read when they are refused. */
static const char *read_file(const char *path, rg_status *st)
{
    static char said[RG_ERR_MAX];
    rg_err err = {0};
    rg_ckpt *c = calloc(1, sizeof *c);
    assert_true(c && (c->path = strdup(path)));
    assert_int_equal(rg_ckpt_map(c, path, NULL, &err), RG_OK);
    *st = rg_load_gguf(c, false, &err);
    if (*st && strstr(err.msg, "tensor x is not part of")) *st = RG_OK;
    rg_text(said, sizeof said, "%s", *st ? err.msg : config_summary(&c->cfg));
    rg_ckpt_close(c);
    return said;
}

static void try_key(const key_case *k, bool yarn)
{
    static const float zeros[32];
    gguf_build g = {0};
    rg_status st;
    put_keys(&g, k->arch, k->key);
    if (yarn) {
        gg_str(&g, RG_TEXT(96, "%s.rope.scaling.type", k->arch), "yarn");
        gg_f32(&g, RG_TEXT(96, "%s.rope.scaling.factor", k->arch), 4.0f);
        gg_u32(&g, RG_TEXT(96, "%s.rope.scaling.original_context_length", k->arch), 8);
    }
    if (k->key) {
        gg_key(&g, RG_TEXT(96, "%s.%s", k->arch, k->key), k->type);
        if (k->type == ARR) {
            put_int(&g.kv, k->elem, 4);
            put_int(&g.kv, (uint64_t)k->n, 8);
        }
        for (int i = 0; i < (k->type == ARR ? k->n : 1); i++)
            put_value(&g.kv, k->type == ARR ? k->elem : k->type, k->v[i]);
    }
    gg_tensor(&g, "x", 0, 1, (const uint64_t[]){32}, zeros, sizeof zeros);
    gg_write(&g, at("key.gguf"));
    const char *said = read_file(at("key.gguf"), &st);
    const bool refused = k->says[0] == '!';
    if (refused != (st != RG_OK) || !strstr(said, k->says + refused) || strchr(said, '\n') ||
        (st && st != RG_E_FILE && st != RG_E_UNSUPPORTED))
        fail_msg("%s.%s = %g: %s\n   expected %s", k->arch, k->key ? k->key : "", k->v[0], said, k->says);
}

static void keys(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) try_key(&cases[i], false);
    for (size_t i = 0; i < sizeof yarn_cases / sizeof *yarn_cases; i++) try_key(&yarn_cases[i], true);
}

/* Tensors of RoPE's divisors: heads of 8 values have four pairs. */
static void divisors(void **state)
{
    static const struct {
        const char *scaling; /* NULL: no key */
        struct {
            const char *name;
            uint32_t type;
            int rank;
            uint64_t n;
            float third;
        } t[2];
        const char *says;
    } all[] = {
        {NULL, {{"rope_freqs.weight", 0, 1, 4, 2}}, "llama"},
        {NULL, {{"rope_factors_short.weight", 0, 1, 4, 2}, {"rope_factors_long.weight", 0, 1, 4, 8}},
            "longrope 1 of 16"},
        {"longrope", {{"rope_factors_short.weight", 0, 1, 4, 2}, {"rope_factors_long.weight", 0, 1, 4, 8}},
            "longrope 1 of 16"},
        {"linear", {{"rope_factors_short.weight", 0, 1, 4, 2}, {"rope_factors_long.weight", 0, 1, 4, 8}},
            "!'linear' beside rope_factors_long.weight"},
        {"longrope", {{"rope_factors_short.weight", 0, 1, 4, 2}}, "!the second is missing"},
        {NULL, {{"rope_factors_short.weight", 0, 1, 4, 2}}, "!the second is missing"},
        {NULL, {{"rope_factors_long.weight", 0, 1, 4, 2}}, "!the first is missing"},
        {"longrope", {{"rope_freqs.weight", 0, 1, 4, 2}}, "!longrope needs"},
        {"longrope", {{NULL, 0, 0, 0, 0}}, "!longrope needs"},
        {NULL, {{"rope_freqs.weight", 0, 1, 4, 2}, {"rope_factors_short.weight", 0, 1, 4, 2}},
            "!is there twice"},
        {NULL, {{"rope_freqs.weight", 0, 1, 3, 2}}, "!rope_freqs.weight: expected 4 F32 values"},
        {NULL, {{"rope_freqs.weight", 0, 1, 8, 2}}, "!rope_freqs.weight: expected 4 F32 values"},
        {NULL, {{"rope_freqs.weight", 0, 2, 4, 2}}, "!rope_freqs.weight: expected 4 F32 values"},
        {NULL, {{"rope_factors_long.weight", 1, 1, 4, 2}},
            "!rope_factors_long.weight: expected 4 F32 values"},
        {NULL, {{"rope_factors_long.weight", 0, 1, 4, 0}},
            "!rope_factors_long.weight: value 2 is not positive"},
        {NULL, {{"rope_factors_short.weight", 0, 1, 4, NAN}}, "!rope_factors_short.weight: value 2"},
        {NULL, {{"rope_factors_short.weight", 0, 1, 4, INFINITY}}, "!rope_factors_short.weight: value 2"},
        {NULL, {{"rope_freqs.weight", 0, 1, 4, -2}}, "!rope_freqs.weight: value 2"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        static const float zeros[16 * 32];
        gguf_build g = {0};
        rg_status st;
        put_keys(&g, "llama", NULL);
        if (all[i].scaling) gg_str(&g, "llama.rope.scaling.type", all[i].scaling);
        for (int k = 0; k < 2 && all[i].t[k].name; k++) {
            float f[16] = {1, 1, all[i].t[k].third, 1, 1, 1, 1, 1};
            gg_tensor(&g, all[i].t[k].name, all[i].t[k].type, all[i].t[k].rank,
                (const uint64_t[]){all[i].t[k].n, 2}, f,
                (all[i].t[k].type ? 2 : 4) * all[i].t[k].n * (size_t)all[i].t[k].rank);
        }
        gg_tensor(&g, "token_embd.weight", 0, 2, (const uint64_t[]){32, 16}, zeros, sizeof zeros);
        gg_write(&g, at("divisors.gguf"));
        const char *said = read_file(at("divisors.gguf"), &st);
        const bool refused = all[i].says[0] == '!';
        if (refused != (st != RG_OK) || !strstr(said, all[i].says + refused) || strchr(said, '\n'))
            fail_msg("case %zu: %s\n   expected %s", i, said, all[i].says);
    }
}

/* The tensors of a model for text and images, under names of both generations. */
static void wrapped(void **state)
{
    static const char *const prefix[][2] = {
        {"language_model.model.", "language_model."}, {"model.language_model.", ""}};
    (void)state;
    for (int k = 0; k < 2; k++) {
        st_entry e[MAX_ENTRIES];
        long long bytes = st_entries(e);
        for (int i = 0; i < TINY_TENSORS; i++) {
            char name[64];
            snprintf(name, sizeof name, "%s", e[i].name + strlen("model."));
            snprintf(e[i].name, sizeof e[i].name, "%s%.40s", prefix[k][0], name);
        }
        static const char *const images[] = {
            "vision_tower.patch_conv.weight", "multi_modal_projector.norm.weight"};
        for (int i = 0; i < 2; i++, bytes += 64) {
            st_entry *x = &e[TINY_TENSORS + i];
            *x = (st_entry){.begin = bytes, .end = bytes + 64};
            snprintf(x->dtype, sizeof x->dtype, "%s", i ? "BF16" : "U8");
            snprintf(x->name, sizeof x->name, "%s%s", k ? "model." : "", images[i]);
            snprintf(x->shape, sizeof x->shape, i ? "[32]" : "[2,2,2,2,4]");
        }
        st_write(at("model.safetensors"), e, TINY_TENSORS + 2, bytes);
#define TEXT(type, more) \
    "{\"model_type\":\"" type "\",\"hidden_size\":32,\"intermediate_size\":64,\"num_hidden_layers\":1," \
    "\"num_attention_heads\":4,\"num_key_value_heads\":2,\"head_dim\":8,\"vocab_size\":16,\"eos_token_id\":" \
    "3," BETA more "}"
        const char *const ministral[] = {"architectures", "[\"Mistral3ForConditionalGeneration\"]",
            "model_type", "\"mistral3\"", "tie_word_embeddings", k ? "true" : NULL, "text_config",
            TEXT("ministral3", ""), NULL};
        config_write(at("config.json"), ministral);
        rg_ckpt *c = must_open(at("model.safetensors"));
        assert_string_equal(rg_ckpt_config(c)->arch, "ministral3");
        assert_int_equal(rg_ckpt_count(c), TINY_TENSORS);
        assert_true(rg_ckpt_config(c)->tied && rg_ckpt_config(c)->eos[0] == 3 && rg_ckpt_config(c)->bos == 1);
        assert_true(strncmp(rg_ckpt_find(c, RG_SITE_ATTN_Q, 0)->file_name, prefix[k][0], 20) == 0);
        int said = 0;
        for (int i = 0; rg_ckpt_note(c, i); i++)
            said += strstr(rg_ckpt_note(c, i), "its text is read, 2 tensors of images are not") != NULL;
        assert_int_equal(said, 1);
        rg_ckpt_close(c);
        /* the same tensors are none of a plain model's, and others none of this one's */
        config_write(at("config.json"), NULL);
        must_refuse("plain", at("model.safetensors"), RG_E_UNSUPPORTED, "not part of a Llama model");
        config_write(at("config.json"), ministral);
        snprintf(e[TINY_TENSORS].name, sizeof e[0].name, "audio_tower.weight");
        snprintf(e[TINY_TENSORS].shape, sizeof e[0].shape, "[64]");
        st_write(at("model.safetensors"), e, TINY_TENSORS + 2, bytes);
        must_refuse("another", at("model.safetensors"), RG_E_UNSUPPORTED, "audio_tower.weight");
    }
    static const struct {
        const char *text, *word;
    } bad[] = {{TEXT("llama", ""), "model_type 'llama' is not known inside"},
        {"{}", "model_type '' is not known"}, {"[]", "text_config is not there"},
        {"null", "text_config is not there"}, {NULL, "text_config is not there"},
        {TEXT("ministral3", ",\"architectures\":[\"LlamaForCausalLM\"]"), "which one is it?"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        rg_err err;
        config_write(at("config.json"),
            (const char *const[]){"architectures", "[\"Mistral3ForConditionalGeneration\"]", "model_type",
                "\"mistral3\"", "text_config", bad[i].text, NULL});
        assert_int_not_equal(try_open(at("model.safetensors"), &err), RG_OK);
        if (!strstr(err.msg, bad[i].word)) fail_msg("case %zu: %s", i, err.msg);
    }
}

/* What each row of arch.def has is written and read again, in both formats. */
static void rows_written_and_read(void **state)
{
    (void)state;
    for (const rg_arch *a = rg_archs; a->word[0]; a++) {
        const rg_config c = arch_config(a);
        char want[400];
        rg_text(want, sizeof want, "%s", config_summary(&c) + strlen(c.arch));
        for (int gguf = 0; gguf < 2; gguf++) {
            const char *path = at(gguf ? "row.gguf" : "row");
            if (gguf && !rg_gguf_arch(&c)) continue;
            rg_config w = c;
            if (gguf && !a->word[RG_ARCH_GGUF]) w.window = 0; /* Mistral becomes a Llama */
            synth(&w, RG_FT_F32, gguf ? RG_SYNTH_GGUF : RG_SYNTH_SAFETENSORS, 1, path);
            rg_ckpt *k = must_open(path);
            const rg_config *f = rg_ckpt_config(k);
            const char *got = config_summary(f) + strlen(f->arch);
            if (w.window == c.window && strcmp(got, want) != 0)
                fail_msg("%s, %s:%s\n   expected%s", a->word[RG_ARCH_NAME], path, got, want);
            rg_ckpt_close(k);
            if (gguf)
                remove(path);
            else
                drop_hf(path);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(members), cmocka_unit_test(keys),
        cmocka_unit_test(divisors), cmocka_unit_test(wrapped), cmocka_unit_test(rows_written_and_read)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
