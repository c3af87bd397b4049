/* How much slower the slow program is (slow_kernels.c). */
#ifndef RG_SLOW_KERNELS_H
#define RG_SLOW_KERNELS_H

enum { SLOW_TIMES = 20000 }; /* a call of rmsnorm does the work of so many */

#endif
