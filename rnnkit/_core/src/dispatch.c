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

int rk_has_bfloat16(int isa) {
#ifdef __x86_64__
    return isa == RK_ISA_AVX512 && rk_isa_available(isa) && __builtin_cpu_supports("avx512bf16");
#else
    (void)isa;
    return 0;
#endif
}

const rk_kernels *rk_kernels_of(int isa, int dtype) {
    if (!rk_isa_available(isa))
        return NULL;
#ifdef __x86_64__
    if (dtype == RK_BFLOAT16 && rk_has_bfloat16(isa))
        return rk_kernels_avx512bf16[0];
    if (isa == RK_ISA_AVX512)
        return rk_kernels_avx512[dtype];
    if (isa == RK_ISA_AVX2)
        return rk_kernels_avx2[dtype];
#endif
    return rk_kernels_scalar[dtype];
}
