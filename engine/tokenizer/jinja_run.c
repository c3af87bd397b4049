/* Runs the tree of a template: names, expressions, statements, macros. */
#include "tokenizer/jinja_impl.h"

typedef struct rg_jscope {
    struct rg_jscope *parent;
    struct slot {
        const rg_jstr *name;
        rg_jval v;
    } * slot;
    size_t n, cap;
} rg_jscope;

typedef struct rg_jloop {
    rg_jlist items;
    size_t at;         /* of the item that runs */
    size_t count;      /* items before it that passed the filter */
    const rg_jnode *n; /* whose filter is asked as items come up, as in Python */
    rg_jscope *outer;
    bool filtered; /* the rest of items has passed */
    rg_jval previous;
} rg_jloop;

typedef enum flow { GO_ON, BREAK, CONTINUE } flow;

static rg_jval eval(rg_j *j, const rg_jnode *n);
static flow run(rg_j *j, const rg_jnode *n);

static int shown(const rg_jstr *s) { return (int)(s->n < 60 ? s->n : 60); }

/* ---- scopes ---- */

static rg_jscope *new_scope(rg_j *j, rg_jscope *parent)
{
    rg_jscope *s = rg_j_alloc(j, 1, sizeof *s);
    s->parent = parent;
    return s;
}

static struct slot *find_slot(rg_j *j, const rg_jscope *s, const rg_jstr *name)
{
    rg_j_step(j, 1 + s->n / 8);
    for (size_t i = 0; i < s->n; i++)
        if (s->slot[i].name->n == name->n && memcmp(s->slot[i].name->p, name->p, name->n) == 0)
            return &s->slot[i];
    return NULL;
}

static void define(rg_j *j, const rg_jstr *name, rg_jval v)
{
    rg_jscope *s = j->scope;
    struct slot *slot = find_slot(j, s, name);
    if (!slot) {
        if (s->n == s->cap) {
            const size_t cap = 2 * s->cap + 4;
            struct slot *p = rg_j_alloc(j, cap, sizeof *p);
            if (s->n) memcpy(p, s->slot, s->n * sizeof *p);
            s->slot = p;
            s->cap = cap;
        }
        slot = &s->slot[s->n++];
        slot->name = name;
    }
    slot->v = v;
}

static void define_text(rg_j *j, const char *name, rg_jval v)
{
    define(j, rg_j_text(j, name, NULL, strlen(name)).s, v);
}

static rg_jval function(rg_j *j, const rg_jrow *row, rg_jval self)
{
    rg_jfunc *f = rg_j_alloc(j, 1, sizeof *f);
    f->row = row;
    f->self = self;
    return (rg_jval){.t = J_FUNC, .fn = f};
}

static rg_jval look_up(rg_j *j, const rg_jstr *name)
{
    static const char *const lacking[] = {
        "varargs", "kwargs", "cycler", "joiner", "lipsum", "self", "super", "gettext", "ngettext"};
    for (const rg_jscope *s = j->scope; s; s = s->parent) {
        const struct slot *slot = find_slot(j, s, name);
        if (slot) return slot->v;
    }
    const rg_jrow *row = rg_j_global(name);
    if (row) return function(j, row, RG_JNONE);
    for (size_t i = 0; i < sizeof lacking / sizeof *lacking; i++)
        if (rg_jstr_is(name, lacking[i])) rg_j_fail(j, RG_E_UNSUPPORTED, "'%s' is not supported", lacking[i]);
    return rg_j_undefined(j, "'%.*s' is undefined", shown(name), name->p);
}

/* ---- loops ---- */

static void set_target(rg_j *j, const rg_jnode *n, rg_jval v)
{
    if (n->kind == N_NAME) {
        define(j, n->s, v);
    } else if (n->kind == N_NS_ATTR) {
        const rg_jval ns = look_up(j, n->a->s);
        if (ns.t != J_NAMESPACE) rg_j_fail(j, RG_E_FILE, "cannot assign attribute on non-namespace object");
        rg_j_put(j, ns.d, (rg_jval){.t = J_STR, .s = n->s}, v);
    } else {
        const rg_jlist l = rg_j_items(j, rg_j_defined(j, v));
        size_t want = 0;
        for (const rg_jnode *t = n->list; t; t = t->next) want++;
        if (l.n != want) rg_j_fail(j, RG_E_FILE, "%zu values to unpack, expected %zu", l.n, want);
        size_t i = 0;
        for (const rg_jnode *t = n->list; t; t = t->next) set_target(j, t, l.v[i++]);
    }
}

