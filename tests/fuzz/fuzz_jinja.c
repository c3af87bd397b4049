/* Chat templates: the input is compiled and run over a conversation. */
#include <stdlib.h>
#include <string.h>

#include "fuzz_common.h"
#include "tokenizer/jinja.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const unsigned char mark[] = {0, 1, 2, 3, 3};
    static const rg_jinja_message m[] = {{"system", "Be <b>.", 7, NULL},
        {"user", " \xc3\xa9t\xe9\n'\"", 8, NULL}, {"assistant", "a</t>", 5, mark}, {"user", "", 0, NULL}};
    static const char *const variable[] = {"bos_token", "<s>", "eos_token", "</s>", NULL};
    const rg_jinja_args a = {.message = m,
        .n_messages = 4,
        .generate = size % 2,
        .variable = variable,
        .date = {.tm_year = 124, .tm_mday = 1}};
    rg_jinja *t;
    rg_jinja_text x;
    rg_err err = {0};
    if (size > 20000) return 0;
    rg_status st = rg_jinja_open(&t, (const char *)data, size, "fuzz", &err);
    if (!st) {
        st = rg_jinja_render(&x, t, &a, &err);
        for (size_t i = 0; i < x.n; i++)
            if (x.mark[i] > 3) abort();
        if (!st && strlen(x.p) > x.n) abort();
        rg_jinja_text_free(&x);
    }
    if (st && (!err.msg[0] || strchr(err.msg, '\n'))) abort();
    rg_jinja_close(t);
    return 0;
}
