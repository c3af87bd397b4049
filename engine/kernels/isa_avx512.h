/* Included first by the files of AVX-512. ISA_FN(name): a function's name at this level. */
#if !defined(__AVX512F__) || !defined(__AVX512BW__) || !defined(__AVX512DQ__) || !defined(__AVX512VL__) || \
    defined(__AVX512BF16__)
#error "needs the AVX-512 flags: see tools/cmake/rg_isa.cmake"
#endif
#define ISA_FN(name) name##__avx512
