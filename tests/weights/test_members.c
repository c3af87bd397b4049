/* Members of config.json that contradict each other, that nobody reads, or that ask for what we lack. */
#include "ckpt_fixture.h"

static int setup(void **state)
{
    st_entry e[MAX_ENTRIES];
    (void)state;
    const long long bytes = st_entries(e);
    st_write(at("model.safetensors"), e, TINY_TENSORS, bytes);
    return 0;
}

typedef struct change {
    const char *key, *value;
    rg_status code;
    const char *word; /* of the refusal, or of the only note; NULL: there is none */
} change;

#define CT(members) \
    "{\"quant_method\":\"compressed-tensors\",\"format\":\"pack-quantized\",\"ignore\":[\"re:.*\"]," \
    "\"config_groups\":{\"a\":{\"weights\":{\"num_bits\":4,\"group_size\":32}}}" members "}"
#define GROUP(members) \
    "{\"quant_method\":\"compressed-tensors\",\"format\":\"pack-quantized\"," \
    "\"config_groups\":{\"a\":{\"weights\":{\"num_bits\":4,\"group_size\":32" members "}}"
#define GPTQ(members) "{\"quant_method\":\"gptq\",\"bits\":4,\"group_size\":32" members "}"
#define AWQ(members) "{\"quant_method\":\"awq\",\"bits\":4,\"group_size\":32" members "}"

