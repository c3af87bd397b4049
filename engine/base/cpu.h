/* Instruction-set levels and what this CPU has. A cap (--isa, RIDGE_ISA) lowers the best level used. */
#ifndef RG_CPU_H
#define RG_CPU_H

#include <stdbool.h>
#include <stddef.h>

/* In rising order of preference. A CPU that has one need not have those before it (the first with AVX-512
 * lack AVX-VNNI): kernels run only where rg_isa_has says so. */
typedef enum rg_isa {
    RG_ISA_C = 0,      /* plain C, baseline x86-64 or any CPU */
    RG_ISA_AVX2,       /* AVX2 + FMA + F16C */
    RG_ISA_AVX2VNNI,   /* AVX2 and AVX-VNNI: int8 products in 256 bits */
    RG_ISA_AVX512,     /* AVX-512 F, BW, DQ, VL */
    RG_ISA_AVX512VNNI, /* and VNNI: int8 products */
    RG_ISA_AVX512BF16, /* and BF16: bf16 products */
    RG_ISA_AMX,        /* and AMX tiles of bf16 and int8, which work (base/amx.h) */
    RG_ISA_AMXEMU,     /* the best of the others, and tiles in plain C: any CPU, very slow, for tests */
    RG_ISA_COUNT
} rg_isa;

extern const char *const rg_isa_names[RG_ISA_COUNT]; /* "c", "avx2", ..., "amx", "amxemu" */
extern const char *const rg_isa_list;                /* the same in a sentence, for messages */

/* -1 if no such level. */
int rg_isa_from_name(const char *name);

/* The CPU and the operating system support the level. */
bool rg_isa_has(rg_isa isa);
/* Why not: "this CPU has no avx2". */
void rg_isa_why_not(rg_isa isa, char *buf, size_t n);
rg_isa rg_isa_best(void);
/* The best level up to a cap (RG_ISA_COUNT: none); amxemu only if it is the cap. */
rg_isa rg_isa_capped(rg_isa cap);

/* The level whose FP32 instructions a level uses: its register width. */
rg_isa rg_isa_fp32(rg_isa isa);

/* Brand string of the CPU ("unknown CPU" if it has none); static. */
const char *rg_cpu_name(void);
/* Vendor, family, model and stepping, or implementer and part; "" if unknown. Tells CPUs of one brand
 * apart. */
void rg_cpu_id(char *buf, size_t n);

#endif
