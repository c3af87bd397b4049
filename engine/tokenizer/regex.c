/* Rewrites Oniguruma's patterns for PCRE2: classes, escapes and properties by our own tables. */
#include "tokenizer/regex.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/utf8.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

/* Unicode's White_Space. PCRE2's own \s has U+180E besides. */
#define SPACE \
    "\\t-\\r \\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}"
/* What Oniguruma's \w has beyond letters, marks, decimal digits, letter numbers and connectors. */
#define WORD_MORE \
    "\\x{b2}\\x{b3}\\x{b9}\\x{bc}-\\x{be}\\x{24b6}-\\x{24e9}\\x{1f130}-\\x{1f149}\\x{1f150}-\\x{1f169}" \
    "\\x{1f170}-\\x{1f189}"

static const struct added {
    const char *name;
    uint32_t first, last;
} added[] = {
#define RG_NEW(name, first, last) {#name, first, last},
#include "tokenizer/unicode_new.def"
};

/* General categories by their long names. */
static const struct category {
    const char *name, *is;
} categories[] = {{"letter", "L"}, {"uppercaseletter", "Lu"}, {"lowercaseletter", "Ll"},
    {"titlecaseletter", "Lt"}, {"modifierletter", "Lm"}, {"otherletter", "Lo"}, {"mark", "M"},
    {"nonspacingmark", "Mn"}, {"spacingmark", "Mc"}, {"enclosingmark", "Me"}, {"number", "N"},
    {"decimalnumber", "Nd"}, {"letternumber", "Nl"}, {"othernumber", "No"}, {"punctuation", "P"},
    {"punct", "P"}, {"connectorpunctuation", "Pc"}, {"dashpunctuation", "Pd"}, {"openpunctuation", "Ps"},
    {"closepunctuation", "Pe"}, {"initialpunctuation", "Pi"}, {"finalpunctuation", "Pf"},
    {"otherpunctuation", "Po"}, {"symbol", "S"}, {"mathsymbol", "Sm"}, {"currencysymbol", "Sc"},
    {"modifiersymbol", "Sk"}, {"othersymbol", "So"}, {"separator", "Z"}, {"spaceseparator", "Zs"},
    {"lineseparator", "Zl"}, {"paragraphseparator", "Zp"}, {"control", "Cc"}, {"format", "Cf"}};

typedef struct rewrite {
    const char *p, *end;
    const char *why; /* what cannot be rewritten */
    rg_status st;    /* out of memory */
    rg_err *err;
} rewrite;

enum { DEPTH = 8 }; /* classes inside classes */

static void put_n(rewrite *r, rg_buf *out, const char *s, size_t n)
{
    if (!r->st) r->st = rg_buf_add(out, s, n, r->err);
}

static void put(rewrite *r, rg_buf *out, const char *s) { put_n(r, out, s, strlen(s)); }

static void put_code(rewrite *r, rg_buf *out, uint32_t cp)
{
    char s[16];
    snprintf(s, sizeof s, "\\x{%x}", (unsigned)cp);
    put(r, out, s);
}

static bool stop(rewrite *r, const char *why)
{
    if (!r->why) r->why = why;
    return false;
}

static bool more(const rewrite *r) { return !r->st && !r->why && r->p < r->end; }
static bool next_is(const rewrite *r, const char *s)
{
    const size_t n = strlen(s);
    return (size_t)(r->end - r->p) >= n && memcmp(r->p, s, n) == 0;
}
static bool skip(rewrite *r, const char *s)
{
    if (!next_is(r, s)) return false;
    r->p += strlen(s);
    return true;
}

/* ---- sets of characters ---- */

/* Members of a category ("L", "Lu") or a script, inside [...]. */
static void put_members(rewrite *r, rg_buf *out, const char *name, bool script)
{
    char s[48];
    /* ASCII goes to the bitmap of a class, which PCRE2 looks at first */
    put(r, out,
        strcmp(name, "L") == 0                                   ? "a-zA-Z"
            : name[0] == 'N' && name[1] != 'l' && name[1] != 'o' ? "0-9"
                                                                 : "");
    /* a script is the property Script; plain \p{Han} of PCRE2 10.40 and later is Script_Extensions */
    snprintf(s, sizeof s, script && PCRE2_MAJOR * 100 + PCRE2_MINOR >= 1040 ? "\\p{sc:%s}" : "\\p{%s}", name);
    put(r, out, s);
    for (size_t i = 0; i < COUNT(added); i++) {
        const bool hit = script
            ? strcasecmp(added[i].name, name) == 0
            : strncmp(added[i].name, name, strlen(name)) == 0 && strlen(added[i].name) == 2;
        if (!hit) continue;
        put_code(r, out, added[i].first);
        if (added[i].last > added[i].first) {
            put(r, out, "-");
            put_code(r, out, added[i].last);
        }
    }
}

