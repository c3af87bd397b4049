/* The quantisers, compiled for AVX-512. */
#if !defined(__AVX512F__) || !defined(__AVX512BW__) || !defined(__AVX512DQ__) || !defined(__AVX512VL__)
#error "quant_avx512.c needs the AVX-512 flags: see tools/cmake/rg_isa.cmake"
#endif
#define QUANT_FN(name) name##__avx512
#include "kernels/quant_body.h"
