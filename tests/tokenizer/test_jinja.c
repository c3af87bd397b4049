/* Chat templates as programs: constructs against what jinja2 makes of them (jinja_cases.json), marks of
 * foreign text, and hostile templates, which end in one line. */
#include <jansson.h>
#include <sys/resource.h>
#include <time.h>

#include "tempdir.h"
#include "testing.h"

#include "tokenizer/jinja.h"

static const rg_jinja_message two[] = {{"user", "hi", 2, NULL}, {"assistant", "yes", 3, NULL}};
static const char *const tokens[] = {"bos_token", "<s>", "eos_token", "</s>", "tools", NULL, NULL};

static rg_jinja_args args_of(const rg_jinja_message *m, size_t n)
{
    return (rg_jinja_args){.message = m,
        .n_messages = n,
        .generate = true,
        .variable = tokens,
        .date = {.tm_year = 124, .tm_mon = 6, .tm_mday = 26, .tm_wday = 5, .tm_yday = 207}};
}

static rg_status render(
    const char *text, size_t n, const rg_jinja_message *m, size_t n_m, rg_jinja_text *x, rg_err *err)
{
    rg_jinja *t;
    const rg_jinja_args a = args_of(m, n_m);
    *err = (rg_err){0};
    *x = (rg_jinja_text){0};
    rg_status st = rg_jinja_open(&t, text, n, "here", err);
    if (!st) st = rg_jinja_render(x, t, &a, err);
    rg_jinja_close(t);
    return st;
}

/* What jinja2 renders is rendered to the byte; what it raises is refused in one line; a row with "refuse" is
 * what we lack, and its name is said. */
static void cases(void **state)
{
    (void)state;
    char path[1024];
    json_error_t je;
    size_t i, rendered = 0;
    json_t *row,
        *rows = json_load_file(project_file(path, sizeof path, "tests/tokenizer/jinja_cases.json"), 0, &je);
    if (!json_is_array(rows)) fail_msg("%s", je.text);
    json_array_foreach (rows, i, row) {
        const char *text = json_string_value(json_object_get(row, "template")),
                   *lacks = json_string_value(json_object_get(row, "refuse"));
        const json_t *want = json_object_get(row, "want");
        rg_jinja_text x;
        rg_err err;
        const rg_status st = render(text, strlen(text), two, 2, &x, &err);
        if (lacks) {
            if (st != RG_E_UNSUPPORTED || !strstr(err.msg, lacks)) fail_msg("%s: %d %s", text, st, err.msg);
        } else if (want) {
            if (st || x.n != json_string_length(want) || memcmp(x.p, json_string_value(want), x.n) != 0)
                fail_msg(
                    "%s:\n'%s' %s, expected\n'%s'", text, st ? "" : x.p, err.msg, json_string_value(want));
            rendered++;
        } else if (!st) {
            fail_msg("%s: '%s', expected an error: %s", text, x.p,
                json_string_value(json_object_get(row, "raises")));
        }
        if (st && (!strstr(err.msg, "line ") || strchr(err.msg, '\n'))) fail_msg("%s: %s", text, err.msg);
        rg_jinja_text_free(&x);
    }
    assert_true(rendered > 60);
    json_decref(rows);
}

static void expect(rg_status want, const char *text, const char *says)
{
    rg_jinja_text x;
    rg_err err;
    const rg_status st = render(text, strlen(text), two, 2, &x, &err);
    if (st != want || !strstr(err.msg, says))
        fail_msg("%s: %d %s, expected %d %s", text, st, err.msg, want, says);
    if (strchr(err.msg, '\n')) fail_msg("more than one line: %s", err.msg);
    rg_jinja_text_free(&x);
}

static void messages_of_errors(void **state)
{
    (void)state;
    expect(RG_E_USAGE, "a\nb{{ raise_exception('No system,\nsorry') }}",
        "here: line 2: the chat template refuses: No system,");
    expect(RG_E_UNSUPPORTED, "\n\n{% include 'x' %}", "here: line 3: the tag {% include %}");
    expect(RG_E_UNSUPPORTED, "{{ 1 |\n groupby('x') }}", "line 2: the filter 'groupby'");
    expect(RG_E_UNSUPPORTED, "{% if 1 %}{{ 1 is\n\nescaped }}{% endif %}", "the test 'escaped'");
    expect(RG_E_FILE, "{% for x in y %}\nz", "line 2: the template ends, expected {% endfor %}");
    expect(RG_E_FILE, "{{ messages[0].nothing.more }}", "'dict object' has no attribute 'nothing'");
    expect(RG_E_FILE, "{{ tools.x }}", "'tools' is undefined");
}

/* ---- marks ---- */

