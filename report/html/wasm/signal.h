#ifndef RG_SHIM_SIGNAL_H
#define RG_SHIM_SIGNAL_H
typedef int sig_atomic_t;
#endif
