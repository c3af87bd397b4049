/* Reads an SVG as far as a test needs it. */
#include "svg_check.h"

#include "testing.h"

#include <ctype.h>

#include "base/text.h"
#include "report/svg/svg.h"

int svg_count(const char *svg, const char *what)
{
    int n = 0;
    for (const char *p = svg; (p = strstr(p, what)); p += strlen(what)) n++;
    return n;
}

static void bad(const char *at, const char *why) { fail_msg("%s at: %.120s", why, at); }

static const char *entity(const char *p)
{
    static const char *const names[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strncmp(p, names[i], strlen(names[i])) == 0) return p + strlen(names[i]) - 1;
    bad(p, "a bare &");
    return p;
}

static size_t name_len(const char *p)
{
    size_t n = 0;
    while (isalnum((unsigned char)p[n]) || p[n] == '-' || p[n] == ':') n++;
    return n;
}

/* Behind the tag that begins at p; its name in name; +1 opened, -1 closed, 0 empty. */
static const char *tag(const char *p, char *name, size_t cap, int *depth)
{
    const char *start = p++;
    *depth = *p == '/' ? -1 : 1;
    if (*p == '/') p++;
    const size_t n = name_len(p);
    if (n == 0 || n >= cap) bad(start, "a tag without a name");
    memcpy(name, p, n);
    name[n] = 0;
    p += n;
    char seen[20][32];
    int n_seen = 0;
    while (*p != '>') {
        if (p[0] == '/' && p[1] == '>' && *depth == 1) {
            *depth = 0;
            p++;
            break;
        }
        if (*p != ' ' || *depth < 0) bad(start, "not an attribute");
        const size_t k = name_len(++p);
        if (k == 0 || k > 31 || p[k] != '=' || p[k + 1] != '"' || n_seen == 20)
            bad(start, "not an attribute");
        memcpy(seen[n_seen], p, k);
        seen[n_seen][k] = 0;
        for (int i = 0; i < n_seen; i++)
            if (strcmp(seen[i], seen[n_seen]) == 0) bad(start, "an attribute for the second time");
        n_seen++;
        for (p += k + 2; *p != '"'; p++) {
            if (*p == '<' || !*p) bad(start, "an attribute that does not end");
            if (*p == '&') p = entity(p);
        }
        p++;
    }
    return p + 1;
}

void svg_check_well_formed(const char *svg)
{
    char stack[32][24];
    int depth = 0, roots = 0;
    for (const char *p = svg; *p;) {
        const unsigned char c = (unsigned char)*p;
        if (c < 0x20 && c != '\n') bad(p, "a control character");
        if (c == '<') {
            char name[24];
            int d;
            p = tag(p, name, sizeof name, &d);
            if (d == 1) {
                assert_true(depth < 32);
                if (depth == 0) roots++;
                strcpy(stack[depth++], name);
            } else if (d == -1) {
                if (depth == 0 || strcmp(stack[--depth], name) != 0) bad(p, "a tag that closes another one");
            }
            continue;
        }
        if (c == '&') p = entity(p);
        if (c == '>') bad(p, "a bare >");
        p++;
    }
    if (depth != 0 || roots != 1) fail_msg("%d tags are open at the end, %d roots", depth, roots);
    char *copy = strdup(svg), *clean = malloc(strlen(svg) + 1);
    for (char *p = copy; (p = strchr(p, '\n'));) *p = ' ';
    assert_string_equal(rg_text_clean(clean, strlen(svg) + 1, copy), copy); /* UTF-8 */
    free(copy);
    free(clean);
}

typedef struct text {
    double x[4], y[4]; /* corners */
    char s[200];
} text;

static double number(const char *element, const char *key, double otherwise)
{
    char find[32];
    const char *end = strchr(element, '>'), *p;
    snprintf(find, sizeof find, " %s=\"", key);
    p = strstr(element, find);
    return p && p < end ? strtod(p + strlen(find), NULL) : otherwise;
}

static bool has(const char *element, const char *word)
{
    const char *end = strchr(element, '>'), *p = strstr(element, word);
    return p && p < end;
}

static void unescape(char *s)
{
    static const struct {
        const char *from;
        char to;
    } e[] = {{"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&#39;", '\''}, {"&amp;", '&'}};
    for (size_t i = 0; i < sizeof e / sizeof *e; i++)
        for (char *p = s; (p = strstr(p, e[i].from)); p++) {
            *p = e[i].to;
            memmove(p + 1, p + strlen(e[i].from), strlen(p + strlen(e[i].from)) + 1);
        }
}

