/* llama2.c files of all three versions. */
#include <string.h>

#include "fuzz_common.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || (size >= 4 && memcmp(data, "GGUF", 4) == 0)) return 0;
    const char *path = fuzz_file(data, size);
    fuzz_checkpoint(path);

    return 0;
}
