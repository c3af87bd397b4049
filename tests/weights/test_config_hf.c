/* config.json: what is read, what is refused, and with which word. */
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
    const char *word;
} change;

#define LLAMA3(factor, low, high, orig) \
    "{\"rope_type\":\"llama3\",\"factor\":" factor ",\"low_freq_factor\":" low ",\"high_freq_factor\":" high \
    ",\"original_max_position_embeddings\":" orig "}"

static const change changes[] = {
    {"architectures", "[\"Qwen2ForCausalLM\"]", RG_E_FILE, "attn_q_bias is missing"},
    {"architectures", "[\"Qwen3ForCausalLM\"]", RG_E_FILE, "expected [512, 32]"}, /* heads of 128 */
    {"architectures", "[\"Gemma2ForCausalLM\"]", RG_E_UNSUPPORTED, "silu"},
    {"architectures", "[\"Phi3SmallForCausalLM\"]", RG_E_UNSUPPORTED, "block-sparse"},
    {"architectures", "[\"Phi3ForCausalLM\"]", RG_OK, NULL},
    {"architectures", "[\"MixtralForCausalLM\"]", RG_E_FILE, "number of experts is 0, expected 1 to 1024"},
    {"architectures", "[\"SmolLM3ForCausalLM\"]", RG_OK, NULL},
    {"architectures", "[\"Llama4ForConditionalGeneration\"]", RG_E_UNSUPPORTED, "mixture of experts"},
    {"architectures", "[\"NobodysForCausalLM\"]", RG_E_UNSUPPORTED, "NobodysForCausalLM"},
    {"architectures", "[]", RG_E_UNSUPPORTED, "(none named)"},
    {"architectures", "[\"MistralForCausalLM\"]", RG_OK, NULL},
    {"architectures", "[\"GraniteForCausalLM\"]", RG_OK, NULL},
    {"architectures", "[\"GraniteMoeForCausalLM\"]", RG_E_FILE, "number of experts is 0"},
    {"architectures", "[\"GraniteMoeSharedForCausalLM\"]", RG_E_UNSUPPORTED, "shared network"},
    {"architectures", "[\"Qwen2MoeForCausalLM\"]", RG_E_FILE, "number of experts is 0"},
    {"use_sliding_window", "true", RG_OK, NULL}, /* from layer 28 on */
    {"attention_bias", "true", RG_E_FILE, "attn_q_bias is missing"},
    {"mlp_bias", "true", RG_E_FILE, "ffn_gate_bias is missing"},
    {"attention_bias", "false", RG_OK, NULL},
    {"hidden_act", "\"gelu\"", RG_E_UNSUPPORTED, "gelu"},
    {"hidden_act", NULL, RG_OK, NULL},
    {"quantization_config", "{\"quant_method\":\"hqq\"}", RG_E_UNSUPPORTED, "hqq"},
    {"quantization_config", "{\"load_in_8bit\":true}", RG_E_UNSUPPORTED, "quantization_config"},
    {"quantization_config", "{\"quant_method\":\"awq\",\"version\":\"gemv\"}", RG_E_UNSUPPORTED, "gemv"},
    {"quantization_config", "null", RG_OK, NULL},
    {"partial_rotary_factor", "0.5", RG_E_UNSUPPORTED, "partial_rotary_factor"},
    {"rope_scaling", "null", RG_OK, NULL},
    {"rope_scaling", "{\"type\":\"linear\",\"factor\":2.0}", RG_OK, NULL},
    {"rope_scaling", "{\"rope_type\":\"default\"}", RG_OK, NULL},
    {"rope_scaling", "{\"rope_type\":\"yarn\",\"factor\":4}", RG_OK, NULL},
    {"rope_scaling", "{\"rope_type\":\"yarn\"}", RG_E_FILE, "factor"},
    {"rope_scaling", "{\"type\":\"dynamic\",\"factor\":4}", RG_E_UNSUPPORTED, "dynamic"},
    {"rope_scaling", "{\"factor\":4}", RG_E_FILE, "rope_type"},
    {"rope_scaling", "{\"type\":\"linear\"}", RG_E_FILE, "factor"},
    {"rope_scaling", "{\"type\":\"linear\",\"factor\":0}", RG_E_FILE, "factor"},
    {"rope_scaling", LLAMA3("32.0", "1.0", "4.0", "8192"), RG_OK, NULL},
    {"rope_scaling", LLAMA3("32.0", "4.0", "4.0", "8192"), RG_E_FILE, "impossible"},
    {"rope_scaling", LLAMA3("32.0", "1.0", "4.0", "0"), RG_E_FILE, "original_max_position_embeddings is 0"},
    {"rope_scaling", LLAMA3("0.5", "1.0", "4.0", "8192"), RG_E_FILE, "factor"},
    {"hidden_act", "7", RG_E_UNSUPPORTED, "hidden_act"},
    {"hidden_act", "\"swish\"", RG_OK, NULL}, /* another name of silu */
    {"hidden_size", "32.0", RG_OK, NULL},
    {"vocab_size", "1.6e1", RG_OK, NULL},
    {"num_key_value_heads", "[2, 2, 2]", RG_OK, NULL},
    {"num_key_value_heads", "[2]", RG_OK, NULL},
    {"num_key_value_heads", "[2, 1]", RG_E_UNSUPPORTED, "num_key_value_heads is a list"},
    {"num_key_value_heads", "[]", RG_E_FILE, "KV heads"},
    {"num_key_value_heads", "[[2]]", RG_E_UNSUPPORTED, "num_key_value_heads is a list"},
    {"intermediate_size", "[64, 64.5]", RG_E_UNSUPPORTED, "differ by layer"},
    {"rms_norm_eps", "[1e-5, 1e-5]", RG_OK, NULL},
    {"rope_theta", "500000", RG_OK, NULL},
    {"tie_word_embeddings", "\"true\"", RG_E_FILE, "tie_word_embeddings"},
    {"tie_word_embeddings", "1", RG_E_FILE, "tie_word_embeddings"},
    {"layer_types", "[\"full_attention\"]", RG_OK, NULL},
    {"layer_types", "[\"sliding_attention\"]", RG_E_UNSUPPORTED, "layer_types"},
    {"layer_types", "[\"full_attention\", 3]", RG_E_FILE, "layer_types has 2 entries"},
    {"layer_types", "[3]", RG_E_UNSUPPORTED, "layer_types: layer 0 is no string"},
    {"hidden_size", NULL, RG_E_FILE, "hidden size"},
    {"hidden_size", "\"32\"", RG_E_FILE, "hidden size"},
    {"hidden_size", "32.5", RG_E_FILE, "hidden size"},
    {"hidden_size", "0", RG_E_FILE, "hidden size is 0"},
    {"hidden_size", "-32", RG_E_FILE, "hidden size"},
    {"hidden_size", "9223372036854775807", RG_E_FILE, "hidden size"},
    {"hidden_size", "99999999999999999999", RG_E_FILE, "config.json"},
    {"hidden_size", "64", RG_E_FILE, "expected"},
    {"num_attention_heads", "0", RG_E_FILE, "heads is 0"},
    {"num_attention_heads", "-1", RG_E_FILE, "heads is -1"},
    {"num_key_value_heads", "0", RG_E_FILE, "KV heads is 0"},
    {"num_key_value_heads", "3", RG_E_FILE, "do not divide"},
    {"num_key_value_heads", "8", RG_E_FILE, "do not divide"},
    {"num_key_value_heads", NULL, RG_E_FILE, "k_proj"}, /* then as many as heads */
    {"head_dim", "7", RG_E_FILE, "odd"},
    {"head_dim", "0", RG_E_FILE, "head size is 0"},
    {"head_dim", "2048", RG_E_FILE, "head size is 2048"},
    {"head_dim", "8", RG_OK, NULL},
    {"head_dim", "null", RG_OK, NULL},
    {"head_dim", "16", RG_E_FILE, "expected [64, 32]"},
    {"num_hidden_layers", "0", RG_E_FILE, "layers is 0"},
    {"num_hidden_layers", "513", RG_E_FILE, "layers is 513"},
    {"num_hidden_layers", "2", RG_E_FILE, "blk.1.attn_norm is missing"},
    {"vocab_size", "0", RG_E_FILE, "vocabulary is 0"},
    {"vocab_size", "1048577", RG_E_FILE, "vocabulary"},
    {"intermediate_size", "1048577", RG_E_FILE, "intermediate"},
    {"max_position_embeddings", "0", RG_E_FILE, "context"},
    {"rms_norm_eps", "0", RG_E_FILE, "epsilon"},
    {"rms_norm_eps", "1.5", RG_E_FILE, "epsilon"},
    {"rms_norm_eps", "\"small\"", RG_E_FILE, "epsilon"},
    {"rope_theta", "0", RG_E_FILE, "RoPE base"},
    {"rope_theta", "-1", RG_E_FILE, "RoPE base"},
};