static void check_marks(const char *text, const char *want, const char *want_marks)
{
    rg_jinja_text x;
    rg_err err;
    if (render(text, strlen(text), two, 2, &x, &err) != RG_OK) fail_msg("%s: %s", text, err.msg);
    if (strcmp(x.p, want) != 0) fail_msg("%s: '%s'", text, x.p);
    for (size_t i = 0; i < x.n; i++)
        if ((x.mark[i] == RG_JINJA_FOREIGN) != (want_marks[i] == '^'))
            fail_msg("%s: mark %zu of '%s'", text, i, x.p);
    rg_jinja_text_free(&x);
}

static void foreign_text_stays_marked(void **state)
{
    (void)state;
    check_marks("<{{ messages[0].content }}>", "<hi>", " ^^ ");
    check_marks("{{ '<' + messages[1].content + '>' }}", "<yes>", " ^^^ ");
    check_marks("{{ '<' ~ messages[1].content[1:] ~ '>' }}", "<es>", " ^^ ");
    check_marks("{{ messages[1].content | upper | trim }}.", "YES.", "^^^ ");
    check_marks("{{ messages[1].content | replace('e', '<e>') }}", "y<e>s", "^   ^");
    check_marks("{{ '[x]'.replace('x', messages[0].content) }}", "[hi]", " ^^ ");
    check_marks("{{ messages[1].content.split('e') | join('|') }}", "y|s", "^ ^");
    check_marks("{{ messages[0].content | tojson }}", "\"hi\"", " ^^ ");
    check_marks(
        "{{ messages[0] }}", "{'role': 'user', 'content': 'hi'}", "                             ^^  ");
    check_marks("{% set x %}<{{ messages[0].content }}>{% endset %}{{ x }}", "<hi>", " ^^ ");
    check_marks("{% macro m(c) %}<{{ c }}>{% endmacro %}{{ m(messages[0].content) }}", "<hi>", " ^^ ");
    check_marks("{{ ('a\n' ~ messages[0].content) | indent(1) }}", "a\n hi", "   ^^");
    check_marks("{{ messages[1].content[::-1] }}{{ messages[0].content * 2 }}", "seyhihi", "^^^^^^^");
    check_marks("{{ 'hi' if messages[0].content == 'hi' else 'no' }}", "hi", "  ");
}

/* ---- hostile templates ---- */

static char *repeat(const char *first, const char *again, int times, const char *last)
{
    const size_t a = strlen(first), b = strlen(again), c = strlen(last);
    char *p = malloc(a + b * (size_t)times + c + 1), *q = p;
    assert_non_null(p);
    q = mempcpy(q, first, a);
    for (int i = 0; i < times; i++) q = mempcpy(q, again, b);
    memcpy(q, last, c + 1);
    return p;
}

static void hostile_templates(void **state)
{
    (void)state;
    static const char *const texts[] = {"{% for x in range(10 ** 9) %}{% endfor %}",
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{% set ns = namespace(s='xxxxxxxxxxxxxxxx') %}{% for i in range(90) %}{% set ns.s = ns.s ~ ns.s "
        "%}{% endfor %}",
        "{% set ns = namespace(s=[1, 2]) %}{% for i in range(90) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
        "{{ 'x' * 10 ** 12 }}", "{{ [1] * 10 ** 12 }}", "{{ [[1] * 1000] * 10 ** 9 }}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}{{ a() }}{% endmacro %}{{ a() }}",
        "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(40) }}",
        "{% set ns = namespace(d={}) %}{% for i in range(60000) %}{% set ns.d = {'a': ns.d} %}{% endfor %}{{ "
        "ns.d }}",
        "{% set ns = namespace(d=[]) %}{% for i in range(60000) %}{% set ns.d = [ns.d] %}{% endfor %}{{ "
        "ns.d|tojson }}",
        "{% set ns = namespace(d=[], e=[]) %}{% for i in range(60000) %}{% set ns.d = [ns.d] %}{% set ns.e = "
        "[ns.e] "
        "%}{% endfor %}{{ ns.d == ns.e }}",
        "{% set ns = namespace(a=1) %}{% set ns.b = ns %}{% for i in range(99999) %}{{ dict(a=i, "
        "b=ns)|tojson }}{% endfor %}",
        "{% for i in range(99999) %}{{ 'y' * 100000 }}{% endfor %}",
        "{% for i in range(99999) %}{{ ('ab' * 50000).replace('a', 'bb')|length }}{% endfor %}",
        "{% for i in range(99999) %}{{ range(99999)|list|length }}{% endfor %}",
        "{{ ('a' * 1000000).rfind('a' * 500000 ~ 'b') }}{% for i in range(99999) %}{{ ('a' * "
        "100000).rfind('b' * 50000) "
        "}}{% endfor %}",
        "{{ range(99999)|map('string')|join('x' * 100000) }}",
        "{{ 'a'|indent(10 ** 15) }}{{ 'a\\nb'|indent(10 ** 15) }}",
        "{{ (range(99999)|map('string')|join)|trim(range(99999)|map('string')|join) }}{{ 1 / 0 }}",
        "{{ range(-4611686018427387904, 4611686018427387904, 1) }}", "{{ -9223372036854775807 - 1 - 1 }}",
        "{{ (-9223372036854775807 - 1) // -1 }}",
        "{{ 'x'[::9223372036854775807] }}{{ 'x'[9223372036854775807:] }}{{ 1 / 0 }}",
        "{{ [3]|tojson(indent=10 ** 9) }}"};
    struct timespec from, to;
    struct rusage u;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        rg_jinja_text x;
        rg_err err;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
        const rg_status st = render(texts[i], strlen(texts[i]), two, 2, &x, &err);
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
        if (!st || !strstr(err.msg, "here: line ") || strchr(err.msg, '\n'))
            fail_msg("%s: %d %s", texts[i], st, err.msg);
        /* far more than it takes under sanitizers */
        if (to.tv_sec - from.tv_sec > 60)
            fail_msg("%s: %lld s", texts[i], (long long)(to.tv_sec - from.tv_sec));
    }
    getrusage(RUSAGE_SELF, &u);
    if (u.ru_maxrss > 1 << 20) fail_msg("%ld KiB of memory", u.ru_maxrss);
}