static bool passes(rg_j *j, const rg_jloop *l, rg_jval item)
{
    if (!l->n->c || l->filtered) return true;
    rg_jscope *const was = j->scope;
    j->scope = new_scope(j, l->outer);
    set_target(j, l->n->a, item);
    const bool yes = rg_j_true(eval(j, l->n->c));
    j->scope = was;
    return yes;
}

/* The first item from `at` on that passes; items that do not are passed over. */
static size_t next_item(rg_j *j, rg_jloop *l, size_t at)
{
    while (at < l->items.n && !passes(j, l, l->items.v[at])) at++;
    return at;
}

/* The next item comes next: the filter was asked for it already. */
static bool has_next(rg_j *j, rg_jloop *l)
{
    if (l->n->c && !l->filtered) {
        rg_jval *v = l->items.v;
        size_t to = l->at + 1;
        const rg_jval list = rg_j_list(j, l->items.n, J_ARRAY);
        memcpy(list.l->v, v, to * sizeof *v);
        for (size_t i = to; i < l->items.n; i++)
            if (passes(j, l, v[i])) list.l->v[to++] = v[i];
        l->items = (rg_jlist){.v = list.l->v, .n = to};
        l->filtered = true;
    }
    return l->at + 1 < l->items.n;
}

static rg_jval cycle(rg_j *j, rg_jval self, const rg_jval *arg, const rg_jargs *all)
{
    (void)arg;
    if (all->n == 0) rg_j_fail(j, RG_E_FILE, "loop.cycle: no items");
    return all->v[self.loop->count % all->n];
}

static rg_jval loop_attr(rg_j *j, rg_jloop *l, const rg_jstr *name)
{
    static const rg_jrow cycle_row = {"cycle", "*", cycle};
    const int64_t i = (int64_t)l->count;
    if (rg_jstr_is(name, "index")) return RG_JINT(i + 1);
    if (rg_jstr_is(name, "index0")) return RG_JINT(i);
    if (rg_jstr_is(name, "first")) return RG_JBOOL(i == 0);
    if (rg_jstr_is(name, "depth")) return RG_JINT(1); /* of recursive loops alone it is more */
    if (rg_jstr_is(name, "depth0")) return RG_JINT(0);
    if (rg_jstr_is(name, "previtem")) return i ? l->previous : rg_j_undefined(j, "there is no previous item");
    if (rg_jstr_is(name, "cycle")) return function(j, &cycle_row, (rg_jval){.t = J_LOOP, .loop = l});
    if (rg_jstr_is(name, "changed")) rg_j_fail(j, RG_E_UNSUPPORTED, "loop.changed is not supported");
    const bool more = has_next(j, l);
    const int64_t left = (int64_t)(l->items.n - l->at);
    if (rg_jstr_is(name, "last")) return RG_JBOOL(!more);
    if (rg_jstr_is(name, "nextitem"))
        return more ? l->items.v[l->at + 1] : rg_j_undefined(j, "there is no next item");
    if (rg_jstr_is(name, "length")) return RG_JINT(i + left);
    if (rg_jstr_is(name, "revindex")) return RG_JINT(left);
    if (rg_jstr_is(name, "revindex0")) return RG_JINT(left - 1);
    return rg_j_undefined(j, "'LoopContext' has no attribute '%.*s'", shown(name), name->p);
}

static void run_for(rg_j *j, const rg_jnode *n)
{
    const rg_jval of = eval(j, n->b);
    rg_jscope *const outer = j->scope;
    rg_jloop *l = rg_j_alloc(j, 1, sizeof *l);
    *l = (rg_jloop){.items = rg_j_items(j, of), .n = n, .outer = outer};
    l->at = next_item(j, l, 0);
    const bool none = l->at >= l->items.n;
    rg_jscope *inner = new_scope(j, outer);
    for (flow f = GO_ON; f != BREAK && l->at < l->items.n;) {
        inner->n = 0;
        j->scope = inner;
        rg_j_step(j, 1);
        set_target(j, n->a, l->items.v[l->at]);
        define_text(j, "loop", (rg_jval){.t = J_LOOP, .loop = l});
        f = run(j, n->list);
        j->scope = outer;
        l->previous = l->items.v[l->at];
        l->count++;
        l->at = next_item(j, l, l->at + 1);
    }
    if (none && n->more) {
        j->scope = new_scope(j, outer);
        run(j, n->more);
        j->scope = outer;
    }
}