static void fields_are_checked(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        const change *c = &changes[i];
        rg_err err;
        config_write(at("config.json"), (const char *const[]){c->key, c->value, NULL});
        const rg_status st = try_open(at("model.safetensors"), &err);
        if (st != c->code || (c->word && !strstr(err.msg, c->word)))
            fail_msg("%s = %s: status %d, expected %d with '%s': %s", c->key,
                c->value ? c->value : "(absent)", (int)st, (int)c->code, c->word ? c->word : "", err.msg);
    }
}

static rg_ckpt *with(const char *const *overrides)
{
    config_write(at("config.json"), overrides);
    return must_open(at("model.safetensors"));
}

static void rope_parameters_of_both_generations(void **state)
{
    (void)state;
    rg_ckpt *c = with((const char *const[]){"rope_theta", NULL, "rope_parameters",
        "{\"rope_type\":\"llama3\",\"rope_theta\":500000.0,\"factor\":32.0,\"low_freq_factor\":1.0,"
        "\"high_freq_factor\":4.0,\"original_max_position_embeddings\":8192}",
        NULL});
    const rg_config *f = rg_ckpt_config(c);
    assert_int_equal(f->rope_scaling, RG_ROPE_LLAMA3);
    assert_true(f->rope_theta == 500000.0 && f->rope_factor == 32.0 && f->rope_low_freq == 1.0 &&
        f->rope_high_freq == 4.0);
    assert_int_equal(f->rope_orig_ctx, 8192);
    rg_ckpt_close(c);
    c = with((const char *const[]){"rope_scaling", "{\"type\":\"linear\",\"factor\":4}", NULL});
    assert_int_equal(rg_ckpt_config(c)->rope_scaling, RG_ROPE_LINEAR);
    assert_true(rg_ckpt_config(c)->rope_factor == 4.0 && rg_ckpt_config(c)->rope_theta == 10000.0);
    rg_ckpt_close(c);
    c = with((const char *const[]){"rope_theta", NULL, NULL});
    assert_true(rg_ckpt_config(c)->rope_theta == 10000.0);
    rg_ckpt_close(c);
}

