#ifndef RG_SHIM_ERRNO_H
#define RG_SHIM_ERRNO_H
extern int errno;
#endif
