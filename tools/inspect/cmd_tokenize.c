/* ridge tokenize: text to ids, and ids to text. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/outfile.h"
#include "tools/cli/model_args.h"

static rg_status read_stdin(char **text, size_t *len, rg_err *err)
{
    size_t cap = 0;
    *text = NULL;
    *len = 0;
    do {
        if (cap - *len < 4096) {
            cap = cap * 2 + 65536;
            char *p = realloc(*text, cap);
            if (!p) return rg_fail(err, RG_E_NOMEM, "standard input: out of memory after %zu bytes", *len);
            *text = p;
        }
        *len += fread(*text + *len, 1, cap - *len - 1, stdin);
    } while (!feof(stdin) && !ferror(stdin));
    (*text)[*len] = 0;
    return ferror(stdin) ? rg_fail(err, RG_E_FILE, "standard input: cannot read") : RG_OK;
}

/* -p, -f, or standard input. */
static rg_status read_input(const rg_cli *cli, char **text, size_t *len, rg_err *err)
{
    if (cli->prompt && cli->file) return rg_fail(err, RG_E_USAGE, "-p and -f: give one of them");
    if (cli->prompt) {
        *text = strdup(cli->prompt);
        *len = strlen(cli->prompt);
        return *text ? RG_OK : rg_fail(err, RG_E_NOMEM, "out of memory");
    }
    return cli->file && strcmp(cli->file, "-") != 0 ? rg_read_file(text, len, cli->file, err)
                                                    : read_stdin(text, len, err);
}

static rg_status open_tokenizer(rg_tokenizer **out, const rg_cli *cli, rg_err *err)
{
    rg_ckpt *c = NULL;
    if (cli->tokenizer && !cli->model) return rg_tokenizer_open(out, cli->tokenizer, 0, err);
    rg_status st = rg_open_model(&c, cli, err);
    if (st == RG_OK) st = rg_tokenizer_open_for(out, c, cli->tokenizer, err);
    rg_ckpt_close(c);
    return st;
}

static rg_status print_json(json_t *root, rg_err *err)
{
    const bool ok = root && json_dumpf(root, stdout, JSON_INDENT(1) | JSON_PRESERVE_ORDER) == 0;
    json_decref(root);
    if (!ok) return rg_fail(err, RG_E_NOMEM, "the JSON report could not be made");
    putchar('\n');
    return RG_OK;
}

/* null where a piece is not UTF-8. */
static json_t *json_piece(const rg_tokenizer *t, int32_t id)
{
    size_t n;
    const char *p = rg_tokenizer_piece(t, id, &n);
    json_t *s = json_stringn(p, n);
    return s ? s : json_null();
}

static rg_status ids_json(const rg_tokenizer *t, const int32_t *ids, size_t n, rg_err *err)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n && list; i++)
        json_array_append_new(list,
            json_pack("{s:i, s:o, s:b}", "id", (int)ids[i], "piece", json_piece(t, ids[i]), "control",
                rg_tokenizer_is_control(t, ids[i])));
    return print_json(json_pack("{s:s, s:i, s:s, s:I, s:o}", "schema", "ridge.tokenize", "version", 1,
                          "tokenizer", rg_tokenizer_kind(t), "count", (json_int_t)n, "tokens", list),
        err);
}

static rg_status write_ids(const char *path, const int32_t *ids, size_t n, rg_err *err)
{
    rg_outfile o;
    rg_status st = rg_outfile_open(&o, path, err);
    if (st != RG_OK) return st;
    /* as in memory: little-endian on every machine we run on */
    if (fwrite(ids, sizeof *ids, n, o.f) == n) return rg_outfile_commit(&o, err);
    rg_outfile_abort(&o);
    return rg_fail(err, RG_E_FILE, "%s: cannot write", path);
}

static rg_status encode(const rg_cli *cli, const rg_tokenizer *t, bool json, rg_err *err)
{
    char *text = NULL;
    int32_t *ids = NULL;
    size_t len, n;
    rg_status st = rg_cli_no_args(cli, err);
    if (st == RG_OK) st = read_input(cli, &text, &len, err);
    if (st == RG_OK)
        st = rg_tokenizer_encode(t, text, len,
            (cli->no_bos ? 0 : RG_TOK_BOS) | (cli->special ? RG_TOK_SPECIAL : 0), &ids, &n, err);
    if (st == RG_OK && cli->token_ids_out) st = write_ids(cli->token_ids_out, ids, n, err);
    if (st != RG_OK) goto out;
    if (cli->count)
        printf("%zu\n", n);
    else if (json)
        st = ids_json(t, ids, n, err);
    else if (!cli->token_ids_out)
        for (size_t i = 0; i < n; i++) printf("%" PRId32 "\n", ids[i]);
out:
    free(ids);
    free(text);
    return st;
}

