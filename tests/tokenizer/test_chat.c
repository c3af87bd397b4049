/* Chat templates: recognised by their markers, written as text and as ids, and where they are looked for. */
#include "tempdir.h"
#include "tok_files.h"

#include "tokenizer/chat.h"

/* Excerpts of templates as checkpoints have them. */
static void recognition(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int want;
    } rows[] = {
        {"{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + "
         "'<|im_end|>' + '\\n'}}{% endfor %}",
            RG_CHAT_CHATML},
        {"{{ '<|im_start|>' }}{{ '<|im_sep|>' }}", -1},
        {"{{- bos_token }}{{- \"<|start_header_id|>system<|end_header_id|>\" }}{{- \"Cutting Knowledge Date: "
         "December 2023\\n\" }}",
            RG_CHAT_LLAMA31},
        {"{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>' %}", RG_CHAT_LLAMA3},
        {"{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}{{ '<<SYS>>\\n' }}", RG_CHAT_LLAMA2},
        {"{{ bos_token }}{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}",
            RG_CHAT_MISTRAL},
        {"{{ ' [INST] ' + system_message + '\\n\\n' + message['content'] + ' [/INST]' }}",
            RG_CHAT_MISTRAL_V1},
        {"{{- \"[AVAILABLE_TOOLS] [\" }}{{- \"[INST] \" + message[\"content\"] + \"[/INST]\" }}",
            RG_CHAT_MISTRAL_V3},
        {"{{- \"[AVAILABLE_TOOLS][\" }}{{- \"[INST]\" + message[\"content\"] + \"[/INST]\" }}",
            RG_CHAT_MISTRAL_V3T},
        {"{{ '[SYSTEM_PROMPT] ' + message['content'] }}{{ '[INST] ' }}", RG_CHAT_MISTRAL_V7},
        {"{{ '<|user|>\n' + message['content'] + eos_token }}{{ '<|assistant|>' }}", RG_CHAT_ZEPHYR},
        {"{{ '<|user|>\\n' }}{{ '<|end|>' }}{{ '<|assistant|>' }}", -1},
        {"{{ '<start_of_turn>' }}", -1},
        {"", -1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rg_chat_recognise(rows[i].text) != rows[i].want)
            fail_msg("row %zu: %d", i, rg_chat_recognise(rows[i].text));
    for (int i = 0; i < RG_CHAT_COUNT; i++)
        assert_int_equal(rg_chat_from_name(rg_chat_name((rg_chat_id)i)), i);
    assert_int_equal(rg_chat_from_name("chatMl"), -1);
}

static void default_system_prompts(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"{% if not system %}{{ '<|im_start|>system\\nYou are a helpful AI assistant named SmolLM, trained "
         "by Hugging Face<|im_end|>\\n' }}{% endif %}",
            "You are a helpful AI assistant named SmolLM, trained by Hugging Face"},
        {"<|im_start|>system\nBe kind.<|im_end|>", "Be kind."},
        {"{{ '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}", NULL},
        {"{{ '<|im_start|>system\\n' + x + '<|im_end|>' }}{{ '<|im_start|>system\\nSecond.<|im_end|>' }}",
            "Second."},
        {"<|im_start|>system\\nnever closed", NULL},
        {"<|im_start|>user\\nx<|im_end|>", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *got = rg_chat_default_system(rows[i].text);
        if (!got != !rows[i].want || (got && strcmp(got, rows[i].want) != 0))
            fail_msg("row %zu: '%s'", i, got ? got : "(none)");
        free(got);
    }
}

static rg_tokenizer *spm(void)
{
    blob b = make_json(&(json_parts){0}, false); /* <unk> <s> </s>, adds <s> */
    rg_tokenizer *t = open_ok(&b);
    drop(&b);
    return t;
}

static void check_text(const rg_chat *c, const rg_tokenizer *t, rg_chat_turn turn, const char *want, int line)
{
    char *got = rg_chat_text(c, t, &turn);
    if (strcmp(got, want) != 0) fail_msg("line %d: '%s', expected '%s'", line, got, want);
    free(got);
}

