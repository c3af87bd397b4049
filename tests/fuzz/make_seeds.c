/* Writes the seed corpus: one small valid file of every kind. make_seeds FOLDER, the corpus folder of the
 * source tree. */
#include <sys/stat.h>

#include "testing.h"

#include "base/text.h"
#include "ckpt_fixture.h"
#include "model_build.h"
#include "ref_blocks.h"
#include "weights/gguf_write.h"
#include "weights/synth.h"

static const char *root;

static const char *place(const char *target, const char *name)
{
    static char path[600];
    snprintf(path, sizeof path, "%s/%s", root, target);
    mkdir(path, 0777);
    snprintf(path, sizeof path, "%s/%s/%s", root, target, name);
    return path;
}

static rg_config tiny(void)
{
    rg_config c = tiny_config();
    c.ctx_train = 64;
    return c;
}

/* Values in other forms, and keys that are refused or ignored. */
static void other_keys(gguf_build *g)
{
    gg_key(g, "llama.attention.head_count_kv", 9);
    put_int(&g->kv, 5, 4);
    put_int(&g->kv, 2, 8);
    put_int(&g->kv, 2, 4);
    put_int(&g->kv, 2, 4);
    gg_f32(g, "llama.rope.scaling.attn_factor", 1.0f);
    gg_u32(g, "llama.attention.sliding_window", 8);
    gg_str(g, "llama.unknown", "x");
    gg_str(g, "general.type", "model");
}

/* A vocabulary of the model's size, and chat templates with names. */
static void chat_keys(gguf_build *g)
{
    gg_str(g, "tokenizer.ggml.model", "llama");
    gg_key(g, "tokenizer.ggml.tokens", 9);
    put_int(&g->kv, 8, 4);
    put_int(&g->kv, 16, 8);
    for (int i = 0; i < 16; i++) {
        put_int(&g->kv, 1, 8);
        put_int(&g->kv, (uint64_t)('a' + i), 1);
    }
    gg_key(g, "tokenizer.chat_templates", 9);
    put_int(&g->kv, 8, 4);
    put_int(&g->kv, 1, 8);
    put_int(&g->kv, 3, 8);
    put_bytes(&g->kv, "rag", 3);
    gg_str(g, "tokenizer.chat_template", "{{ bos_token }}{% for m in messages %}{{ m.content }}{% endfor %}");
    gg_str(g, "tokenizer.chat_template.rag", "{{ documents }}");
    gg_str(g, "tokenizer.chat_template.tool_use", "chatml");
}

static void gguf(void)
{
    static const int types[] = {0, 1, 30, 8, 2, 3, 6, 7, 12, 13, 14, 10, 11, 20, 23, 39};
    char name[64];
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        model_build b = {
            .c = tiny(), .seed = i + 1, .ggml = types[i], .rope_freqs = i % 2, .qkv_bias = i % 3 == 0};
        if (ref_block_weights(types[i]) == 256) { /* rows of 256, few of them */
            b.c.dim = 256;
            b.c.heads = b.c.kv_heads = 1;
            b.c.head_dim = b.c.ffn = b.c.vocab = 4;
        }
        snprintf(name, sizeof name, "type%d", types[i]);
        build_gguf(&b, place("gguf", name));
        build_drop(&b);
    }
    model_build b = {.c = tiny(), .seed = 50, .ggml = 8, .arch = "granite"};
    b.c.embd_scale = b.c.attn_scale = b.c.resid_scale = b.c.logit_scale = 0.5;
    b.c.window = 8;
    build_gguf(&b, place("gguf", "granite"));
    build_drop(&b);
    b = (model_build){.c = tiny(), .seed = 51, .skip = "llama.attention.head_count_kv", .put = other_keys};
    build_gguf(&b, place("gguf", "keys"));
    build_drop(&b);
    static const int stacked[] = {0, 8, 12};
    for (size_t i = 0; i < sizeof stacked / sizeof *stacked; i++) {
        b = (model_build){.c = tiny(),
            .seed = 52 + i,
            .arch = i == 1 ? NULL : "phi3",
            .ggml = stacked[i],
            .stacked = STACK_PHI3,
            .qkv_bias = i == 1};
        if (i == 0) b.c.window = 8;
        if (stacked[i] == 12) {
            b.c.dim = 256;
            b.c.heads = b.c.kv_heads = 1;
            b.c.head_dim = b.c.ffn = b.c.vocab = 4;
        }
        snprintf(name, sizeof name, "stacked%d", stacked[i]);
        build_gguf(&b, place("gguf", name));
        build_drop(&b);
    }
    b = (model_build){.c = tiny(), .seed = 52, .ggml = 8, .put = chat_keys};
    build_gguf(&b, place("gguf", "templates"));
    build_drop(&b);
    rg_config c = tiny();
    rg_err err = {0};
    c.vocab = 360;
    c.dim = c.ffn = 32;
    if (rg_synth_write(
            &c, RG_FT_Q4_0, RG_SYNTH_GGUF, 1, place("gguf", "vocabulary"), NULL, NULL, NULL, &err) != RG_OK)
        fail_msg("%s", err.msg);
}