/* ---- calls ---- */

/* Evaluates a list of arguments. */
static rg_jargs arguments(rg_j *j, const rg_jnode *list)
{
    rg_jargs a = {0};
    size_t places = 0;
    for (const rg_jnode *n = list; n; n = n->next) places += 1 + (n->kind == N_KEYWORD);
    a.v = rg_j_alloc(j, places + 2, sizeof *a.v);
    for (const rg_jnode *n = list; n; n = n->next) {
        if (n->kind != N_KEYWORD) {
            a.v[a.n++] = eval(j, n);
            continue;
        }
        a.v[a.n + 2 * a.n_named] = (rg_jval){.t = J_STR, .s = n->s};
        a.v[a.n + 2 * a.n_named + 1] = eval(j, n->a);
        a.n_named++;
    }
    return a;
}

/* The place of a name in "a b c"; -1: not there. */
static int parameter(const char *params, const rg_jstr *name)
{
    int i = 0;
    for (const char *p = params; *p; i++) {
        const size_t n = strcspn(p, " ");
        if (n == name->n && memcmp(p, name->p, n) == 0) return i;
        p += n + (p[n] == ' ');
    }
    return -1;
}

rg_jval rg_j_call(rg_j *j, const rg_jrow *row, rg_jval self, const rg_jargs *a)
{
    rg_jval arg[RG_J_PARAMS] = {{0}}, v;
    rg_j_step(j, 1);
    if (!row->call)
        rg_j_fail(
            j, RG_E_UNSUPPORTED, "the method '%s' of a %s is not supported", row->name, rg_j_type(self));
    if (strcmp(row->params, "*") != 0) {
        size_t most = *row->params != 0;
        for (const char *p = row->params; *p; p++) most += *p == ' ';
        if (a->n > most)
            rg_j_fail(j, RG_E_FILE, "%s: %zu arguments, expected at most %zu", row->name, a->n, most);
        for (size_t i = 0; i < a->n; i++) arg[i] = a->v[i];
        for (size_t i = 0; i < a->n_named; i++) {
            const rg_jstr *name = a->v[a->n + 2 * i].s;
            const int at = parameter(row->params, name);
            if (at < 0 || arg[at].t != J_MISSING)
                rg_j_fail(j, RG_E_UNSUPPORTED, "%s: the argument '%.*s' is not supported", row->name,
                    shown(name), name->p);
            arg[at] = a->v[a->n + 2 * i + 1];
        }
    }
    /* Python would escape what such a string meets */
    if (self.t == J_STR && self.s->safe && a->n + a->n_named > 0 && strcmp(row->name, "tojson") != 0)
        rg_j_fail(j, RG_E_UNSUPPORTED, "%s of a |safe string is not supported", row->name);
    rg_j_enter(j, j->line, RG_J_DEPTH_RUN);
    v = row->call(j, self, arg, a);
    j->depth--;
    return v;
}

static const rg_jval *keyword(const rg_jargs *a, const rg_jstr *name, bool *used)
{
    for (size_t i = 0; i < a->n_named; i++)
        if (a->v[a->n + 2 * i].s->n == name->n && memcmp(a->v[a->n + 2 * i].s->p, name->p, name->n) == 0) {
            used[i] = true;
            return &a->v[a->n + 2 * i + 1];
        }
    return NULL;
}

/* The text that statements write. */
static rg_jval captured(rg_j *j, const rg_jnode *list)
{
    rg_jbuf b = {0}, *const was = j->to;
    j->to = &b;
    run(j, list);
    j->to = was;
    return rg_jb_done(j, &b);
}

