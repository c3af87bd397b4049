/* Every checkpoint and tokenizer of the optional data folder goes through inspect, run and tokenize. */
#include "run_program.h"

#include <dirent.h>
#include <sys/stat.h>

enum { MAX_FOUND = 128 };

static char models[MAX_FOUND][512], tokenizers[MAX_FOUND][512];
static int n_models, n_tokenizers;

static bool ends(const char *s, const char *suffix)
{
    const size_t n = strlen(s), k = strlen(suffix);
    return n >= k && strcmp(s + n - k, suffix) == 0;
}

static void keep(char (*list)[512], int *n, const char *path)
{
    assert_true(*n < MAX_FOUND);
    snprintf(list[(*n)++], sizeof list[0], "%s", path);
}

static bool has(const char *dir, const char *name)
{
    char path[600];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return access(path, R_OK) == 0;
}

static void walk(const char *dir)
{
    DIR *d = opendir(dir);
    if (!d) return;
    if (has(dir, "config.json") &&
        (has(dir, "model.safetensors") || has(dir, "model.safetensors.index.json")))
        keep(models, &n_models, dir);
    for (struct dirent *e; (e = readdir(d));) {
        struct stat st;
        char path[512];
        if (e->d_name[0] == '.' || snprintf(path, sizeof path, "%s/%s", dir, e->d_name) >= (int)sizeof path ||
            stat(path, &st) != 0)
            continue;
        if (S_ISDIR(st.st_mode)) walk(path);
        if (!S_ISREG(st.st_mode)) continue;
        const bool vocab_only = strstr(e->d_name, "ggml-vocab") != NULL;
        if (ends(e->d_name, ".gguf")) {
            if (!vocab_only) keep(models, &n_models, path);
            keep(tokenizers, &n_tokenizers, path);
        }
        if (ends(e->d_name, ".bin") && strncmp(e->d_name, "tok", 3) != 0) keep(models, &n_models, path);
        if ((strncmp(e->d_name, "tok", 3) == 0 && (ends(e->d_name, ".bin") || ends(e->d_name, ".model"))) ||
            (strncmp(e->d_name, "tokenizer", 9) == 0 && ends(e->d_name, ".json") &&
                !strstr(e->d_name, "config") && !strstr(e->d_name, "vectors")))
            keep(tokenizers, &n_tokenizers, path);
    }
    closedir(d);
}

static int find(void **state)
{
    (void)state;
    char dir[1024];
    if (optional_data(dir, sizeof dir, "")) walk(dir);
    return 0;
}

static void every_checkpoint(void **state)
{
    (void)state;
    if (!n_models) skip();
    const int32_t id = 1;
    write_bytes(scratch("one.i32"), &id, sizeof id);
    for (int i = 0; i < n_models; i++) {
        output o = ridge("inspect", "-m", models[i], "--fit", "-o", "md", NULL);
        if (o.code != 0) fail_msg("inspect %s: %s", models[i], o.err);
        assert_non_null(strstr(o.out, "| architecture |"));
        assert_non_null(strstr(o.out, "What fits"));
        done(&o);
        o = ridge("run", "-m", models[i], "-p", "Once", "-n", "4", "--temp", "0", NULL);
        const bool text = o.code == 0;
        if (!text && !(o.code == 3 && strstr(o.err, "no tokenizer")))
            fail_msg("run %s: %s", models[i], o.err);
        done(&o);
        if (!text) { /* the folder has weights only: ids go in and come out */
            o = ridge(
                "run", "-m", models[i], "--token-ids", scratch("one.i32"), "-n", "4", "--temp", "0", NULL);
            if (o.code != 0) fail_msg("run %s --token-ids: %s", models[i], o.err);
            done(&o);
        }
        print_message("%s: inspect, run%s\n", models[i], text ? "" : " (ids: no tokenizer beside it)");
    }
}

/* Text to ids and back: does it come back? */
static bool round_trip(const char *tokenizer, const char *text)
{
    write_bytes(scratch("text.txt"), text, strlen(text));
    output ids = ridge("tokenize", "-z", tokenizer, "-f", scratch("text.txt"), NULL);
    if (ids.code != 0) fail_msg("tokenize %s: %s", tokenizer, ids.err);
    write_bytes(scratch("ids.txt"), ids.out, ids.n_out);
    output back = ridge("tokenize", "-z", tokenizer, "--decode", "-f", scratch("ids.txt"), NULL);
    if (back.code != 0) fail_msg("tokenize --decode %s: %s", tokenizer, back.err);
    const bool same = strncmp(back.out, text, strlen(text)) == 0 && back.n_out == strlen(text) + 1;
    done(&ids);
    done(&back);
    return same;
}

/* A vocabulary without byte tokens loses what it has no piece for; plain English comes back from every
 * one. */
static void every_tokenizer(void **state)
{
    (void)state;
    if (!n_tokenizers) skip();
    for (int i = 0; i < n_tokenizers; i++) {
        const bool all = round_trip(tokenizers[i], "Hello, world! 12345 caf\xc3\xa9 \xf0\x9f\x91\x8d\n\tend");
        if (!all && !round_trip(tokenizers[i], "One day, Lily met a dog."))
            fail_msg("%s: text does not come back", tokenizers[i]);
        if (!all && !strstr(tokenizers[i], "656"))
            fail_msg("%s: this vocabulary has byte tokens, so any text must come back", tokenizers[i]);
        print_message("%s: tokenize, and back%s\n", tokenizers[i],
            all ? "" : " (plain English: the vocabulary has no byte tokens)");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_checkpoint), cmocka_unit_test(every_tokenizer)};
    return cmocka_run_group_tests(tests, find, NULL);
}