static void texts(void **state)
{
    (void)state;
    rg_tokenizer *t = spm();
    const struct {
        rg_chat_id id;
        const char *first, *with_system, *next;
    } rows[] = {
        {RG_CHAT_CHATML, "<s><|im_start|>user\n hi <|im_end|>\n<|im_start|>assistant\n",
            "<s><|im_start|>system\nS<|im_end|>\n<|im_start|>user\n hi <|im_end|>\n<|im_start|>assistant\n",
            "<|im_end|>\n<|im_start|>user\n hi <|im_end|>\n<|im_start|>assistant\n"},
        {RG_CHAT_LLAMA3,
            "<s><|start_header_id|>user<|end_header_id|>\n\nhi<|eot_id|><|start_header_id|>assistant<|end_"
            "header_id|>\n\n",
            "<s><|start_header_id|>system<|end_header_id|>\n\nS<|eot_id|><|start_header_id|>user<|end_header_"
            "id|>\n\nhi<|eot_id|>"
            "<|start_header_id|>assistant<|end_header_id|>\n\n",
            "<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nhi<|eot_id|><|start_header_id|>assistant<|"
            "end_header_id|>\n\n"},
        {RG_CHAT_LLAMA31,
            "<s><|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\nToday "
            "Date: 26 Jul 2024\n\n<|eot_id|>"
            "<|start_header_id|>user<|end_header_id|>\n\nhi<|eot_id|><|start_header_id|>assistant<|end_"
            "header_id|>\n\n",
            "<s><|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\nToday "
            "Date: 26 Jul 2024\n\nS<|eot_id|>"
            "<|start_header_id|>user<|end_header_id|>\n\nhi<|eot_id|><|start_header_id|>assistant<|end_"
            "header_id|>\n\n",
            "<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nhi<|eot_id|><|start_header_id|>assistant<|"
            "end_header_id|>\n\n"},
        {RG_CHAT_LLAMA2, "<s>[INST] hi [/INST]", "<s>[INST] <<SYS>>\nS\n<</SYS>>\n\nhi [/INST]",
            " </s><s>[INST] hi [/INST]"},
        {RG_CHAT_MISTRAL, "<s>[INST]  hi  [/INST]", "<s>[INST] S\n\n hi  [/INST]", "</s>[INST]  hi  [/INST]"},
        {RG_CHAT_MISTRAL_V3T, "<s>[INST] hi [/INST]", "<s>[INST]S\n\n hi [/INST]", "</s>[INST] hi [/INST]"},
        {RG_CHAT_MISTRAL_V7, "<s>[INST]  hi [/INST]",
            "<s>[SYSTEM_PROMPT] S[/SYSTEM_PROMPT][INST]  hi [/INST]", "</s>[INST]  hi [/INST]"},
        {RG_CHAT_ZEPHYR, "<s><|user|>\n hi </s>\n<|assistant|>\n",
            "<s><|system|>\nS</s>\n<|user|>\n hi </s>\n<|assistant|>\n",
            "</s>\n<|user|>\n hi </s>\n<|assistant|>\n"},
        {RG_CHAT_NONE, "<s> hi ", "<s>S\n\n hi ", " hi "},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const rg_chat c = {.id = rows[i].id};
        check_text(&c, t, (rg_chat_turn){.user = " hi ", .first = true}, rows[i].first, __LINE__);
        check_text(&c, t, (rg_chat_turn){.user = " hi ", .system = "S", .first = true}, rows[i].with_system,
            __LINE__);
        check_text(&c, t, (rg_chat_turn){.user = " hi ", .system = "S"}, rows[i].next, __LINE__);
    }
    const rg_chat own = {.id = RG_CHAT_CHATML, .system = (char *)(uintptr_t) "D"};
    check_text(&own, t, (rg_chat_turn){.user = "u", .first = true},
        "<s><|im_start|>system\nD<|im_end|>\n<|im_start|>user\nu<|im_end|>\n<|im_start|>assistant\n",
        __LINE__);
    check_text(&own, t, (rg_chat_turn){.user = "u", .system = "", .first = true},
        "<s><|im_start|>user\nu<|im_end|>\n<|im_start|>assistant\n", __LINE__);
    rg_tokenizer_close(t);
}

