/* Tokens of a template into a tree, by the grammar of Jinja 3. What is not in the subset is refused by
 * name. */
#include "base/text.h"
#include "tokenizer/jinja_impl.h"

static rg_jnode *expression(rg_j *j);
static rg_jnode *unary(rg_j *j, bool filters);
static rg_jnode *statements(rg_j *j, const char *const *ends);

/* ---- tokens ---- */

static const rg_jtok *now(rg_j *j)
{
    j->line = j->tok[j->at].line;
    return &j->tok[j->at];
}

static bool at_op(rg_j *j, int op) { return now(j)->kind == T_OP && now(j)->op == op; }
static bool at_name(rg_j *j, const char *s) { return now(j)->kind == T_NAME && rg_jstr_is(now(j)->s, s); }

static bool take_op(rg_j *j, int op)
{
    const bool is = at_op(j, op);
    j->at += is;
    return is;
}

static bool take_name(rg_j *j, const char *s)
{
    const bool is = at_name(j, s);
    j->at += is;
    return is;
}

static const char *spell(rg_j *j, char *buf, size_t n)
{
    const rg_jtok *t = now(j);
    static const char *const kinds[] = {[T_DATA] = "text",
        [T_BLOCK] = "{%",
        [T_BLOCK_END] = "%}",
        [T_VAR] = "{{",
        [T_VAR_END] = "}}",
        [T_CONST] = "a constant",
        [T_END] = "the end of the template"};
    if (t->kind == T_NAME) return rg_text(buf, n, "'%.*s'", (int)(t->s->n < 40 ? t->s->n : 40), t->s->p);
    if (t->kind == T_OP) return rg_text(buf, n, "'%c%c'", t->op & 255, t->op >> 8 ? t->op >> 8 : ' ');
    return rg_text(buf, n, "%s", kinds[t->kind]);
}

_Noreturn static void unexpected(rg_j *j, const char *expected)
{
    char found[64];
    rg_j_fail(j, RG_E_FILE, "found %s, expected %s", spell(j, found, sizeof found), expected);
}

static void need_op(rg_j *j, int op, const char *spelled)
{
    if (!take_op(j, op)) unexpected(j, spelled);
}

static void need_name(rg_j *j, const char *s)
{
    if (!take_name(j, s)) unexpected(j, s);
}

static const rg_jstr *any_name(rg_j *j)
{
    if (now(j)->kind != T_NAME) unexpected(j, "a name");
    return j->tok[j->at++].s;
}

static void need_end(rg_j *j)
{
    if (now(j)->kind != T_BLOCK_END) unexpected(j, "%}");
    j->at++;
}

static rg_jnode *node(rg_j *j, rg_jkind kind)
{
    rg_jnode *n = rg_j_alloc(j, 1, sizeof *n);
    n->kind = kind;
    n->line = now(j)->line;
    return n;
}

static rg_jnode *binary(rg_j *j, rg_jkind kind, int op, rg_jnode *a, rg_jnode *b)
{
    rg_jnode *n = node(j, kind);
    n->op = op;
    n->a = a;
    n->b = b;
    return n;
}

static rg_jnode *constant(rg_j *j, rg_jval v)
{
    rg_jnode *n = node(j, N_CONST);
    n->v = v;
    return n;
}

/* Appends to a list whose last link is *end. */
static rg_jnode **add(rg_jnode **end, rg_jnode *n)
{
    *end = n;
    return &n->next;
}

/* ---- expressions ---- */

/* Items up to a closing bracket, which is taken. pairs: key: value. */
static rg_jnode *items(rg_j *j, rg_jkind kind, int close)
{
    rg_jnode *n = node(j, kind), **end = &n->list;
    while (!take_op(j, close)) {
        if (n->list) need_op(j, ',', ", or a closing bracket");
        if (n->list && take_op(j, close)) break;
        end = add(end, expression(j));
        if (kind != N_DICT) continue;
        need_op(j, ':', ":");
        end = add(end, expression(j));
    }

    return n;
}

