/* The operators of templates, as Python has them, and slices. */
#include "base/num.h"
#include "tokenizer/jinja_impl.h"

static bool is_number(rg_jval v) { return v.t == J_INT || v.t == J_BOOL || v.t == J_FLOAT; }
static double real(rg_jval v) { return v.t == J_FLOAT ? v.f : v.t == J_INT ? (double)v.i : (double)v.b; }

_Noreturn static void no_operation(rg_j *j, int op, rg_jval a, rg_jval b)
{
    rg_j_defined(j, a);
    rg_j_defined(j, b);
    rg_j_fail(j, RG_E_FILE, "'%c%c' of a %s and a %s", op & 255, op >> 8 ? op >> 8 : ' ', rg_j_type(a),
        rg_j_type(b));
}

static rg_jval integers(rg_j *j, int op, int64_t a, int64_t b)
{
    int64_t r = 0;
    bool over = false;
    if ((op == '%' || op == RG_JOP('/', '/')) && b == 0) rg_j_fail(j, RG_E_FILE, "division by zero");
    if (b == -1 && (op == '%' || op == RG_JOP('/', '/')))
        over = op != '%' && __builtin_sub_overflow((int64_t)0, a, &r);
    else if (op == '+')
        over = __builtin_add_overflow(a, b, &r);
    else if (op == '-')
        over = __builtin_sub_overflow(a, b, &r);
    else if (op == '*')
        over = __builtin_mul_overflow(a, b, &r);
    else if (op == '%')
        r = a % b + (a % b != 0 && (a % b < 0) != (b < 0) ? b : 0);
    else if (op == RG_JOP('/', '/'))
        r = a / b - (a % b != 0 && (a < 0) != (b < 0));
    else
        for (r = 1; b > 0 && !over; b--) over = __builtin_mul_overflow(r, a, &r) || b > 64;
    if (over) rg_j_fail(j, RG_E_UNSUPPORTED, "an integer of more than 64 bits");
    return RG_JINT(r);
}

static rg_jval numbers(rg_j *j, int op, rg_jval a, rg_jval b)
{
    const double x = real(a), y = real(b);
    if (op == '/') {
        if (y == 0) rg_j_fail(j, RG_E_FILE, "division by zero");
        return (rg_jval){.t = J_FLOAT, .f = x / y};
    }
    const bool whole = a.t != J_FLOAT && b.t != J_FLOAT;
    if (whole && (op != RG_JOP('*', '*') || y >= 0))
        return integers(j, op, rg_j_int(j, a, ""), rg_j_int(j, b, ""));
    if (op != '+' && op != '-' && op != '*')
        rg_j_fail(
            j, RG_E_UNSUPPORTED, "'%c%c' of floats is not supported", op & 255, op >> 8 ? op >> 8 : ' ');
    return (rg_jval){.t = J_FLOAT, .f = op == '+' ? x + y : op == '-' ? x - y : x * y};
}

/* What joins a |safe string is escaped as in HTML. */
static void add_escaped(rg_j *j, rg_jbuf *b, const rg_jstr *s, bool escape)
{
    if (!escape || s->safe) {
        rg_jb_str(j, b, s);
        return;
    }
    for (size_t i = 0; i < s->n; i++) {
        const unsigned char *m = s->m ? s->m + i : NULL;
        const char c = s->p[i];
        const char *as = c == '&' ? "&amp;"
            : c == '<'            ? "&lt;"
            : c == '>'            ? "&gt;"
            : c == '"'            ? "&#34;"
            : c == '\''           ? "&#39;"
                                  : NULL;
        if (as)
            rg_jb_as(j, b, as, m);
        else
            rg_jb_add(j, b, s->p + i, m, 1);
    }
}

static rg_jval join_strings(rg_j *j, const rg_jstr *a, const rg_jstr *b)
{
    rg_jbuf buf = {0};
    const bool safe = a->safe || b->safe;
    add_escaped(j, &buf, a, safe);
    add_escaped(j, &buf, b, safe);
    rg_jval v = rg_jb_done(j, &buf);
    ((rg_jstr *)(uintptr_t)v.s)->safe = safe;
    return v;
}

static rg_jval join_lists(rg_j *j, const rg_jlist *a, const rg_jlist *b)
{
    rg_jval v = rg_j_list(j, a->n + b->n, a->kind);
    if (a->n) memcpy(v.l->v, a->v, a->n * sizeof *a->v);
    if (b->n) memcpy(v.l->v + a->n, b->v, b->n * sizeof *b->v);
    rg_j_step(j, v.l->n / 8);
    return v;
}