/* Files of a directory as one input. */
static void pack_dir(const char *dir, int scheme, const char *target, const char *name)
{
    char path[700];
    byte_buf out = {0};
    size_t n;
    unsigned char *p;
    if (scheme < 0) {
        snprintf(path, sizeof path, "%s/config.json", dir);
        p = read_all(path, &n);
        put_int(&out, n, 4);
        put_bytes(&out, p, n);
        free(p);
    } else {
        put_int(&out, (uint64_t)scheme, 1);
    }
    snprintf(path, sizeof path, "%s/model.safetensors", dir);
    p = read_all(path, &n);
    put_bytes(&out, p, n);
    free(p);
    save_bytes(&out, place(target, name));
    drop_bytes(&out);
}

static stacking stacking_of(const char *seed)
{
    if (strcmp(seed, "granite4") == 0) return STACK_GRANITE4;
    return strcmp(seed, "phi3") == 0 || strstr(seed, "stacked") ? STACK_PHI3 : STACK_NONE;
}

static void hugging_face(const char *dir)
{
    static const struct {
        const char *name, *arch, *more;
        int4_kind int4;
        int group;
        bool symmetric, order, bias;
        int scheme; /* of the int4 target; -1: none */
    } all[] = {{"plain", NULL, NULL, INT4_NONE, 0, false, false, false, -1},
        {"biases", NULL,
            "\"attention_bias\": true, \"rope_scaling\": {\"type\": \"linear\", \"factor\": 2.0}", INT4_NONE,
            0, false, false, true, -1},
        {"granite", "GraniteForCausalLM",
            "\"embedding_multiplier\": 12.0, \"attention_multiplier\": 0.1, \"residual_multiplier\": 0.2, "
            "\"logits_scaling\": 8.0, \"rope_parameters\": "
            "{\"rope_type\": \"llama3\", \"rope_theta\": 500000.0, \"factor\": 32.0, \"low_freq_factor\": "
            "1.0, \"high_freq_factor\": 4.0, "
            "\"original_max_position_embeddings\": 8192}",
            INT4_NONE, 0, false, false, false, -1},
        {"awq", NULL, NULL, INT4_AWQ, 32, false, false, false, 0},
        {"gptq", NULL, NULL, INT4_GPTQ, 32, true, false, false, 1},
        {"gptq-act-order", NULL, NULL, INT4_GPTQ_V2, 16, false, true, false, 2},
        {"packed", NULL, NULL, INT4_PACKED, 32, false, true, false, 3},
        {"packed-symmetric", NULL, NULL, INT4_PACKED, 32, true, false, false, 5},
        {"gptq-declared", NULL, NULL, INT4_GPTQ_V2, 32, true, false, false, 6},
        {"packed-bytes", NULL, NULL, INT8_PACKED, 32, true, false, false, 4},
        {"gptq-bytes", NULL, NULL, INT8_GPTQ, 32, true, true, false, 7},
        {"fp8-blocks", NULL, NULL, FP8_BLOCKS, 16, true, false, false, 8},
        {"fp8-rows", NULL, NULL, FP8_ROWS, -1, true, false, false, 9},
        {"int8-rows", NULL, NULL, INT8_ROWS, -1, true, false, false, 10},
        {"nf4", NULL, NULL, NF4, 64, true, false, false, 11},
        {"mlx", NULL, NULL, INT4_MLX, 32, true, false, false, 12},
        {"phi3", "Phi3ForCausalLM", "\"sliding_window\": 8", INT4_NONE, 0, false, false, false, -1},
        {"granite4", "GraniteMoeHybridForCausalLM",
            "\"shared_intermediate_size\": 32, \"position_embedding_type\": \"rope\", "
            "\"num_local_experts\": 0, \"layer_types\": [\"attention\"], \"attention_bias\": true",
            INT4_NONE, 0, false, false, true, -1},
        {"awq-stacked", NULL, NULL, INT4_AWQ, 32, false, false, false, 0},
        {"gptq-stacked", NULL, NULL, INT4_GPTQ_V2, 16, false, true, false, 2},
        {"packed-stacked", NULL, NULL, INT4_PACKED, 32, false, false, false, 3}};
    char path[700];
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        model_build b = {.c = tiny(),
            .seed = 60 + i,
            .arch = all[i].arch,
            .more = all[i].more,
            .int4 = all[i].int4,
            .group = all[i].group,
            .symmetric = all[i].symmetric,
            .act_order = all[i].order,
            .tall = all[i].int4 == FP8_BLOCKS ? 16 : 0,
            .double_quant = true,
            .embd_too = all[i].int4 == INT4_MLX,
            .qkv_bias = all[i].bias,
            .o_bias = all[i].bias,
            .stacked = stacking_of(all[i].name)};
        if (all[i].scheme < 0) b.c.ffn = 32;
        build_hf(&b, dir);
        build_drop(&b);
        if (all[i].scheme >= 0)
            pack_dir(dir, all[i].scheme, "int4", all[i].name);
        else
            pack_dir(dir, -1, "safetensors", all[i].name);
        snprintf(path, sizeof path, "%s/config.json", dir);
        size_t n;
        unsigned char *p = read_all(path, &n);
        byte_buf out = {0};
        put_bytes(&out, p, n);
        save_bytes(&out, place("config", all[i].name));
        drop_bytes(&out);
        free(p);
    }
    rg_config c = tiny();
    rg_err err = {0};
    c.vocab = 360;
    if (rg_synth_write(&c, RG_FT_F16, RG_SYNTH_SAFETENSORS, 1, dir, NULL, NULL, NULL, &err) != RG_OK)
        fail_msg("%s", err.msg);
    snprintf(path, sizeof path, "mv %s/tokenizer.json %s", dir, place("tokenizer_json", "byte-fallback"));
    if (system(path) != 0) fail_msg("%s", path);
}

