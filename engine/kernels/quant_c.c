/* The quantisers, compiled for any CPU. */
#define ISA_FN(name) name##__c
#include "kernels/quant_body.h"
