/* The kernels compiled for AVX2 and FMA. */
#if defined(__x86_64__)
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx2,fma")
#endif
#define RK_ISA_HEADER "vec_avx2.h"
#define RK_TABLE rk_kernels_avx2
#include "every_dtype.inl"
#ifdef __clang__
#pragma clang attribute pop
#endif
#endif