static rg_jval call_macro(rg_j *j, const rg_jfunc *f, const rg_jargs *a, rg_jval caller)
{
    const rg_jnode *n = f->macro;
    rg_jscope *const was = j->scope;
    bool *used = rg_j_alloc(j, a->n_named + 1, 1);
    size_t i = 0;
    j->scope = new_scope(j, f->scope);
    for (const rg_jnode *p = n->more; p; p = p->next, i++) {
        const rg_jval *v = keyword(a, p->s, used);
        if (v && i < a->n)
            rg_j_fail(j, RG_E_FILE, "macro '%.*s': two values for '%.*s'", shown(n->s), n->s->p, shown(p->s),
                p->s->p);
        define(j, p->s,
            v              ? *v
                : i < a->n ? a->v[i]
                : p->a     ? eval(j, p->a)
                           : rg_j_undefined(j, "parameter '%.*s' was not provided", shown(p->s), p->s->p));
    }
    if (a->n > i)
        rg_j_fail(
            j, RG_E_FILE, "macro '%.*s': %zu arguments, expected at most %zu", shown(n->s), n->s->p, a->n, i);
    for (i = 0; i < a->n_named; i++)
        if (!used[i])
            rg_j_fail(j, RG_E_FILE, "macro '%.*s' has no parameter '%.*s'", shown(n->s), n->s->p,
                shown(a->v[a->n + 2 * i].s), a->v[a->n + 2 * i].s->p);
    if (caller.t != J_MISSING) define_text(j, "caller", caller);
    const rg_jval v = captured(j, n->list);
    j->scope = was;
    return v;
}

static rg_jval macro(rg_j *j, const rg_jnode *n)
{
    rg_jfunc *f = rg_j_alloc(j, 1, sizeof *f);
    f->macro = n;
    f->scope = j->scope;
    return (rg_jval){.t = J_FUNC, .fn = f};
}

static rg_jval call(rg_j *j, const rg_jnode *n, rg_jval caller)
{
    const rg_jval f = rg_j_defined(j, eval(j, n->a));
    const rg_jargs a = arguments(j, n->list);
    j->line = n->line;
    if (f.t != J_FUNC) rg_j_fail(j, RG_E_FILE, "a %s cannot be called", rg_j_type(f));
    if (!f.fn->row) return call_macro(j, f.fn, &a, caller);
    if (caller.t != J_MISSING)
        rg_j_fail(j, RG_E_UNSUPPORTED, "{%% call %%} of %s is not supported", f.fn->row->name);
    return rg_j_call(j, f.fn->row, f.fn->self, &a);
}

/* ---- attributes and items ---- */

/* A method, or an attribute of a loop or a namespace; J_MISSING: there is none. */
static rg_jval attribute(rg_j *j, rg_jval of, const rg_jstr *name)
{
    if (name->n > 1 && name->p[0] == '_' && name->p[1] == '_')
        rg_j_fail(j, RG_E_FILE, "the attribute '%.*s' is not safe", shown(name), name->p);
    if (of.t == J_LOOP) return loop_attr(j, of.loop, name);
    if (of.t == J_NAMESPACE) {
        const rg_jval *v = rg_j_find(j, of.d, (rg_jval){.t = J_STR, .s = name});
        return v ? *v : (rg_jval){0};
    }
    const rg_jrow *row = rg_j_method(of, name);
    return row ? function(j, row, of) : (rg_jval){0};
}

static rg_jval nothing(rg_j *j, rg_jval of, const rg_jstr *name)
{
    return rg_j_undefined(j, "'%s%s' has no attribute '%.*s'", rg_j_type(of),
        of.t == J_FUNC || of.t == J_NONE ? "" : " object", shown(name), name->p);
}

rg_jval rg_j_attr(rg_j *j, rg_jval of, const rg_jstr *name)
{
    rg_j_defined(j, of);
    rg_jval v = attribute(j, of, name);
    if (v.t == J_MISSING && of.t == J_DICT) {
        const rg_jval *p = rg_j_find(j, of.d, (rg_jval){.t = J_STR, .s = name});
        if (p) v = *p;
    }
    return v.t == J_MISSING ? nothing(j, of, name) : v;
}

/* The character at place i of a string. */
static rg_jval character(rg_j *j, const rg_jstr *s, int64_t i)
{
    size_t at = 0;
    rg_j_step(j, s->n / 32);
    for (; i > 0; i--) at += rg_j_char(s->p + at, s->n - at);
    return rg_j_cut(j, s, at, at + rg_j_char(s->p + at, s->n - at));
}

rg_jval rg_j_item(rg_j *j, rg_jval of, rg_jval key)
{
    rg_j_defined(j, of);
    if (of.t == J_DICT) {
        const rg_jval *v = rg_j_find(j, of.d, key);
        if (v) return *v;
    }
    const bool sequence = of.t == J_STR || (of.t == J_LIST && of.l->kind <= J_RANGE);
    if (sequence && (key.t == J_INT || key.t == J_BOOL)) {
        const int64_t n = rg_j_length(j, of), k = rg_j_int(j, key, "subscript"), i = k < 0 ? k + n : k;
        if (i >= 0 && i < n) return of.t == J_LIST ? of.l->v[i] : character(j, of.s, i);
        return rg_j_undefined(j, "'%s object' has no element %lld", rg_j_type(of), (long long)k);
    }
    if (key.t == J_STR) {
        const rg_jval v = attribute(j, of, key.s);
        return v.t == J_MISSING ? nothing(j, of, key.s) : v;
    }
    return rg_j_undefined(j, "'%s object' has no such element", rg_j_type(of));
}

