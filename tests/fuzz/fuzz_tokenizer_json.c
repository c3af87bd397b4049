/* tokenizer.json. */
#include "fuzz_common.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || data[0] != '{') return 0;
    fuzz_tokenizer(fuzz_file(data, size));
    return 0;
}
