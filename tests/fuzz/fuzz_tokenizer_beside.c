/* tokenizer_config.json, special_tokens_map.json and added_tokens.json beside a small tokenizer.json: the
 * input is the three files, each ended by a byte 0. */
#include "fuzz_common.h"

#include <stdio.h>
#include <string.h>

static const char tokenizer[] = "{\"added_tokens\":[{\"id\":1,\"content\":\"<s>\",\"special\":true}],\"pre_"
                                "tokenizer\":{\"type\":\"Split\","
                                "\"pattern\":{\"Regex\":\"\\\\s+|\\\\p{L}\"},\"behavior\":\"Isolated\"},"
                                "\"decoder\":{\"type\":\"Fuse\"},\"model\":{"
                                "\"type\":\"BPE\",\"unk_token\":\"<unk>\",\"vocab\":{\"<unk>\":0,\"<s>\":1,"
                                "\"a\":2,\"b\":3},\"merges\":[]}}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {
        "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"};
    char path[128];
    for (int i = 0; i < 3; i++) {
        const uint8_t *end = size ? memchr(data, 0, size) : NULL;
        const size_t n = end ? (size_t)(end - data) : size;
        fuzz_put(names[i], data, n);
        data += n + (end != NULL);
        size -= n + (end != NULL);
    }
    fuzz_put("tokenizer.json", tokenizer, sizeof tokenizer - 1);
    snprintf(path, sizeof path, "%s/tokenizer.json", fuzz_dir());
    fuzz_tokenizer(path);
    return 0;
}
