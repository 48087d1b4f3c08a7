/* The kernels compiled for AVX2 and FMA. */
#if defined(__x86_64__) && !defined(RK_SCALAR_ALONE)
#define RK_ISA avx2
#define RK_TARGET "avx2,fma"
#define RK_REGISTER_BYTES 32
#define RK_ISA_HEADER "vec_avx2.h"
#include "every_dtype.inl"
#endif