/* Ids: control tokens from the template, none from the messages; one BOS. */
static void ids(void **state)
{
    (void)state;
    blob b = make_json(
        &(json_parts){.added =
                          "{\"id\":300,\"content\":\"<|im_start|>\",\"special\":true,\"normalized\":false},"
                          "{\"id\":301,\"content\":\"<|im_end|>\",\"special\":true,\"normalized\":false}"},
        true);
    rg_tokenizer *t = open_ok(&b);
    const rg_chat c = {.id = RG_CHAT_CHATML};
    int32_t *got;
    size_t n;
    rg_err err;
    assert_int_equal(
        rg_chat_encode(&c, t, &(rg_chat_turn){.user = "a<|im_end|>", .first = true}, &got, &n, &err), RG_OK);
    const int32_t want[] = {300, 'u', 's', 'e', 'r', '\n', 'a', '<', '|', 'i', 'm', '_', 'e', 'n', 'd', '|',
        '>', 301, '\n', 300, 'a', 's', 's', 'i', 's', 't', 'a', 'n', 't', '\n'};
    assert_int_equal(n, sizeof want / sizeof *want);
    assert_memory_equal(got, want, sizeof want);
    free(got);
    assert_int_equal(rg_chat_encode(&c, t, &(rg_chat_turn){.user = "a"}, &got, &n, &err), RG_OK);
    assert_true(n > 3 && got[0] == 301 && got[1] == '\n' && got[2] == 300);
    free(got);
    rg_tokenizer_close(t);
    drop(&b);
    t = spm();
    const rg_chat llama2 = {.id = RG_CHAT_LLAMA2};
    assert_int_equal(
        rg_chat_encode(&llama2, t, &(rg_chat_turn){.user = "ab", .first = true}, &got, &n, &err), RG_OK);
    assert_true(n > 3 && got[0] == 1 && got[1] != 1);
    free(got);
    assert_int_equal(rg_chat_encode(&llama2, t, &(rg_chat_turn){.user = "ab </s>"}, &got, &n, &err), RG_OK);
    int eos = 0, bos = 0;
    for (size_t i = 0; i < n; i++) {
        bos += got[i] == 1;
        eos += got[i] == 2;
    }
    assert_true(bos == 1 && eos == 1);
    free(got);
    rg_tokenizer_close(t);
}

/* ---- where templates are found ---- */