static const change changes[] = {
    /* not read by the class, so it changes nothing there: said, unless it says nothing */
    {"use_cache", "true", RG_OK, NULL},
    {"torch_dtype", "\"bfloat16\"", RG_OK, NULL},
    {"id2label", "{\"0\":\"a\"}", RG_OK, NULL},
    {"no_such_member", "7", RG_OK, "not used: no_such_member"},
    {"no_such_member", "{\"a\":[0,{\"b\":true}]}", RG_OK, "not used: no_such_member"},
    {"no_such_member", "null", RG_OK, NULL},
    {"no_such_member", "false", RG_OK, NULL},
    {"no_such_member", "0.0", RG_OK, NULL},
    {"no_such_member", "\"\"", RG_OK, NULL},
    {"no_such_member", "[[],{\"a\":null}]", RG_OK, NULL},
    {"bad\\nname", "1", RG_OK, "bad?name"},
    {"final_logit_softcapping", "30.0", RG_OK, "final_logit_softcapping"},
    {"embedding_multiplier", "12.0", RG_OK, "embedding_multiplier"},
    {"sliding_window", "8", RG_OK, "sliding_window"},
    {"sliding_window", "null", RG_OK, NULL},
    {"auto_map", "{\"AutoModel\":\"x.Y\"}", RG_OK, "auto_map"},
    /* needs what we lack */
    {"per_layer_config", "{\"0\":{\"num_key_value_heads\":1}}", RG_E_UNSUPPORTED, "per_layer_config"},
    {"per_layer_config", "{}", RG_OK, NULL},
    {"is_causal", "false", RG_E_UNSUPPORTED, "later tokens"},
    {"is_causal", "true", RG_OK, NULL},
    {"is_encoder_decoder", "true", RG_E_UNSUPPORTED, "an encoder"},
    {"is_encoder_decoder", "false", RG_OK, NULL},
    {"partial_rotary_factor", "1", RG_OK, NULL},
    {"partial_rotary_factor", "0.25", RG_E_UNSUPPORTED, "partial_rotary_factor is 0.25"},
    /* the scaling of RoPE */
    {"rope_scaling", "[]", RG_E_FILE, "rope_scaling is not an object"},
    {"rope_parameters", "\"yarn\"", RG_E_FILE, "rope_parameters is not an object"},
    {"rope_scaling", "{}", RG_OK, NULL},
    {"rope_scaling", "{\"rope_type\":3}", RG_E_FILE, "rope_type"},
    {"rope_scaling", "{\"type\":\"linear\",\"factor\":2,\"no_such_member\":1.5}", RG_E_UNSUPPORTED,
        "no_such_member (1.5) is not known"},
    {"rope_scaling", "{\"type\":\"linear\",\"factor\":2,\"no_such_member\":null}", RG_OK, NULL},
    {"rope_scaling", "{\"type\":\"linear\",\"factor\":2,\"beta_fast\":32}", RG_OK, "not used: beta_fast"},
    {"rope_scaling", "{\"rope_type\":\"default\",\"factor\":8}", RG_OK, "not used: factor"},
    {"rope_scaling", "{\"rope_type\":\"default\",\"partial_rotary_factor\":0.5}", RG_E_UNSUPPORTED,
        "part of a head"},
    {"rope_parameters",
        "{\"full_attention\":{\"rope_theta\":5e5},\"sliding_attention\":{\"rope_theta\":1e4}}",
        RG_E_UNSUPPORTED, "per layer type"},
    {"rope_parameters", "{\"full_attention\":{\"rope_theta\":5e5},\"rope_theta\":1e4}", RG_E_UNSUPPORTED,
        "per layer type"},
    {"rope_parameters", "{\"rope_theta\":1e4,\"full_attention\":{\"rope_theta\":5e5}}", RG_E_UNSUPPORTED,
        "per layer type"},
    {"rope_parameters",
        "{\"full_attention\":{\"rope_theta\":5e5},\"sliding_attention\":{\"rope_theta\":5e5}}", RG_OK, NULL},
    /* quantization_config */
    {"quantization_config", "7", RG_E_FILE, "not an object"},
    {"quantization_config", CT(""), RG_OK, NULL},
    {"quantization_config", CT(",\"transform_config\":{}"), RG_OK, NULL},
    {"quantization_config", CT(",\"transform_config\":{\"config_groups\":{}}"), RG_OK, NULL},
    {"quantization_config",
        CT(",\"transform_config\":{\"config_groups\":{\"R1\":{\"type\":\"random-matrix\"}}}"),
        RG_E_UNSUPPORTED, "transform_config"},
    {"quantization_config", CT(",\"kv_cache_scheme\":{\"num_bits\":8,\"type\":\"float\"}"), RG_OK,
        "kv_cache_scheme"},
    {"quantization_config", CT(",\"kv_cache_scheme\":null"), RG_OK, NULL},
    {"quantization_config", CT(",\"smoothing\":{\"alpha\":0.5}"), RG_E_UNSUPPORTED,
        "smoothing ({\"alpha\":0.5}) is not known"},
    {"quantization_config", CT(",\"sparsity_config\":{\"format\":\"sparse-24-bitmask\"}"), RG_E_UNSUPPORTED,
        "sparse-24"},
    {"quantization_config", GROUP(",\"dynamic\":true") "}}", RG_E_UNSUPPORTED, "dynamic"},
    {"quantization_config", GROUP(",\"actorder\":\"static\"") "}}", RG_OK, NULL},
    {"quantization_config", GROUP("") ",\"b\":{\"output_activations\":{\"num_bits\":8}}}}", RG_OK,
        "output_activations"},
    {"quantization_config", GROUP("") ",\"b\":{\"targets\":[\"x\"],\"weights\":null}}}", RG_OK, NULL},
    {"quantization_config", GROUP("") ",\"b\":3}}", RG_E_FILE, "not an object"},
    {"quantization_config", GPTQ(",\"dynamic\":{\"-:.*\":{}},\"meta\":{\"a\":1},\"damp_percent\":0.01"),
        RG_OK, NULL},
    {"quantization_config", GPTQ(",\"rotation\":\"hadamard\""), RG_E_UNSUPPORTED, "rotation is \"hadamard\""},
    {"quantization_config", GPTQ(",\"adapter\":{\"rank\":16}"), RG_E_UNSUPPORTED, "adapter"},
    {"quantization_config", GPTQ(",\"pack_dtype\":\"int16\""), RG_E_UNSUPPORTED, "pack_dtype"},
    {"quantization_config", GPTQ(",\"pack_dtype\":\"int32\""), RG_OK, NULL},
    {"quantization_config", GPTQ(",\"format\":\"marlin\""), RG_E_UNSUPPORTED, "marlin"},
    {"quantization_config", GPTQ(",\"no_such_member\":1"), RG_E_UNSUPPORTED, "no_such_member"},
    {"quantization_config", AWQ(",\"format\":\"gemv\""), RG_E_UNSUPPORTED, "format 'gemv'"},
    {"quantization_config", AWQ(",\"backend\":\"llm-awq\""), RG_E_UNSUPPORTED, "llm-awq"},
    {"quantization_config", AWQ(",\"modules_to_not_convert\":[\"lm_head\"]"), RG_OK, NULL},
};

