/* Text through a model: a prompt is fed, an answer drawn, for one prompt or a conversation. The tokens are
 * kept beside the session: nothing is evaluated twice. */
#ifndef RG_TALK_H
#define RG_TALK_H

#include "base/outfile.h"
#include "ridge/sampler.h"
#include "ridge/session_file.h"
#include "tokenizer/chat.h"
#include "tools/cli/cli.h"
#include "tools/run/live.h"

typedef struct rg_talk {
    const rg_cli *cli;
    rg_ckpt *ckpt; /* owns, as all below */
    rg_engine *engine;
    rg_session *session;
    rg_tokenizer *tok; /* NULL: ids in, ids out */
    rg_sampler *sampler;
    int32_t *all; /* tokens of the conversation; the first rg_session_length of them are in the cache */
    int64_t n_all, cap_all;
    int64_t ctx, chunk; /* context; tokens handed to the session at once */
    int64_t keep;       /* tokens that a context shift keeps at the start */
    int64_t again;      /* tokens to be evaluated again: they were in the cache before it went back */
    int64_t shifts;     /* how often the context was shifted */
    /* behind the last token of `all`; NULL: not evaluated yet; borrowed until the next evaluation */
    const float *logits;
    float *saved_logits; /* what logits may point to after loading a session file */
    int64_t vocab;
    bool colour;     /* --color: prompts and what is typed stand out */
    rg_outfile dump; /* --dump-logits */
    uint8_t *want;
    rg_log log; /* of one step, for the status line */
    rg_live live;
    uint64_t prefill_ns, decode_ns, sample_ns;
    /* tokens; n_reused: of the prompt, found in the cache */
    int64_t n_prefill, n_decode, n_sampled, n_reused;
} rg_talk;

/* Opens all but what needs the prompt's length. so: session options from the command line. */
rg_status rg_talk_open(
    rg_talk *t, const rg_cli *cli, rg_session_opts *so, rg_engine_opts *eo, rg_progress *p, rg_err *err);
/* Loads the engine and opens the session with so->ctx set. The first `touched` positions of the cache are
 * touched, so that the prompt is timed as it would be in a session that has run. */
rg_status rg_talk_start(
    rg_talk *t, rg_session_opts *so, const rg_engine_opts *eo, int64_t touched, rg_err *err);
void rg_talk_close(rg_talk *t);

/* Appends tokens, not yet evaluated. */
rg_status rg_talk_append(rg_talk *t, const int32_t *ids, int64_t n, rg_err *err);
/* Forgets the tokens from position n on. */
void rg_talk_truncate(rg_talk *t, int64_t n);
/* Evaluates what is not in the cache yet, so that logits follow the last token. RG_E_USAGE: the context is
 * full and may not be shifted. */
rg_status rg_talk_evaluate(rg_talk *t, rg_phase phase, rg_err *err);

typedef enum rg_stop_reason {
    RG_STOP_END,
    RG_STOP_LENGTH,
    RG_STOP_CONTEXT,
    RG_STOP_INTERRUPTED
} rg_stop_reason;

/* Draws up to n tokens (n < 0: no limit) and prints them as they come. keep_end: an end token stays (a chat
 * writes it itself). Ctrl-C and a full context are also reasons to stop. */
rg_status rg_talk_answer(rg_talk *t, int64_t n, bool keep_end, rg_stop_reason *why, rg_err *err);
/* The text of all tokens, on standard output; control: control tokens too. */
void rg_talk_echo(const rg_talk *t, bool control);

/* The prompt becomes the conversation; its beginning may come from a session file, which may be missing. */
rg_status rg_talk_load(rg_talk *t, const char *path, const int32_t *prompt, int64_t n, rg_err *err);
/* Continues where a file ends: its tokens become those of the conversation. */
rg_status rg_talk_resume(rg_talk *t, const char *path, rg_err *err);
rg_status rg_talk_save(const rg_talk *t, const char *path, rg_err *err);

void rg_talk_timings(const rg_talk *t);

/* Talks until /exit, the end of the input, or (single) one answer. first: the first message, or NULL. */
rg_status rg_chat_loop(
    rg_talk *t, const rg_chat *form, const char *first, bool single, int64_t n_predict, rg_err *err);

#endif