/* The name between braces, without blanks, '-' and '_', in lower case, and whether '^' stood before it. */
static bool read_name(rewrite *r, char *name, size_t cap, bool *negated)
{
    size_t n = 0;
    if (!skip(r, "{")) return stop(r, "a property without braces");
    *negated = skip(r, "^");
    for (; r->p < r->end && *r->p != '}'; r->p++) {
        const char c = *r->p;
        if (c == ' ' || c == '-' || c == '_') continue;
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) || n + 1 == cap)
            return stop(r, "a property that is neither a general category nor a script");
        name[n++] = (char)(c | 0x20);
    }
    name[n] = 0;
    return skip(r, "}") && n > 0 ? true : stop(r, "an open property");
}

/* Behind \p or \P: its members, and whether all others are meant. */
static bool property(rewrite *r, rg_buf *set, bool *negated)
{
    static const char majors[] = "lmnpszc", minors[] = "ultmonceedlocdsefiomckoslpcfs";
    char name[32] = "";
    bool script = false;
    if (!read_name(r, name, sizeof name, negated)) return false;
    if (strcmp(name, "any") == 0) {
        put(r, set, "\\x{0}-\\x{10ffff}");
        return true;
    }
    if (strcmp(name, "lc") == 0 || strcmp(name, "casedletter") == 0) {
        put_members(r, set, "Lu", false);
        put_members(r, set, "Ll", false);
        put_members(r, set, "Lt", false);
        return true;
    }
    if (strlen(name) <= 2) {
        if (!strchr(majors, name[0]) || (name[1] && !strchr(minors, name[1])))
            return stop(r, "an unknown property");
        name[0] = (char)(name[0] & ~0x20);
        if (strcmp(name, "C") == 0 || strcmp(name, "Cn") == 0)
            return stop(r, "a property of unassigned characters, which differ by Unicode version");
    } else {
        script = true;
        for (size_t i = 0; i < COUNT(categories) && script; i++) {
            if (strcmp(categories[i].name, name) != 0) continue;
            snprintf(name, sizeof name, "%s", categories[i].is);
            script = false;
        }
    }
    put_members(r, set, name, script);
    return true;
}

/* Behind a backslash: a class escape. False: it is none. */
static bool class_escape(rewrite *r, rg_buf *set, bool *negated)
{
    const char c = *r->p;
    if (!strchr("sSdDwWpP", c) || !c) return false;
    r->p++;
    *negated = c == 'S' || c == 'D' || c == 'W';
    if (c == 's' || c == 'S') {
        put(r, set, SPACE);
    } else if (c == 'd' || c == 'D') {
        put_members(r, set, "Nd", false);
    } else if (c == 'w' || c == 'W') {
        static const char *const word[] = {"L", "M", "Nd", "Nl", "Pc"};
        for (size_t i = 0; i < COUNT(word); i++) put_members(r, set, word[i], false);
        put(r, set, WORD_MORE);
    } else {
        bool not_these = false;
        if (property(r, set, &not_these)) *negated = not_these != (c == 'P');
    }
    return true;
}

static int hex(char c)
{
    return c >= '0' && c <= '9'                  ? c - '0'
        : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
                                                 : -1;
}

/* \x.., \x{...}, \u....: the code point. */
static bool code_point(rewrite *r, uint32_t *cp)
{
    const bool wide = *r->p++ == 'u', braces = !wide && skip(r, "{");
    const int most = braces ? 6 : wide ? 4 : 2;
    int n = 0;
    *cp = 0;
    for (; r->p < r->end && n < most && hex(*r->p) >= 0; n++) *cp = *cp * 16 + (uint32_t)hex(*r->p++);
    if (n == 0 || (wide && n < 4) || (braces && !skip(r, "}")))
        return stop(r, "a code point that is cut off");
    if (!wide && !braces && *cp >= 0x80) return stop(r, "\\x80 or more without braces, a byte to Oniguruma");
    return *cp <= 0x10ffff && !(*cp >= 0xd800 && *cp < 0xe000) ? true
                                                               : stop(r, "a code point that no text has");
}