/* Every row of arch.def in both formats. */
static void architectures(const char *dir)
{
    for (const rg_arch *a = rg_archs; a->word[0]; a++) {
        char path[700];
        rg_config c = arch_config(a);
        rg_err err = {0};
        size_t n;
        byte_buf out = {0};
        c.layers = 2;
        c.dim = c.ffn = 16;
        c.heads = 2;
        c.kv_heads = 1;
        c.vocab = 8;
        if (rg_gguf_arch(&c) &&
            rg_synth_write(&c, RG_FT_F16, RG_SYNTH_GGUF, 1, place("gguf", RG_TEXT(80, "arch-%s", c.arch)),
                NULL, NULL, NULL, &err) != RG_OK)
            fail_msg("%s", err.msg);
        if (rg_synth_write(&c, RG_FT_F16, RG_SYNTH_SAFETENSORS, 1, dir, NULL, NULL, NULL, &err) != RG_OK)
            fail_msg("%s", err.msg);
        snprintf(path, sizeof path, "%s/config.json", dir);
        unsigned char *p = read_all(path, &n);
        put_bytes(&out, p, n);
        free(p);
        save_bytes(&out, place("config", RG_TEXT(80, "arch-%s", c.arch)));
        drop_bytes(&out);
    }
}

static void bytes(const char *target, const char *name, const char *s, size_t n)
{
    byte_buf out = {0};
    put_bytes(&out, s, n);
    save_bytes(&out, place(target, name));
    drop_bytes(&out);
}

static void text(const char *target, const char *name, const char *s) { bytes(target, name, s, strlen(s)); }

/* The index and the bytes of both shards. */
static void index_of(const char *name, const char *map, const unsigned char *shard, size_t n)
{
    byte_buf out = {0};
    put_int(&out, strlen(map), 4);
    put_bytes(&out, map, strlen(map));
    put_bytes(&out, shard, n);
    save_bytes(&out, place("index", name));
    drop_bytes(&out);
}

