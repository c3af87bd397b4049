/* Chat templates: the named ones, conversations as text and as ids, and where templates are looked for. */
#include "tempdir.h"
#include "tok_files.h"

#include <sys/stat.h>

#include "tokenizer/chat.h"

static rg_tokenizer *spm(void)
{
    blob b = make_json(&(json_parts){0}, false); /* <unk> <s> </s>, adds <s> */
    rg_tokenizer *t = open_ok(&b);
    drop(&b);
    return t;
}

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

/* A tokenizer with a tokenizer_config.json beside it. */
static rg_tokenizer *configured(const blob *b, const char *config)
{
    rg_tokenizer *t;
    rg_err err = {0};
    write_file("tokenizer.json", b->p);
    write_file("tokenizer_config.json", config);
    if (rg_tokenizer_open(&t, temp_at("tokenizer.json"), 0, &err) != RG_OK) fail_msg("%s", err.msg);
    remove_file("tokenizer.json");
    remove_file("tokenizer_config.json");
    return t;
}

/* A chat by name or with a template of its own. */
static rg_chat chat_of(const char *name)
{
    char demo[1024];
    rg_ckpt *k;
    rg_err err = {0};
    rg_chat c;
    assert_int_equal(rg_ckpt_open(&k, project_file(demo, sizeof demo, "weights/demo"), &err), RG_OK);
    if (rg_chat_open(&c, k, &(rg_chat_opts){.name = name, .date = "2024-07-26"}, &err) != RG_OK)
        fail_msg("%s", err.msg);
    rg_ckpt_close(k);
    return c;
}

static rg_chat own_chat(const char *text)
{
    rg_chat c = {0};
    rg_err err = {0};
    if (rg_jinja_open(&c.program, text, strlen(text), "own", &err) != RG_OK) fail_msg("%s", err.msg);
    return c;
}

/* user; system and user; user, assistant, user */
static rg_chat_text render(const rg_chat *c, const rg_tokenizer *t, const char *system, const char *user,
    const char *answer, const char *next)
{
    const char *const roles[] = {"system", "user", "assistant", "user"},
                      *const texts[] = {system, user, answer, next};
    rg_jinja_message m[4];
    size_t n = 0;
    rg_chat_text x;
    rg_err err = {0};
    for (int i = 0; i < 4; i++)
        if (texts[i]) m[n++] = (rg_jinja_message){roles[i], texts[i], strlen(texts[i]), NULL};
    if (rg_chat_render(&x, c, t, m, n, &err) != RG_OK) fail_msg("%s", err.msg);
    return x;
}

static void check_text(const rg_chat *c, const rg_tokenizer *t, const char *system, const char *answer,
    const char *want, int line)
{
    rg_chat_text x = render(c, t, system, " hi ", answer, answer ? " hi " : NULL);
    if (strcmp(x.x.p, want) != 0) fail_msg("line %d: '%s', expected '%s'", line, x.x.p, want);
    rg_chat_text_free(&x);
}

