/* The configurations that families of models publish: each is read with the values that count, or refused by
 * what it needs. Members that decide nothing here are left out. */
#include "ckpt_fixture.h"

#include "file_build.h"

typedef struct family {
    const char *name;
    const char *json; /* with ' for " */
    const char *says; /* what was read; of a refused one a word of the refusal, behind '!' */
} family;

#define LLAMA3(factor) \
    "'rope_scaling':{'rope_type':'llama3','factor':" factor ",'low_freq_factor':1.0,'high_freq_factor':4.0," \
    "'original_max_position_embeddings':8192}"
#define SIZES(hidden, ffn, layers, heads, kv, vocab, ctx) \
    "'hidden_size':" #hidden ",'intermediate_size':" #ffn ",'num_hidden_layers':" #layers \
    ",'num_attention_heads':" #heads ",'num_key_value_heads':" #kv ",'vocab_size':" #vocab \
    ",'max_position_embeddings':" #ctx
#define CLASS(class, type) "{'architectures':['" class "'],'model_type':'" type "',"
/* of a refused one */
#define SOME SIZES(2048, 8192, 4, 16, 16, 32000, 4096) ",'rms_norm_eps':1e-5}"
#define F16(x) x "," x "," x "," x "," x "," x "," x "," x "," x "," x "," x "," x "," x "," x "," x "," x
#define F32(x) F16(x) "," F16(x)
#define F48(x) F32(x) "," F16(x)
#define FULL "'full_attention'"
#define SLID "'sliding_attention'"
#define SIX SLID "," SLID "," SLID "," SLID "," SLID "," FULL
#define FOUR SLID "," SLID "," SLID "," FULL