/* What config.json may say beside its numbers, and an index that does not name all. */
static void members(const char *dir)
{
#define HEAD \
    "{\"architectures\":[\"LlamaForCausalLM\"],\"model_type\":\"llama\",\"hidden_size\":32.0," \
    "\"intermediate_size\":[64,64],\"num_hidden_layers\":1,\"num_attention_heads\":4,\"vocab_size\":16,"
    text("config", "rope-nested",
        HEAD "\"rope_parameters\":{\"full_attention\":{\"rope_theta\":5e5},\"sliding_attention\":{\"rope_"
             "theta\":5e5}}}");
    text("config", "rope-beside",
        HEAD "\"rope_parameters\":{\"rope_theta\":5e5},\"rope_scaling\":{\"type\":\"linear\",\"factor\":4,"
             "\"beta_fast\":1},"
             "\"unknown\":[1,{\"a\":null}],\"layer_types\":[\"full_attention\"],\"is_causal\":true}");
    text("config", "transforms",
        HEAD "\"quantization_config\":{\"quant_method\":\"compressed-tensors\",\"format\":\"pack-quantized\","
             "\"kv_cache_scheme\":"
             "{\"num_bits\":8},\"transform_config\":{\"config_groups\":{}},\"config_groups\":{\"a\":{"
             "\"weights\":{\"num_bits\":4,"
             "\"dynamic\":false}},\"b\":{\"weights\":null}}}}");
    text("config", "gptq-members",
        HEAD "\"quantization_config\":{\"quant_method\":\"gptq\",\"bits\":4.0,\"format\":\"gptq_v2\",\"sym\":"
             "true,\"dynamic\":"
             "{\"-:.*\":{}},\"pack_dtype\":\"int32\",\"rotation\":null,\"adapter\":null}}");
#define TEXT \
    "\"hidden_size\":32,\"intermediate_size\":16,\"num_hidden_layers\":4,\"num_attention_heads\":4,\"head_" \
    "dim\":8," \
    "\"num_key_value_heads\":2,\"vocab_size\":8,\"max_position_embeddings\":64"
#define OF(class, more) "{\"architectures\":[\"" class "\"]," TEXT "," more "}"
    text("config", "longrope",
        OF("Phi3ForCausalLM",
            "\"partial_rotary_factor\":0.75,\"original_max_position_embeddings\":16,\"sliding_window\":8,"
            "\"rope_scaling\":{\"type\":\"su\",\"short_factor\":[1,1.1,1.2],\"long_factor\":[1.5,2,30.5]}"));
    text("config", "yarn-layers",
        OF("Olmo3ForCausalLM",
            "\"sliding_window\":8,\"layer_types\":[\"sliding_attention\",\"full_attention\",\"full_"
            "attention\","
            "\"full_attention\"],\"rope_parameters\":{\"rope_type\":\"yarn\",\"factor\":4,\"beta_fast\":32,"
            "\"beta_slow\":1,\"truncate\":false,\"original_max_position_embeddings\":16,\"attention_factor\":"
            "1.2}"));
    text("config", "bases-by-layer",
        OF("Gemma3ForCausalLM",
            "\"sliding_window_pattern\":2,\"final_logit_softcapping\":30,\"rope_parameters\":{\"full_"
            "attention\":{"
            "\"rope_type\":\"linear\",\"factor\":8,\"rope_theta\":1e6},\"sliding_attention\":{\"rope_theta\":"
            "1e4}}"));
    text("config", "caps-null",
        OF("Gemma2ForCausalLM",
            "\"attn_logit_softcapping\":null,\"hidden_activation\":\"gelu_pytorch_tanh\""));
    text("config", "unrotated",
        OF("SmolLM3ForCausalLM", "\"no_rope_layers\":[1,0,1,0],\"use_sliding_window\":false"));
    text("config", "nope",
        OF("GraniteMoeHybridForCausalLM",
            "\"position_embedding_type\":\"nope\",\"shared_intermediate_size\":16,\"num_local_experts\":0,"
            "\"layer_types\":[\"attention\",\"attention\",\"attention\",\"attention\"]"));
    text("config", "wrapper",
        "{\"architectures\":[\"Mistral3ForConditionalGeneration\"],\"model_type\":\"mistral3\",\"eos_token_"
        "id\":[1,106],"
        "\"vision_config\":{},\"text_config\":{\"model_type\":\"ministral3\"," TEXT
        ",\"rope_parameters\":{\"rope_type\":\"yarn\",\"factor\":16,\"mscale\":1,\"mscale_all_dim\":1,"
        "\"llama_4_scaling_beta\":0.1,\"original_max_position_embeddings\":16,\"rope_theta\":1e6}}}");
    st_entry e[MAX_ENTRIES];
    char path[700], map[2000] = "{\"weight_map\":{\"gone\":\"b.safetensors\"";
    size_t n;
    const long long data = st_entries(e);
    snprintf(path, sizeof path, "%s/a.safetensors", dir);
    st_write(path, e, TINY_TENSORS, data);
    for (int i = 0; i < TINY_TENSORS; i++)
        rg_text_add(map, sizeof map, ",\"%s\":\"%c.safetensors\"", e[i].name, 'a' + i % 2);
    strcat(map, "}}");
    unsigned char *p = read_all(path, &n);
    index_of("two", map, p, n);
    /* all in one shard, with what writers add */
    snprintf(map, sizeof map, "{\"metadata\":{\"total_size\":%lld,\"total_parameters\":1.0},\"weight_map\":{",
        data);
    for (int i = 0; i < TINY_TENSORS; i++)
        rg_text_add(map, sizeof map, "%s\"%s\":\"b.safetensors\"", i ? "," : "", e[i].name);
    strcat(map, "}}\n");
    index_of("one", map, p, n);
    free(p);
}

