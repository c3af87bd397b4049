/* A Hugging Face directory: the length of config.json (4 bytes, little-endian), config.json,
 * model.safetensors. */
#include "fuzz_common.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 4) return 0;
    const size_t n = (size_t)data[0] | (size_t)data[1] << 8 | (size_t)data[2] << 16 | (size_t)data[3] << 24;
    if (n > size - 4 || n == 0 || n == size - 4) return 0;
    fuzz_put("config.json", data + 4, n);
    fuzz_put("model.safetensors", data + 4 + n, size - 4 - n);
    fuzz_checkpoint(fuzz_dir());
    return 0;
}
