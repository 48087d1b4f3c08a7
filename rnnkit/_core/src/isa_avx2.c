/* The kernels compiled for AVX2 and FMA. */
#ifdef __x86_64__
#define RK_ISA avx2
#define RK_TARGET "avx2,fma"
#define RK_ISA_HEADER "vec_avx2.h"
#include "every_dtype.inl"
#endif