/* Arguments behind an opening parenthesis, which is taken already. */
static rg_jnode *arguments(rg_j *j)
{
    rg_jnode *first = NULL, **end = &first;
    bool named = false;
    while (!take_op(j, ')')) {
        if (first) need_op(j, ',', ", or )");
        if (first && take_op(j, ')')) break;
        if (at_op(j, '*') || at_op(j, RG_JOP('*', '*')))
            rg_j_fail(j, RG_E_UNSUPPORTED, "* and ** in arguments are not supported");
        rg_jnode *n;
        if (now(j)->kind == T_NAME && j->tok[j->at + 1].kind == T_OP && j->tok[j->at + 1].op == '=') {
            n = node(j, N_KEYWORD);
            n->s = any_name(j);
            j->at++;
            n->a = expression(j);
            named = true;
        } else {
            n = expression(j);
            if (named) rg_j_fail(j, RG_E_FILE, "an argument without a name behind one with a name");
        }
        end = add(end, n);
    }
    return first;
}

static bool tuple_ends(rg_j *j, const char *stop)
{
    const rg_jtok *t = now(j);
    return t->kind == T_VAR_END || t->kind == T_BLOCK_END || at_op(j, ')') || (stop && at_name(j, stop));
}

/* An expression, or several with commas between, which are a tuple. brackets: () is one too. part: what
 * parses an item. */
static rg_jnode *tuple(rg_j *j, rg_jnode *part(rg_j *), bool brackets, const char *stop)
{
    rg_jnode *n = node(j, N_TUPLE), **end = &n->list;
    bool several = false;
    for (;;) {
        if (n->list && !take_op(j, ',')) break;
        several = several || n->list;
        if (tuple_ends(j, stop)) break;
        end = add(end, part(j));
    }
    if (several) return n;
    if (!n->list && !brackets) unexpected(j, "an expression");
    return n->list ? n->list : n;
}

static rg_jnode *primary(rg_j *j)
{
    const rg_jtok *t = now(j);
    rg_jnode *n;
    if (t->kind == T_NAME) {
        static const char *const known[] = {"true", "True", "false", "False", "none", "None"};
        for (int i = 0; i < 6; i++)
            if (take_name(j, known[i])) return constant(j, i < 4 ? RG_JBOOL(i < 2) : RG_JNONE);
        n = node(j, N_NAME);
        n->s = any_name(j);
        return n;
    }
    if (t->kind == T_CONST) {
        rg_jval v = t->v;
        rg_jbuf b = {0};
        j->at++;
        if (v.t == J_STR && now(j)->kind == T_CONST && now(j)->v.t == J_STR) { /* 'a' 'b' is 'ab' */
            rg_jb_str(j, &b, v.s);
            for (; now(j)->kind == T_CONST && now(j)->v.t == J_STR; j->at++) rg_jb_str(j, &b, now(j)->v.s);
            v = rg_jb_done(j, &b);
        }
        return constant(j, v);
    }
    if (take_op(j, '(')) {
        n = tuple(j, expression, true, NULL);
        need_op(j, ')', ")");
        return n;
    }
    if (take_op(j, '[')) return items(j, N_LIST, ']');
    if (take_op(j, '{')) return items(j, N_DICT, '}');
    unexpected(j, "an expression");
}

/* What stands in [ ]: an index, or a slice. */
static rg_jnode *subscript(rg_j *j, rg_jnode *of)
{
    rg_jnode *n = binary(j, N_ITEM, 0, of, NULL), *part[3] = {NULL, NULL, NULL};
    int i = 0;
    bool slice = false;
    while (!at_op(j, ']')) {
        if (at_op(j, ',')) rg_j_fail(j, RG_E_UNSUPPORTED, "several subscripts in one [ ] are not supported");
        if (take_op(j, ':')) {
            slice = true;
            if (++i > 2) unexpected(j, "]");
        } else {
            if (part[i]) unexpected(j, "]");
            part[i] = expression(j);
        }
    }
    j->at++;
    if (!slice) {
        if (!part[0]) unexpected(j, "a subscript");
        n->b = part[0];
        return n;
    }
    n->kind = N_SLICE;
    n->list = part[0];
    n->b = part[1];
    n->c = part[2];
    return n;
}

