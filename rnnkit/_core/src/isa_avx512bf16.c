/* The kernels with pairs compiled for AVX-512 with its bfloat16 product. */
#if defined(__x86_64__) && !defined(RK_SCALAR_ALONE)
#define RK_ISA avx512bf16
#define RK_TARGET "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma"
#define RK_ISA_HEADER "vec_avx512.h"
#define RK_PAIRS_ALONE 1
#define RK_PAIRS_BY_INSTRUCTION 1
#include "every_dtype.inl"
#endif