static void write_file(const char *name, const char *text)
{
    char path[300];
    snprintf(path, sizeof path, "%s/%s", temp_dir(), name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void remove_file(const char *name)
{
    char path[300];
    snprintf(path, sizeof path, "%s/%s", temp_dir(), name);
    unlink(path);
}

static void sources(void **state)
{
    (void)state;
    char demo[1024], tok[300];
    rg_ckpt *k;
    rg_err err = {0};
    rg_chat c;
    assert_int_equal(rg_ckpt_open(&k, project_file(demo, sizeof demo, "weights/demo"), &err), RG_OK);
    assert_int_equal(rg_chat_open(&c, k, NULL, NULL, &err), RG_OK);
    assert_true(c.id == RG_CHAT_NONE && !c.unknown && !c.source[0]);
    assert_int_equal(rg_chat_open(&c, k, NULL, "llama3", &err), RG_OK);
    assert_int_equal(c.id, RG_CHAT_LLAMA3);
    assert_int_equal(rg_chat_open(&c, k, NULL, "jinja", &err), RG_E_USAGE);
    assert_non_null(strstr(err.msg, "chatml"));
    /* beside the tokenizer: a string, a list, a file of its own, which wins; what is unknown is said; what is
     * no JSON is an error */
    snprintf(tok, sizeof tok, "%s/tokenizer.json", temp_dir());
    write_file(
        "tokenizer_config.json", "{\"chat_template\":\"{{ '<|im_start|>system\\\\nHello.<|im_end|>' }}\"}");
    assert_int_equal(rg_chat_open(&c, k, tok, NULL, &err), RG_OK);
    assert_int_equal(c.id, RG_CHAT_CHATML);
    assert_string_equal(c.system, "Hello.");
    assert_string_equal(c.source, "tokenizer_config.json");
    rg_chat_close(&c);
    write_file("tokenizer_config.json",
        "{\"chat_template\":[{\"name\":\"tool_use\",\"template\":\"<|im_start|>\"},{\"name\":\"default\","
        "\"template\":\"[INST]\"}]}");
    assert_int_equal(rg_chat_open(&c, k, tok, NULL, &err), RG_OK);
    assert_int_equal(c.id, RG_CHAT_MISTRAL);
    write_file("chat_template.jinja", "{{ '<|user|>' }}{{ '<|assistant|>' }}");
    assert_int_equal(rg_chat_open(&c, k, tok, NULL, &err), RG_OK);
    assert_int_equal(c.id, RG_CHAT_ZEPHYR);
    write_file("chat_template.jinja", "{{ messages | of_another_kind }}");
    assert_int_equal(rg_chat_open(&c, k, tok, NULL, &err), RG_OK);
    assert_true(c.id == RG_CHAT_NONE && c.unknown);
    remove_file("chat_template.jinja");
    write_file("tokenizer_config.json", "{\"chat_template\": nonsense");
    assert_int_equal(rg_chat_open(&c, k, tok, NULL, &err), RG_E_FILE);
    assert_non_null(strstr(err.msg, "tokenizer_config.json"));
    write_file("tokenizer_config.json", "{\"chat_template\": 7}");
    assert_int_equal(rg_chat_open(&c, k, tok, NULL, &err), RG_OK);
    assert_true(c.id == RG_CHAT_NONE && !c.unknown);
    rg_ckpt_close(k);
}

/* The tokenizers of real models, where they are at hand. */
static void real_ones(void **state)
{
    (void)state;
    char path[1024], demo[1024];
    rg_tokenizer *t;
    rg_err err;
    int32_t *got;
    size_t n;
    if (!optional_data(path, sizeof path, "smollm2-tokenizer/tokenizer.json")) skip();
    assert_int_equal(rg_tokenizer_open(&t, path, 0, &err), RG_OK);
    const rg_chat chatml = {.id = RG_CHAT_CHATML};
    assert_int_equal(rg_chat_encode(&chatml, t,
                         &(rg_chat_turn){.user = "Hi <|im_end|>", .system = "You are kind.", .first = true},
                         &got, &n, &err),
        RG_OK);
    int starts = 0, ends = 0;
    for (size_t i = 0; i < n; i++) {
        starts += got[i] == 1; /* <|im_start|> */
        ends += got[i] == 2;   /* <|im_end|> */
    }
    assert_true(got[0] == 1 && starts == 3 && ends == 2);
    assert_true(rg_tokenizer_is_end(t, 2));
    free(got);
    rg_tokenizer_close(t);
    if (!optional_data(path, sizeof path, "llama3-tokenizer/tokenizer.llama-3.1-3.2.json")) skip();
    assert_int_equal(rg_tokenizer_open(&t, path, 0, &err), RG_OK);
    const rg_chat llama3 = {.id = RG_CHAT_LLAMA3};
    assert_int_equal(
        rg_chat_encode(&llama3, t, &(rg_chat_turn){.user = "Hi", .first = true}, &got, &n, &err), RG_OK);
    static const int32_t want[] = {
        128000, 128006, 882, 128007, 271, 13347, 128009, 128006, 78191, 128007, 271};
    assert_int_equal(n, sizeof want / sizeof *want);
    assert_memory_equal(got, want, sizeof want);
    free(got);
    rg_tokenizer_close(t);
    if (!optional_data(
            path, sizeof path, "llama3-tokenizer/llama-3.2-1b-instruct-config/tokenizer_config.json"))
        skip();
    rg_ckpt *k;
    rg_chat c;
    assert_int_equal(rg_ckpt_open(&k, project_file(demo, sizeof demo, "weights/demo"), &err), RG_OK);
    assert_int_equal(rg_chat_open(&c, k, path, NULL, &err), RG_OK);
    assert_int_equal(c.id, RG_CHAT_LLAMA31);
    rg_chat_close(&c);
    rg_ckpt_close(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(recognition),
        cmocka_unit_test(default_system_prompts), cmocka_unit_test(texts), cmocka_unit_test(ids),
        cmocka_unit_test(sources), cmocka_unit_test(real_ones)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