static rg_jnode *call(rg_j *j, rg_jnode *of)
{
    rg_jnode *n = binary(j, N_CALL, 0, of, NULL);
    j->at++;
    n->list = arguments(j);
    return n;
}

static rg_jnode *postfix(rg_j *j, rg_jnode *n)
{
    for (;;) {
        if (at_op(j, '(')) {
            n = call(j, n);
        } else if (take_op(j, '[')) {
            n = subscript(j, n);
        } else if (take_op(j, '.')) {
            if (now(j)->kind == T_CONST && now(j)->v.t == J_INT) {
                n = binary(j, N_ITEM, 0, n, NULL);
                n->b = constant(j, now(j)->v);
                j->at++;
            } else {
                n = binary(j, N_ATTR, 0, n, NULL);
                n->s = any_name(j);
            }
        } else {
            return n;
        }
    }
}

/* A filter or test that does not exist is known at once, unless an if stands around it, as in Jinja. */
static void look_up(rg_j *j, rg_jnode *n, const char *what, const rg_jrow *find(const rg_jstr *))
{
    n->s = any_name(j);
    n->row = find(n->s);
    if (!n->row && !j->soft)
        rg_j_fail(j, RG_E_UNSUPPORTED, "the %s '%.*s' is not supported", what,
            (int)(n->s->n < 40 ? n->s->n : 40), n->s->p);
}

static rg_jnode *filter(rg_j *j, rg_jnode *of)
{
    rg_jnode *n = binary(j, N_FILTER, 0, of, NULL);
    look_up(j, n, "filter", rg_j_filter);
    if (take_op(j, '(')) n->list = arguments(j);
    return n;
}

static rg_jnode *test(rg_j *j, rg_jnode *of)
{
    const bool not = take_name(j, "not");
    rg_jnode *n = binary(j, N_TEST, 0, of, NULL);
    look_up(j, n, "test", rg_j_test);
    const rg_jtok *t = now(j);
    if (take_op(j, '('))
        n->list = arguments(j);
    else if (t->kind == T_CONST || at_op(j, '[') || at_op(j, '{') ||
        (t->kind == T_NAME && !at_name(j, "else") && !at_name(j, "or") && !at_name(j, "and"))) {
        if (at_name(j, "is")) rg_j_fail(j, RG_E_FILE, "tests cannot be chained with is");
        n->list = postfix(j, primary(j));
    }
    return not ? binary(j, N_NOT, 0, n, NULL) : n;
}

static rg_jnode *filtered(rg_j *j, rg_jnode *n)
{
    for (;;) {
        if (take_op(j, '|'))
            n = filter(j, n);
        else if (take_name(j, "is"))
            n = test(j, n);
        else if (at_op(j, '('))
            n = call(j, n);
        else
            return n;
    }
}

static rg_jnode *unary(rg_j *j, bool filters)
{
    rg_jnode *n;
    rg_j_enter(j, now(j)->line, RG_J_DEPTH_PARSE);
    if (take_op(j, '-'))
        n = binary(j, N_NEGATE, 0, unary(j, false), NULL);
    else if (take_op(j, '+'))
        n = binary(j, N_PLUS, 0, unary(j, false), NULL);
    else
        n = postfix(j, primary(j));
    j->depth--;
    n = postfix(j, n);
    return filters ? filtered(j, n) : n;
}

static rg_jnode *power(rg_j *j)
{
    rg_jnode *n = unary(j, true);
    while (take_op(j, RG_JOP('*', '*'))) n = binary(j, N_BINARY, RG_JOP('*', '*'), n, unary(j, true));
    return n;
}

