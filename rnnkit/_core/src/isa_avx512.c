/* The kernels compiled for AVX-512. */
#ifdef __x86_64__
#define RK_TARGET "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"
#define RK_ISA_HEADER "vec_avx512.h"
#define RK_TABLE rk_kernels_avx512
#include "every_dtype.inl"
#endif
