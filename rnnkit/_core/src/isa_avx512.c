/* The kernels compiled for AVX-512. */
#if defined(__x86_64__) && !defined(RK_SCALAR_ALONE)
#define RK_ISA avx512
#define RK_TARGET "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"
#define RK_REGISTER_BYTES 64
#define RK_ISA_HEADER "vec_avx512.h"
#include "every_dtype.inl"
#endif