static rg_jnode *product(rg_j *j)
{
    rg_jnode *n = power(j);
    for (;;) {
        const int op = now(j)->kind == T_OP ? now(j)->op : 0;
        if (op != '*' && op != '/' && op != RG_JOP('/', '/') && op != '%') return n;
        j->at++;
        n = binary(j, N_BINARY, op, n, power(j));
    }
}

static rg_jnode *concatenation(rg_j *j)
{
    rg_jnode *first = product(j);
    if (!at_op(j, '~')) return first;
    rg_jnode *n = node(j, N_CONCAT), **end = add(&n->list, first);
    while (take_op(j, '~')) end = add(end, product(j));
    return n;
}

static rg_jnode *sum(rg_j *j)
{
    rg_jnode *n = concatenation(j);
    while (at_op(j, '+') || at_op(j, '-')) {
        const int op = j->tok[j->at++].op;
        n = binary(j, N_BINARY, op, n, concatenation(j));
    }
    return n;
}

static int comparison(rg_j *j)
{
    const rg_jtok *t = now(j);
    if (t->kind == T_OP &&
        (t->op == '<' || t->op == '>' || t->op == RG_JOP('=', '=') || t->op == RG_JOP('!', '=') ||
            t->op == RG_JOP('<', '=') || t->op == RG_JOP('>', '='))) {
        j->at++;
        return t->op;
    }
    if (take_name(j, "in")) return RG_JOP_IN;
    if (at_name(j, "not") && j->tok[j->at + 1].kind == T_NAME && rg_jstr_is(j->tok[j->at + 1].s, "in")) {
        j->at += 2;
        return RG_JOP_NOT_IN;
    }
    return 0;
}

static rg_jnode *compared(rg_j *j)
{
    rg_jnode *first = sum(j), *n = NULL, **end = &n;
    for (int op; (op = comparison(j)) != 0;) {
        if (!n) {
            n = binary(j, N_COMPARE, 0, first, NULL);
            end = &n->list;
        }
        end = add(end, binary(j, N_OPERAND, op, sum(j), NULL));
    }
    return n ? n : first;
}

static rg_jnode *negated(rg_j *j)
{
    int nots = 0;
    while (take_name(j, "not")) nots++;
    rg_jnode *n = compared(j);
    if (nots > 1 && nots % 2 == 0) n = binary(j, N_NOT, 0, n, NULL);
    return nots ? binary(j, N_NOT, 0, n, NULL) : n;
}

static rg_jnode *conjunction(rg_j *j)
{
    rg_jnode *n = negated(j);
    while (take_name(j, "and")) n = binary(j, N_AND, 0, n, negated(j));
    return n;
}

/* Without if ... else, as after in and in conditions. */
static rg_jnode *disjunction(rg_j *j)
{
    rg_jnode *n = conjunction(j);
    while (take_name(j, "or")) n = binary(j, N_OR, 0, n, conjunction(j));
    return n;
}

static rg_jnode *expression(rg_j *j)
{
    const bool soft = j->soft;
    rg_j_enter(j, now(j)->line, RG_J_DEPTH_PARSE);
    rg_jnode *n = disjunction(j);
    while (take_name(j, "if")) {
        rg_jnode *c = binary(j, N_COND, 0, NULL, n);
        j->soft = true;
        c->a = disjunction(j);
        if (take_name(j, "else")) c->c = expression(j);
        n = c;
    }
    j->soft = soft;
    j->depth--;
    return n;
}

/* ---- statements ---- */

/* Names, or a tuple of them; of set also an attribute of a namespace. */
static rg_jnode *target(rg_j *j, bool attributes, int depth)
{
    rg_jnode *n = node(j, N_TUPLE), **end = &n->list, *t;
    bool several = false;
    if (depth > 8) rg_j_fail(j, RG_E_UNSUPPORTED, "a target of more than 8 levels");
    for (;;) {
        if (take_op(j, '(')) {
            t = target(j, false, depth + 1);
            need_op(j, ')', ")");
        } else {
            t = node(j, N_NAME);
            t->s = any_name(j);
            if (attributes && take_op(j, '.')) {
                t->kind = N_NS_ATTR;
                t->a = node(j, N_NAME);
                t->a->s = t->s;
                t->s = any_name(j);
            }
        }
        end = add(end, t);
        if (!take_op(j, ',')) break;
        several = true;
        if (now(j)->kind != T_NAME && !at_op(j, '(')) break;
        if (at_name(j, "in")) break;
    }
    return several ? n : n->list;
}