/* One character, literal or escaped (the backslash is read if escaped); safe inside and outside of [...]. */
static bool one_char(rewrite *r, rg_buf *out, bool escaped)
{
    const unsigned char *u = (const unsigned char *)r->p;
    const size_t n = rg_utf8_len(u, (const unsigned char *)r->end);
    uint32_t cp;
    if (n == 0) return stop(r, "bytes that are not UTF-8");
    if (escaped && (*r->p == 'x' || *r->p == 'u')) {
        if (!code_point(r, &cp)) return false;
    } else {
        static const char names[] = "tnrfvae", codes[] = "\t\n\r\f\v\a\x1b";
        const char *named = escaped && *r->p ? strchr(names, *r->p) : NULL;
        cp = named ? (unsigned char)codes[named - names] : rg_utf8_get(u, n);
        if (escaped && !named && ((cp >= '0' && cp <= '9') || ((cp | 0x20) >= 'a' && (cp | 0x20) <= 'z')))
            return stop(r, "an escape that libraries read differently");
        r->p += n;
    }
    put_code(r, out, cp);
    return true;
}

/* ---- classes ---- */

static void char_class(rewrite *r, rg_buf *out, int depth);

/* Members up to ']' or '&&': plain ones to set, what needs an alternative of its own to other. */
static void members(rewrite *r, rg_buf *set, rg_buf *other, int depth)
{
    bool single = false; /* the last member may begin a range */
    while (more(r) && *r->p != ']' && !next_is(r, "&&")) {
        rg_buf one = {0};
        bool negated = false;
        const bool escaped = skip(r, "\\");
        if (escaped && r->p == r->end) {
            stop(r, "a backslash at its end");
        } else if (escaped && class_escape(r, &one, &negated)) {
            if (next_is(r, "-") && !next_is(r, "-]")) stop(r, "a range that begins with a class");
            if (negated) {
                if (other->len) put(r, other, "|");
                put(r, other, "[^");
                put_n(r, other, one.p, one.len);
                put(r, other, "]");
            } else {
                put_n(r, set, one.p, one.len);
            }
            single = false;
        } else if (!escaped && next_is(r, "[:")) {
            stop(r, "a POSIX class, which libraries read differently");
        } else if (!escaped && skip(r, "[")) {
            if (other->len) put(r, other, "|");
            char_class(r, other, depth + 1);
            single = false;
        } else if (!escaped && (next_is(r, "--") || next_is(r, "~~"))) {
            stop(r, "a difference of classes, which libraries read differently");
        } else if (!escaped && single && next_is(r, "-") && !next_is(r, "-]") && !next_is(r, "-&&")) {
            r->p++;
            put(r, set, "-");
            const bool end_escaped = skip(r, "\\");
            if (more(r) && !(end_escaped ? strchr("sSdDwWpP", *r->p) != NULL : *r->p == '['))
                one_char(r, set, end_escaped);
            else
                stop(r, "a range that ends with a class");
            single = false;
        } else {
            if (!escaped && *r->p == '-' && set->len + other->len > 0 && !next_is(r, "-]"))
                stop(r, "a '-' in the middle of a class");
            single = one_char(r, set, escaped);
        }
        rg_buf_free(&one);
    }
}

/* Behind '[': one character of the class. What a class of PCRE2 cannot hold stands beside it as an
 * alternative, or for intersections before it as a look-ahead. */
static void char_class(rewrite *r, rg_buf *out, int depth)
{
    rg_buf all = {0}; /* look-aheads, then the last operand */
    const bool negated = skip(r, "^");
    bool plain = true, last = false;
    if (next_is(r, "]")) stop(r, "a class that starts with a bracket");
    if (depth > DEPTH) stop(r, "classes nested more than 8 deep");
    while (more(r) && !last) {
        rg_buf set = {0}, other = {0};
        members(r, &set, &other, depth);
        last = !skip(r, "&&");
        if (last && !skip(r, "]")) stop(r, "an open class");
        if (set.len + other.len == 0) stop(r, "an empty operand of an intersection");
        plain = plain && last && other.len == 0;
        if (!last) put(r, &all, "(?=");
        if (other.len) put(r, &all, "(?:");
        if (other.len) put_n(r, &all, other.p, other.len);
        if (other.len && set.len) put(r, &all, "|");
        if (set.len) {
            put(r, &all, plain && negated ? "[^" : "[");
            put_n(r, &all, set.p, set.len);
            put(r, &all, "]");
        }
        if (other.len) put(r, &all, ")");
        if (!last) put(r, &all, ")");
        rg_buf_free(&set);
        rg_buf_free(&other);
    }
    if (!last) stop(r, "an open class");
    if (!plain) put(r, out, negated ? "(?:(?!" : "(?:");
    put_n(r, out, all.p ? all.p : "", all.len);
    if (!plain) put(r, out, negated ? ")\\p{Any})" : ")");
    rg_buf_free(&all);
}