/* clang-format off */
static const family families[] = {
    /* Llama and what is one */
    {"Llama 3.2 1B",
        CLASS("LlamaForCausalLM", "llama") SIZES(2048, 8192, 16, 32, 8, 128256, 131072) ",'head_dim':64,"
        "'rms_norm_eps':1e-5,'rope_theta':500000.0,'attention_bias':false,'mlp_bias':false,"
        "'pretraining_tp':1,'hidden_act':'silu','tie_word_embeddings':true," LLAMA3("32.0") "}",
        "llama 2048x8192, 16 of 32/8 x 64, rope 500000 llama3 32 of 8192, tied"},
    {"Llama 3.1 8B",
        CLASS("LlamaForCausalLM", "llama") SIZES(4096, 14336, 32, 32, 8, 128256, 131072) ","
        "'rms_norm_eps':1e-5,'rope_theta':500000.0," LLAMA3("8.0") "}",
        "llama 4096x14336, 32 of 32/8 x 128, rope 500000 llama3 8 of 8192"},
    {"DeepSeek-R1-Distill-Llama 8B",
        CLASS("LlamaForCausalLM", "llama") SIZES(4096, 14336, 32, 32, 8, 128256, 131072) ","
        "'rms_norm_eps':1e-5,'rope_theta':500000.0,'eos_token_id':128001,'bos_token_id':128000,"
        LLAMA3("8.0") "}",
        "llama 4096x14336, 32 of 32/8 x 128, rope 500000 llama3 8 of 8192"},
    {"SmolLM2 135M",
        CLASS("LlamaForCausalLM", "llama") SIZES(576, 1536, 30, 9, 3, 49152, 8192) ",'rms_norm_eps':1e-5,"
        "'rope_theta':100000,'rope_interleaved':false,'rope_scaling':null,'is_llama_config':true,"
        "'tie_word_embeddings':true}",
        "llama 576x1536, 30 of 9/3 x 64, rope 100000, tied"},
    {"TinyLlama 1.1B",
        CLASS("LlamaForCausalLM", "llama") SIZES(2048, 5632, 22, 32, 4, 32000, 2048) ","
        "'rms_norm_eps':1e-5}",
        "llama 2048x5632, 22 of 32/4 x 64, rope 10000"},
    {"Yi 1.5 6B",
        CLASS("LlamaForCausalLM", "llama") SIZES(4096, 11008, 32, 32, 4, 64000, 4096) ","
        "'rms_norm_eps':1e-6,'rope_theta':5000000.0}",
        "llama 4096x11008, 32 of 32/4 x 128, rope 5e+06"},
    {"Falcon3 1B",
        CLASS("LlamaForCausalLM", "llama") SIZES(2048, 8192, 18, 8, 4, 131072, 8192) ",'head_dim':256,"
        "'rms_norm_eps':1e-6,'rope_theta':1000042}",
        "llama 2048x8192, 18 of 8/4 x 256, rope 1.00004e+06"},
    {"Minitron 4B (Llama 3.1)",
        CLASS("LlamaForCausalLM", "llama") SIZES(3072, 9216, 32, 32, 8, 128256, 131072) ",'head_dim':128,"
        "'rms_norm_eps':1e-5,'rope_theta':500000.0," LLAMA3("8.0") "}",
        "llama 3072x9216, 32 of 32/8 x 128, rope 500000 llama3 8 of 8192"},
    {"MiniCPM5 1B",
        CLASS("LlamaForCausalLM", "llama") SIZES(1536, 4096, 24, 24, 2, 73448, 131072) ","
        "'rope_theta':1e6}",
        "llama 1536x4096, 24 of 24/2 x 64, rope 1e+06"},
    /* Granite */
    {"Granite 3.3 2B",
        CLASS("GraniteForCausalLM", "granite") SIZES(2048, 8192, 40, 32, 8, 49159, 131072) ","
        "'rms_norm_eps':1e-5,'rope_theta':10000000.0,'embedding_multiplier':12.0,"
        "'attention_multiplier':0.015625,'residual_multiplier':0.22,'logits_scaling':8.0,"
        "'tie_word_embeddings':true}",
        "granite 2048x8192, 40 of 32/8 x 64, rope 1e+07, x0 by 12, scores by 0.015625, blocks by 0.22, "
        "logits over 8, tied"},
    {"Granite 4.0 Micro",
        CLASS("GraniteMoeHybridForCausalLM", "granitemoehybrid")
        SIZES(2560, 8192, 4, 40, 8, 100352, 131072) ",'shared_intermediate_size':8192,"
        "'num_local_experts':0,'num_experts_per_tok':0,'rms_norm_eps':1e-5,'rope_theta':10000000,"
        "'position_embedding_type':'rope','normalization_function':'rmsnorm','layer_types':['attention',"
        "'attention','attention','attention'],'embedding_multiplier':12,'attention_multiplier':0.015625,"
        "'residual_multiplier':0.22,'logits_scaling':10,'mamba_n_heads':128,'mamba_chunk_size':256,"
        "'tie_word_embeddings':true}",
        "granitemoehybrid 2560x8192, 4 of 40/8 x 64, rope 1e+07, x0 by 12, scores by 0.015625, "
        "blocks by 0.22, logits over 10, tied"},
    {"Granite 4.0 H Micro",
        CLASS("GraniteMoeHybridForCausalLM", "granitemoehybrid")
        SIZES(2048, 8192, 2, 32, 8, 100352, 131072) ",'shared_intermediate_size':8192,"
        "'num_local_experts':0,'position_embedding_type':'nope','layer_types':['mamba','attention']}",
        "!layer 0 is mamba"},
    {"Granite 4.0 H Tiny",
        CLASS("GraniteMoeHybridForCausalLM", "granitemoehybrid") SIZES(1536, 512, 2, 12, 4, 100352, 131072)
        ","
        "'num_local_experts':64,'layer_types':['mamba','attention']}",
        "!mixture of experts"},
    {"Granite 3.1 1B A400M",
        CLASS("GraniteMoeForCausalLM", "granitemoe") SIZES(1024, 512, 24, 16, 8, 49155, 131072) ","
        "'num_local_experts':32,'num_experts_per_tok':8,'rms_norm_eps':1e-6,'rope_theta':1500000.0,"
        "'embedding_multiplier':12.0,'attention_multiplier':0.015625,'residual_multiplier':0.22,"
        "'logits_scaling':6.0,'tie_word_embeddings':true}",
        "granitemoe 1024x0, 24 of 16/8 x 64, rope 1.5e+06, 8 of 32 experts of 512, sum 1, x0 by 12, "
        "scores by 0.015625, blocks by 0.22, logits over 6, tied"},
    /* Mistral */
    {"Mistral 7B v0.1",
        CLASS("MistralForCausalLM", "mistral") SIZES(4096, 14336, 32, 32, 8, 32000, 32768) ","
        "'rms_norm_eps':1e-5,'rope_theta':10000.0,'sliding_window':4096}",
        "mistral 4096x14336, 32 of 32/8 x 128, rope 10000, window 4096 in 32"},
    {"Mistral 7B v0.3",
        CLASS("MistralForCausalLM", "mistral") SIZES(4096, 14336, 32, 32, 8, 32768, 32768) ","
        "'rms_norm_eps':1e-5,'rope_theta':1000000.0,'sliding_window':null}",
        "mistral 4096x14336, 32 of 32/8 x 128, rope 1e+06"},
    {"Mistral Nemo 12B",
        CLASS("MistralForCausalLM", "mistral") SIZES(5120, 14336, 40, 32, 8, 131072, 1024000) ","
        "'head_dim':128,'rms_norm_eps':1e-5,'rope_theta':1000000.0,'sliding_window':null}",
        "mistral 5120x14336, 40 of 32/8 x 128, rope 1e+06"},
    {"Ministral 3 3B",
        CLASS("Mistral3ForConditionalGeneration", "mistral3") "'image_token_index':10,"
        "'spatial_merge_size':2,'vision_feature_layer':-1,'vision_config':{'model_type':'pixtral',"
        "'head_dim':64},'text_config':{'model_type':'ministral3',"
        SIZES(3072, 9216, 26, 32, 8, 131072, 262144) ",'head_dim':128,'rms_norm_eps':1e-5,"
        "'sliding_window':null,'tie_word_embeddings':true,'rope_parameters':{'beta_fast':32.0,"
        "'beta_slow':1.0,'factor':16.0,'llama_4_scaling_beta':0.1,'mscale':1.0,'mscale_all_dim':1.0,"
        "'original_max_position_embeddings':16384,'rope_theta':1000000.0,'rope_type':'yarn',"
        "'type':'yarn'}}}",
        "ministral3 3072x9216, 26 of 32/8 x 128, rope 1e+06 yarn 16 of 16384, queries by 0.1, tied"},
    {"Mistral Small 3.1 24B",
        CLASS("Mistral3ForConditionalGeneration", "mistral3") "'vision_config':{'model_type':'pixtral'},"
        "'text_config':{'model_type':'mistral'," SIZES(5120, 32768, 40, 32, 8, 131072, 131072) ","
        "'head_dim':128,'rms_norm_eps':1e-5,'rope_theta':1000000000.0,'sliding_window':null}}",
        "mistral 5120x32768, 40 of 32/8 x 128, rope 1e+09"},
    {"Mixtral 8x7B",
        CLASS("MixtralForCausalLM", "mixtral") SIZES(4096, 14336, 32, 32, 8, 32000, 32768) ","
        "'num_local_experts':8,'num_experts_per_tok':2,'rms_norm_eps':1e-5,'rope_theta':1000000.0,"
        "'sliding_window':null,'router_jitter_noise':0.0}",
        "mixtral 4096x0, 32 of 32/8 x 128, rope 1e+06, 2 of 8 experts of 14336, sum 1"},
    /* Qwen */
    {"Qwen2 0.5B",
        CLASS("Qwen2ForCausalLM", "qwen2") SIZES(896, 4864, 24, 14, 2, 151936, 131072) ","
        "'rms_norm_eps':1e-6,'rope_theta':1000000.0,'use_sliding_window':false,'sliding_window':131072,"
        "'max_window_layers':24,'tie_word_embeddings':true}",
        "qwen2 896x4864, 24 of 14/2 x 64, rope 1e+06, biases, tied"},
    {"Qwen2.5 7B, DeepSeek-R1-Distill-Qwen 7B",
        CLASS("Qwen2ForCausalLM", "qwen2") SIZES(3584, 18944, 28, 28, 4, 152064, 131072) ","
        "'rms_norm_eps':1e-6,'rope_theta':1000000.0,'use_sliding_window':false,'sliding_window':131072,"
        "'max_window_layers':28}",
        "qwen2 3584x18944, 28 of 28/4 x 128, rope 1e+06, biases"},
    {"Qwen2.5 7B with YaRN",
        CLASS("Qwen2ForCausalLM", "qwen2") SIZES(3584, 18944, 28, 28, 4, 152064, 32768) ","
        "'rms_norm_eps':1e-6,'rope_theta':1000000.0,'rope_scaling':{'factor':4.0,"
        "'original_max_position_embeddings':32768,'type':'yarn'}}",
        "qwen2 3584x18944, 28 of 28/4 x 128, rope 1e+06 yarn 4 of 32768 times 1.1386, biases"},
    {"Qwen2.5 7B 1M",
        CLASS("Qwen2ForCausalLM", "qwen2") "'dual_chunk_attention_config':{'chunk_size':262144,"
        "'local_size':8192,'original_max_position_embeddings':262144}," SOME,
        "!dual chunk attention"},
    {"Qwen2.5-VL 3B", CLASS("Qwen2_5_VLForConditionalGeneration", "qwen2_5_vl") SOME, "!images"},
    {"Qwen3 0.6B",
        CLASS("Qwen3ForCausalLM", "qwen3") SIZES(1024, 3072, 28, 16, 8, 151936, 40960) ",'head_dim':128,"
        "'rms_norm_eps':1e-6,'rope_theta':1000000,'use_sliding_window':false,'sliding_window':null,"
        "'max_window_layers':28,'attention_bias':false,'tie_word_embeddings':true}",
        "qwen3 1024x3072, 28 of 16/8 x 128, rope 1e+06, head norms of q and k, tied"},
    {"Qwen3 Embedding 0.6B, as a class", CLASS("Qwen3Model", "qwen3") SOME, "!makes embeddings"},
    {"Qwen3 Reranker 0.6B, as a class",
        CLASS("Qwen3ForSequenceClassification", "qwen3") SOME,
        "!makes classes of texts"},
    {"Qwen3 30B A3B",
        CLASS("Qwen3MoeForCausalLM", "qwen3_moe") SIZES(2048, 6144, 48, 32, 4, 151936, 40960) ","
        "'head_dim':128,'num_experts':128,'num_experts_per_tok':8,'moe_intermediate_size':768,"
        "'norm_topk_prob':true,'decoder_sparse_step':1,'mlp_only_layers':[],'max_window_layers':48,"
        "'use_sliding_window':false,'sliding_window':null,'rms_norm_eps':1e-6,'rope_theta':1000000.0}",
        "qwen3_moe 2048x0, 48 of 32/4 x 128, rope 1e+06, 8 of 128 experts of 768, sum 1, head norms of q and "
        "k"},
    {"a mixture with dense layers",
        CLASS("Qwen3MoeForCausalLM", "qwen3_moe") SIZES(2048, 6144, 48, 32, 4, 151936, 40960) ","
        "'num_experts':128,'num_experts_per_tok':8,'moe_intermediate_size':768,'mlp_only_layers':[0]}",
        "!dense layers between those of experts"},
    {"Qwen1.5 MoE A2.7B",
        CLASS("Qwen2MoeForCausalLM", "qwen2_moe") SIZES(2048, 5632, 24, 16, 16, 151936, 8192) ","
        "'num_experts':60,'num_experts_per_tok':4,'moe_intermediate_size':1408,"
        "'shared_expert_intermediate_size':5632,'norm_topk_prob':false,'decoder_sparse_step':1,"
        "'use_sliding_window':false,'sliding_window':32768,'rms_norm_eps':1e-6,'rope_theta':1000000.0}",
        "qwen2_moe 2048x0, 24 of 16/16 x 128, rope 1e+06, 4 of 60 experts of 1408, shared 5632, biases"},
    {"Qwen3-Next 80B A3B", CLASS("Qwen3NextForCausalLM", "qwen3_next") SOME, "!gated delta networks"},
    {"Qwen3.5 2B",
        CLASS("Qwen3_5ForConditionalGeneration", "qwen3_5") "'text_config':{'model_type':'qwen3_5_text'},"
        SOME,
        "!gated delta networks"},
    /* Gemma */
    {"Gemma 2B",
        CLASS("GemmaForCausalLM", "gemma") SIZES(2048, 16384, 18, 8, 1, 256000, 8192) ",'head_dim':256,"
        "'rms_norm_eps':1e-6,'rope_theta':10000.0,'hidden_act':'gelu','hidden_activation':null}",
        "gemma 2048x16384, 18 of 8/1 x 256, rope 10000, x0 by 45.255, gelu, tied"},
    {"Gemma 2 2B",
        CLASS("Gemma2ForCausalLM", "gemma2") SIZES(2304, 9216, 26, 8, 4, 256000, 8192) ",'head_dim':256,"
        "'rms_norm_eps':1e-6,'rope_theta':10000.0,'hidden_act':'gelu_pytorch_tanh',"
        "'hidden_activation':'gelu_pytorch_tanh','attn_logit_softcapping':50.0,"
        "'final_logit_softcapping':30.0,'query_pre_attn_scalar':256,'sliding_window':4096,"
        "'cache_implementation':'hybrid'}",
        "gemma2 2304x9216, 26 of 8/4 x 256, rope 10000, window 4096 in 13, scores to 50, logits to 30, "
        "x0 by 48, scores by 0.0625, norms behind, gelu, tied"},
    {"Gemma 2 27B",
        CLASS("Gemma2ForCausalLM", "gemma2") SIZES(4608, 36864, 46, 32, 16, 256000, 8192) ","
        "'head_dim':128,'hidden_activation':'gelu_pytorch_tanh','attn_logit_softcapping':50.0,"
        "'final_logit_softcapping':30.0,'query_pre_attn_scalar':144,'sliding_window':4096,"
        "'sliding_window_size':4096}",
        "gemma2 4608x36864, 46 of 32/16 x 128, rope 10000, window 4096 in 23, scores to 50, "
        "logits to 30, x0 by 67.882, scores by 0.083333, norms behind, gelu, tied"},
    {"Gemma 3 270M",
        CLASS("Gemma3ForCausalLM", "gemma3_text") SIZES(640, 2048, 18, 4, 1, 262144, 32768) ","
        "'head_dim':256,'rms_norm_eps':1e-6,'rope_theta':1000000.0,'rope_local_base_freq':10000.0,"
        "'query_pre_attn_scalar':256,'sliding_window':512,'_sliding_window_pattern':6,'layer_types':[" SIX
        ","
        "" SIX "," SIX "],'hidden_activation':'gelu_pytorch_tanh','attn_logit_softcapping':null,"
        "'final_logit_softcapping':null,'use_bidirectional_attention':false,'rope_scaling':null,"
        "'attention_bias':false}",
        "gemma3_text 640x2048, 18 of 4/1 x 256, rope 1e+06 and 10000, window 512 in 15, x0 by 25.298, "
        "scores by 0.0625, head norms of q and k, norms behind, gelu, tied"},
    {"Gemma 3 1B",
        CLASS("Gemma3ForCausalLM", "gemma3_text") SIZES(1152, 6912, 26, 4, 1, 262144, 32768) ","
        "'head_dim':256,'rms_norm_eps':1e-6,'rope_theta':1000000,'rope_local_base_freq':10000,"
        "'query_pre_attn_scalar':256,'sliding_window':512,'sliding_window_pattern':6,"
        "'hidden_activation':'gelu_pytorch_tanh','attn_logit_softcapping':null,"
        "'final_logit_softcapping':null,'cache_implementation':'hybrid'}",
        "gemma3_text 1152x6912, 26 of 4/1 x 256, rope 1e+06 and 10000, window 512 in 22, x0 by 33.941, "
        "scores by 0.0625, head norms of q and k, norms behind, gelu, tied"},
    {"Gemma 3 4B", /* what it leaves out is the class's */
        CLASS("Gemma3ForConditionalGeneration", "gemma3") "'boi_token_index':255999,"
        "'eoi_token_index':256000,'eos_token_id':[1,106],'image_token_index':262144,"
        "'mm_tokens_per_image':256,'text_config':{'hidden_size':2560,'intermediate_size':10240,"
        "'model_type':'gemma3_text','num_hidden_layers':34,'rope_scaling':{'factor':8.0,"
        "'rope_type':'linear'},'sliding_window':1024},'vision_config':{'hidden_size':1152,"
        "'model_type':'siglip_vision_model'}}",
        "gemma3_text 2560x10240, 34 of 8/4 x 256, rope 1e+06 and 10000 linear 8 of 0, "
        "window 1024 in 29, x0 by 50.596, scores by 0.0625, head norms of q and k, norms behind, gelu, tied"},
    {"Gemma 3 4B, transformers 5",
        CLASS("Gemma3ForConditionalGeneration", "gemma3") "'text_config':{'hidden_size':2560,"
        "'intermediate_size':10240,'model_type':'gemma3_text','num_hidden_layers':6,'sliding_window':1024,"
        "'layer_types':[" SIX "],'rope_parameters':{'full_attention':{'factor':8.0,'rope_theta':1000000.0,"
        "'rope_type':'linear'},'sliding_attention':{'rope_theta':10000.0,'rope_type':'default'}}}}",
        "gemma3_text 2560x10240, 6 of 8/4 x 256, rope 1e+06 and 10000 linear 8 of 0, window 1024 in 5, "
        "x0 by 50.596, scores by 0.0625, head norms of q and k, norms behind, gelu, tied"},
    {"EmbeddingGemma 300M", CLASS("Gemma3TextModel", "gemma3_text") SOME, "!makes embeddings"},
    {"Gemma 3n E2B",
        CLASS("Gemma3nForConditionalGeneration", "gemma3n") "'text_config':{}," SOME,
        "!embeddings per layer"},
    {"Gemma 4 E2B", CLASS("Gemma4ForConditionalGeneration", "gemma4") SOME, "!embeddings per layer"},
    /* Phi */
    {"Phi-2", CLASS("PhiForCausalLM", "phi") SOME, "!parallel blocks"},
    {"Phi-3 mini 4K",
        CLASS("Phi3ForCausalLM", "phi3") SIZES(3072, 8192, 32, 32, 32, 32064, 4096) ",'rms_norm_eps':1e-5,"
        "'rope_theta':10000.0,'original_max_position_embeddings':4096,'rope_scaling':null,"
        "'sliding_window':2047}",
        "phi3 3072x8192, 32 of 32/32 x 96, rope 10000, window 2047 in 32"},
    {"Phi-3.5 mini",
        CLASS("Phi3ForCausalLM", "phi3") SIZES(3072, 8192, 32, 32, 32, 32064, 131072) ","
        "'rms_norm_eps':1e-5,'rope_theta':10000.0,'original_max_position_embeddings':4096,"
        "'sliding_window':262144,'rope_scaling':{'type':'longrope','short_factor':[" F48("1.05") "],"
        "'long_factor':[" F48("9.5") "]}}",
        "phi3 3072x8192, 32 of 32/32 x 96, rope 10000 longrope 0 of 4096 times 1.1902, "
        "window 262144 in 32"},
    {"Phi-3 mini 128K",
        CLASS("Phi3ForCausalLM", "phi3") SIZES(3072, 8192, 32, 32, 32, 32064, 131072) ","
        "'rms_norm_eps':1e-5,'original_max_position_embeddings':4096,'sliding_window':262144,"
        "'rope_scaling':{'type':'su','short_factor':[" F48("1.05") "],'long_factor':[" F48("9.5") "]}}",
        "phi3 3072x8192, 32 of 32/32 x 96, rope 10000 longrope 0 of 4096 times 1.1902, "
        "window 262144 in 32"},
    {"Phi-3.5 MoE", CLASS("PhiMoEForCausalLM", "phimoe") SOME, "!mixture of experts"},
    {"Phi-4 14B",
        CLASS("Phi3ForCausalLM", "phi3") SIZES(5120, 17920, 40, 40, 10, 100352, 16384) ","
        "'rms_norm_eps':1e-5,'rope_theta':250000,'original_max_position_embeddings':16384,"
        "'rope_scaling':null,'sliding_window':null}",
        "phi3 5120x17920, 40 of 40/10 x 128, rope 250000"},
    {"Phi-4 mini",
        CLASS("Phi3ForCausalLM", "phi3") SIZES(3072, 8192, 32, 24, 8, 200064, 131072) ","
        "'rms_norm_eps':1e-5,'rope_theta':10000.0,'partial_rotary_factor':0.75,"
        "'original_max_position_embeddings':4096,'sliding_window':262144,'interpolate_factor':1,"
        "'full_attn_mod':1,'lm_head_bias':false,'rope_scaling':{'type':'longrope','short_factor':["
        F48("1.0") "],'long_factor':[" F48("16.0") "]},'tie_word_embeddings':true}",
        "phi3 3072x8192, 32 of 24/8 x 128, rope 10000 on 96 longrope 0 of 4096 times 1.1902, "
        "window 262144 in 32, tied"},
    {"Phi-4 multimodal", CLASS("Phi4MMForCausalLM", "phi4mm") SOME, "!images and sound"},
    /* others that run */
    {"SmolLM3 3B",
        CLASS("SmolLM3ForCausalLM", "smollm3") SIZES(2048, 11008, 8, 16, 4, 128256, 65536) ","
        "'rms_norm_eps':1e-6,'rope_theta':5000000.0,'no_rope_layer_interval':4,'no_rope_layers':[1,1,1,0,"
        "1,1,1,0],'rope_scaling':null,'layer_types':[" FULL "," FULL "," FULL "," FULL "," FULL "," FULL
        ","
        "" FULL "," FULL "],'use_sliding_window':false,'sliding_window':null,'max_window_layers':28,"
        "'tie_word_embeddings':true}",
        "smollm3 2048x11008, 8 of 16/4 x 128, rope 5e+06, 2 unrotated, tied"},
    {"OLMo 7B", CLASS("OlmoForCausalLM", "olmo") SOME, "!norms without gains"},
    {"OLMo 2 1B",
        CLASS("Olmo2ForCausalLM", "olmo2") SIZES(2048, 8192, 16, 16, 16, 100352, 4096) ","
        "'rms_norm_eps':1e-6,'rope_theta':500000,'rope_scaling':null}",
        "olmo2 2048x8192, 16 of 16/16 x 128, rope 500000, whole norms of q and k, norms behind only"},
    {"OLMo 3 7B",
        CLASS("Olmo3ForCausalLM", "olmo3") SIZES(4096, 11008, 8, 32, 32, 100278, 65536) ","
        "'rms_norm_eps':1e-6,'rope_theta':500000,'sliding_window':4096,'layer_types':[" FOUR "," FOUR "],"
        "'rope_scaling':{'attention_factor':1.2079441541679836,'beta_fast':32,'beta_slow':1,'factor':8.0,"
        "'original_max_position_embeddings':8192,'rope_type':'yarn'}}",
        "olmo3 4096x11008, 8 of 32/32 x 128, rope 500000 and 500000 yarn 8 of 8192 times 1.2079, "
        "window 4096 in 6, whole norms of q and k, norms behind only"},
    {"OLMoE 1B 7B",
        CLASS("OlmoeForCausalLM", "olmoe") SIZES(2048, 1024, 16, 16, 16, 50304, 4096) ","
        "'num_experts':64,'num_experts_per_tok':8,'norm_topk_prob':false,'clip_qkv':null,"
        "'rms_norm_eps':1e-5,'rope_theta':10000.0}",
        "olmoe 2048x0, 16 of 16/16 x 128, rope 10000, 8 of 64 experts of 1024, whole norms of q and k"},
    {"ERNIE 4.5 0.3B",
        CLASS("Ernie4_5ForCausalLM", "ernie4_5") SIZES(1024, 3072, 18, 16, 2, 103424, 131072) ","
        "'head_dim':128,'rms_norm_eps':1e-5,'rope_theta':500000.0,'use_bias':false,"
        "'tie_word_embeddings':true}",
        "ernie4_5 1024x3072, 18 of 16/2 x 128, rope 500000, tied"},
    {"ERNIE 4.5 21B A3B", CLASS("Ernie4_5_MoeForCausalLM", "ernie4_5_moe") SOME, "!mixture of experts"},
    {"MiniCPM 2B",
        CLASS("MiniCPMForCausalLM", "minicpm") SIZES(2304, 5760, 40, 36, 36, 122753, 4096) ","
        "'rms_norm_eps':1e-5,'scale_emb':12,'dim_model_base':256,'scale_depth':1.4}",
        "minicpm 2304x5760, 40 of 36/36 x 64, rope 10000, x0 by 12, blocks by 0.22136, logits over 9, "
        "tied"},
    {"MiniCPM4 0.5B",
        CLASS("MiniCPMForCausalLM", "minicpm") SIZES(1024, 4096, 24, 16, 2, 73448, 32768) ","
        "'rms_norm_eps':1e-6,'scale_emb':12,'dim_model_base':256,'scale_depth':1.4,"
        "'rope_scaling':{'rope_type':'longrope','original_max_position_embeddings':32768,'short_factor':["
        F32("1.01") "],'long_factor':[" F32("1.01") "]}}",
        "minicpm 1024x4096, 24 of 16/2 x 64, rope 10000 longrope 0 of 32768, x0 by 12, "
        "blocks by 0.28577, logits over 4, tied"},
    {"MiniCPM MoE 8x2B",
        CLASS("MiniCPMForCausalLM", "minicpm") "'num_experts':8," SOME,
        "!mixture of experts"},
    {"MiniCPM3 4B", CLASS("MiniCPM3ForCausalLM", "minicpm3") SOME, "!latent attention"},
    {"gpt-oss 20B",
        CLASS("GptOssForCausalLM", "gpt_oss") SIZES(2880, 2880, 24, 64, 8, 201088, 131072) ","
        "'head_dim':64,'attention_bias':true,'experts_per_token':4,'num_experts_per_tok':4,"
        "'num_local_experts':32,"
        "'initial_context_length':4096,'rms_norm_eps':1e-5,'rope_theta':150000,'sliding_window':128,"
        "'swiglu_limit':7.0,"
        "'output_router_logits':false,'router_aux_loss_coef':0.9,'rope_scaling':{'beta_fast':32.0,"
        "'beta_slow':1.0,"
        "'factor':32.0,'original_max_position_embeddings':4096,'rope_type':'yarn','truncate':false},"
        "'quantization_config':{'quant_method':'mxfp4','modules_to_not_convert':['lm_head']}}",
        "gpt_oss 2880x0, 24 of 64/8 x 64, rope 150000, 4 of 32 experts of 2880,"
        " sum 1 yarn 32 of 4096 times 1.3466, "
        "window 128 in 12, sinks, clamped, biases"},
    {"gpt-oss, another end of its gate",
        CLASS("GptOssForCausalLM", "gpt_oss") "'swiglu_limit':9.0," SOME,
        "!swiglu_limit is 9.0: another end of gate and up"},
    /* what is lacking */
    {"DeepSeek V2 Lite", CLASS("DeepseekV2ForCausalLM", "deepseek_v2") SOME, "!latent attention"},
    {"DeepSeek V3", CLASS("DeepseekV3ForCausalLM", "deepseek_v3") SOME, "!latent attention"},
    {"GLM-4 9B 0414", CLASS("Glm4ForCausalLM", "glm4") SOME, "!fused gate-up"},
    {"GLM-4 9B chat", CLASS("ChatGLMModel", "chatglm") SOME, "!fused matrices"},
    {"GLM-4.5 Air", CLASS("Glm4MoeForCausalLM", "glm4_moe") SOME, "!mixture of experts"},
    {"Command R", CLASS("CohereForCausalLM", "cohere") SOME, "!parallel blocks"},
    {"Command R7B", CLASS("Cohere2ForCausalLM", "cohere2") SOME, "!parallel blocks"},
    {"Falcon 7B", CLASS("FalconForCausalLM", "falcon") SOME, "!fused QKV"},
    {"Falcon H1", CLASS("FalconH1ForCausalLM", "falcon_h1") SOME, "!recurrent layers"},
    {"StarCoder2 3B", CLASS("Starcoder2ForCausalLM", "starcoder2") SOME, "!learned biases"},
    {"StableLM 2 1.6B", CLASS("StableLmForCausalLM", "stablelm") SOME, "!partial RoPE"},
    {"EXAONE 4.0 1.2B", CLASS("Exaone4ForCausalLM", "exaone4") SOME, "!layers without RoPE"},
    {"EXAONE 3.5", CLASS("ExaoneForCausalLM", "exaone") SOME, "!names and layout"},
    {"Hunyuan 0.5B", CLASS("HunYuanDenseV1ForCausalLM", "hunyuan_v1_dense") SOME, "!behind RoPE"},
    {"LFM2 350M", CLASS("Lfm2ForCausalLM", "lfm2") SOME, "!short convolutions"},
    {"InternLM2 7B", CLASS("InternLM2ForCausalLM", "internlm2") SOME, "!fused"},
    {"Baichuan2 7B", CLASS("BaichuanForCausalLM", "baichuan") SOME, "!fused QKV"},
    {"GPT-2", CLASS("GPT2LMHeadModel", "gpt2") SOME, "!learned positions"},
    {"Pythia (GPT-NeoX)", CLASS("GPTNeoXForCausalLM", "gpt_neox") SOME, "!parallel blocks"},
    {"BLOOM", CLASS("BloomForCausalLM", "bloom") SOME, "!ALiBi"},
    {"MPT 7B", CLASS("MPTForCausalLM", "mpt") SOME, "!ALiBi"},
    {"Llama 4 Scout",
        CLASS("Llama4ForConditionalGeneration", "llama4") "'text_config':{'model_type':'llama4_text'},"
        SOME,
        "!mixture of experts and layers without RoPE"},
    {"Llama 3.2 Vision", CLASS("MllamaForConditionalGeneration", "mllama") SOME, "!images"},
    {"Apertus 8B", CLASS("ApertusForCausalLM", "apertus") SOME, "!xIELU"},
    {"Seed-OSS 36B", CLASS("SeedOssForCausalLM", "seed_oss") SOME, "!biases of q, k and v"},
    {"Nemotron 4B (Minitron)", CLASS("NemotronForCausalLM", "nemotron") SOME, "!squared ReLU"},
    {"Nemotron Nano 2", CLASS("NemotronHForCausalLM", "nemotron_h") SOME, "!recurrent layers"},
    {"Mamba 130M", CLASS("MambaForCausalLM", "mamba") SOME, "!recurrent layers"},
    {"RWKV 7", CLASS("RWKV7ForCausalLM", "rwkv7") SOME, "!recurrent layers"},
    {"BitNet b1.58 2B", CLASS("BitNetForCausalLM", "bitnet") SOME, "!ternary weights"},
    {"a model_type alone", "{'model_type':'glm4_moe'," SOME, "!mixture of experts"},
    {"nobody's",
        CLASS("NobodysForCausalLM", "nobody") SOME,
        "!architecture NobodysForCausalLM, expected Llama"},
    {"a wrapper of nobody's",
        CLASS("Gemma3ForConditionalGeneration", "gemma3") "'text_config':{'model_type':'x'}," SOME,
        "!text_config"},
};
/* clang-format on */

