/* The kernels with pairs compiled for AVX-512 with the tile registers of AMX; none by a compiler
 * that does not know these. */
#if defined(__x86_64__) && !defined(RK_SCALAR_ALONE)
#include "amx.h"
#ifdef RK_KNOWS_AMX
#define RK_ISA avx512amx
#define RK_TARGET "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,amx-tile,amx-bf16,avx2,fma"
#define RK_ISA_HEADER "vec_avx512.h"
#define RK_PAIRS_ALONE 1
#define RK_PAIRS_BY_INSTRUCTION 1
#define RK_PAIRS_BY_TILES 1
#include "every_dtype.inl"
#else
#include "kernels.h"
const rk_kernels *const rk_kernels_avx512amx[RK_DTYPE_COUNT] = {NULL};
#endif
#endif
