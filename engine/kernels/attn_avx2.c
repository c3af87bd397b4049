/* Attention kernels in AVX2. */
#include "kernels/isa_avx2.h"

#include "kernels/attn_simd.h"