static void texts(void **state)
{
    (void)state;
    rg_tokenizer *t = spm();
    const struct {
        const char *name, *first, *with_system, *next; /* next: behind the first turn and the answer */
    } rows[] = {
        {"chatml", "<s><|im_start|>user\n hi <|im_end|>\n<|im_start|>assistant\n",
            "<s><|im_start|>system\nS<|im_end|>\n<|im_start|>user\n hi <|im_end|>\n<|im_start|>assistant\n",
            "<|im_end|>\n<|im_start|>user\n hi <|im_end|>\n<|im_start|>assistant\n"},
        {"llama3",
            "<s><|start_header_id|>user<|end_header_id|>\n\nhi<|eot_id|><|start_header_id|>assistant<|end_"
            "header_id|>\n\n",
            "<s><|start_header_id|>system<|end_header_id|>\n\nS<|eot_id|><|start_header_id|>user<|end_header_"
            "id|>\n\nhi<|eot_id|>"
            "<|start_header_id|>assistant<|end_header_id|>\n\n",
            "<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nhi<|eot_id|><|start_header_id|>assistant<|"
            "end_header_id|>\n\n"},
        {"llama3.1",
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
        {"llama2", "<s>[INST] hi [/INST]", "<s>[INST] <<SYS>>\nS\n<</SYS>>\n\nhi [/INST]",
            " </s><s>[INST] hi [/INST]"},
        {"mistral", "<s>[INST]  hi  [/INST]", "<s>[INST] S\n\n hi  [/INST]", "</s>[INST]  hi  [/INST]"},
        {"mistral-v1", "<s> [INST]  hi  [/INST]", "<s> [INST] S\n\n hi  [/INST]", "</s> [INST]  hi  [/INST]"},
        {"mistral-v3", "<s>[INST]  hi [/INST]", "<s>[INST] S\n\n hi [/INST]", "</s>[INST]  hi [/INST]"},
        {"mistral-v3-tekken", "<s>[INST] hi [/INST]", "<s>[INST]S\n\n hi [/INST]", "</s>[INST] hi [/INST]"},
        {"mistral-v7", "<s>[INST]  hi [/INST]", "<s>[SYSTEM_PROMPT] S[/SYSTEM_PROMPT][INST]  hi [/INST]",
            "</s>[INST]  hi [/INST]"},
        {"mistral-v7-tekken", "<s>[INST] hi [/INST]", "<s>[SYSTEM_PROMPT]S[/SYSTEM_PROMPT][INST] hi [/INST]",
            "</s>[INST] hi [/INST]"},
        {"zephyr", "<s><|user|>\n hi </s>\n<|assistant|>\n",
            "<s><|system|>\nS</s>\n<|user|>\n hi </s>\n<|assistant|>\n",
            "</s>\n<|user|>\n hi </s>\n<|assistant|>\n"},
        {"none", "<s> hi ", "<s>S\n\n hi ", " hi "},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char three[600];
        rg_chat c = chat_of(rows[i].name);
        assert_string_equal(c.name, rows[i].name);
        check_text(&c, t, NULL, NULL, rows[i].first, __LINE__);
        check_text(&c, t, "S", NULL, rows[i].with_system, __LINE__);
        snprintf(three, sizeof three, "%sA%s", rows[i].first, rows[i].next);
        check_text(&c, t, NULL, "A", three, __LINE__);
        rg_chat_close(&c);
    }
    rg_tokenizer_close(t);
}

static size_t count(const int32_t *ids, size_t n, int32_t id)
{
    size_t k = 0;
    for (size_t i = 0; i < n; i++) k += ids[i] == id;
    return k;
}

static int32_t *encode(const rg_chat *c, const rg_tokenizer *t, const char *user, size_t *n)
{
    int32_t *ids;
    rg_err err = {0};
    rg_chat_text x = render(c, t, NULL, user, NULL, NULL);
    if (rg_chat_encode(t, &x, &ids, n, &err) != RG_OK) fail_msg("%s", err.msg);
    rg_chat_text_free(&x);
    return ids;
}

/* Ids: control tokens from the template, none from the messages; one BOS, where template or tokenizer wants
 * it. */
static void ids(void **state)
{
    (void)state;
    blob b = make_json(
        &(json_parts){.added =
                          "{\"id\":300,\"content\":\"<|im_start|>\",\"special\":true,\"normalized\":false},"
                          "{\"id\":301,\"content\":\"<|im_end|>\",\"special\":true,\"normalized\":false}"},
        true);
    rg_tokenizer *t = open_ok(&b);
    size_t n;
    rg_chat c = chat_of("chatml");
    int32_t *got = encode(&c, t, "a<|im_end|>", &n);
    const int32_t want[] = {300, 'u', 's', 'e', 'r', '\n', 'a', '<', '|', 'i', 'm', '_', 'e', 'n', 'd', '|',
        '>', 301, '\n', 300, 'a', 's', 's', 'i', 's', 't', 'a', 'n', 't', '\n'};
    assert_int_equal(n, sizeof want / sizeof *want);
    assert_memory_equal(got, want, sizeof want);
    free(got);
    rg_chat_close(&c);
    /* a BOS that the template writes and the tokenizer does not; one that the configuration names */
    c = own_chat("{{ bos_token }}x{{ messages[0].content }}{{ bos_token }}");
    rg_tokenizer_close(t);
    t = configured(&b, "{\"bos_token\":\"<|im_start|>\"}");
    got = encode(&c, t, "<|im_start|>", &n);
    assert_true(n > 3 && got[0] == 300 && got[n - 1] == 300 && count(got, n, 300) == 2);
    free(got);
    /* the configuration says that there is none */
    rg_tokenizer_close(t);
    t = configured(&b, "{\"bos_token\":null}");
    got = encode(&c, t, "y", &n);
    assert_true(n == 2 && got[0] == 'x' && got[1] == 'y');
    free(got);
    rg_chat_close(&c);
    rg_tokenizer_close(t);
    drop(&b);

    t = spm(); /* adds <s> itself */
    static const char *const bos[] = {"{{ bos_token }}ab", "ab", "{{ bos_token }}{{ messages[0].content }}"};
    for (int i = 0; i < 3; i++) {
        c = own_chat(bos[i]);
        got = encode(&c, t, "<s></s>", &n);
        assert_true(n > 1 && got[0] == 1 && count(got, n, 1) == 1 && count(got, n, 2) == 0);
        free(got);
        rg_chat_close(&c);
    }
    c = own_chat("{{ messages[0].content }}"); /* typed, it is no BOS */
    got = encode(&c, t, "<s>", &n);
    assert_true(n > 2 && got[0] == 1 && count(got, n, 1) == 1);
    free(got);
    rg_chat_close(&c);
    c = chat_of("llama2");
    rg_chat_text x = render(&c, t, NULL, "ab", "c", "ab </s>");
    rg_err err;
    assert_int_equal(rg_chat_encode(t, &x, &got, &n, &err), RG_OK);
    assert_true(got[0] == 1 && count(got, n, 1) == 2 && count(got, n, 2) == 1);
    free(got);
    rg_chat_text_free(&x);
    rg_chat_close(&c);
    rg_tokenizer_close(t);
}

static void refusals(void **state)
{
    (void)state;
    rg_tokenizer *t = spm();
    rg_chat c =
        own_chat("{% if messages[0].role == 'system' %}{{ raise_exception('No system role') }}{% endif %}x");
    const rg_jinja_message m[] = {{"system", "S", 1, NULL}, {"user", "u", 1, NULL}};
    rg_chat_text x;
    rg_err err;
    assert_int_equal(rg_chat_render(&x, &c, t, m, 2, &err), RG_E_USAGE);
    assert_non_null(strstr(err.msg, "No system role"));
    assert_int_equal(rg_chat_render(&x, &c, t, m + 1, 1, &err), RG_OK);
    assert_string_equal(x.x.p, "<s>x");
    assert_int_equal(x.front, 3);
    rg_chat_text_free(&x);
    rg_chat_close(&c);
    rg_tokenizer_close(t);
}

/* ---- where templates are found ---- */

/* The chat of the demo model with files beside a tokenizer. */
static rg_status opened(rg_chat *c, const char *tokenizer, const char *name, const char *date, rg_err *err)
{
    char demo[1024];
    rg_ckpt *k;
    *err = (rg_err){0};
    assert_int_equal(rg_ckpt_open(&k, project_file(demo, sizeof demo, "weights/demo"), err), RG_OK);
    const rg_status st = rg_chat_open(c, k, &(rg_chat_opts){tokenizer, name, date}, err);
    rg_ckpt_close(k);
    return st;
}

static void check_source(const char *tokenizer, const char *name, const char *source, const char *want)
{
    rg_chat c;
    rg_err err;
    if (opened(&c, tokenizer, name, NULL, &err) != RG_OK) fail_msg("%s", err.msg);
    assert_string_equal(c.source, source);
    rg_tokenizer *t = NULL;
    if (!tokenizer)
        t = spm();
    else if (rg_tokenizer_open(&t, tokenizer, 0, &err) != RG_OK)
        fail_msg("%s", err.msg);
    rg_chat_text x = render(&c, t, NULL, "u", NULL, NULL);
    assert_string_equal(x.x.p, want);
    rg_chat_text_free(&x);
    rg_tokenizer_close(t);
    rg_chat_close(&c);
}

static void check_refused(
    const char *tokenizer, const char *name, const char *date, rg_status want, const char *says)
{
    rg_chat c;
    rg_err err;
    const rg_status st = opened(&c, tokenizer, name, date, &err);
    if (st != want || !strstr(err.msg, says)) fail_msg("%d: %s, expected %s", st, err.msg, says);
}

static void sources(void **state)
{
    (void)state;
    char tok[300], file[300];
    check_source(NULL, NULL, "", "<s>u");
    check_source(NULL, "zephyr", "--chat-template", "<s><|user|>\nu</s>\n<|assistant|>\n");
    check_refused(NULL, "jinja", NULL, RG_E_USAGE, "mistral-v7-tekken");
    /* beside the tokenizer: a string, a list, a file of its own, which wins; what cannot be run
     * is refused; what is no JSON is an error */
    snprintf(tok, sizeof tok, "%s/tokenizer.json", temp_dir());
    snprintf(file, sizeof file, "%s/mine.jinja", temp_dir());
    blob b = make_json(&(json_parts){0}, false);
    write_file("tokenizer.json", b.p);
    drop(&b);
    write_file("tokenizer_config.json",
        "{\"chat_template\":\"{{ 'A' ~ eos_token ~ unk_token "
        "}}\",\"model_max_length\":1000000000000000019884624838656,\"eos_token\":{\"content\":\"E\"}}");
    check_source(tok, NULL, "tokenizer_config.json", "<s>AE");
    write_file("tokenizer_config.json",
        "{\"chat_template\":[{\"name\":\"tool_use\",\"template\":\"T\"},{\"name\":\"default\","
        "\"template\":\"D{{ bos_token }}{{ eos_token }}\"}],\"bos_token\":null,\"eos_token\":\"E\"}");
    check_source(tok, NULL, "tokenizer_config.json", "<s>DE");
    write_file("chat_template.jinja", "J{{ eos_token }}");
    check_source(tok, NULL, "chat_template.jinja", "<s>JE");
    write_file("mine.jinja", "mine: {{ messages[0].content }}{{ eos_token }}\n");
    check_source(tok, file, file, "<s>mine: uE");
    check_source(
        tok, "chatml", "--chat-template", "<s><|im_start|>user\nu<|im_end|>\n<|im_start|>assistant\n");
    write_file("chat_template.jinja", "\n{{ messages | of_another_kind }}");
    check_refused(
        tok, NULL, NULL, RG_E_UNSUPPORTED, "chat_template.jinja: line 2: the filter 'of_another_kind'");
    write_file("chat_template.jinja", "{{ messages");
    check_refused(tok, NULL, NULL, RG_E_FILE, "chat_template.jinja: line 1: ");
    remove_file("chat_template.jinja");
    write_file("tokenizer_config.json", "{\"bos_token\":\"B\"}");
    write_file("chat_template.json", "{\"chat_template\":\"{{ bos_token }}json\"}");
    check_source(tok, NULL, "chat_template.json", "<s>Bjson");
    remove_file("chat_template.json");
    write_file("tokenizer_config.json", "{\"chat_template\":[{\"name\":\"rag\",\"template\":\"T\"}]}");
    check_refused(tok, NULL, NULL, RG_E_UNSUPPORTED, "rag");
    write_file("tokenizer_config.json", "{\"chat_template\": nonsense");
    check_refused(tok, NULL, NULL, RG_E_FILE, "tokenizer_config.json");
    write_file("tokenizer_config.json", "{\"chat_template\": 7}");
    check_refused(tok, NULL, NULL, RG_E_FILE, "chat_template");
    remove_file("tokenizer_config.json");
    remove_file("tokenizer.json");
    remove_file("mine.jinja");
}

static void expect_chat(const rg_chat *c, const char *source, const char *others, const char *want)
{
    rg_tokenizer *t = spm();
    rg_chat_text x = render(c, t, NULL, "u", NULL, NULL);
    assert_string_equal(c->source, source);
    assert_string_equal(c->others, others);
    assert_string_equal(x.x.p, want);
    rg_chat_text_free(&x);
    rg_tokenizer_close(t);
}

/* Of several templates the one called "default" is used, another one where it is asked for by name. */
static void templates_with_names(void **state)
{
    (void)state;
    char tok[300];
    rg_chat c;
    rg_err err;
    snprintf(tok, sizeof tok, "%s/tokenizer.json", temp_dir());
    write_file("tokenizer_config.json",
        "{\"chat_template\":[{\"name\":\"rag\",\"template\":\"R\"},{\"name\":\"default\","
        "\"template\":\"D\"},{\"name\":\"tool_use\",\"template\":\"T\"}]}");
    assert_int_equal(opened(&c, tok, NULL, NULL, &err), RG_OK);
    expect_chat(&c, "tokenizer_config.json", "rag, tool_use", "<s>D");
    rg_chat_close(&c);
    assert_int_equal(opened(&c, tok, "tool_use", NULL, &err), RG_OK);
    expect_chat(&c, "tokenizer_config.json", "rag, default", "<s>T");
    rg_chat_close(&c);
    check_refused(tok, "tools", NULL, RG_E_USAGE, "or of the checkpoint's own: rag, default, tool_use");
    write_file("tokenizer_config.json", "{\"chat_template\":[{\"name\":\"default\"}]}");
    check_refused(tok, NULL, NULL, RG_E_FILE, "chat_template[0]");
    write_file("tokenizer_config.json", "{\"chat_template\":[{\"template\":\"T\"}]}");
    check_refused(tok, NULL, NULL, RG_E_FILE, "chat_template[0]");
    write_file("tokenizer_config.json", "{\"chat_template\":\"a\\u0000b\"}");
    check_refused(tok, NULL, NULL, RG_E_FILE, "byte 1 is 0");
    /* files of their own replace them all */
    write_file("tokenizer_config.json", "{\"chat_template\":\"C\"}");
    assert_int_equal(mkdir(temp_at("additional_chat_templates"), 0777), 0);
    write_file("additional_chat_templates/rag.jinja", "R");
    write_file("additional_chat_templates/notes.txt", "N");
    check_refused(
        tok, NULL, NULL, RG_E_UNSUPPORTED, "additional_chat_templates: chat templates rag, and none called");
    write_file("chat_template.jinja", "J");
    assert_int_equal(opened(&c, tok, NULL, NULL, &err), RG_OK);
    expect_chat(&c, "chat_template.jinja", "rag", "<s>J");
    rg_chat_close(&c);
    assert_int_equal(opened(&c, tok, "rag", NULL, &err), RG_OK);
    expect_chat(&c, "additional_chat_templates", "default", "<s>R");
    rg_chat_close(&c);
    remove_file("additional_chat_templates/rag.jinja");
    remove_file("additional_chat_templates/notes.txt");
    rmdir(temp_at("additional_chat_templates"));
    remove_file("chat_template.jinja");
    remove_file("tokenizer_config.json");
}

/* A GGUF file that has a vocabulary and these keys: pairs of key and text, ended by NULL. */
static rg_status opened_gguf(rg_chat *c, const char *const *keys, const char *name, rg_err *err)
{
    size_t n = 0;
    rg_ckpt *k;
    while (keys[n]) n++;
    blob b = gguf_start(3 + n / 2);
    gguf_string(&b, "tokenizer.ggml.model", "llama");
    gguf_array(&b, "tokenizer.ggml.tokens", 8, 1);
    put_str(&b, "a", 1);
    gguf_array(&b, "tokenizer.chat_templates", 8, 1);
    put_str(&b, "rag", 3);
    for (size_t i = 0; i < n; i += 2) gguf_string(&b, keys[i], keys[i + 1]);
    FILE *f = fopen(temp_at("named.gguf"), "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(b.p, 1, b.n, f), b.n);
    fclose(f);
    drop(&b);
    *err = (rg_err){0};
    assert_int_equal(rg_ckpt_open_vocab(&k, temp_at("named.gguf"), err), RG_OK);
    const rg_status st = rg_chat_open(c, k, &(rg_chat_opts){NULL, name, NULL}, err);
    rg_ckpt_close(k);
    remove_file("named.gguf");
    return st;
}

static void templates_of_gguf(void **state)
{
    (void)state;
    static const char source[] = "tokenizer.chat_template of the GGUF file",
                      chatml[] = "<s><|im_start|>user\nu<|im_end|>\n<|im_start|>assistant\n";
    const char *const all[] = {"tokenizer.chat_template.rag", "R", "tokenizer.chat_template", "D",
        "tokenizer.chat_template.tool_use", "T", NULL},
                      *const named[] = {"tokenizer.chat_template.rag", "R", NULL},
                      *const word[] = {"tokenizer.chat_template", "chatml", NULL}, *const none[] = {NULL};
    rg_chat c;
    rg_err err;
    assert_int_equal(opened_gguf(&c, all, NULL, &err), RG_OK);
    expect_chat(&c, source, "rag, tool_use", "<s>D");
    rg_chat_close(&c);
    assert_int_equal(opened_gguf(&c, all, "rag", &err), RG_OK);
    expect_chat(&c, source, "default, tool_use", "<s>R");
    rg_chat_close(&c);
    assert_int_equal(opened_gguf(&c, named, NULL, &err), RG_E_UNSUPPORTED);
    assert_non_null(strstr(err.msg, "chat templates rag, and none called 'default'"));
    assert_int_equal(opened_gguf(&c, word, NULL, &err), RG_OK);
    assert_string_equal(c.name, "chatml");
    expect_chat(&c, source, "", chatml);
    rg_chat_close(&c);
    assert_int_equal(opened_gguf(&c, none, NULL, &err), RG_OK);
    assert_string_equal(c.name, "none");
    rg_chat_close(&c);
    assert_int_equal(opened_gguf(&c, none, "rag", &err), RG_E_USAGE);
    /* another type than a text */
    rg_ckpt *k = NULL;
    blob b = gguf_start(3);
    gguf_string(&b, "tokenizer.ggml.model", "llama");
    gguf_array(&b, "tokenizer.ggml.tokens", 8, 1);
    put_str(&b, "a", 1);
    gguf_u32(&b, "tokenizer.chat_template.x", 7);
    FILE *f = fopen(temp_at("named.gguf"), "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(b.p, 1, b.n, f), b.n);
    fclose(f);
    drop(&b);
    assert_int_equal(rg_ckpt_open_vocab(&k, temp_at("named.gguf"), &err), RG_E_FILE);
    assert_non_null(strstr(err.msg, "tokenizer.chat_template.x: expected a string"));
    remove_file("named.gguf");
}

/* The day of a template that asks for it. */
static void dates(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "", "2024-02-30", "2024-13-01", "24-7", "2024-07-26x", "today", "2024-00-10"};
    rg_tokenizer *t = spm();
    rg_chat c;
    rg_err err;
    assert_int_equal(opened(&c, NULL, "none", "2024-02-29", &err), RG_OK);
    rg_jinja_close(c.program);
    assert_int_equal(
        rg_jinja_open(&c.program, "{{ strftime_now('%a %d %b %Y %j %H') }}", 39, "own", &err), RG_OK);
    rg_chat_text x = render(&c, t, NULL, "u", NULL, NULL);
    assert_string_equal(x.x.p, "<s>Thu 29 Feb 2024 060 00");
    rg_chat_text_free(&x);
    rg_chat_close(&c);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        check_refused(NULL, "none", wrong[i], RG_E_USAGE, "--chat-date");
    rg_tokenizer_close(t);
}

/* The tokenizers of real models, where they are at hand. */
static void real_ones(void **state)
{
    (void)state;
    char path[1024];
    rg_tokenizer *t;
    rg_err err;
    size_t n;
    if (!optional_data(path, sizeof path, "smollm2-tokenizer/tokenizer.json")) skip();
    assert_int_equal(rg_tokenizer_open(&t, path, 0, &err), RG_OK);
    rg_chat c = chat_of("chatml");
    int32_t *got;
    rg_chat_text x = render(&c, t, "You are kind.", "Hi <|im_end|>", NULL, NULL);
    assert_int_equal(rg_chat_encode(t, &x, &got, &n, &err), RG_OK);
    /* <|im_start|>, <|im_end|> */
    assert_true(got[0] == 1 && count(got, n, 1) == 3 && count(got, n, 2) == 2);
    assert_true(rg_tokenizer_is_end(t, 2));
    free(got);
    rg_chat_text_free(&x);
    rg_chat_close(&c);
    rg_tokenizer_close(t);
    if (!optional_data(path, sizeof path, "llama3-tokenizer/tokenizer.llama-3.1-3.2.json")) skip();
    assert_int_equal(rg_tokenizer_open(&t, path, 0, &err), RG_OK);
    c = chat_of("llama3");
    got = encode(&c, t, "Hi", &n);
    static const int32_t want[] = {
        128000, 128006, 882, 128007, 271, 13347, 128009, 128006, 78191, 128007, 271};
    assert_int_equal(n, sizeof want / sizeof *want);
    assert_memory_equal(got, want, sizeof want);
    free(got);
    rg_chat_close(&c);
    if (optional_data(
            path, sizeof path, "llama3-tokenizer/llama-3.2-1b-instruct-config/tokenizer_config.json")) {
        if (opened(&c, path, NULL, "2026-01-31", &err) != RG_OK) fail_msg("%s", err.msg);
        x = render(&c, t, NULL, "Hi", NULL, NULL);
        assert_non_null(strstr(x.x.p, "Today Date: 31 Jan 2026\n"));
        assert_int_equal(strncmp(x.x.p, "<|begin_of_text|><|start_header_id|>system", 42), 0);
        rg_chat_text_free(&x);
        rg_chat_close(&c);
    }
    rg_tokenizer_close(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(texts), cmocka_unit_test(ids),
        cmocka_unit_test(refusals), cmocka_unit_test(sources), cmocka_unit_test(templates_with_names),
        cmocka_unit_test(templates_of_gguf), cmocka_unit_test(dates), cmocka_unit_test(real_ones)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