/* Depth of what is written, not of what runs. */
static void deep_templates(void **state)
{
    (void)state;
    char *const texts[] = {repeat("{{ ", "(", 60000, "1"), repeat("{{ ", "[", 60000, ""),
        repeat("{{ ", "-", 60000, "1 }}"), repeat("{{ 1 ", "if 1 else 1 ", 60000, "}}"),
        repeat("", "{% if 1 %}", 60000, ""), repeat("{{ 1", " + 1", 60000, " }}"),
        repeat("{{ x", "|upper", 60000, " }}"), repeat("{{ x", ".a", 60000, " }}"),
        repeat("{{ x", "[0", 60000, ""), repeat("{{ 1", " and 1", 60000, " }}"),
        repeat("{% set x = ", "{1:", 60000, ""), repeat("{{ 1 is in ", "[1] is in ", 60000, "")};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        rg_jinja_text x;
        rg_err err;
        const rg_status st = render(texts[i], strlen(texts[i]), two, 2, &x, &err);
        if (!st || !strstr(err.msg, "here: line 1: ") || strchr(err.msg, '\n'))
            fail_msg("%.30s: %d %s", texts[i], st, err.msg);
        free(texts[i]);
    }
    char *large = repeat("", "xxxxxxxxxxxxxxxx", 70000, "");
    rg_jinja *t;
    rg_err err;
    assert_int_equal(rg_jinja_open(&t, large, strlen(large), "here", &err), RG_E_FILE);
    free(large);
}

/* Every beginning and every change of a byte of a template is rendered or refused. */
static void wounded_templates(void **state)
{
    (void)state;
    static const char text[] =
        "{%- set ns = namespace(a='x') -%}{% macro m(a, b='c') %}{{ a ~ b|upper }}{% endmacro %}"
        "{%- for m in messages if m.role is string -%}{{ bos_token + m['content'][1:]|trim }}"
        "{% if loop.last and not x %}{{ [1, {'a': 2.5}]|tojson(indent=2) }}{% endif %}{% endfor %}";
    char own[sizeof text];
    uint32_t seed = 1;
    for (size_t i = 0; i < 4 * sizeof text; i++) {
        rg_jinja_text x;
        rg_err err;
        memcpy(own, text, sizeof text);
        const size_t n = i < sizeof text ? i : sizeof text - 1;
        for (int k = 0; i >= sizeof text && k < 3; k++) {
            seed = seed * 1664525u + 1013904223u;
            own[(seed >> 8) % n] = (char)(k ? text[(seed >> 4) % n] : (char)(seed >> 24));
        }
        const rg_status st = render(own, n, two, 2, &x, &err);
        if (st && (!err.msg[0] || strchr(err.msg, '\n'))) fail_msg("%zu: %s", i, err.msg);
        rg_jinja_text_free(&x);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(cases), cmocka_unit_test(messages_of_errors),
        cmocka_unit_test(foreign_text_stays_marked), cmocka_unit_test(hostile_templates),
        cmocka_unit_test(deep_templates), cmocka_unit_test(wounded_templates)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
