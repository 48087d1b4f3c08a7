/* The kernels with quads compiled for AVX-512 with its product of bytes. */
#if defined(__x86_64__) && !defined(RK_SCALAR_ALONE)
#define RK_ISA avx512vnni
#define RK_TARGET "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma"
#define RK_ISA_HEADER "vec_avx512.h"
#define RK_QUADS_ALONE 1
#define RK_QUADS_BY_INSTRUCTION 1
#include "every_dtype.inl"
#endif
