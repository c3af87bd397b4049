/* ridge tokenize: text to ids, and ids to text. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/outfile.h"
#include "roofline/measure/json_value.h"
#include "tools/cli/cli.h"

/* -p, -f, or standard input. */
static rg_status read_input(const rg_cli *cli, char **text, size_t *len, rg_err *err)
{
    if (cli->prompt && cli->file) return rg_fail(err, RG_E_USAGE, "-p and -f: give one of them");
    if (cli->prompt) {
        *text = strdup(cli->prompt);
        *len = strlen(cli->prompt);
        return *text ? RG_OK : rg_fail(err, RG_E_NOMEM, "out of memory");
    }
    return rg_read_text(text, len, cli->file ? cli->file : "-", cli->quiet, err);
}

static rg_status open_tokenizer(rg_tokenizer **out, const rg_cli *cli, rg_err *err)
{
    rg_ckpt *c = NULL;
    if (cli->tokenizer && !cli->model) return rg_tokenizer_open(out, cli->tokenizer, 0, err);
    rg_status st = rg_open_model(&c, cli, err);
    if (!st) st = rg_tokenizer_open_for(out, c, cli->tokenizer, err);
    rg_ckpt_close(c);
    return st;
}

static rg_status print_json(const rg_tokenizer *t, size_t n, const char *key, json_t *value, rg_err *err)
{
    return rg_json_write(stdout,
        json_pack("{s:s, s:i, s:s, s:I, s:o}", "schema", "ridge.tokenize", "version", 1, "tokenizer",
            rg_tokenizer_kind(t), "count", (json_int_t)n, key, value),
        JSON_INDENT(1), "tokenize", err);
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
    return print_json(t, n, "tokens", list, err);
}

static rg_status write_ids(const char *path, const int32_t *ids, size_t n, rg_err *err)
{
    rg_outfile o;
    rg_status st = rg_outfile_open(&o, path, err);
    if (st) return st;
    /* little-endian, as in memory */
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
    if (!st) st = read_input(cli, &text, &len, err);
    if (!st) st = rg_tokenizer_encode(t, text, len, rg_encode_flags(cli), &ids, &n, err);
    if (!st && cli->token_ids_out) st = write_ids(cli->token_ids_out, ids, n, err);
    if (st) goto out;
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
    FILE *to; /* standard output, or memory for JSON */
    size_t n;
} decoder;

/* Decimal ids separated by white space or commas. */
static rg_status decode_list(decoder *d, const rg_tokenizer *t, const char *s, rg_err *err)
{
    char buf[(1 << 16) * 3 + 64]; /* the longest piece, were all its bytes replaced */
    for (;;) {
        char *end;
        s += strspn(s, " \t\r\n,");
        if (!*s) return RG_OK;
        errno = 0;
        const long long id = strtoll(s, &end, 10);
        if (end == s || (*end && !strchr(" \t\r\n,", *end)))
            return rg_fail(err, RG_E_USAGE, "--decode: '%.20s' is not a token id", s);
        if (errno || id < 0 || (size_t)id >= rg_tokenizer_size(t))
            return rg_fail(err, RG_E_USAGE, "--decode: id %.*s, expected 0 to %zu",
                (int)(end - s < 24 ? end - s : 24), s, rg_tokenizer_size(t) - 1);
        fwrite(buf, 1, rg_detok_put(&d->d, (int32_t)id, buf, sizeof buf), d->to);
        d->n++;
        s = end;
    }
}

static rg_status decode(const rg_cli *cli, const rg_tokenizer *t, bool json, rg_err *err)
{
    char *text = NULL, *input = NULL, last[16];
    size_t len, n = 0;
    decoder d = {.to = json ? open_memstream(&text, &n) : stdout};
    if (!d.to) return rg_fail(err, RG_E_NOMEM, "out of memory");
    rg_status st = RG_OK;
    rg_detok_init(&d.d, t, cli->special);
    if (cli->n_args > 0 && (cli->file || cli->prompt))
        st = rg_fail(err, RG_E_USAGE, "--decode: ids as arguments or from -f, not both");
    for (int i = 0; i < cli->n_args && !st; i++) st = decode_list(&d, t, cli->args[i], err);
    if (cli->n_args == 0 && !st) st = read_input(cli, &input, &len, err);
    if (input && !st) st = decode_list(&d, t, input, err);
    if (!st) fwrite(last, 1, rg_detok_end(&d.d, last, sizeof last), d.to);
    const bool whole = !json || fclose(d.to) == 0;
    if (!st && json)
        st = print_json(t, d.n, "text", whole ? json_stringn(text, n) : NULL, err);
    else if (!st)
        putchar('\n');
    free(input);
    free(text);
    return st;
}

rg_status rg_cmd_TOKENIZE(const rg_cli *cli, rg_err *err)
{
    rg_tokenizer *t = NULL;
    const int format = rg_cli_choice("-o", cli->output, RG_WORDS("md", "json"), err);
    if (format < 0) return err->code;
    rg_status st = open_tokenizer(&t, cli, err);
    if (!st) st = cli->decode ? decode(cli, t, format == 1, err) : encode(cli, t, format == 1, err);
    rg_tokenizer_close(t);
    return st;
}
