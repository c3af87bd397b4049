#ifndef RG_SHIM_MATH_H
#define RG_SHIM_MATH_H
#define NAN __builtin_nan("")
#define INFINITY __builtin_inf()
#define M_PI 3.14159265358979323846
#define isnan(x) __builtin_isnan(x)
#define isfinite(x) __builtin_isfinite(x)
double fmax(double a, double b);
double fmin(double a, double b);
double log(double x); /* JavaScript's */
double fabs(double x);
double floor(double x);
double ceil(double x);
#endif
