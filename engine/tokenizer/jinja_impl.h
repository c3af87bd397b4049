/* Inside of the template interpreter: memory, values, nodes. Errors leave by longjmp: all memory is an
 * arena's, so nothing is to be undone on the way. Private to engine/tokenizer. */
#ifndef RG_JINJA_IMPL_H
#define RG_JINJA_IMPL_H

#include <setjmp.h>
#include <stdint.h>
#include <string.h>

#include "tokenizer/jinja.h"

/* Bounds. Real templates stay far below: 10 to 50 KiB of text, 10^5 steps, nesting of 30. */
enum {
    RG_J_TEXT_MAX = 1 << 20, /* bytes of a template */
    RG_J_DEPTH_PARSE = 100,  /* brackets and blocks inside each other */
    RG_J_DEPTH_RUN = 600,    /* expressions, blocks and macro calls inside each other */
    RG_J_STEPS = 1 << 24,    /* and 64 for each byte of the messages */
    RG_J_MEMORY = 64 << 20,  /* bytes, and 64 for each byte of the messages */
    RG_J_RANGE_MAX = 100000  /* the sandbox's MAX_RANGE */
};

typedef struct rg_jarena {
    struct rg_jblock {
        struct rg_jblock *next;
    } * first; /* owns */
    char *at;
    size_t left, held, limit; /* bytes */
} rg_jarena;

/* ---- values ---- */

typedef enum rg_jtype {
    J_MISSING, /* an argument that was not given */
    J_UNDEFINED,
    J_NONE,
    J_BOOL,
    J_INT,
    J_FLOAT,
    J_STR,
    J_LIST,
    J_DICT,
    J_FUNC,
    J_NAMESPACE,
    J_LOOP
} rg_jtype;

typedef struct rg_jstr {
    const char *p;          /* [n] */
    const unsigned char *m; /* [n]; NULL: no byte is marked */
    size_t n;
    bool safe; /* |safe, which Python calls Markup: '+' escapes what is joined to it */
} rg_jstr;

typedef struct rg_jval {
    rg_jtype t;
    union {
        bool b;
        int64_t i;
        double f;
        const rg_jstr *s; /* of J_UNDEFINED: what a use of it says; may be NULL */
        struct rg_jlist *l;
        struct rg_jdict *d; /* J_DICT, J_NAMESPACE */
        const struct rg_jfunc *fn;
        struct rg_jloop *loop;
    };
} rg_jval;

/* Python's kinds of sequence differ in how they are printed, indexed and compared. */
typedef enum rg_jlist_kind { J_ARRAY, J_TUPLE, J_RANGE, J_VIEW, J_GENERATOR } rg_jlist_kind;

typedef struct rg_jlist {
    rg_jval *v;
    size_t n;
    rg_jlist_kind kind;
    const char *view; /* "dict_items", ... of a J_VIEW */
} rg_jlist;

typedef struct rg_jdict {
    rg_jval *v; /* [2 n]: key, value, key, value */
    size_t n, cap;
} rg_jdict;

/* Arguments of a call: first those by place, then n_named pairs of a name (J_STR) and a value. */
typedef struct rg_jargs {
    rg_jval *v;
    size_t n, n_named;
} rg_jargs;

enum { RG_J_PARAMS = 4 };

struct rg_j;
/* self: what a filter is applied to, a test asks of, or a method belongs to. arg[RG_J_PARAMS]: by the row's
 * names; J_MISSING where none is given. all: of rows with "*". */
typedef rg_jval rg_jcall(struct rg_j *j, rg_jval self, const rg_jval *arg, const rg_jargs *all);

typedef struct rg_jrow {
    const char *name, *params; /* names with blanks between; "*": any number */
    rg_jcall *call;
} rg_jrow;

typedef struct rg_jfunc {
    const rg_jrow *row; /* NULL: a macro */
    rg_jval self;
    const struct rg_jnode *macro;
    struct rg_jscope *scope; /* where the macro stands */
} rg_jfunc;

/* ---- programs ---- */

