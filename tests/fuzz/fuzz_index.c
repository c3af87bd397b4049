/* A sharded Hugging Face directory of a fixed configuration: the length of model.safetensors.index.json (4
 * bytes, little-endian), the index, and the bytes of both a.safetensors and b.safetensors. */
#include <string.h>

#include "fuzz_common.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char config[] =
        "{\"architectures\":[\"LlamaForCausalLM\"],\"hidden_size\":32,\"intermediate_size\":64,\"num_hidden_"
        "layers\":1,\"num_attention_heads\":4,\"num_key_value_heads\":2,\"vocab_size\":16,\"rms_norm_eps\":"
        "1e-"
        "5,\"tie_word_embeddings\":true}";
    if (size < 4) return 0;
    const size_t n = (size_t)data[0] | (size_t)data[1] << 8 | (size_t)data[2] << 16 | (size_t)data[3] << 24;
    if (n > size - 4 || n == 0 || n == size - 4) return 0;
    fuzz_put("config.json", config, sizeof config - 1);
    fuzz_put("model.safetensors.index.json", data + 4, n);
    fuzz_put("a.safetensors", data + 4 + n, size - 4 - n);
    fuzz_put("b.safetensors", data + 4 + n, size - 4 - n);
    fuzz_checkpoint(fuzz_dir());
    return 0;
}
