/* Integer products in AVX2 with VNNI. */
#if !defined(__AVX2__) || !defined(__AVXVNNI__) || defined(__AVX512F__)
#error "dot_avx2vnni.c needs the AVX2 flags and -mavxvnni: see tools/cmake/rg_isa.cmake"
#endif
#define ISA_FN(name) name##__avx2vnni
#include "kernels/dot_simd.h"
