/* BF16 products with the instruction for them. */
#if !defined(__AVX512BF16__)
#error "bf16_avx512bf16.c needs the AVX-512 flags and -mavx512bf16: see tools/cmake/rg_isa.cmake"
#endif
#define ISA_FN(name) name##__avx512bf16
#include "kernels/bf16_simd.h"