/* ---- the rest ---- */

static void escape(rewrite *r, rg_buf *out)
{
    rg_buf set = {0};
    bool negated = false;
    if (r->p == r->end) {
        stop(r, "a backslash at its end");
    } else if (class_escape(r, &set, &negated)) {
        put(r, out, negated ? "[^" : "[");
        put_n(r, out, set.p, set.len);
        put(r, out, "]");
    } else if (*r->p == 'A' || *r->p == 'z') {
        put_n(r, out, r->p - 1, 2);
        r->p++;
    } else {
        one_char(r, out, true);
    }
    rg_buf_free(&set);
}

/* Behind '('. */
static void group(rewrite *r, rg_buf *out, bool at_start)
{
    static const char *const kinds[] = {"?:", "?=", "?!", "?>", "?<=", "?<!", "?i:", "?-i:"};
    if (next_is(r, "*")) stop(r, "a verb");
    put(r, out, "(");
    if (!next_is(r, "?")) return;
    for (size_t i = 0; i < COUNT(kinds); i++) {
        if (!skip(r, kinds[i])) continue;
        put(r, out, kinds[i]);
        return;
    }
    if (at_start && skip(r, "?i)"))
        put(r, out, "?i)");
    else
        stop(r, "a group or option that libraries read differently");
}

/* {n}, {n,}, {,m}, {n,m}; any other brace is a character. */
static void braces(rewrite *r, rg_buf *out)
{
    char text[64];
    const char *p = r->p + 1;
    int n[2] = {0, 0}, digits[2] = {0, 0}, k = 0;
    for (; p < r->end && ((*p >= '0' && *p <= '9') || (*p == ',' && k == 0)); p++) {
        if (*p == ',') {
            k = 1;
        } else if (++digits[k] <= 5) {
            n[k] = n[k] * 10 + (*p - '0');
        }
    }
    if (p == r->end || *p != '}' || digits[0] + digits[1] == 0) {
        one_char(r, out, false);
        return;
    }
    if (n[0] > 1000 || n[1] > 1000 || digits[0] > 5 || digits[1] > 5)
        stop(r, "a repetition of more than 1000");
    r->p = p + 1;
    if (next_is(r, "+") || (k == 0 && next_is(r, "?")))
        stop(r, "a repetition that libraries read differently");
    if (k == 0)
        snprintf(text, sizeof text, "{%d}", n[0]);
    else if (digits[1] == 0)
        snprintf(text, sizeof text, "{%d,}", n[0]);
    else
        snprintf(text, sizeof text, "{%d,%d}", n[0], n[1]);
    put(r, out, text);
}

rg_status rg_regex_rewrite(rg_buf *out, const char *p, size_t n, const rg_src *src)
{
    rewrite r = {.p = p, .end = p + n, .err = src->err};
    if (n > RG_REGEX_MAX)
        return rg_lacks(
            src, "a pre-tokeniser pattern of %zu bytes, at most %d are supported", n, RG_REGEX_MAX);
    while (more(&r)) {
        const bool at_start = r.p == p;
        const char c = *r.p;
        if (c == '{') {
            braces(&r, out);
        } else if (strchr("*+?|)", c) && c) {
            put_n(&r, out, r.p++, 1);
        } else if (!strchr("\\[(.^$", c) || !c) {
            one_char(&r, out, false);
        } else {
            r.p++;
            if (c == '\\') escape(&r, out);
            if (c == '[') char_class(&r, out, 0);
            if (c == '(') group(&r, out, at_start);
            if (c == '.') put(&r, out, "[^\\n]");
            if (c == '^') put(&r, out, "(?m:^)"); /* of every line, as in Ruby */
            if (c == '$') put(&r, out, "(?m:$)");
        }
    }
    if (r.why) return rg_lacks(src, "pre_tokenizer pattern \"%.80s\" has %s", p, r.why);
    return r.st;
}

void rg_regex_unicode(char *text, size_t cap)
{
    char own[24] = "";
    if (pcre2_config(PCRE2_CONFIG_UNICODE_VERSION, NULL) <= (int)sizeof own)
        pcre2_config(PCRE2_CONFIG_UNICODE_VERSION, own);
    snprintf(text, cap, "%s", strtol(own, NULL, 10) > 16 ? own : "16.0.0");
}