static void tokenizers(void)
{
    text("tokenizer_json", "byte-level",
        "{\"added_tokens\":[{\"id\":9,\"content\":\"<|end|>\",\"special\":true},{\"id\":10,\"content\":"
        "\"xy\",\"special\":false,\"lstrip\":true}],\n"
        "\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFC\"},{\"type\":\"Prepend\","
        "\"prepend\":\"a\"}]},\n"
        "\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{"
        "\"Regex\":\"\\\\p{N}{1,3}|\\\\s+\"},\"behavior\":"
        "\"Isolated\",\"invert\":false},{\"type\":\"Digits\",\"individual_digits\":true},{\"type\":"
        "\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":true}"
        "]},\n"
        "\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"<|end|>"
        "\",\"type_id\":0}},{\"Sequence\":{\"id\":\"A\","
        "\"type_id\":0}}],\"special_tokens\":{\"<|end|>\":{\"id\":\"<|end|>\",\"ids\":[9],\"tokens\":[\"<|"
        "end|>\"]}}},\n"
        "\"decoder\":{\"type\":\"ByteLevel\"},\"model\":{\"type\":\"BPE\",\"ignore_merges\":true,\"vocab\":{"
        "\"a\":0,\"b\":1,\"c\":2,\"ab\":3,\"abc\":4,"
        "\"\\u0120\":5,\"\\u0120a\":6,\"1\":7,\"O\":8},\"merges\":[\"a b\",[\"ab\",\"c\"],\"\\u0120 a\"]}}");
    /* tokenizer_config.json, special_tokens_map.json, added_tokens.json */
