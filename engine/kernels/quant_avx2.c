/* The quantisers, compiled for AVX2. */
#include "kernels/isa_avx2.h"

#include "kernels/quant_body.h"
