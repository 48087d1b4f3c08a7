/* The kernels with quads compiled for AVX2 with the product of bytes of AVX-VNNI. */
#if defined(__x86_64__) && !defined(RK_SCALAR_ALONE)
#define RK_ISA avx2vnni
#define RK_TARGET "avxvnni,avx2,fma"
#define RK_ISA_HEADER "vec_avx2.h"
#define RK_QUADS_ALONE 1
#define RK_QUADS_BY_INSTRUCTION 1
#include "every_dtype.inl"
#endif