static rg_jval repeated(rg_j *j, rg_jval v, int64_t times)
{
    rg_jbuf b = {0};
    rg_jval l = {0};
    times = rg_max(times, 0);
    if (v.t == J_STR && v.s->safe) rg_j_fail(j, RG_E_UNSUPPORTED, "'*' of a |safe string is not supported");
    if (v.t == J_LIST) l = rg_j_list(j, 0, v.l->kind);
    for (int64_t i = 0; i < times && rg_j_true(v); i++) {
        rg_j_step(j, 1);
        if (v.t == J_STR)
            rg_jb_str(j, &b, v.s);
        else
            l = join_lists(j, l.l, v.l);
    }
    return v.t == J_STR ? rg_jb_done(j, &b) : l;
}

rg_jval rg_j_binary(rg_j *j, int op, rg_jval a, rg_jval b)
{
    const bool lists = a.t == J_LIST && a.l->kind <= J_TUPLE, list_b = b.t == J_LIST && b.l->kind <= J_TUPLE;
    if (is_number(a) && is_number(b)) return numbers(j, op, a, b);
    if (op == '+' && a.t == J_STR && b.t == J_STR) return join_strings(j, a.s, b.s);
    if (op == '+' && lists && list_b && a.l->kind == b.l->kind) return join_lists(j, a.l, b.l);
    if (op == '*' && (a.t == J_STR || lists) && (b.t == J_INT || b.t == J_BOOL))
        return repeated(j, a, rg_j_int(j, b, "*"));
    if (op == '*' && (b.t == J_STR || list_b) && (a.t == J_INT || a.t == J_BOOL))
        return repeated(j, b, rg_j_int(j, a, "*"));
    if (op == '%' && a.t == J_STR)
        rg_j_fail(j, RG_E_UNSUPPORTED, "'%%' of a string (printf) is not supported");
    no_operation(j, op, a, b);
}

bool rg_j_compare(rg_j *j, int op, rg_jval a, rg_jval b)
{
    switch (op) {
    case 1:
        return rg_j_in(j, a, b);
    case 2:
        return !rg_j_in(j, a, b);
    case RG_JOP('=', '='):
        return rg_j_equal(j, a, b);
    case RG_JOP('!', '='):
        return !rg_j_equal(j, a, b);
    default:
        break;
    }
    /* NaN is neither less nor more */
    if (is_number(a) && is_number(b) && (real(a) != real(a) || real(b) != real(b))) return false;
    const int c = rg_j_order(j, a, b);
    return op == '<' ? c < 0 : op == '>' ? c > 0 : op == RG_JOP('<', '=') ? c <= 0 : c >= 0;
}

rg_jval rg_j_sign(rg_j *j, rg_jval v, bool negate)
{
    if (!is_number(v)) no_operation(j, negate ? '-' : '+', v, v);
    if (v.t == J_FLOAT) return (rg_jval){.t = J_FLOAT, .f = negate ? -v.f : v.f};
    return integers(j, negate ? '-' : '+', 0, rg_j_int(j, v, ""));
}

/* a[from:to:step], as Python cuts. */
rg_jval rg_j_slice(rg_j *j, rg_jval of, const rg_jval part[3])
{
    int64_t x[3];
    bool given[3];
    for (int i = 0; i < 3; i++) {
        given[i] = part[i].t != J_NONE;
        x[i] = given[i] ? rg_j_int(j, part[i], "slice") : 0;
    }
    const int64_t step = given[2] ? x[2] : 1;
    if (of.t != J_STR && (of.t != J_LIST || of.l->kind > J_RANGE))
        return rg_j_undefined(j, "'%s object' cannot be cut", rg_j_type(of));
    if (step == 0) rg_j_fail(j, RG_E_FILE, "slice step cannot be zero");
    const int64_t len = rg_j_length(j, of), low = step > 0 ? 0 : -1, high = step > 0 ? len : len - 1;
    int64_t at[2] = {step > 0 ? 0 : len - 1, step > 0 ? len : -1};
    for (int i = 0; i < 2; i++)
        if (given[i]) at[i] = x[i] < 0 ? rg_max(x[i] < -len ? low : x[i] + len, low) : rg_min(x[i], high);
    const rg_jlist l = rg_j_items(j, of);
    rg_jval out = rg_j_list(j, (size_t)len, of.t == J_LIST ? of.l->kind : J_ARRAY);
    size_t k = 0;
    for (int64_t i = at[0]; step > 0 ? i < at[1] : i > at[1]; i += step) {
        out.l->v[k++] = l.v[i];
        if (step > len || step < -len) break;
    }
    out.l->n = k;
    if (of.t == J_LIST) return out;
    rg_jbuf b = {0};
    for (size_t i = 0; i < k; i++) rg_jb_str(j, &b, out.l->v[i].s);
    return rg_jb_done(j, &b);
}