static void members_are_read_refused_or_noted(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        const change *c = &changes[i];
        rg_err err = {0};
        rg_ckpt *k = NULL;
        config_write(at("config.json"), (const char *const[]){c->key, c->value, NULL});
        const rg_status st = rg_ckpt_open(&k, at("model.safetensors"), &err);
        const char *said = st ? err.msg : rg_ckpt_note(k, 0);
        if (st != c->code || !said != !c->word || (said && !strstr(said, c->word)))
            fail_msg("%s = %s: status %d, expected %d with '%s': %s", c->key, c->value, (int)st, (int)c->code,
                c->word ? c->word : "(no note)", said ? said : "");
        if (said && (strchr(said, '\n') || !strstr(said, "config.json"))) fail_msg("%s", said);
        if (!st) assert_null(rg_ckpt_note(k, said != NULL));
        rg_ckpt_close(k);
    }
}

static void many_unknown_members_are_one_note(void **state)
{
    (void)state;
    static const char *const names[] = {"a1", "a2", "a3", "a4", "a5", "a6", "a7", "a8", "a9", "b1", "b2"};
    const char *overrides[24] = {NULL};
    for (int i = 0; i < 11; i++) overrides[2 * i] = names[i], overrides[2 * i + 1] = "true";
    config_write(at("config.json"), overrides);
    rg_ckpt *c = must_open(at("model.safetensors"));
    assert_non_null(strstr(rg_ckpt_note(c, 0), "a8 and 3 more"));
    assert_null(rg_ckpt_note(c, 1));
    rg_ckpt_close(c);
}

static rg_ckpt *with(const char *const *overrides)
{
    config_write(at("config.json"), overrides);
    return must_open(at("model.safetensors"));
}

/* rope_scaling goes before rope_parameters, and the base stands in the one that counts, else at the root. */
static void one_place_describes_rope(void **state)
{
    (void)state;
#define LINEAR "{\"rope_type\":\"linear\",\"factor\":4.0}"
    static const struct {
        const char *scaling, *parameters, *theta;
        rg_rope_scaling kind;
        double base;
        bool noted;
    } all[] = {{LINEAR, "{\"rope_type\":\"default\",\"rope_theta\":3e4}", "7e4", RG_ROPE_LINEAR, 7e4, true},
        {LINEAR, "{\"rope_theta\":3e4}", NULL, RG_ROPE_LINEAR, 10000.0, true},
        {LINEAR, LINEAR, "7e4", RG_ROPE_LINEAR, 7e4, false},
        {"{\"rope_type\":\"default\",\"rope_theta\":2e4}", LINEAR, "7e4", RG_ROPE_NONE, 2e4, true},
        {"{\"type\":\"default\",\"rope_theta\":2e4}", NULL, NULL, RG_ROPE_NONE, 2e4, false},
        {"null", "{\"rope_theta\":3e4}", "7e4", RG_ROPE_NONE, 3e4, false},
        {"{}", "{\"rope_type\":\"linear\",\"factor\":4,\"rope_theta\":3e4}", NULL, RG_ROPE_LINEAR, 3e4,
            false},
        {NULL, "{\"a\":{\"rope_theta\":3e4},\"b\":{\"rope_theta\":3e4}}", NULL, RG_ROPE_NONE, 3e4, false},
        {NULL, NULL, "7e4", RG_ROPE_NONE, 7e4, false}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        rg_ckpt *c = with((const char *const[]){"rope_scaling", all[i].scaling, "rope_parameters",
            all[i].parameters, "rope_theta", all[i].theta, NULL});
        const rg_config *f = rg_ckpt_config(c);
        if (f->rope_scaling != all[i].kind || f->rope_theta != all[i].base ||
            !rg_ckpt_note(c, 0) != !all[i].noted)
            fail_msg("case %zu: scaling %d, base %g, note %s", i, (int)f->rope_scaling, f->rope_theta,
                rg_ckpt_note(c, 0) ? rg_ckpt_note(c, 0) : "(none)");
        rg_ckpt_close(c);
    }
}