/* ---- expressions ---- */

static bool chain(rg_j *j, const rg_jnode *n)
{
    rg_jval a = eval(j, n->a);
    for (const rg_jnode *o = n->list; o; o = o->next) {
        const rg_jval b = eval(j, o->a);
        if (!rg_j_compare(j, o->op, a, b)) return false;
        a = b;
    }
    return true;
}

static rg_jval collection(rg_j *j, const rg_jnode *n)
{
    size_t k = 0;
    for (const rg_jnode *i = n->list; i; i = i->next) k++;
    if (n->kind == N_DICT) {
        const rg_jval d = rg_j_dict(j);
        for (const rg_jnode *i = n->list; i && i->next; i = i->next->next) {
            const rg_jval key = eval(j, i);
            rg_j_put(j, d.d, key, eval(j, i->next));
        }
        return d;
    }
    const rg_jval l = rg_j_list(j, k, n->kind == N_TUPLE ? J_TUPLE : J_ARRAY);
    k = 0;
    for (const rg_jnode *i = n->list; i; i = i->next) l.l->v[k++] = eval(j, i);
    return l;
}

static rg_jval apply(rg_j *j, const rg_jnode *n)
{
    const rg_jval of = eval(j, n->a);
    const rg_jargs a = arguments(j, n->list);
    j->line = n->line;
    if (!n->row)
        rg_j_fail(j, RG_E_UNSUPPORTED, "the %s '%.*s' is not supported",
            n->kind == N_TEST ? "test" : "filter", shown(n->s), n->s->p);
    return rg_j_call(j, n->row, of, &a);
}

static rg_jval sliced(rg_j *j, const rg_jnode *n)
{
    const rg_jval of = rg_j_defined(j, eval(j, n->a));
    const rg_jnode *const part[3] = {n->list, n->b, n->c};
    rg_jval x[3];
    for (int i = 0; i < 3; i++) x[i] = part[i] ? eval(j, part[i]) : RG_JNONE;
    return rg_j_slice(j, of, x);
}

static rg_jval value_of(rg_j *j, const rg_jnode *n)
{
    rg_jval v;
    rg_jbuf b = {0};
    switch (n->kind) {
    case N_CONST:
        return n->v;
    case N_NAME:
        return look_up(j, n->s);
    case N_LIST:
    case N_TUPLE:
    case N_DICT:
        return collection(j, n);
    case N_NEGATE:
    case N_PLUS:
        return rg_j_sign(j, eval(j, n->a), n->kind == N_NEGATE);
    case N_NOT:
        return RG_JBOOL(!rg_j_true(eval(j, n->a)));
    case N_AND:
    case N_OR:
        v = eval(j, n->a);
        return rg_j_true(v) == (n->kind == N_AND) ? eval(j, n->b) : v;
    case N_BINARY:
        v = eval(j, n->a);
        return rg_j_binary(j, n->op, v, eval(j, n->b));
    case N_CONCAT:
        for (const rg_jnode *i = n->list; i; i = i->next) rg_j_write(j, &b, eval(j, i), false);
        return rg_jb_done(j, &b);
    case N_COMPARE:
        return RG_JBOOL(chain(j, n));
    case N_COND:
        if (rg_j_true(eval(j, n->a))) return eval(j, n->b);
        return n->c ? eval(j, n->c) : rg_j_undefined(j, "an if without else was false and has no value");
    case N_ATTR:
        return rg_j_attr(j, eval(j, n->a), n->s);
    case N_ITEM:
        v = eval(j, n->a);
        return rg_j_item(j, v, eval(j, n->b));
    case N_SLICE:
        return sliced(j, n);
    case N_CALL:
        return call(j, n, (rg_jval){0});
    case N_FILTER:
    case N_TEST:
        return apply(j, n);
    case N_HOLE:
        return j->hole;
    default:
        rg_j_fail(j, RG_E_INTERNAL, "no expression: %d", n->kind);
    }
}