static void end_tokens_are_numbers_or_lists(void **state)
{
    (void)state;
    rg_ckpt *c = with((const char *const[]){"eos_token_id", "[3, 5, 7]", NULL});
    const rg_config *f = rg_ckpt_config(c);
    assert_int_equal(f->n_eos, 3);
    assert_int_equal(f->eos[2], 7);
    assert_int_equal(f->bos, 1);
    rg_ckpt_close(c);
    write_text(at("generation_config.json"), "{\"eos_token_id\": [9, 11]}");
    c = with(NULL);
    assert_int_equal(rg_ckpt_config(c)->n_eos, 2);
    assert_int_equal(rg_ckpt_config(c)->eos[1], 11);
    rg_ckpt_close(c);
    remove(at("generation_config.json"));
    c = with(
        (const char *const[]){"eos_token_id", "[1,2,3,4,5,6,7,8,9,10]", "bos_token_id", "4294967297", NULL});
    assert_int_equal(rg_ckpt_config(c)->n_eos, RG_MAX_EOS);
    assert_int_equal(rg_ckpt_config(c)->bos, -1);
    rg_ckpt_close(c);
    c = with((const char *const[]){"eos_token_id", "null", "bos_token_id", NULL, NULL});
    assert_int_equal(rg_ckpt_config(c)->n_eos, 0);
    assert_int_equal(rg_ckpt_config(c)->bos, -1);
    rg_ckpt_close(c);
}

