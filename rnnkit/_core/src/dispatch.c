/* Which instruction sets this machine has, and their kernel tables. */
#include "kernels.h"

int rk_isa_available(int isa) {
    switch (isa) {
    case RK_ISA_SCALAR:
        return 1;
#ifdef __x86_64__
    case RK_ISA_AVX2:
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case RK_ISA_AVX512:
        return rk_isa_available(RK_ISA_AVX2) && __builtin_cpu_supports("avx512f") &&
               __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512vl");
#endif
    default:
        return 0;
    }
}

const rk_kernels *rk_kernels_of(int isa, int dtype) {
    if (!rk_isa_available(isa))
        return NULL;
#ifdef __x86_64__
    if (isa == RK_ISA_AVX512)
        return &rk_kernels_avx512[dtype];
    if (isa == RK_ISA_AVX2)
        return &rk_kernels_avx2[dtype];
#endif
    return &rk_kernels_scalar[dtype];
}
