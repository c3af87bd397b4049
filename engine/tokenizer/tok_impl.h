/* Inside of a tokenizer: filled by readers, used by encoders. Private to engine/tokenizer and its tests. */
#ifndef RG_TOK_IMPL_H
#define RG_TOK_IMPL_H

#include "tokenizer/added.h"
#include "tokenizer/merge.h"
#include "tokenizer/pretok.h"
#include "tokenizer/seam.h"
#include "tokenizer/textnorm.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/vocab.h"

typedef enum rg_tok_model {
    RG_TM_BPE,      /* rank merges over characters; unknown ones by byte tokens or <unk> */
    RG_TM_BYTE_BPE, /* rank merges over bytes */
    RG_TM_SPM       /* highest-score merges over characters */
} rg_tok_model;

enum { RG_TOK_TEMPLATE_MAX = 8, RG_TOK_REPLACE_MAX = 8, RG_TOK_END_MAX = 32, RG_ROLE_SILENT = -2 };

/* Merge rules: pair of ids -> rank and merged id. Open addressing; UINT64_MAX: empty. */
typedef struct rg_pairs {
    struct rg_pair {
        uint64_t key;
        uint32_t rank;
        int32_t id;
    } * slot; /* owns */
    size_t mask;
} rg_pairs;

/* How a piece becomes text. */
typedef struct rg_decoder {
    bool byte_level;
    bool byte_pieces; /* <0xHH> is a byte */
    bool strip_start; /* one leading space of the whole text is dropped */
    rg_norm replace;  /* only RG_NORM_REPLACE steps */
} rg_decoder;

struct rg_tokenizer {
    const char *kind; /* static */
    rg_tok_model model;
    rg_vocab vocab;
    rg_pairs pairs;
    bool ignore_merges, fuse_unk;
    bool whole_breaks;    /* a run of line breaks that is a token is not merged */
    int32_t unk;          /* -1: none */
    int32_t byte_id[256]; /* token of a byte, -1: none */
    bool has_unused;
    bool odd_rules;  /* a rule takes a byte or unknown token, which is no character of the text */
    rg_seams seams;  /* of vocabularies without a pre-tokeniser */
    rg_added raw;    /* looked for in the text as it is */
    rg_added normed; /* looked for after normalisation */
    rg_norm norm;    /* before `normed` */
    rg_norm prep;    /* after it, before the text is cut */
    rg_pretok pre;
    rg_decoder dec;
    int32_t prefix[RG_TOK_TEMPLATE_MAX], suffix[RG_TOK_TEMPLATE_MAX];
    int n_prefix, n_suffix;
    int32_t bos, eos;
    int32_t role[RG_ROLES]; /* as the files beside it name them: -1: none, RG_ROLE_SILENT: not at all */
    int32_t end[RG_TOK_END_MAX];
    int n_end;
};

/* State of one encode call. */
typedef struct rg_enc {
    const rg_tokenizer *t;
    rg_err *err;
    int32_t *ids; /* owns until handed out */
    size_t n, cap;
    rg_merger merger;
    rg_buf norm[2], prep[2];
    uint32_t *rev; /* SPM: bytes of the left half of a merged unused token, by id; owns */
} rg_enc;

rg_status rg_enc_push(rg_enc *e, int32_t id);
/* Calls between for the text between added tokens of a, and appends their ids. first: p starts the text.
 * trusted: all of a part may hold control tokens. */
typedef rg_status rg_between_fn(rg_enc *e, const char *p, size_t n, bool first, bool trusted);
rg_status rg_enc_between(rg_enc *e, const rg_added *a, const rg_trust *trust, const char *p, size_t n,
    bool first, rg_between_fn *between);
/* The unknown token, or an error that shows the bytes. fuse_unk: a run of unknowns is one token. */
rg_status rg_enc_unknown(rg_enc *e, const char *p, size_t n, bool *in_unk);

/* bpe.c. n rules are to come; a later one replaces an equal earlier one. */
rg_status rg_pairs_init(rg_pairs *p, size_t n, rg_err *err);
void rg_pairs_put(rg_pairs *p, int32_t a, int32_t b, uint32_t rank, int32_t id);
/* A rule of two pieces as in the file. One that would make a control token of plain text is left out. */
rg_status rg_bpe_rule(rg_tokenizer *t, const char *a, size_t a_len, const char *b, size_t b_len,
    uint32_t rank, const rg_src *src);
rg_status rg_bpe_word(rg_enc *e, const char *p, size_t n);

/* words.c. Calls merge, which appends ids, for each part of text[n] that no merge can leave. */
typedef rg_status (*rg_word_merge)(rg_enc *e, const char *p, size_t n);
rg_status rg_words_run(rg_enc *e, const char *p, size_t n, rg_word_merge merge);

/* spm.c */
rg_status rg_spm_segment(rg_enc *e, const char *p, size_t n);

typedef struct rg_tok_beside rg_tok_beside; /* tok_beside.h */

/* Readers fill a zeroed tokenizer (bos, eos, unk and byte_id are -1). data: the whole file. */
rg_status rg_tok_read_json(
    rg_tokenizer *t, const rg_tok_beside *b, const unsigned char *data, size_t n, const rg_src *src);
rg_status rg_tok_read_spmodel(
    rg_tokenizer *t, const rg_tok_beside *b, const unsigned char *data, size_t n, const rg_src *src);
rg_status rg_tok_read_llama2c(
    rg_tokenizer *t, const unsigned char *data, size_t n, int64_t vocab, const rg_src *src);
rg_status rg_tok_read_gguf(rg_tokenizer *t, const rg_ckpt_vocab *v, const rg_src *src);

/* Texts of the pieces, then the look-up: after pieces and decoder, before merge rules. unique: a second equal
 * piece is an error. */
rg_status rg_tok_index(rg_tokenizer *t, bool unique, const rg_src *src);
/* Byte table: of "<0xHH>" pieces (type BYTE), or of the 256 characters of a byte-level vocabulary. */
void rg_tok_find_bytes(rg_tokenizer *t);
/* SentencePiece's normalisation: U+2581 or a space in front, spaces escaped as U+2581. */
rg_status rg_tok_spm_norm(rg_tokenizer *t, bool squeeze, bool dummy_prefix, bool escape, rg_err *err);
/* A token that is found in raw text. */
rg_status rg_tok_add_raw(rg_tokenizer *t, int32_t id, bool special, rg_err *err);

#define RG_SPM_SPACE "\xe2\x96\x81" /* U+2581 */
#define RG_GPT2_REGEX "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
#define RG_REGEX_REST "[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define RG_CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define RG_REGEX_WORDS RG_CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|"
#define RG_LLAMA3_REGEX RG_REGEX_WORDS "\\p{N}{1,3}| ?" RG_REGEX_REST
#define RG_QWEN2_REGEX RG_REGEX_WORDS "\\p{N}| ?" RG_REGEX_REST
/* Words end where lower case meets upper case. but: an intersection; tail: behind a word; digits; punct: what
 * ends a run of punctuation beside line breaks. */
#define RG_CASED_BUT(but, tail, digits, punct) \
    "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}" but "]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}" but \
    "]+" tail "|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}" but \
    "]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}" but "]*" tail "|" digits "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n" punct \
    "]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define RG_CASED(tail, digits) RG_CASED_BUT("", tail, digits, "/")

#endif
