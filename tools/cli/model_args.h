/* What run and profile share: from options to a checkpoint, an engine, a tokenizer and prompt tokens. */
#ifndef RG_MODEL_ARGS_H
#define RG_MODEL_ARGS_H

#include "ridge/engine.h"
#include "tokenizer/tokenizer.h"
#include "tools/cli/cli.h"

/* -m, or the demo checkpoint. */
rg_status rg_open_model(rg_ckpt **out, const rg_cli *cli, rg_err *err);

/* Engine and session options from the command line, checked. dtype: name of the weight type, or NULL for "as
 * in the file". The progress drawer in `p` must outlive the load. */
rg_status rg_engine_args(
    rg_engine_opts *o, const rg_cli *cli, const char *dtype, rg_progress *p, rg_err *err);
/* The mask of --fuse (NULL: the default). */
rg_status rg_fuse_arg(unsigned *fuse, const char *text, rg_err *err);
/* kv: the cache type where -ctk or -ctv are not given (rg_default_kv). */
rg_status rg_session_args(rg_session_opts *o, const rg_cli *cli, rg_kvtype kv, rg_err *err);

/* What can be refused before anything is loaded or measured: weights and session that cannot be, or do not
 * fit into memory together. */
rg_status rg_check_engine(const rg_ckpt *c, const rg_engine_opts *eo, const rg_session_opts *so, rg_err *err);
/* The engine, if rg_check_engine has nothing against it. */
rg_status rg_open_engine(
    rg_engine **out, const rg_ckpt *c, const rg_engine_opts *eo, const rg_session_opts *so, rg_err *err);

typedef struct rg_tokens {
    int32_t *id; /* owns */
    int64_t n;
} rg_tokens;

/* Prompt from -p, -f or --token-ids (tok may be NULL only with the last). RG_E_USAGE if there is none; bytes
 * beyond the vocabulary refused. */
rg_status rg_prompt_tokens(
    rg_tokens *t, const rg_cli *cli, const rg_tokenizer *tok, int64_t vocab, rg_err *err);

/* A whole file, NUL-terminated behind its len bytes; the caller frees. */
rg_status rg_read_file(char **text, size_t *len, const char *path, rg_err *err);

#endif
