/* Every kernel for float, for double and for float with pairs, compiled for one instruction set.
 *
 * Before including, isa_<name>.c defines RK_ISA_HEADER, the vectors; RK_TABLE, the name of the
 * tables, one for each dtype; RK_TARGET, what the compiler may use beyond the machine's base, as a
 * string, where that is anything; and, for products of pairs alone, RK_PAIRS_ALONE.
 */
#ifdef RK_TARGET
#define RK_PRAGMA(words) _Pragma(#words)
#define RK_FOR_TARGET(words) RK_PRAGMA(words)
#ifdef __clang__
RK_FOR_TARGET(clang attribute push(__attribute__((target(RK_TARGET))), apply_to = function))
#else
RK_FOR_TARGET(GCC target(RK_TARGET))
#endif
#endif

#include <math.h>
#include <string.h>
#include "kernels.h"
#include "tuning.h"

#define RK_INLINE static inline __attribute__((always_inline, unused))
#define RK_PASTE(name, suffix) name##_##suffix
#define RK_PASTE_EXPANDED(name, suffix) RK_PASTE(name, suffix)
#define RK_NAME(name) RK_PASTE_EXPANDED(name, RK_SUFFIX)
#define FN(name) RK_NAME(name)

#ifndef RK_PAIRS_ALONE
#define RK_PAIRS 0
#define RK_DOUBLE 0
#define RK_SUFFIX f32
#include "kernels.inl"
#undef RK_DOUBLE
#undef RK_SUFFIX

#define RK_DOUBLE 1
#define RK_SUFFIX f64
#include "kernels.inl"
#undef RK_PAIRS
#undef RK_DOUBLE
#undef RK_SUFFIX
#endif

#define RK_PAIRS 1
#define RK_DOUBLE 0
#define RK_SUFFIX bf16
#include "kernels.inl"

#ifdef RK_PAIRS_ALONE
const rk_kernels *const RK_TABLE[] = {&table_bf16};
#else
const rk_kernels *const RK_TABLE[] = {&table_f32, &table_f64, &table_bf16};
#endif

#if defined(RK_TARGET) && defined(__clang__)
#pragma clang attribute pop
#endif