static text measure(const char *p)
{
    text t;
    const char *from = strchr(p, '>') + 1, *to = strchr(from, '<');
    snprintf(t.s, sizeof t.s, "%.*s", (int)(to - from), from);
    unescape(t.s);
    const double x = number(p, "x", 0), y = number(p, "y", 0), size = number(p, "font-size", 12),
                 w = rg_svg_text_width(t.s, size);
    const double x0 = has(p, "\"middle\"") ? -w / 2 : has(p, "\"end\"") ? -w : 0.0;
    const char *turn = strstr(p, "rotate(");
    const double a = turn && turn < from ? strtod(turn + 7, NULL) * M_PI / 180 : 0.0;
    /* ascent; descenders may touch */
    const double lx[4] = {x0, x0 + w, x0 + w, x0},
                 ly[4] = {-0.76 * size, -0.76 * size, 0.1 * size, 0.1 * size};
    for (int i = 0; i < 4; i++) {
        t.x[i] = x + lx[i] * cos(a) - ly[i] * sin(a);
        t.y[i] = y + lx[i] * sin(a) + ly[i] * cos(a);
    }
    return t;
}

/* Convex polygons are apart if an edge of one has the whole other one outside. */
static bool separated(const text *a, const text *b)
{
    for (int i = 0; i < 4; i++) {
        const int k = (i + 1) % 4;
        const double nx = a->y[k] - a->y[i], ny = a->x[i] - a->x[k];
        bool all = true;
        for (int j = 0; j < 4; j++) all = all && nx * (b->x[j] - a->x[i]) + ny * (b->y[j] - a->y[i]) >= -1e-6;
        if (all) return true;
    }
    return false;
}

int svg_check_texts(const char *svg)
{
    static text t[2000];
    int n = 0;
    const char *box = strstr(svg, "viewBox=\"0 0 ");
    assert_non_null(box);
    char *end;
    const double w = strtod(box + 13, &end), h = strtod(end, NULL);
    for (const char *p = svg; (p = strstr(p, "<text ")); p++) {
        assert_true(n < 2000);
        t[n] = measure(p);
        for (int i = 0; i < 4; i++)
            if (t[n].x[i] < -1 || t[n].y[i] < -1 || t[n].x[i] > w + 1 || t[n].y[i] > h + 1)
                fail_msg("outside of the picture: %s", t[n].s);
        for (int i = 0; i < n; i++)
            if (!separated(&t[i], &t[n]) && !separated(&t[n], &t[i]))
                fail_msg("'%s' lies on '%s'", t[n].s, t[i].s);
        n++;
    }
    return n;
}

/* On which side of the line from (x0, y0) to (x1, y1). */
static double side(double x0, double y0, double x1, double y1, double x, double y)
{
    return (x1 - x0) * (y - y0) - (y1 - y0) * (x - x0);
}

/* Segments that cross. */
static bool cross(const double a[4], const double b[4])
{
    return side(a[0], a[1], a[2], a[3], b[0], b[1]) * side(a[0], a[1], a[2], a[3], b[2], b[3]) < 0.0 &&
        side(b[0], b[1], b[2], b[3], a[0], a[1]) * side(b[0], b[1], b[2], b[3], a[2], a[3]) < 0.0;
}

int svg_check_struck(const char *svg)
{
    int n = 0;
    for (const char *p = svg; (p = strstr(p, "<text ")); p++) {
        const char *end = strchr(p, '>'), *turn = strstr(p, "rotate(");
        if (!turn || turn > end || strncmp(turn, "rotate(-90", 10) == 0) continue;
        const text t = measure(p);
        n++;
        for (const char *r = svg; (r = strstr(r, "class=\"roofmark\"")); r++) {
            const char *line = strstr(r, "<line "), *close = strstr(r, "</g>");
            if (!line || line > close) continue;
            const double roof[4] = {
                number(line, "x1", 0), number(line, "y1", 0), number(line, "x2", 0), number(line, "y2", 0)};
            for (int i = 0; i < 4; i++) {
                const int k = (i + 1) % 4;
                const double edge[4] = {t.x[i], t.y[i], t.x[k], t.y[k]};
                if (cross(roof, edge)) fail_msg("'%s' is struck through", t.s);
            }
        }
    }
    return n;
}
