/* The kernels compiled for AVX-512. */
#if defined(__x86_64__)
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")
#endif
#define RK_ISA_HEADER "vec_avx512.h"
#define RK_TABLE rk_kernels_avx512
#include "every_dtype.inl"
#ifdef __clang__
#pragma clang attribute pop
#endif
#endif
