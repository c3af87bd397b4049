/* Puts a fuzzer's input into a file in memory, and reads all that opens. */
#include "fuzz_common.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/num.h"
#include "tokenizer/chat.h"

static void write_all(int fd, const void *data, size_t size)
{
    if (ftruncate(fd, (off_t)size) != 0 || (size && pwrite(fd, data, size, 0) != (ssize_t)size)) abort();
}

const char *fuzz_file(const uint8_t *data, size_t size)
{
    static int fd = -1;
    static char path[64];
    if (fd < 0) {
        fd = memfd_create("fuzz", MFD_CLOEXEC);
        if (fd < 0) abort();
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    }
    write_all(fd, data, size);
    return path;
}

static char dir[64];
static const char *const dir_files[] = {"config.json", "model.safetensors", "model.gguf",
    "model.safetensors.index.json", "a.safetensors", "b.safetensors", "tokenizer.json",
    "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"};

static void remove_dir(void)
{
    char path[128];
    for (size_t i = 0; i < sizeof dir_files / sizeof *dir_files; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, dir_files[i]);
        unlink(path);
    }
    rmdir(dir);
}

const char *fuzz_dir(void)
{
    if (!dir[0]) {
        snprintf(
            dir, sizeof dir, "%s/ridge-fuzz-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
        if (!mkdtemp(dir)) abort();
        atexit(remove_dir);
    }
    return dir;
}

void fuzz_put(const char *name, const void *data, size_t size)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", fuzz_dir(), name);
    const int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) abort();
    write_all(fd, data, size);
    close(fd);
}

static void read_tensor(const rg_ckpt *c, const rg_ckpt_tensor *t)
{
    const rg_wtype w = rg_ckpt_resident(t);
    const int64_t scales = rg_wtype_scales(w, t->cols);
    float *row = malloc((size_t)t->cols * sizeof *row), *scale = malloc((size_t)scales * 2 * sizeof *scale);
    uint8_t *q = malloc((size_t)t->cols);
    char name[64];
    if (!row || !scale || !q) abort();
    rg_tensor_name(name, sizeof name, t->site, t->layer);
    rg_ckpt_type_name(t, name, sizeof name);
    for (int64_t r = 0; r < t->rows; r += rg_max(1, t->rows - 1)) {
        rg_ckpt_row_f32(t, r, row);
        if (rg_wtype_is_quant(w) && rg_ckpt_rounding(t) != RG_ROUND_REQUANTISED)
            rg_ckpt_row_grid(t, r, q, scale, scale + scales);
    }
    rg_ckpt_release(c, t);
    free(row);
    free(scale);
    free(q);
}

void fuzz_checkpoint(const char *path)
{
    rg_ckpt *c = NULL;
    rg_err err = {0};
    const rg_status st = rg_ckpt_open(&c, path, &err);
    if (st != RG_OK) { /* a refusal says what it is, in one line */
        if (c || !err.msg[0] || strchr(err.msg, '\n') ||
            (st != RG_E_FILE && st != RG_E_UNSUPPORTED && st != RG_E_NOMEM))
            abort();
        return;
    }
    for (size_t i = 0; i < rg_ckpt_count(c); i++) read_tensor(c, rg_ckpt_at(c, i));
    rg_chat chat;
    if (rg_chat_open(&chat, c, &(rg_chat_opts){.date = "2026-01-31"}, &err) == RG_OK)
        rg_chat_close(&chat);
    else if (!err.msg[0] || strchr(err.msg, '\n'))
        abort();
    rg_ckpt_close(c);
}

void fuzz_tokenizer(const char *path)
{
    static const char *const texts[] = {"", "a",
        "Once upon a time, 1234567 \xc3\xa9\xf0\x9f\x98\x80 \xff\xfe <s> </s> <|im_start|>\n\n\t  x",
        "aaaaaaaaaaaaaaaaaaaa bbbb"};
    rg_tokenizer *t = NULL;
    rg_err err = {0};
    if (rg_tokenizer_open(&t, path, 0, &err) != RG_OK) {
        if (t || !err.msg[0]) abort();
        return;
    }
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        for (int flags = 0; flags < 4; flags++) {
            int32_t *ids = NULL;
            size_t n = 0;
            if (rg_tokenizer_encode(t, texts[i], strlen(texts[i]), flags, &ids, &n, &err) == RG_OK)
                for (size_t k = 0; k < n; k++)
                    if (ids[k] < 0 || (size_t)ids[k] >= rg_tokenizer_size(t)) abort();
            free(ids);
        }
    for (size_t i = 0; i < rg_tokenizer_size(t); i += 1 + rg_tokenizer_size(t) / 64) {
        size_t len;
        rg_tokenizer_piece(t, (int32_t)i, &len);
        rg_tokenizer_is_end(t, (int32_t)i);
    }
    for (int i = 0; i < RG_ROLES; i++) rg_tokenizer_role(t, (rg_tok_role)i);
    rg_tokenizer_close(t);
}