static void sliding_windows(void **state)
{
    (void)state;
    rg_err err;
    const char *const mistral = "[\"MistralForCausalLM\"]";
    static const struct {
        const char *arch, *value;
        int64_t window;
    } all[] = {{"[\"MistralForCausalLM\"]", "8", 8}, {"[\"MistralForCausalLM\"]", "null", 0},
        {"[\"MistralForCausalLM\"]", NULL, 4096}, {"[\"LlamaForCausalLM\"]", "8", 0},
        {"[\"Phi3ForCausalLM\"]", "8", 8}, {"[\"Phi3ForCausalLM\"]", "null", 0},
        {"[\"Phi3ForCausalLM\"]", NULL, 0}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        rg_ckpt *c =
            with((const char *const[]){"architectures", all[i].arch, "sliding_window", all[i].value, NULL});
        assert_int_equal(rg_ckpt_config(c)->window, all[i].window);
        rg_ckpt_close(c);
    }
    static const char *const bad[] = {"0", "-5", "1.5", "\"all\"", "true"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        config_write(at("config.json"),
            (const char *const[]){"architectures", mistral, "sliding_window", bad[i], NULL});
        assert_int_equal(try_open(at("model.safetensors"), &err), RG_E_FILE);
        assert_non_null(strstr(err.msg, "sliding_window"));
    }
}

static void granite_factors(void **state)
{
    (void)state;
    rg_ckpt *c = with((const char *const[]){"architectures", "[\"GraniteForCausalLM\"]",
        "embedding_multiplier", "12.0", "attention_multiplier", "0.015625", "residual_multiplier", "0.22",
        "logits_scaling", "8.0", NULL});
    const rg_config *f = rg_ckpt_config(c);
    assert_true(f->embd_scale == 12.0 && f->attn_scale == 0.015625 && f->resid_scale == 0.22 &&
        f->logit_scale == 8.0);
    assert_true(f->extra ==
        (rg_site_bit(RG_SITE_TOKEN_SCALE) | rg_site_bit(RG_SITE_ATTN_OUT_SCALE) |
            rg_site_bit(RG_SITE_FFN_OUT_SCALE) | rg_site_bit(RG_SITE_OUTPUT_SCALE)));
    rg_ckpt_close(c);
    /* the defaults of the class are 1 */
    c = with((const char *const[]){"architectures", "[\"GraniteForCausalLM\"]", NULL});
    assert_true(rg_ckpt_config(c)->attn_scale == 1.0 && rg_ckpt_config(c)->extra == 0);
    rg_ckpt_close(c);
    c = with((const char *const[]){"embedding_multiplier", "12.0", NULL}); /* means nothing to a Llama */
    assert_true(rg_ckpt_config(c)->embd_scale == 0.0 && rg_ckpt_config(c)->attn_scale == 0.0);
    rg_ckpt_close(c);
    rg_err err;
    config_write(at("config.json"),
        (const char *const[]){"architectures", "[\"GraniteForCausalLM\"]", "logits_scaling", "0", NULL});
    assert_int_equal(try_open(at("model.safetensors"), &err), RG_E_FILE);
    assert_non_null(strstr(err.msg, "logits_scaling"));
}

