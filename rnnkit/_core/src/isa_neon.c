/* The kernels compiled for 64-bit Arm. */
#if defined(__aarch64__) && !defined(RK_SCALAR_ALONE)
#define RK_ISA neon
#define RK_ISA_HEADER "vec_neon.h"
#include "every_dtype.inl"
#endif
