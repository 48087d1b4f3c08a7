/* Every kernel twice, float then double, and the table of the instruction set. */
#include <math.h>
#include <string.h>
#include "kernels.h"

#define RK_INLINE static inline __attribute__((always_inline, unused))
#define RK_PASTE(name, suffix) name##_##suffix
#define RK_PASTE_EXPANDED(name, suffix) RK_PASTE(name, suffix)
#define RK_NAME(name) RK_PASTE_EXPANDED(name, RK_SUFFIX)

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

const rk_kernels RK_TABLE[RK_DTYPE_COUNT] = {RK_KERNELS(f32), RK_KERNELS(f64)};
