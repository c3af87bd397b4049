/* Tells files of other kinds by their first bytes. */
#include "base/foreign.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define CONVERT ": convert it to safetensors or GGUF"

/* How they begin; text: behind white space, and in small or large letters. */
static const struct {
    const char *begin;
    size_t n;
    bool text;
    rg_status code;
    const char *what;
} kinds[] = {
#define ROW(begin, text, code, what) \
    { \
        begin, sizeof begin - 1, text, code, what \
    }
    ROW("version https://git-lfs.github.com/spec/", true, RG_E_FILE,
        "a git-lfs pointer, not the file itself: run git lfs pull, or download the file"),
    ROW("<!doctype html", true, RG_E_FILE, "a web page (HTML), not the file itself: download it again"),
    ROW("<html", true, RG_E_FILE, "a web page (HTML), not the file itself: download it again"),
    ROW("<?xml", true, RG_E_FILE,
        "an XML document, as servers send errors, not the file itself: download it again"),
    ROW("Entry not found", true, RG_E_FILE,
        "a server's error message, not the file itself: download it again"),
    ROW("Invalid username or password", true, RG_E_FILE,
        "a server's error message, not the file itself: log in and download it again"),
    ROW("Access to model ", true, RG_E_FILE,
        "a server's error message, not the file itself: log in and download it again"),
    ROW("PK\3\4", false, RG_E_UNSUPPORTED,
        "a zip archive, as PyTorch writes (pytorch_model.bin, .pth, .pt)" CONVERT),
    ROW("PK\5\6", false, RG_E_UNSUPPORTED, "an empty zip archive"),
    ROW("lmgg", false, RG_E_UNSUPPORTED,
        "an old GGML file (ggml, before GGUF): convert the original model to GGUF"),
    ROW("fmgg", false, RG_E_UNSUPPORTED,
        "an old GGML file (ggmf, before GGUF): convert the original model to GGUF"),
    ROW("tjgg", false, RG_E_UNSUPPORTED,
        "an old GGML file (ggjt, before GGUF): convert the original model to GGUF"),
    ROW("algg", false, RG_E_UNSUPPORTED, "an old LoRA adapter (ggla): merge it into its base model"),
    ROW("\x89HDF\r\n\x1a\n", false, RG_E_UNSUPPORTED, "an HDF5 file, as Keras and TensorFlow write" CONVERT),
    ROW("\x93NUMPY", false, RG_E_UNSUPPORTED, "a NumPy array" CONVERT),
    ROW("\x1f\x8b\x08", false, RG_E_UNSUPPORTED, "a gzip archive: unpack it"),
    ROW("\x28\xb5\x2f\xfd", false, RG_E_UNSUPPORTED, "a zstd archive: unpack it"),
    ROW("\xfd"
        "7zXZ",
        false, RG_E_UNSUPPORTED, "an xz archive: unpack it"),
    ROW("7z\xbc\xaf\x27\x1c", false, RG_E_UNSUPPORTED, "a 7z archive: unpack it"),
    ROW("BZh", false, RG_E_UNSUPPORTED, "a bzip2 archive: unpack it"),
    ROW("Rar!", false, RG_E_UNSUPPORTED, "a rar archive: unpack it"),
#undef ROW
};

rg_status rg_foreign(const rg_src *src, const void *data, size_t n)
{
    const char *p = data;
    size_t blank = n >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    while (blank < n && blank < 256 && p[blank] && strchr(" \t\r\n", p[blank])) blank++;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const size_t from = kinds[i].text ? blank : 0;
        if (n - from < kinds[i].n ||
            (kinds[i].text ? strncasecmp(p + from, kinds[i].begin, kinds[i].n)
                           : memcmp(p, kinds[i].begin, kinds[i].n)) != 0)
            continue;
        return (kinds[i].code == RG_E_FILE ? rg_bad : rg_lacks)(src, "it is %s", kinds[i].what);
    }
    /* protocol 2 to 5, then an opcode; a llama2.c file of 640 columns has a 0 there */
    if (n > 2 && p[0] == '\x80' && p[1] >= 2 && p[1] <= 5 && p[2])
        return rg_lacks(
            src, "it is a Python pickle, as PyTorch writes (pytorch_model.bin, .pth, .pt)" CONVERT);
    if (n >= 262 && memcmp(p + 257, "ustar", 5) == 0) return rg_lacks(src, "it is a tar archive: unpack it");
    return RG_OK;
}

rg_status rg_foreign_file(const rg_src *src)
{
    char begin[512];
    FILE *f = fopen(src->name, "rb");
    if (!f) return RG_OK;
    const size_t n = fread(begin, 1, sizeof begin, f);
    fclose(f);
    return rg_foreign(src, begin, n);
}
