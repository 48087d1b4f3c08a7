/* Every kernel for float, for double and for float with pairs or quads, and those of labels, compiled for one
 * instruction set.
 *
 * Before including, isa_<name>.c defines RK_ISA, its name in dispatch.c; RK_ISA_HEADER, its
 * vectors; and, where they apply, RK_TARGET, a string of what the compiler may use beyond the
 * machine's base; RK_REGISTER_BYTES, of a vector register, 16 otherwise; RK_PAIRS_ALONE or
 * RK_QUADS_ALONE, for the kernels of pairs, or of quads, and no others; RK_PAIRS_BY_INSTRUCTION, RK_QUADS_BY_INSTRUCTION; RK_PAIRS_BY_TILES, for products of pairs
 * in tile registers; RK_PRODUCTS_BY_BLAS, for products of reals by a BLAS.
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
#ifdef RK_PRODUCTS_BY_BLAS
#include "blas.h"
#define RK_BLAS (!RK_PAIRS && !RK_QUADS) /* which has no products of these */
#else
#define RK_BLAS 0
#endif
#ifdef RK_PAIRS_BY_TILES
#define RK_AMX RK_PAIRS
#else
#define RK_AMX 0
#endif

#ifndef RK_REGISTER_BYTES
#define RK_REGISTER_BYTES 16
#endif

#define RK_INLINE static inline __attribute__((always_inline, unused))
#define RK_OUT_OF_LINE static __attribute__((noinline, unused))
#define RK_PASTE(name, suffix) name##_##suffix
#define RK_PASTE_EXPANDED(name, suffix) RK_PASTE(name, suffix)
#define RK_NAME(name) RK_PASTE_EXPANDED(name, RK_SUFFIX)
#define FN(name) RK_NAME(name)

#if !defined(RK_PAIRS_ALONE) && !defined(RK_QUADS_ALONE)
#define RK_DOUBLE 1
#define RK_SUFFIX same
#include "labels.inl"
#undef RK_DOUBLE
#undef RK_SUFFIX

#define RK_PAIRS 0
#define RK_QUADS 0
#define RK_DOUBLE 0
#define RK_SUFFIX f32
#include "kernels.inl"
#undef RK_DOUBLE
#undef RK_SUFFIX

#define RK_DOUBLE 1
#define RK_SUFFIX f64
#include "kernels.inl"
#undef RK_PAIRS
#undef RK_QUADS
#undef RK_DOUBLE
#undef RK_SUFFIX
#endif

#ifndef RK_QUADS_ALONE
#define RK_PAIRS 1
#define RK_QUADS 0
#define RK_DOUBLE 0
#define RK_SUFFIX bf16
#include "kernels.inl"
#undef RK_PAIRS
#undef RK_QUADS
#undef RK_DOUBLE
#undef RK_SUFFIX
#endif

#ifndef RK_PAIRS_ALONE
#define RK_PAIRS 0
#define RK_QUADS 1
#define RK_DOUBLE 0
#define RK_SUFFIX int8
#include "kernels.inl"
#endif

const rk_kernels *const RK_PASTE_EXPANDED(rk_kernels, RK_ISA)[RK_DTYPE_COUNT] = {
#if !defined(RK_PAIRS_ALONE) && !defined(RK_QUADS_ALONE)
    [RK_FLOAT32] = &table_f32,
    [RK_FLOAT64] = &table_f64,
#endif
#ifndef RK_QUADS_ALONE
    [RK_BFLOAT16] = &table_bf16,
#endif
#ifndef RK_PAIRS_ALONE
    [RK_INT8] = &table_int8,
#endif
};

#if defined(RK_TARGET) && defined(__clang__)
#pragma clang attribute pop
#endif