#define BESIDE(name, ...) bytes("tokenizer_beside", name, __VA_ARGS__, sizeof(__VA_ARGS__) - 1)
    BESIDE("class",
        "{\"tokenizer_class\":\"LlamaTokenizerFast\",\"add_bos_token\":true,\"add_eos_token\":true,\"bos_"
        "token\":"
        "\"<s>\",\"eos_token\":{\"content\":\"</"
        "s>\",\"lstrip\":false},\"legacy\":false,\"pad_token\":null}\0{}\0{}"
        "\0");
    BESIDE("decoder",
        "{\"added_tokens_decoder\":{\"1\":{\"content\":\"<s>\",\"special\":true},\"9\":{\"content\":\"<|im_"
        "start|>"
        "\",\"special\":true,\"rstrip\":true,\"lstrip\":true,\"normalized\":false,\"single_word\":false,\"__"
        "type\":"
        "\"AddedToken\"}},\"additional_special_tokens\":[\"<y>\",{\"content\":\"<z>\"}],\"extra_special_"
        "tokens\":{"
        "\"image\":\"<i>\"}}\0{}\0{}\0");
    BESIDE("older",
        "{}\0{\"bos_token\":\"<s>\",\"eos_token\":\"<e>\",\"additional_special_tokens\":[\"<y>\"]}\0{\"<y>\":"
        "4,"
        "\"<w>\":5}\0");
    BESIDE("roles",
        "{\"unk_token\":\"<unk>\",\"pad_token\":\"[PAD]\",\"model_max_length\":"
        "1000000000000000019884624838656}\0{"
        "\"eos_token\":{\"content\":\"b\"},\"pad_token\":\"<p>\"}\0{\"[PAD]\":6,\"<p>\":4,\"<q>\":5}\0");
    byte_buf m = {0};
    for (int i = 0; i < 3 + 256 + 6; i++) {
        static const char *const first[] = {"<unk>", "<s>", "</s>"},
                                 *const last[] = {"a", "b", "ab", "\xe2\x96\x81",
                                     "\xe2\x96\x81"
                                     "a",
                                     "\xe2\x96\x81"
                                     "ab"};
        char piece[16];
        if (i < 3)
            snprintf(piece, sizeof piece, "%s", first[i]);
        else if (i < 259)
            snprintf(piece, sizeof piece, "<0x%02X>", i - 3);
        else
            snprintf(piece, sizeof piece, "%s", last[i - 259]);
        const size_t n = strlen(piece);
        const float score = (float)-i;
        put_int(&m, 0x0a, 1);
        put_int(&m, n + 2 + 5 + 2, 1);
        put_int(&m, 0x0a, 1);
        put_int(&m, n, 1);
        put_bytes(&m, piece, n);
        put_int(&m, 0x15, 1);
        put_bytes(&m, &score, 4);
        put_int(&m, 0x18, 1);
        put_int(&m, i == 0 ? 2 : i < 3 ? 3 : i < 259 ? 6 : 1, 1);
    }
    /* trainer_spec { model_type: BPE }, normalizer_spec { add_dummy_prefix: true } */
    put_bytes(&m, "\x12\x02\x18\x02\x1a\x02\x18\x01", 8);
    save_bytes(&m, place("tokenizer_model", "small"));
    drop_bytes(&m);
}

static void templates(void)
{
    text("jinja", "loop",
        "{%- set ns = namespace(n=0, s='') -%}\n{% for m in messages if m.role != 'system' %}{{ bos_token if "
        "loop.first "
        "}}{% if m['role'] == 'user' %}<u>{{ m.content | trim }}{% elif '</t>' in m.content %}{{ "
        "m.content.split('</t>')[-1].lstrip('\\n') ~ eos_token }}{% else %}{% continue %}{% endif %}{% set "
        "ns.n = ns.n + "
        "loop.index0 %}{% endfor %}{{ ns.n }}{% if add_generation_prompt %}<a>{% endif %}");
    text("jinja", "macros",
        "{% macro m(a, b=[1, 2.5, {'k': none}]) %}{{ a|upper }}{{ b|tojson(indent=2) }}{{ caller() }}{% "
        "endmacro %}{% call "
        "m('x', b=messages) %}c{% endcall %}{% set x | replace('a', \"b\") %}aa{% endset %}{{ x[::-1][1:] "
        "}}{% filter indent(2) "
        "%}a\nb{% endfilter %}{% with q = 7 // 2 ** 1 %}{{ -q % 3 + q * 1.5 }}{% endwith %}{% generation "
        "%}g{% endgeneration "
        "%}{% raw %}{{ }}{% endraw %}");
    /* as gpt-oss, and as Qwen3 */
    text("jinja", "channels",
        "{%- macro build(system) -%}\n{{- 'You are ' + (system or 'x') }}{%- if tools is defined %}{{ '!' "
        "}}{%- "
        "endif -%}\n{%- endmacro -%}\n{{- '<|start|>system<|message|>' }}{{- build() }}{{- '<|end|>' }}\n{%- "
        "for "
        "message in messages -%}{%- if message.role == 'assistant' -%}{%- if 'content' in message and "
        "'<|channel|>final' in message.content %}{{- raise_exception('tags') }}{%- endif %}{{- "
        "'<|start|>assistant<|channel|>final<|message|>' + message.content + '<|end|>' }}{%- elif "
        "message.role == "
        "'user' -%}{{- '<|start|>{}<|message|>'.format(message.role) + message.content + '<|end|>' }}{%- "
        "endif "
        "-%}{%- endfor -%}{%- if add_generation_prompt -%}<|start|>assistant{%- endif -%}");
    text("jinja", "thinking",
        "{%- set ns = namespace(multi=true, last=messages|length - 1) %}\n{%- for message in messages[::-1] "
        "%}\n   "
        " {%- set index = (messages|length - 1) - loop.index0 %}\n    {%- if ns.multi and message.role == "
        "'user' "
        "and message.content is string and not(message.content.startswith('<t>') and "
        "message.content.endswith('</t>')) %}\n        {%- set ns.multi = false %}{%- set ns.last = index "
        "%}\n    "
        "{%- endif %}\n{%- endfor %}\n{%- for message in messages %}{%- set reasoning = '' %}\n    {%- if "
        "'</t>' in "
        "message.content %}\n        {%- set reasoning = "
        "message.content.split('</t>')[0].rstrip('\\n').split('<t>')[-1].lstrip('\\n') %}\n    {%- endif "
        "%}\n{{- "
        "'<|im_start|>' + message.role + '\\n' }}{%- if loop.index0 > ns.last and (loop.last or reasoning) "
        "%}{{ "
        "reasoning.strip('\\n') }}{%- endif %}{{ message.content.split('</t>')[-1].lstrip('\\n') "
        "}}<|im_end|>\n{% "
        "endfor %}");
    text("jinja", "filters",
        "{{ messages|selectattr('role', 'equalto', 'user')|map(attribute='content')|map('trim')|join(', ') "
        "}}{{ "
        "{'b': 1, 'a': [2]}|dictsort }}{{ [3, 1, 2]|sort(reverse=true)|unique|list|first }}{{ "
        "range(5)|select('odd')|sum }}{{ "
        "'12'|int + '1.5'|float }}{{ x|default('d', true)|safe + '<' }}{{ 'a,b'.rsplit(',', 1) }}{{ "
        "strftime_now('%d %b %Y') "
        "}}{# c #}{{ raise_exception('no ' ~ (1 is string and not 2 is odd or 'a' in 'abc')) if false }}");
}

