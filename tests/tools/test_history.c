/* Turns of a chat: which tokens stay in the cache, and which come behind them. */
#include "../tokenizer/tok_fixture.h"

#include "tools/run/history.h"

enum { START = 300, END };

typedef struct talk {
    rg_tokenizer *t;
    rg_chat c;
    rg_history h;
    int32_t id[600]; /* the cache */
    int64_t n, answer;
} talk;

#define CONTROL(id, name) "{\"id\":" #id ",\"content\":\"" name "\",\"special\":true,\"normalized\":false}"

static talk open_with(const char *added, const char *template)
{
    talk k = {.answer = -1};
    rg_err err;
    blob b = make_json(&(json_parts){.added = added}, true);
    k.t = open_ok(&b);
    drop(&b);
    if (rg_jinja_open(&k.c.program, template, strlen(template), "own", &err) != RG_OK)
        fail_msg("%s", err.msg);
    return k;
}

static talk open_talk(const char *template)
{
    return open_with(CONTROL(300, "<|im_start|>") "," CONTROL(301, "<|im_end|>"), template);
}

static void close_talk(talk *k)
{
    rg_history_clear(&k->h, false);
    rg_chat_close(&k->c);
    rg_tokenizer_close(k->t);
}

/* A turn; what is kept, or -1 where it is refused. */
static int64_t turn(talk *k, const char *system, const char *user)
{
    int64_t keep;
    int32_t *ids;
    size_t n;
    rg_err err;
    const rg_status st = rg_history_turn(&k->h, &k->c, k->t, system, user,
        &(rg_history_tokens){k->id, k->n, k->answer}, &keep, &ids, &n, &err);
    if (st) return -1;
    assert_true(keep >= 0 && keep <= k->n && keep + (int64_t)n < 500);
    memcpy(k->id + keep, ids, n * sizeof *ids);
    k->n = keep + (int64_t)n;
    k->answer = k->n;
    free(ids);
    return keep;
}

static void draw(talk *k, const char *text)
{
    for (; *text; text++) k->id[k->n++] = *text == '#' ? START : (unsigned char)*text;
}

/* The cache as text, control tokens as '<' and '>'. */
static void expect_cache(const talk *k, const char *want)
{
    char got[601];
    for (int64_t i = 0; i < k->n; i++)
        got[i] = k->id[i] == START ? '<' : k->id[i] == END ? '>' : (char)k->id[i];
    got[k->n] = 0;
    assert_string_equal(got, want);
}

#define CHATML \
    "{% for m in messages %}<|im_start|>{{ m.role[0] }}:{{ m.content }}<|im_end|>{% endfor %}<|im_start|>a:"

static void what_was_drawn_stays(void **state)
{
    (void)state;
    talk k = open_talk(CHATML);
    assert_int_equal(turn(&k, "S", "one<|im_end|>"), 0);
    expect_cache(&k, "<s:S><u:one<|im_end|>><a:");
    draw(&k, "A # B"); /* a control token inside an answer stays one */
    const int64_t before = k.n;
    assert_int_equal(turn(&k, "S", "two"), before);
    expect_cache(&k, "<s:S><u:one<|im_end|>><a:A < B><u:two><a:");
    const int64_t empty = k.n; /* an empty answer */
    assert_int_equal(turn(&k, "S", "three"), empty);
    expect_cache(&k, "<s:S><u:one<|im_end|>><a:A < B><u:two><a:><u:three><a:");
    close_talk(&k);
}

/* Earlier thinking goes: the cache is kept as far as it is the same. */
static void dropped_thinking(void **state)
{
    (void)state;
    talk k = open_talk(
        "{% for m in messages %}<|im_start|>{{ m.role[0] }}:{{ m.content.split('/')[-1] }}<|im_end|>{% "
        "endfor %}<|im_start|>a:");
    assert_int_equal(turn(&k, NULL, "one"), 0);
    const int64_t prompt = k.n;
    draw(&k, "hm/A");
    assert_int_equal(turn(&k, NULL, "two"), prompt);
    expect_cache(&k, "<u:one><a:A><u:two><a:");
    draw(&k, "B");
    const int64_t before = k.n;
    assert_int_equal(turn(&k, NULL, "three"), before);
    expect_cache(&k, "<u:one><a:A><u:two><a:B><u:three><a:");
    close_talk(&k);
    /* a system prompt that moves to the last turn */
    k = open_talk("{% for m in messages[1:] %}{% if loop.last %}{{ messages[0].content }}{% endif %}{{ "
                  "m.content }}|{% endfor %}");
    assert_int_equal(turn(&k, "S", "one"), 0);
    expect_cache(&k, "Sone|");
    draw(&k, "A");
    assert_int_equal(turn(&k, "S", "two"), 0);
    expect_cache(&k, "one|A|Stwo|");
    close_talk(&k);
}

