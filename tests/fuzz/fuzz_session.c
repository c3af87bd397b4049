/* Session files. The input is one without its checksum; fingerprint and checksum are put right, so that what
 * lies behind them is reached. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash64.h"
#include "fuzz_common.h"
#include "model/session.h"
#include "ridge/session_file.h"
#include "weights/synth.h"

static rg_session *session;
static uint64_t fingerprint;

enum { CTX = 300 };

/* One small model for the life of the process, whose layer has a window, and a sequence that files are
 * restored into: its cache is a ring. */
static void open_once(void)
{
    const rg_config tiny = {.arch = "llama",
        .name = "tiny",
        .dim = 32,
        .ffn = 64,
        .layers = 1,
        .heads = 4,
        .kv_heads = 2,
        .head_dim = 8,
        .vocab = 270,
        .ctx_train = 64,
        .eps = 1e-5,
        .rope_theta = 10000.0,
        .tied = true,
        .bos = 1,
        .eos = {2},
        .n_eos = 1};
    char path[128];
    rg_ckpt *c = NULL;
    rg_engine *e = NULL;
    rg_err err = {0};
    snprintf(path, sizeof path, "%s/model.gguf", fuzz_dir());
    const rg_engine_opts o = {.threads = 1, .no_pin = true, .dtype = -1, .isa_cap = RG_ISA_COUNT};
    const rg_session_opts so = {
        .ctx = CTX, .past_training = true, .ubatch = 1, .kv_k = RG_KV_F16, .kv_v = RG_KV_F16};
    if (rg_synth_write(&tiny, RG_FT_F32, RG_SYNTH_GGUF, 1, path, NULL, NULL, NULL, &err) != RG_OK ||
        rg_ckpt_open(&c, path, &err) != RG_OK || rg_engine_open(&e, c, &o, &err) != RG_OK) {
        fprintf(stderr, "fuzz_session: %s\n", err.msg);
        abort();
    }
    e->model.cfg.window = 8;
    if (rg_session_open(&session, e, &so, &err) != RG_OK || session->ring == 0) abort();
    rg_ckpt_close(c);
    fingerprint = rg_engine_fingerprint(e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!session) open_once();
    unsigned char *file = malloc(size + 8); /* ends where the file ends: a byte too far is seen */
    rg_saved got = {0};
    rg_err err = {0};
    if (!file) abort();
    memcpy(file, data, size);
    if (size >= 24) memcpy(file + 16, &fingerprint, sizeof fingerprint);
    const uint64_t sum = rg_hash64_of(file, size, 0);
    memcpy(file + size, &sum, sizeof sum);
    const rg_status st = rg_session_restore(session, 0, file, size + 8, "fuzz", &got, &err);
    if (st == RG_OK) { /* the sequence goes on, or says that the cache is not finite */
        const int32_t next = got.token[0];
        if (got.n < CTX) rg_session_eval(session, &(rg_batch){.n = 1, .token = &next}, RG_DECODE, NULL, &err);
    } else if (got.token || !err.msg[0] || strchr(err.msg, '\n') ||
        (st != RG_E_FILE && st != RG_E_UNSUPPORTED && st != RG_E_USAGE && st != RG_E_NOMEM)) {
        abort();
    }
    free(got.token);
    free(got.logits);
    free(file);
    return 0;
}