static void llama2c(void)
{
    for (int version = 0; version < 3; version++) {
        char name[16];
        model_build b = {.c = tiny(), .seed = 90};
        b.c.tied = version != 1;
        b.c.ffn = 32;
        snprintf(name, sizeof name, "v%d", version);
        build_llama2c(&b, version, 16, place("llama2c", name));
        build_drop(&b);
    }
}

/* Tokens of the model in fuzz_session.c: header, tokens, logits, and for both KV heads the blocks of keys and
 * the values, from the first position on that the window's layer still had. */
static void sessions(void)
{
    static const struct {
        const char *name;
        uint64_t tokens, lost, logits;
    } all[] = {{"plain", 3, 0, 0}, {"logits", 3, 0, 1}, {"ring", 290, 30, 0}};
    for (size_t k = 0; k < sizeof all / sizeof *all; k++) {
        const uint64_t tokens = all[k].tokens, lost = all[k].lost, vocab = 270, heads = 2,
                       keys = ((tokens + 15) / 16 - lost / 16) * 16 * 8 * 2,
                       values = (tokens - lost) * 16 * 2;
        const uint64_t u64s[] = {0, 1, heads, 8, vocab, tokens},
                       payload = 4 * tokens + all[k].logits * 4 * vocab + heads * (keys + values);
        byte_buf out = {0};
        put_bytes(&out, "RIDGEKV1", 8);
        put_int(&out, 2, 4);
        put_int(&out, 96, 4);
        for (size_t i = 0; i < sizeof u64s / sizeof *u64s; i++) put_int(&out, u64s[i], 8);
        put_int(&out, RG_KV_F16, 4);
        put_int(&out, RG_KV_F16, 4);
        put_int(&out, all[k].logits, 4);
        put_int(&out, 16, 4);
        put_int(&out, payload, 8);
        put_int(&out, lost, 8);
        for (uint64_t i = 0; i < tokens; i++) put_int(&out, 3 + i % 200, 4);
        for (uint64_t i = 4 * tokens; i < payload; i += 4) put_int(&out, 0x2e002d00u + (uint32_t)i % 4096, 4);
        save_bytes(&out, place("session", all[k].name));
        drop_bytes(&out);
    }
}

int main(int argc, char **argv)
{
    char dir[] = "/tmp/ridge-seeds-XXXXXX", cmd[128];
    if (argc != 2 || !mkdtemp(dir)) return 2;
    root = argv[1];
    mkdir(root, 0777);
    gguf();
    hugging_face(dir);
    architectures(dir);
    members(dir);
    tokenizers();
    templates();
    llama2c();
    sessions();
    snprintf(cmd, sizeof cmd, "rm -r %s", dir);
    return system(cmd) != 0;
}
