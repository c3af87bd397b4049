/* SentencePiece tokenizer.model: protobuf by hand. */
#include "fuzz_common.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || data[0] != 0x0a) return 0; /* field 1 of the message, as every such file begins */
    fuzz_tokenizer(fuzz_file(data, size));
    return 0;
}
