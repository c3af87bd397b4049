/* What the checkpoint tests share: a temporary directory, files made of bytes, a tiny model, and refusals
 * with their words. */
#ifndef RG_CKPT_FIXTURE_H
#define RG_CKPT_FIXTURE_H

#include "testing.h"
#include "weights/arch.h"
#include "weights/ckpt.h"
#include "weights/synth.h"

/* One layer, four heads of 8 over two KV heads, everything small enough to try every length of its files. */
rg_config tiny_config(void);

/* Path of a name in the test's temporary directory; valid for the next three calls. */
const char *at(const char *name);
/* Files in the temporary directory itself. */
int dir_entries(void);
/* Removes a checkpoint directory that synth or a test made. */
void drop_hf(const char *path);

void write_file(const char *path, const void *p, size_t n);
void write_text(const char *path, const char *text);
void cut_file(const char *path, size_t n);
void put_le(unsigned char *p, uint64_t v, int width);

/* Writes a synthetic model of config c. */
void synth(const rg_config *c, rg_ftype type, rg_synth_format format, uint64_t seed, const char *path);

/* The status of opening a path; closes what opened. err is filled. */
rg_status try_open(const char *path, rg_err *err);
/* Opening must fail with that code, and the message must be one line that names the file and holds the
 * word. */
void must_refuse(const char *label, const char *path, rg_status code, const char *word);
rg_ckpt *must_open(const char *path);

/* Every canonical row of both is the same within rel times the largest value of the row. */
void same_model(const rg_ckpt *a, const rg_ckpt *b, float rel);

/* The files of a tiny Hugging Face checkpoint, to be bent. */
typedef struct st_entry {
    char name[64], dtype[16], shape[48];
    long long begin, end;
} st_entry;

enum { TINY_TENSORS = 11, MAX_ENTRIES = 16 };

/* All tensors of tiny_config (tied) in F32; returns the bytes of data. */
long long st_entries(st_entry *e);
/* Writes model.safetensors with n entries and `bytes` bytes of data; returns where the data begins. */
size_t st_write(const char *path, const st_entry *e, int n, long long bytes);
/* config.json of tiny_config. overrides: pairs of key and JSON value (NULL value: leave the key out), ended
 * by NULL. With architectures there is no model_type unless it is given too. */
void config_write(const char *path, const char *const *overrides);
/* A model of that row of arch.def with all that the row has; four layers. */
rg_config arch_config(const rg_arch *a);
/* What counts of a configuration, one phrase each; valid until the next call. */
const char *config_summary(const rg_config *c);

#endif