/* Granite 4 without experts and Mamba layers; the file has a feed-forward size of 64. */
static void granite_4(void **state)
{
    (void)state;
    static const struct {
        const char *key, *value;
        rg_status code;
        const char *word;
    } all[] = {{"num_local_experts", "0", RG_OK, NULL},
        {"num_local_experts", "8", RG_E_UNSUPPORTED, "mixture of experts"},
        {"position_embedding_type", "\"nope\"", RG_OK, NULL},
        {"position_embedding_type", NULL, RG_OK, NULL}, /* none: the class's default */
        {"layer_types", "[\"attention\"]", RG_OK, NULL},
        {"layer_types", "[\"mamba\"]", RG_E_UNSUPPORTED, "layer 0 is mamba"},
        {"normalization_function", "\"layernorm\"", RG_E_UNSUPPORTED, "its norms"},
        {"shared_intermediate_size", "32", RG_E_FILE, "shape [64, 32], expected [32, 32]"},
        {"shared_intermediate_size", "0", RG_E_FILE, "intermediate size is 0"},
        {"shared_intermediate_size", "\"64\"", RG_E_FILE, "intermediate size is -1"}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        rg_err err;
        const bool rope = strcmp(all[i].key, "position_embedding_type") == 0,
                   shared = strcmp(all[i].key, "shared_intermediate_size") == 0;
        config_write(at("config.json"),
            (const char *const[]){"architectures", "[\"GraniteMoeHybridForCausalLM\"]", "model_type",
                "\"granitemoehybrid\"", "intermediate_size", "128", "mamba_n_heads", "48", all[i].key,
                all[i].value, rope ? "num_experts_per_tok" : "position_embedding_type",
                rope ? "0" : "\"rope\"", shared ? "init_method" : "shared_intermediate_size",
                shared ? "\"mup\"" : "64", NULL});
        const rg_status st = try_open(at("model.safetensors"), &err);
        if (st != all[i].code || (all[i].word && !strstr(err.msg, all[i].word)))
            fail_msg("%s = %s: status %d: %s", all[i].key, all[i].value ? all[i].value : "(absent)", (int)st,
                err.msg);
    }
    rg_ckpt *c = with((const char *const[]){"shared_intermediate_size", "32", "position_embedding_type",
        "\"nope\"", NULL}); /* nothing to a Llama, and noted */
    assert_int_equal(rg_ckpt_config(c)->ffn, 64);
    assert_non_null(strstr(rg_ckpt_note(c, 0), "shared_intermediate_size, position_embedding_type"));
    rg_ckpt_close(c);
    c = with((const char *const[]){"architectures", "[\"GraniteMoeHybridForCausalLM\"]",
        "shared_intermediate_size", "64", "position_embedding_type", "\"rope\"", NULL});
    assert_null(rg_ckpt_note(c, 0));
    rg_ckpt_close(c);
}

static void malformed_json_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"{", "[]", "3", "{\"a\":1,\"a\":2}", "{\"a\":nan}", "\xff\xfe", "{}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        rg_err err;
        write_text(at("config.json"), bad[i]);
        const rg_status st = try_open(at("model.safetensors"), &err);
        if ((st != RG_E_FILE && st != RG_E_UNSUPPORTED) || !strstr(err.msg, "config.json"))
            fail_msg("%s: status %d: %s", bad[i], (int)st, err.msg);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(fields_are_checked),
        cmocka_unit_test(rope_parameters_of_both_generations),
        cmocka_unit_test(end_tokens_are_numbers_or_lists), cmocka_unit_test(sliding_windows),
        cmocka_unit_test(granite_factors), cmocka_unit_test(granite_4),
        cmocka_unit_test(malformed_json_is_refused)};
    return cmocka_run_group_tests(tests, setup, NULL);
}