/* The statements of a body that is a function of its own to Jinja. */
static rg_jnode *own_body(rg_j *j, bool loop, const char *const *ends)
{
    const bool soft = j->soft;
    const int loops = j->loops;
    j->soft = false;
    j->loops = loop ? loops + 1 : 0;
    rg_jnode *n = statements(j, ends);
    j->soft = soft;
    j->loops = loops;
    return n;
}

#define ENDS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* The tag that ends a body, and its %}. */
static void end_tag(rg_j *j, const char *name)
{
    need_name(j, name);
    need_end(j);
}

static rg_jnode *for_tag(rg_j *j)
{
    rg_jnode *n = node(j, N_FOR);
    n->a = target(j, false, 0);
    need_name(j, "in");
    n->b = tuple(j, disjunction, false, "recursive");
    if (take_name(j, "if")) n->c = expression(j);
    if (at_name(j, "recursive")) rg_j_fail(j, RG_E_UNSUPPORTED, "{%% for ... recursive %%} is not supported");
    need_end(j);
    n->list = own_body(j, true, ENDS("endfor", "else"));
    if (take_name(j, "else")) {
        need_end(j);
        n->more = own_body(j, false, ENDS("endfor"));
    }
    end_tag(j, "endfor");
    return n;
}

static rg_jnode *if_tag(rg_j *j)
{
    rg_jnode *first = node(j, N_IF), *n = first;
    const bool soft = j->soft;
    j->soft = true;
    for (;;) {
        n->a = tuple(j, disjunction, false, NULL);
        need_end(j);
        n->list = statements(j, ENDS("elif", "else", "endif"));
        if (!take_name(j, "elif")) break;
        n = n->b = node(j, N_IF);
    }
    if (take_name(j, "else")) {
        need_end(j);
        n = n->b = node(j, N_IF);
        n->list = statements(j, ENDS("endif"));
    }
    j->soft = soft;
    end_tag(j, "endif");
    return first;
}

static rg_jnode *filter_chain(rg_j *j, bool bare)
{
    rg_jnode *n = node(j, N_HOLE);
    if (bare) n = filter(j, n);
    while (take_op(j, '|')) n = filter(j, n);
    return n;
}

static rg_jnode *set_tag(rg_j *j)
{
    rg_jnode *n = node(j, N_SET);
    n->a = target(j, true, 0);
    if (take_op(j, '=')) {
        n->b = tuple(j, expression, false, NULL);
        need_end(j);
        return n;
    }
    n->kind = N_SET_BLOCK;
    n->b = filter_chain(j, false);
    need_end(j);
    n->list = own_body(j, false, ENDS("endset"));
    end_tag(j, "endset");
    return n;
}

/* Parameters, each with its default in a. */
static rg_jnode *signature(rg_j *j)
{
    rg_jnode *first = NULL, **end = &first;
    need_op(j, '(', "(");
    while (!take_op(j, ')')) {
        if (first) need_op(j, ',', ", or )");
        rg_jnode *n = node(j, N_NAME);
        n->s = any_name(j);
        if (take_op(j, '=')) n->a = expression(j);
        end = add(end, n);
    }
    return first;
}

static rg_jnode *macro_tag(rg_j *j)
{
    rg_jnode *n = node(j, N_MACRO);
    n->s = any_name(j);
    n->more = signature(j);
    need_end(j);
    n->list = own_body(j, false, ENDS("endmacro"));
    end_tag(j, "endmacro");
    return n;
}