static void turns_that_are_taken_back(void **state)
{
    (void)state;
    talk k = open_talk("{% for m in messages %}{% if m.content == 'bad' %}{{ raise_exception('bad') }}{% "
                       "endif %}{{ m.content }}|{% endfor %}");
    assert_int_equal(turn(&k, NULL, "bad"), -1);
    assert_int_equal(turn(&k, NULL, "one"), 0);
    draw(&k, "A");
    const int64_t n = k.n, answer = k.answer;
    assert_int_equal(turn(&k, NULL, "bad"), -1);
    assert_int_equal(turn(&k, NULL, "two"), n);
    rg_history_undo(&k.h);
    k.n = n;
    k.answer = answer;
    assert_int_equal(turn(&k, NULL, "three"), n);
    expect_cache(&k, "one|A|three|");
    /* the very first one */
    k.n = 0;
    k.answer = -1;
    assert_int_equal(turn(&k, NULL, "four"), 0);
    rg_history_undo(&k.h);
    k.n = 0;
    assert_int_equal(turn(&k, "S", "five"), 0);
    expect_cache(&k, "S|five|");
    close_talk(&k);
}

/* A loaded session, or a shifted context: what follows an answer is added. */
static void unknown_beginnings(void **state)
{
    (void)state;
    talk k = open_talk(CHATML);
    draw(&k, "loaded");
    assert_int_equal(turn(&k, "S", "one"), 6);
    expect_cache(&k, "loaded><u:one><a:");
    draw(&k, "A");
    const int64_t n = k.n;
    assert_int_equal(turn(&k, "S", "two"), n);
    expect_cache(&k, "loaded><u:one><a:A><u:two><a:");
    k.n = 0; /* cleared */
    assert_int_equal(turn(&k, NULL, "new"), 0);
    expect_cache(&k, "<u:new><a:");
    close_talk(&k);
    k = open_talk("{{ messages[-1].content }}");
    draw(&k, "loaded");
    assert_int_equal(turn(&k, NULL, "one"), -1);
    close_talk(&k);
}

/* gpt-oss: an answer has channels, of which the next turn has only the final one's text. The template says of
 * messages what gpt-oss's own does. */
#define HARMONY \
    "<|start|>system<|message|>S<|end|>{% for m in messages %}{% if m.role == 'assistant' %}" \
    "{% if '<|channel|>analysis<|message|>' in m.content or '<|channel|>final<|message|>' in m.content %}" \
    "{{ raise_exception('channel tags') }}{% endif %}" \
    "{{ '<|start|>assistant<|channel|>final<|message|>' + m.content + '<|end|>' }}{% else %}" \
    "{{ '<|start|>' + m.role + '<|message|>' + m.content + '<|end|>' }}{% endif %}{% endfor %}" \
    "<|start|>assistant"
enum { H_START = 300, H_CHANNEL, H_MESSAGE, H_END, H_RETURN, H_CALL };

/* One token a byte; control tokens as in the text. */
static void draw_tokens(talk *k, const char *text)
{
    while (*text) {
        size_t n = 1;
        int32_t id = (unsigned char)*text;
        for (int32_t c = H_START; c <= H_CALL; c++) {
            size_t len;
            const char *piece = rg_tokenizer_piece(k->t, c, &len);
            if (strncmp(text, piece, len) == 0) id = c, n = len;
        }
        k->id[k->n++] = id;
        text += n;
    }
}

static void answers_in_channels(void **state)
{
    (void)state;
    static const struct {
        const char *drawn, *said;
    } rows[] = {
        {"<|channel|>analysis<|message|>Hm final?<|end|><|start|>assistant<|channel|>final<|message|>A b",
            "A b"},
        {"<|channel|>final<|message|>A<|return|>", "A"},
        {"<|channel|>analysis<|message|>cut", ""}, /* it did not come to an answer */
        {"<|channel|>commentary to=x<|message|>{}<|call|>", ""}, {"no channels", "no channels"},
        {"<|channel|>final<|message|>first<|end|><|start|>assistant<|channel|>final<|message|>last", "last"},
        {"<|channel|>final<|message|>kept<|end|><|start|>assistant<|channel|>analysis<|message|>x", "kept"}};
    static const char head[] = "<|start|>system<|message|>S<|end|><|start|>user<|message|>one<|end|>"
                               "<|start|>assistant";
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        talk k = open_with(CONTROL(300, "<|start|>") "," CONTROL(301, "<|channel|>") "," CONTROL(
                               302, "<|message|>") "," CONTROL(303, "<|end|>") "," CONTROL(304,
                               "<|return|>") "," CONTROL(305, "<|call|>"),
            HARMONY);
        talk want = {.t = k.t};
        char text[600];
        assert_true(rg_tokenizer_is_end(k.t, H_RETURN) && rg_tokenizer_is_end(k.t, H_CALL));
        assert_false(rg_tokenizer_is_end(k.t, H_END));
        assert_int_equal(turn(&k, NULL, "one"), 0);
        draw_tokens(&k, rows[i].drawn);
        assert_true(turn(&k, NULL, "<|channel|>") >= 0);
        snprintf(text, sizeof text, "%s<|channel|>final<|message|>%s<|end|><|start|>user<|message|>", head,
            rows[i].said);
        draw_tokens(&want, text);
        for (const char *p = "<|channel|>"; *p; p++) want.id[want.n++] = (unsigned char)*p; /* typed */
        draw_tokens(&want, "<|end|><|start|>assistant");
        if (k.n != want.n || memcmp(k.id, want.id, (size_t)want.n * sizeof *want.id) != 0)
            fail_msg("row %zu: another cache than that of '%s'", i, text);
        close_talk(&k);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_was_drawn_stays),
        cmocka_unit_test(dropped_thinking), cmocka_unit_test(turns_that_are_taken_back),
        cmocka_unit_test(unknown_beginnings), cmocka_unit_test(answers_in_channels)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
