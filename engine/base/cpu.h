/* Instruction-set levels and what this CPU has. Levels are ordered; a cap (--isa, RIDGE_ISA) lowers the best level used. */
#ifndef RG_CPU_H
#define RG_CPU_H

typedef enum rg_isa {
    RG_ISA_C = 0,  /* plain C, baseline x86-64 or any CPU */
    RG_ISA_AVX2,   /* AVX2 + FMA + F16C */
    RG_ISA_AVX512, /* AVX-512 F, BW, DQ, VL */
    RG_ISA_COUNT
} rg_isa;

extern const char *const rg_isa_names[RG_ISA_COUNT]; /* "c", "avx2", "avx512" */

/* -1 if no such level. */
int rg_isa_from_name(const char *name);

/* Best level the CPU and the operating system support. */
rg_isa rg_isa_best(void);

/* Brand string of the CPU ("unknown CPU" if it has none); static. */
const char *rg_cpu_name(void);

#endif
