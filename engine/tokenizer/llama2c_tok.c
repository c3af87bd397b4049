/* tokenizer.bin of llama2.c: u32 longest piece, then per token f32 score, u32 length, bytes. Spaces are
 * spaces; ids 0 to 2 are <unk>, BOS and EOS, the next 256 the bytes. */
#include <math.h>
#include <string.h>

#include "base/config.h"
#include "base/mapfile.h"
#include "tokenizer/tok_impl.h"

rg_status rg_tok_read_llama2c(
    rg_tokenizer *t, const unsigned char *data, size_t n, int64_t vocab, const rg_src *src)
{
    /* the last two have line breaks around them in the file */
    static const char *const first[3] = {"<unk>", "<s>", "</s>"};
    rg_cursor c = {.p = data, .end = data + n};
    rg_status st = RG_OK;
    t->kind = "llama2.c tokenizer.bin";
    t->model = RG_TM_SPM;
    const uint32_t longest = rg_cur_u32(&c);
    if (c.bad || longest == 0 || longest > RG_PIECE_MAX)
        return rg_bad(
            src, "not a tokenizer (neither JSON, nor SentencePiece, nor GGUF, nor a llama2.c tokenizer.bin)");
    for (int64_t id = 0; rg_cur_left(&c) > 0 && !st; id++) {
        const float score = rg_cur_f32(&c);
        const uint32_t len = rg_cur_u32(&c);
        const char *piece = (const char *)rg_cur_take(&c, len);
        if (c.bad || !piece)
            return rg_bad(
                src, "cut off, or not a tokenizer: token %lld does not fit into the file", (long long)id);
        if (!isfinite(score)) return rg_bad(src, "the score of token %lld is not finite", (long long)id);
        const int byte = rg_byte_piece(piece, len);
        const bool beyond = vocab > 0 && id >= vocab; /* "[PAD]" may stand there */
        if (beyond &&
            !(byte < 0 && len > 2 &&
                ((*piece == '[' && piece[len - 1] == ']') || (*piece == '<' && piece[len - 1] == '>'))))
            return rg_bad(src,
                "the tokenizer has more tokens than the model's %lld: it belongs to another model",
                (long long)vocab);
        if (beyond)
            st = rg_vocab_set(&t->vocab, id, piece, len, RG_TT_CONTROL, score, src);
        else if (id < 3)
            st = rg_vocab_set(&t->vocab, id, first[id], strlen(first[id]),
                id == 0 ? RG_TT_UNKNOWN : RG_TT_CONTROL, score, src);
        else
            st = rg_vocab_set(
                &t->vocab, id, piece, len, byte == id - 3 ? RG_TT_BYTE : RG_TT_NORMAL, score, src);
    }
    if (!st && t->vocab.n < 3)
        st = rg_bad(src, "%zu tokens, expected at least 3 (<unk>, BOS, EOS)", t->vocab.n);
    if (!st) st = rg_tok_spm_norm(t, false, true, false, src->err);
    if (!st) st = rg_tok_index(t, false, src);
    for (int32_t id = 0; id < 3 && !st; id++) st = rg_tok_add_raw(t, id, true, src->err);
    if (st) return st;
    rg_tok_find_bytes(t);
    t->unk = 0;
    t->bos = t->prefix[0] = 1;
    t->n_prefix = 1;
    t->eos = 2;
    return RG_OK;
}