static rg_jnode *call_tag(rg_j *j)
{
    rg_jnode *n = node(j, N_CALL_BLOCK);
    n->s = rg_j_text(j, "caller", NULL, 6).s;
    if (at_op(j, '(')) n->more = signature(j);
    n->a = expression(j);
    if (n->a->kind != N_CALL) rg_j_fail(j, RG_E_FILE, "{%% call %%}: expected a call");
    need_end(j);
    n->list = own_body(j, false, ENDS("endcall"));
    end_tag(j, "endcall");
    return n;
}

static rg_jnode *filter_tag(rg_j *j)
{
    rg_jnode *n = node(j, N_FILTER_BLOCK);
    n->b = filter_chain(j, true);
    need_end(j);
    n->list = own_body(j, false, ENDS("endfilter"));
    end_tag(j, "endfilter");
    return n;
}

static rg_jnode *with_tag(rg_j *j)
{
    rg_jnode *n = node(j, N_WITH), **end = &n->more;
    while (now(j)->kind != T_BLOCK_END) {
        if (n->more) need_op(j, ',', ", or %}");
        rg_jnode *s = node(j, N_SET);
        s->a = target(j, false, 0);
        need_op(j, '=', "=");
        s->b = expression(j);
        end = add(end, s);
    }
    need_end(j);
    n->list = own_body(j, j->loops > 0, ENDS("endwith"));
    end_tag(j, "endwith");
    return n;
}

static rg_jnode *generation_tag(rg_j *j)
{
    rg_jnode *n = node(j, N_SCOPE);
    need_end(j);
    n->list = own_body(j, false, ENDS("endgeneration"));
    end_tag(j, "endgeneration");
    return n;
}

static rg_jnode *jump(rg_j *j, rg_jkind kind)
{
    if (j->loops == 0) rg_j_fail(j, RG_E_FILE, "{%% break %%} or {%% continue %%} outside of a loop");
    rg_jnode *n = node(j, kind);
    need_end(j);
    return n;
}

static rg_jnode *break_tag(rg_j *j) { return jump(j, N_BREAK); }
static rg_jnode *continue_tag(rg_j *j) { return jump(j, N_CONTINUE); }

static rg_jnode *tag(rg_j *j)
{
    static const struct {
        const char *name;
        rg_jnode *(*parse)(rg_j *);
    } tags[] = {{"for", for_tag}, {"if", if_tag}, {"set", set_tag}, {"macro", macro_tag}, {"call", call_tag},
        {"filter", filter_tag}, {"with", with_tag}, {"generation", generation_tag}, {"break", break_tag},
        {"continue", continue_tag}};
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++)
        if (take_name(j, tags[i].name)) return tags[i].parse(j);
    const rg_jstr *s = any_name(j);
    j->at--;
    rg_j_fail(
        j, RG_E_UNSUPPORTED, "the tag {%% %.*s %%} is not supported", (int)(s->n < 40 ? s->n : 40), s->p);
}

/* Up to a tag named in ends (which stays), or to the end of the template. */
static rg_jnode *statements(rg_j *j, const char *const *ends)
{
    rg_jnode *first = NULL, **end = &first, *n;
    rg_j_enter(j, now(j)->line, RG_J_DEPTH_PARSE);
    for (;;) {
        const rg_jtok *t = now(j);
        if (t->kind == T_END) {
            if (*ends) rg_j_fail(j, RG_E_FILE, "the template ends, expected {%% %s %%}", ends[0]);
            break;
        }
        j->at++;
        if (t->kind == T_DATA) {
            j->at--;
            n = node(j, N_TEXT);
            j->at++;
            n->s = t->s;
        } else if (t->kind == T_VAR) {
            n = binary(j, N_OUT, 0, tuple(j, expression, false, NULL), NULL);
            if (now(j)->kind != T_VAR_END) unexpected(j, "}}");
            j->at++;
        } else {
            bool over = false;
            for (const char *const *e = ends; *e; e++) over = over || at_name(j, *e);
            if (over) break;
            n = tag(j);
        }
        end = add(end, n);
    }
    j->depth--;
    return first;
}

rg_jnode *rg_j_parse(rg_j *j) { return statements(j, (const char *const[]){NULL}); }
