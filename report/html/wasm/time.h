#ifndef RG_SHIM_TIME_H
#define RG_SHIM_TIME_H
typedef long long time_t;
struct timespec {
    time_t tv_sec;
    long tv_nsec;
};
enum { CLOCK_MONOTONIC = 1 };
int clock_gettime(int clock, struct timespec *t);
#endif
