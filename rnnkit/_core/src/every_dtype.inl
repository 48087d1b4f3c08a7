/* Every kernel for float, for double and for float with pairs, and the table of the set. */
#include <math.h>
#include <string.h>
#include "kernels.h"

#define RK_INLINE static inline __attribute__((always_inline, unused))
#define RK_PASTE(name, suffix) name##_##suffix
#define RK_PASTE_EXPANDED(name, suffix) RK_PASTE(name, suffix)
#define RK_NAME(name) RK_PASTE_EXPANDED(name, RK_SUFFIX)

#ifndef RK_PAIRS_ALONE
#define RK_PAIRS 0
#define RK_DOUBLE 0
#define RK_SUFFIX f32
#include RK_ISA_HEADER
#include "vec.h"
#include "vec_math.h"
#include "panels.inl"
#include "kernels.inl"
#undef RK_DOUBLE
#undef RK_SUFFIX

#define RK_DOUBLE 1
#define RK_SUFFIX f64
#include RK_ISA_HEADER
#include "vec.h"
#include "vec_math.h"
#include "panels.inl"
#include "kernels.inl"
#undef RK_PAIRS
#undef RK_DOUBLE
#undef RK_SUFFIX
#endif

#define RK_PAIRS 1
#define RK_DOUBLE 0
#define RK_SUFFIX bf16
#include RK_ISA_HEADER
#include "vec.h"
#include "vec_math.h"
#include "pairs.inl"
#include "panels.inl"
#include "kernels.inl"

#ifdef RK_PAIRS_ALONE
const rk_kernels *const RK_TABLE[] = {&table_bf16};
#else
const rk_kernels *const RK_TABLE[] = {&table_f32, &table_f64, &table_bf16};
#endif