typedef enum rg_jkind {
    /* expressions */
    N_CONST,
    N_NAME,
    N_LIST,
    N_TUPLE,
    N_DICT,
    N_NEGATE,
    N_PLUS,
    N_NOT,
    N_AND,
    N_OR,
    N_BINARY,
    N_CONCAT,
    N_COMPARE, /* a, then list of N_OPERAND */
    N_OPERAND,
    N_COND, /* a if b else c */
    N_ATTR,
    N_ITEM,
    N_SLICE,
    N_CALL,
    N_KEYWORD, /* s = a, in a list of arguments */
    N_FILTER,
    N_TEST,
    N_HOLE, /* what a filter block or a set block filters */
    /* statements */
    N_TEXT,
    N_OUT,
    N_IF, /* a: condition, or NULL: else; b: the next branch */
    N_FOR,
    N_SET,
    N_SET_BLOCK,
    N_NS_ATTR, /* target: list's name, s its attribute */
    N_MACRO,
    N_CALL_BLOCK,
    N_FILTER_BLOCK,
    N_WITH,
    N_SCOPE,
    N_BREAK,
    N_CONTINUE
} rg_jkind;

#define RG_JOP(a, b) ((a) | (b) << 8) /* operators are named by their characters */
enum { RG_JOP_IN = 1, RG_JOP_NOT_IN };

typedef struct rg_jnode {
    rg_jkind kind;
    int line, op;
    struct rg_jnode *a, *b, *c, *list, *more, *next; /* more: a loop's else, a macro's parameters */
    const rg_jstr *s;                                /* a name */
    const rg_jrow *row;                              /* of a filter or a test; NULL: there is none such */
    rg_jval v;                                       /* of N_CONST, N_TEXT */
} rg_jnode;

typedef enum rg_jtok_kind {
    T_DATA,
    T_BLOCK,
    T_BLOCK_END,
    T_VAR,
    T_VAR_END,
    T_NAME,
    T_CONST,
    T_OP,
    T_END
} rg_jtok_kind;

typedef struct rg_jtok {
    rg_jtok_kind kind;
    int line, op;
    const rg_jstr *s; /* T_DATA, T_NAME */
    rg_jval v;        /* T_CONST */
} rg_jtok;

struct rg_jinja {
    rg_jarena arena;
    char *name;
    rg_jnode *body;
};

/* Compiling or running. */
typedef struct rg_j {
    rg_jarena *arena;
    rg_err *err;
    const char *name;
    int line, depth;
    rg_status st;
    jmp_buf out;
    /* compiling */
    rg_jtok *tok;
    size_t n_tok, cap_tok, at;
    int loops;
    bool soft; /* inside an if, where Python looks up filters only when they are used */
    /* running */
    uint64_t steps, max_steps;
    struct rg_jbuf *to;
    struct rg_jscope *scope;
    rg_jval hole;
    const rg_jinja_args *args;
} rg_j;

/* ---- memory and errors: jinja_base.c ---- */