static rg_jval eval(rg_j *j, const rg_jnode *n)
{
    rg_j_enter(j, n->line, RG_J_DEPTH_RUN);
    rg_j_step(j, 1);
    const rg_jval v = value_of(j, n);
    j->depth--;
    j->line = n->line;
    return v;
}

/* ---- statements ---- */

/* What a body writes, in a scope of its own, through the filters of chain. */
static rg_jval block_text(rg_j *j, const rg_jnode *body, const rg_jnode *filters)
{
    rg_jscope *const was = j->scope;
    const rg_jval hole = j->hole;
    j->scope = new_scope(j, was);
    const rg_jval text = captured(j, body);
    j->scope = was;
    j->hole = text;
    const rg_jval v = eval(j, filters);
    j->hole = hole;
    return v;
}

static flow run_scope(rg_j *j, const rg_jnode *n)
{
    rg_jscope *const was = j->scope, *inner = new_scope(j, was);
    for (const rg_jnode *s = n->more; s; s = s->next) {
        const rg_jval v = eval(j, s->b);
        j->scope = inner;
        set_target(j, s->a, v);
        j->scope = was;
    }
    j->scope = inner;
    const flow f = run(j, n->list);
    j->scope = was;
    return f;
}

static flow statement(rg_j *j, const rg_jnode *n)
{
    switch (n->kind) {
    case N_TEXT:
        rg_jb_str(j, j->to, n->s);
        break;
    case N_OUT:
        rg_j_write(j, j->to, eval(j, n->a), false);
        break;
    case N_IF:
        for (; n; n = n->b)
            if (!n->a || rg_j_true(eval(j, n->a))) return run(j, n->list);
        break;
    case N_FOR:
        run_for(j, n);
        break;
    case N_SET:
        set_target(j, n->a, eval(j, n->b));
        break;
    case N_SET_BLOCK:
        set_target(j, n->a, block_text(j, n->list, n->b));
        break;
    case N_MACRO:
        define(j, n->s, macro(j, n));
        break;
    case N_CALL_BLOCK:
        rg_j_write(j, j->to, call(j, n->a, macro(j, n)), false);
        break;
    case N_FILTER_BLOCK:
        rg_j_write(j, j->to, block_text(j, n->list, n->b), false);
        break;
    case N_WITH:
    case N_SCOPE:
        return run_scope(j, n);
    case N_BREAK:
        return BREAK;
    case N_CONTINUE:
        return CONTINUE;
    default:
        rg_j_fail(j, RG_E_INTERNAL, "no statement: %d", n->kind);
    }
    return GO_ON;
}

static flow run(rg_j *j, const rg_jnode *n)
{
    flow f = GO_ON;
    for (; n && f == GO_ON; n = n->next) {
        rg_j_enter(j, n->line, RG_J_DEPTH_RUN);
        rg_j_step(j, 1);
        f = statement(j, n);
        j->depth--;
    }
    return f;
}

static rg_jval messages(rg_j *j)
{
    const rg_jinja_args *a = j->args;
    const rg_jval list = rg_j_list(j, a->n_messages, J_ARRAY);
    for (size_t i = 0; i < a->n_messages; i++) {
        const rg_jinja_message *m = &a->message[i];
        const unsigned char *mark = m->mark;
        if (!mark && m->n) {
            unsigned char *all = rg_j_alloc(j, m->n, 1);
            memset(all, RG_JINJA_FOREIGN, m->n);
            mark = all;
        }
        const rg_jval d = list.l->v[i] = rg_j_dict(j);
        rg_j_put(j, d.d, rg_j_text(j, "role", NULL, 4), rg_j_text(j, m->role, NULL, strlen(m->role)));
        rg_j_put(j, d.d, rg_j_text(j, "content", NULL, 7), rg_j_text(j, m->content, mark, m->n));
    }
    return list;
}

/* Fills j->to. */
void rg_j_run(rg_j *j, const rg_jnode *body)
{
    const rg_jinja_args *a = j->args;
    j->scope = new_scope(j, NULL);
    define_text(j, "messages", messages(j));
    define_text(j, "add_generation_prompt", RG_JBOOL(a->generate));
    for (const char *const *v = a->variable; v && v[0]; v += 2)
        if (v[1]) define_text(j, v[0], rg_j_text(j, v[1], NULL, strlen(v[1])));
    j->scope = new_scope(j, j->scope);
    run(j, body);
}
