/* The kernels with pairs compiled for AVX-512 with its bfloat16 product. */
#if defined(__x86_64__)
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma")
#endif
#define RK_ISA_HEADER "vec_avx512.h"
#define RK_TABLE rk_kernels_avx512bf16
#define RK_PAIRS_ALONE 1
#define RK_PAIRS_BY_INSTRUCTION 1
#include "every_dtype.inl"
#ifdef __clang__
#pragma clang attribute pop
#endif
#endif
