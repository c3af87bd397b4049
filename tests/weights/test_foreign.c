/* Files that are no checkpoints are named for what they are, wherever one is expected. */
#include "ckpt_fixture.h"

#include <sys/stat.h>

#define BYTES(s) s, sizeof s - 1

static const struct {
    const char *bytes;
    size_t n;
    rg_status code;
    const char *word;
} files[] = {
    {BYTES("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5000000\n"), RG_E_FILE,
        "git-lfs"},
    {BYTES("<!doctype HTML>\n<head></head>"), RG_E_FILE, "web page"},
    {BYTES("\xef\xbb\xbf \r\n<HTML lang=\"en\">"), RG_E_FILE, "web page"},
    {BYTES("<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>"), RG_E_FILE, "XML"},
    {BYTES("Entry not found"), RG_E_FILE, "server"},
    {BYTES("PK\3\4\0\0\0\0archive/data.pkl"), RG_E_UNSUPPORTED, "zip archive"},
    {BYTES("\x80\2\x8a\nl\xfc\x9c"
           "F\xf9 j\xa8P\x19."),
        RG_E_UNSUPPORTED, "pickle"},
    {BYTES("\x80\4\x95\1\0\0\0\0\0\0\0}"), RG_E_UNSUPPORTED, "pickle"},
    {BYTES("lmgg\0\0\0\0\0\0\0\0"), RG_E_UNSUPPORTED, "GGML"},
    {BYTES("fmgg\1\0\0\0\0\0\0\0"), RG_E_UNSUPPORTED, "ggmf"},
    {BYTES("tjgg\3\0\0\0\0\0\0\0"), RG_E_UNSUPPORTED, "ggjt"},
    {BYTES("algg\1\0\0\0\0\0\0\0"), RG_E_UNSUPPORTED, "LoRA"},
    {BYTES("\x89HDF\r\n\x1a\n\0\0\0\0"), RG_E_UNSUPPORTED, "HDF5"},
    {BYTES("\x1f\x8b\x08\0\0\0\0\0\0\3"), RG_E_UNSUPPORTED, "gzip"},
    {BYTES("7z\xbc\xaf\x27\x1c\0\4\0\0"), RG_E_UNSUPPORTED, "7z"},
};

static void expect(const char *path, const char *file, size_t i)
{
    rg_err err;
    const rg_status st = try_open(path, &err);
    if (st != files[i].code || !strstr(err.msg, files[i].word) || !strstr(err.msg, file) ||
        strchr(err.msg, '\n'))
        fail_msg("%s, %s: status %d: %s", file, files[i].word, (int)st, err.msg);
}

static void named_in_every_place(void **state)
{
    (void)state;
    char sub[512], model[600], config[600], index[600];
    snprintf(sub, sizeof sub, "%s", at("folder"));
    mkdir(sub, 0777);
    snprintf(model, sizeof model, "%s/model.safetensors", sub);
    snprintf(config, sizeof config, "%s/config.json", sub);
    snprintf(index, sizeof index, "%s/model.safetensors.index.json", sub);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        write_file(at("model.gguf"), files[i].bytes, files[i].n);
        expect(at("model.gguf"), "model.gguf", i);
        config_write(config, NULL);
        write_file(model, files[i].bytes, files[i].n);
        expect(sub, "model.safetensors", i);
        remove(model);
        write_file(index, files[i].bytes, files[i].n);
        expect(sub, "index.json", i);
        remove(index);
        write_file(config, files[i].bytes, files[i].n);
        expect(sub, "config.json", i);
    }
    drop_hf(sub);
}

/* 640 columns make a llama2.c file begin as a pickle does. */
static void numbers_are_no_pickle(void **state)
{
    (void)state;
    rg_err err;
    write_file(at("wide.bin"), "\x80\2\0\0\x80\2\0\0", 8);
    assert_int_not_equal(try_open(at("wide.bin"), &err), RG_OK);
    assert_null(strstr(err.msg, "pickle"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(named_in_every_place), cmocka_unit_test(numbers_are_no_pickle)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
