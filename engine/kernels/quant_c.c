/* The quantisers, compiled for any CPU. */
#define QUANT_FN(name) name##__c
#include "kernels/quant_body.h"