typedef struct decoder {
    rg_detok d;
    char *text; /* all of it, for JSON; owns */
    size_t len, cap;
    int64_t n;
    bool json;
} decoder;

static rg_status take(decoder *d, const char *p, size_t n, rg_err *err)
{
    if (!d->json) {
        fwrite(p, 1, n, stdout);
        return RG_OK;
    }
    if (d->cap - d->len < n) {
        const size_t cap = d->cap * 2 + n + 1024;
        char *q = realloc(d->text, cap);
        if (!q) return rg_fail(err, RG_E_NOMEM, "%zu bytes of text", cap);
        d->text = q;
        d->cap = cap;
    }
    if (n) memcpy(d->text + d->len, p, n);
    d->len += n;
    return RG_OK;
}

/* Decimal ids separated by white space or commas. */
static rg_status decode_list(decoder *d, const rg_tokenizer *t, const char *s, rg_err *err)
{
    char buf[(1 << 16) * 3 + 64]; /* the longest piece, were all its bytes replaced */
    rg_status st = RG_OK;
    for (;;) {
        char *end;
        s += strspn(s, " \t\r\n,");
        if (!*s || st != RG_OK) return st;
        errno = 0;
        const long long id = strtoll(s, &end, 10);
        const bool whole = end > s && (!*end || strchr(" \t\r\n,", *end));
        if (!whole) return rg_fail(err, RG_E_USAGE, "--decode: '%.20s' is not a token id", s);
        if (errno || id < 0 || (size_t)id >= rg_tokenizer_size(t))
            return rg_fail(err, RG_E_USAGE, "--decode: id %.*s, expected 0 to %zu",
                (int)(end - s < 24 ? end - s : 24), s, rg_tokenizer_size(t) - 1);
        st = take(d, buf, rg_detok_put(&d->d, (int32_t)id, buf, sizeof buf), err);
        d->n++;
        s = end;
    }
}

static rg_status decode(const rg_cli *cli, const rg_tokenizer *t, bool json, rg_err *err)
{
    decoder d = {.json = json};
    char *input = NULL, last[16];
    size_t len;
    rg_status st = RG_OK;
    rg_detok_init(&d.d, t, cli->special);
    if (cli->n_args > 0 && (cli->file || cli->prompt))
        st = rg_fail(err, RG_E_USAGE, "--decode: ids as arguments or from -f, not both");
    for (int i = 0; i < cli->n_args && st == RG_OK; i++) st = decode_list(&d, t, cli->args[i], err);
    if (cli->n_args == 0 && st == RG_OK) st = read_input(cli, &input, &len, err);
    if (input && st == RG_OK) st = decode_list(&d, t, input, err);
    if (st == RG_OK) st = take(&d, last, rg_detok_end(&d.d, last, sizeof last), err);
    if (st == RG_OK && json)
        st = print_json(json_pack("{s:s, s:i, s:s, s:I, s:o}", "schema", "ridge.tokenize", "version", 1,
                            "tokenizer", rg_tokenizer_kind(t), "count", (json_int_t)d.n, "text",
                            json_stringn(d.text ? d.text : "", d.len)),
            err);
    else if (st == RG_OK)
        putchar('\n');
    free(input);
    free(d.text);
    return st;
}

rg_status rg_cmd_TOKENIZE(const rg_cli *cli, rg_err *err)
{
    static const char *const formats[] = {"md", "json", NULL};
    rg_tokenizer *t = NULL;
    const int format = rg_cli_choice("-o", cli->output, formats, err);
    if (format < 0) return err->code;
    rg_status st = open_tokenizer(&t, cli, err);
    if (st == RG_OK) st = cli->decode ? decode(cli, t, format == 1, err) : encode(cli, t, format == 1, err);
    rg_tokenizer_close(t);
    return st;
}
