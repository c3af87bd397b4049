/* Importers of quantised modules: the first byte chooses the scheme of a fixed configuration, the rest is
 * model.safetensors. */
#include <stdio.h>
#include <string.h>

#include "fuzz_common.h"

static const char *const schemes[] = {
    "\"quant_method\":\"awq\",\"bits\":4,\"group_size\":32,\"zero_point\":true,\"version\":\"gemm\"",
    "\"quant_method\":\"gptq\",\"bits\":4,\"group_size\":32,\"checkpoint_format\":\"gptq\"",
    "\"quant_method\":\"gptq\",\"bits\":4,\"group_size\":16,\"checkpoint_format\":\"gptq_v2\"",
    ("\"quant_method\":\"compressed-tensors\",\"format\":\"pack-quantized\",\"config_groups\":{\"a\":{"
     "\"weights\":{\"num_bits\":4,\"type\":\"int\",\"symmetric\":false,\"group_"
     "size\":32}}}"),
    ("\"quant_method\":\"compressed-tensors\",\"format\":\"pack-quantized\",\"config_groups\":{\"a\":{"
     "\"weights\":{\"num_bits\":8,\"type\":\"int\",\"group_"
     "size\":32}}}"),
    ("\"quant_method\":\"compressed-tensors\",\"format\":\"pack-quantized\",\"config_groups\":{\"a\":{"
     "\"weights\":{\"num_bits\":4,\"symmetric\":true,\"group_size\":32}}}"),
    "\"quant_method\":\"gptq\",\"bits\":4,\"group_size\":32,\"sym\":true,\"desc_act\":false",
    "\"quant_method\":\"auto-round\",\"bits\":8,\"group_size\":32,\"extra_config\":{\"a\":{\"bits\":4}}",
    "\"quant_method\":\"fp8\",\"weight_block_size\":[16,16]",
    ("\"quant_method\":\"compressed-tensors\",\"format\":\"float-quantized\",\"config_groups\":{\"a\":{"
     "\"weights\":{\"num_bits\":8,\"type\":\"float\"}}}"),
    ("\"quant_method\":\"compressed-tensors\",\"format\":\"int-quantized\",\"config_groups\":{\"a\":{"
     "\"weights\":{\"num_bits\":8,\"group_size\":16}}}"),
    "\"quant_method\":\"bitsandbytes\",\"load_in_4bit\":true,\"bnb_4bit_quant_type\":\"nf4\"",
    "\"group_size\":32,\"bits\":4,\"lm_head\":{\"bits\":8}"};
enum { SCHEMES = sizeof schemes / sizeof *schemes, MLX = SCHEMES - 1 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char config[1024];
    if (size < 2) return 0;
    const int n = snprintf(config, sizeof config,
        "{\"architectures\":[\"LlamaForCausalLM\"],\"hidden_size\":32,\"intermediate_size\":64,\"num_hidden_"
        "layers\":1,\"num_attention_heads\":4,"
        "\"num_key_value_heads\":2,\"vocab_size\":16,\"rms_norm_eps\":1e-5,\"tie_word_embeddings\":true,"
        "\"quantization%s\":{%s}}",
        data[0] % SCHEMES == MLX ? "" : "_config", schemes[data[0] % SCHEMES]);
    fuzz_put("config.json", config, (size_t)n);
    fuzz_put("model.safetensors", data + 1, size - 1);
    fuzz_checkpoint(fuzz_dir());
    return 0;
}