static void write_json(const char *path, const char *json)
{
    char *text = strdup(json);
    assert_non_null(text);
    for (char *p = text; *p; p++)
        if (*p == '\'') *p = '"';
    write_text(path, text);
    free(text);
}

static void each_is_read_or_refused_by_what_it_needs(void **state)
{
    (void)state;
    int wrong = 0;
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        const family *f = &families[i];
        const bool refused = f->says[0] == '!';
        rg_config c;
        rg_err err = {0};
        write_json(at("config.json"), f->json);
        const rg_status st = rg_config_read(&c, at("config.json"), &err);
        const char *said = st ? err.msg : config_summary(&c);
        if (refused ? st == RG_E_UNSUPPORTED && strstr(said, f->says + 1) && !strchr(said, '\n')
                    : st == RG_OK && strcmp(said, f->says) == 0)
            continue;
        print_error("%s: %s\n", f->name, said);
        wrong++;
    }
    assert_int_equal(wrong, 0);
}

/* general.architecture: read (NULL), or what it needs. */
static void words_of_gguf(void **state)
{
    static const char *const words[][2] = {{"llama", NULL}, {"qwen2", NULL}, {"qwen3", NULL},
        {"granite", NULL}, {"gemma", NULL}, {"gemma2", NULL}, {"gemma3", NULL}, {"smollm3", NULL},
        {"olmo2", NULL}, {"mistral3", NULL}, {"ernie4_5", NULL}, {"phi3", NULL}, {"minicpm", NULL},
        {"qwen3moe", NULL}, {"qwen2moe", NULL}, {"olmoe", NULL}, {"granitemoe", NULL}, {"qwen2vl", "images"},
        {"qwen3vl", "images"}, {"qwen3next", "gated delta networks"}, {"qwen35", "gated delta networks"},
        {"qwen35moe", "gated delta networks"}, {"qwen", "fused QKV"}, {"gemma3n", "embeddings per layer"},
        {"gemma4", "embeddings per layer"}, {"gemma-embedding", "embeddings"}, {"phi2", "parallel blocks"},
        {"phimoe", "mixture of experts"}, {"olmo", "norms without gains"},
        {"ernie4_5-moe", "mixture of experts"}, {"minicpm3", "latent attention"},
        {"deepseek2", "latent attention"}, {"gpt-oss", NULL}, {"glm4", "fused gate-up"}, {"chatglm", "fused"},
        {"glm4moe", "mixture of experts"}, {"command-r", "parallel blocks"}, {"cohere2", "parallel blocks"},
        {"falcon", "fused QKV"}, {"falcon-h1", "recurrent layers"}, {"starcoder2", "learned biases"},
        {"stablelm", "partial RoPE"}, {"exaone4", "layers without RoPE"}, {"hunyuan-dense", "behind RoPE"},
        {"hunyuan-moe", "mixture of experts"}, {"lfm2", "short convolutions"}, {"internlm2", "fused"},
        {"baichuan", "fused QKV"}, {"gpt2", "learned positions"}, {"gptneox", "parallel blocks"},
        {"bloom", "ALiBi"}, {"mpt", "ALiBi"}, {"llama4", "mixture of experts"}, {"apertus", "xIELU"},
        {"seed_oss", "biases of q, k and v"}, {"nemotron", "squared ReLU"},
        {"nemotron_h", "recurrent layers"}, {"mamba", "recurrent layers"}, {"rwkv7", "recurrent layers"},
        {"bitnet", "ternary weights"}, {"granitehybrid", "recurrent layers"},
        {"mistral4", "latent attention"}, {"bert", "an encoder"},
        {"nobody", "general.architecture is 'nobody', expected"}};
    (void)state;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        static const float zeros[32];
        gguf_build g = {0};
        rg_err err;
        gg_str(&g, "general.architecture", words[i][0]);
        gg_tensor(&g, "x", 0, 1, (const uint64_t[]){32}, zeros, sizeof zeros);
        gg_write(&g, at("word.gguf"));
        const rg_status st = try_open(at("word.gguf"), &err);
        const bool read = st == RG_E_FILE &&
            (strstr(err.msg, "hidden size") || strstr(err.msg, "experts")); /* there is nothing else in it */
        if (words[i][1] ? st != RG_E_UNSUPPORTED || !strstr(err.msg, words[i][1]) : !read)
            fail_msg("%s: status %d: %s", words[i][0], (int)st, err.msg);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_read_or_refused_by_what_it_needs), cmocka_unit_test(words_of_gguf)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