/* With the line being compiled or run. */
_Noreturn void rg_j_fail(rg_j *j, rg_status st, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* n elements, zeroed. */
void *rg_j_alloc(rg_j *j, size_t n, size_t elem);
void rg_jarena_free(rg_jarena *a);
/* Counts work; fails when there was too much. */
void rg_j_step(rg_j *j, uint64_t n);
void rg_j_enter(rg_j *j, int line, int most);

/* A text that grows, with its marks. */
typedef struct rg_jbuf {
    char *p;
    unsigned char *m; /* NULL: no byte is marked yet */
    size_t n, cap;
} rg_jbuf;

void rg_jb_add(rg_j *j, rg_jbuf *b, const char *p, const unsigned char *m, size_t n);
void rg_jb_puts(rg_j *j, rg_jbuf *b, const char *s);
/* One character that stands for one with the mark *m (or NULL). */
void rg_jb_as(rg_j *j, rg_jbuf *b, const char *s, const unsigned char *m);
void rg_jb_str(rg_j *j, rg_jbuf *b, const rg_jstr *s);
rg_jval rg_jb_done(rg_j *j, const rg_jbuf *b);

/* ---- values: jinja_value.c ---- */

#define RG_JNONE ((rg_jval){.t = J_NONE})
#define RG_JBOOL(x) ((rg_jval){.t = J_BOOL, .b = (x)})
#define RG_JINT(x) ((rg_jval){.t = J_INT, .i = (x)})

rg_jval rg_j_undefined(rg_j *j, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
rg_jval rg_j_text(rg_j *j, const char *p, const unsigned char *m, size_t n); /* borrowed for the run */
rg_jval rg_j_cut(rg_j *j, const rg_jstr *s, size_t from, size_t to);
rg_jval rg_j_list(rg_j *j, size_t n, rg_jlist_kind kind);
rg_jval rg_j_dict(rg_j *j);
void rg_j_put(rg_j *j, rg_jdict *d, rg_jval key, rg_jval v);
rg_jval *rg_j_find(rg_j *j, const rg_jdict *d, rg_jval key); /* NULL: not there */
bool rg_jstr_is(const rg_jstr *s, const char *text);
const char *rg_j_type(rg_jval v); /* Python's name */
bool rg_j_true(rg_jval v);
bool rg_j_equal(rg_j *j, rg_jval a, rg_jval b);
/* < 0, 0, > 0; fails for values without order */
int rg_j_order(rg_j *j, rg_jval a, rg_jval b);
bool rg_j_in(rg_j *j, rg_jval item, rg_jval in);
/* The items of what can be iterated; fails otherwise. A generator is empty then. */
rg_jlist rg_j_items(rg_j *j, rg_jval v);
int64_t rg_j_length(rg_j *j, rg_jval v);
/* Fails for what is undefined. */
rg_jval rg_j_defined(rg_j *j, rg_jval v);
int64_t rg_j_int(rg_j *j, rg_jval v, const char *what);
const rg_jstr *rg_j_need_str(rg_j *j, rg_jval v, const char *what);
/* str() */
const rg_jstr *rg_j_str(rg_j *j, rg_jval v);
/* str() or repr() */
void rg_j_write(rg_j *j, rg_jbuf *b, rg_jval v, bool repr);
/* "1.5", "1e+16", as Python; buf[32] */
const char *rg_j_float(char *buf, double x);
/* Bytes of the character at p; 1 for a byte that is no UTF-8. */
size_t rg_j_char(const char *p, size_t n);
bool rg_j_space(const char *p, size_t n); /* Python's white space */
/* Where s lies without what is in chars (or NULL: white space) at its ends. */
void rg_j_strip(
    rg_j *j, const rg_jstr *s, const rg_jstr *chars, bool left, bool right, size_t *from, size_t *to);
/* The first (last) place of what in s[from, to), or SIZE_MAX. */
size_t rg_j_search(rg_j *j, const rg_jstr *s, size_t from, size_t to, const rg_jstr *what, bool last);

/* ---- operators: jinja_op.c ---- */

/* op: RG_JOP, or RG_JOP_IN, RG_JOP_NOT_IN of comparisons */
rg_jval rg_j_binary(rg_j *j, int op, rg_jval a, rg_jval b);
bool rg_j_compare(rg_j *j, int op, rg_jval a, rg_jval b);
rg_jval rg_j_sign(rg_j *j, rg_jval v, bool negate);
/* of[part 0 : part 1 : part 2], None where nothing is given */
rg_jval rg_j_slice(rg_j *j, rg_jval of, const rg_jval part[3]);

/* ---- the rest ---- */

void rg_j_lex(rg_j *j, const char *text, size_t n);                              /* jinja_lex.c */
rg_jnode *rg_j_parse(rg_j *j);                                                   /* jinja_parse.c */
void rg_j_run(rg_j *j, const rg_jnode *body);                                    /* fills j->to */
rg_jval rg_j_call(rg_j *j, const rg_jrow *row, rg_jval self, const rg_jargs *a); /* jinja_run.c */
rg_jval rg_j_attr(rg_j *j, rg_jval of, const rg_jstr *name);
rg_jval rg_j_item(rg_j *j, rg_jval of, rg_jval key);
void rg_j_json(rg_j *j, rg_jbuf *b, rg_jval v, const rg_jval *opts); /* jinja_json.c */
/* NULL: no such filter, test, function, method. */
const rg_jrow *rg_j_filter(const rg_jstr *name);             /* jinja_filter.c */
const rg_jrow *rg_j_test(const rg_jstr *name);               /* jinja_test.c */
const rg_jrow *rg_j_global(const rg_jstr *name);             /* jinja_test.c */
const rg_jrow *rg_j_method(rg_jval of, const rg_jstr *name); /* jinja_method.c */

#endif