static void class_and_model_type_agree(void **state)
{
    (void)state;
    static const struct {
        const char *class, *type;
        rg_status code;
        const char *word;
    } all[] = {{"[\"LlamaForCausalLM\"]", "\"llama\"", RG_OK, NULL},
        {"[\"MistralForCausalLM\"]", "\"mistral\"", RG_OK, NULL},
        {"[\"MistralForCausalLM\"]", NULL, RG_OK, NULL}, {NULL, "\"mistral\"", RG_OK, NULL},
        {NULL, "\"granite\"", RG_OK, NULL}, {"null", "\"llama\"", RG_OK, NULL},
        {"[\"MistralForCausalLM\"]", "\"llama\"", RG_E_UNSUPPORTED,
            "MistralForCausalLM, but model_type is llama"},
        {"[\"LlamaForCausalLM\"]", "\"qwen3\"", RG_E_UNSUPPORTED, "model_type is qwen3"},
        {"[\"LlamaForCausalLM\"]", "\"llama4\"", RG_E_UNSUPPORTED, "model_type is llama4"},
        {"[\"LlamaForCausalLM\"]", "\"llama_text\"", RG_E_UNSUPPORTED, "model_type is llama_text"},
        {"[\"LlamaForCausalLM\"]", "\"lla\"", RG_E_UNSUPPORTED, "model_type is lla"},
        {NULL, "\"mamba\"", RG_E_UNSUPPORTED, "mamba"}, {NULL, NULL, RG_E_UNSUPPORTED, "(none named)"}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        rg_err err;
        config_write(at("config.json"),
            (const char *const[]){"architectures", all[i].class, "model_type", all[i].type, NULL});
        const rg_status st = try_open(at("model.safetensors"), &err);
        if (st != all[i].code || (st && !strstr(err.msg, all[i].word)))
            fail_msg("%s and %s: status %d: %s", all[i].class, all[i].type, (int)st, err.msg);
    }
}

/* Qwen2's windows begin behind max_window_layers, if use_sliding_window says so. */
static void windows_behind_the_first_layers(void **state)
{
    (void)state;
    static const struct {
        const char *use, *window, *from;
        int64_t of[4]; /* what a token of each layer sees; 0: all */
    } all[] = {{"true", "4", "0", {4, 4, 4, 4}}, {"true", "4", "1", {0, 4, 4, 4}}, {"true", "4", "4", {0}},
        {"true", "null", "0", {0}}, {"true", "4", NULL, {0}}, {"true", NULL, "3", {0, 0, 0, 4096}},
        {"false", "4", "0", {0}}, {NULL, "4", "0", {0}}, {"null", "4", "0", {0}}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        rg_config c;
        rg_err err = {0};
        config_write(at("config.json"),
            (const char *const[]){"architectures", "[\"Qwen2ForCausalLM\"]", "num_hidden_layers", "4",
                "use_sliding_window", all[i].use, "sliding_window", all[i].window, "max_window_layers",
                all[i].from, NULL});
        if (rg_config_read(&c, at("config.json"), &err) != RG_OK) fail_msg("%s", err.msg);
        for (int64_t l = 0; l < 4; l++)
            if (rg_layer_window(&c, l) != all[i].of[l])
                fail_msg("case %zu: layer %lld sees %lld positions", i, (long long)l,
                    (long long)rg_layer_window(&c, l));
    }
}

static void broken_generation_config_is_said(void **state)
{
    (void)state;
    write_text(at("generation_config.json"), "{\"eos_token_id\": 9");
    rg_ckpt *c = with(NULL);
    assert_non_null(strstr(rg_ckpt_note(c, 0), "generation_config.json: not read"));
    rg_ckpt_close(c);
    write_text(at("generation_config.json"), "{\"eos_token_id\": [9.0, 2.5, 3]}");
    c = with(NULL);
    assert_int_equal(rg_ckpt_config(c)->n_eos, 2);
    assert_int_equal(rg_ckpt_config(c)->eos[0], 9);
    rg_ckpt_close(c);
    remove(at("generation_config.json"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(members_are_read_refused_or_noted),
        cmocka_unit_test(many_unknown_members_are_one_note), cmocka_unit_test(one_place_describes_rope),
        cmocka_unit_test(class_and_model_type_agree), cmocka_unit_test(windows_behind_the_first_layers),
        cmocka_unit_test(broken_generation_config_is_said)};
    return cmocka_run_group_tests(tests, setup, NULL);
}
