/* Advanced SIMD of 64-bit Arm: 16-byte vectors, 32 registers; every such machine has it. */
#include <arm_neon.h>
#undef RK_VECTOR_BYTES
#undef RK_TILE_ROWS
#undef v_fma
#undef v_min
#undef v_max
#undef RK_LOOP_OVER_LANES
#undef v_load_part
#undef v_store_part
#define RK_VECTOR_BYTES 16
#define RK_TILE_ROWS 6
#if RK_DOUBLE
#define v_fma(a, b, c)                                                                             \
    ((vec)vfmaq_f64((float64x2_t)(c), (float64x2_t)(a), (float64x2_t)(b)))
#define v_min(a, b) ((vec)vminq_f64((float64x2_t)(a), (float64x2_t)(b)))
#define v_max(a, b) ((vec)vmaxq_f64((float64x2_t)(a), (float64x2_t)(b)))
#else
#define v_fma(a, b, c)                                                                             \
    ((vec)vfmaq_f32((float32x4_t)(c), (float32x4_t)(a), (float32x4_t)(b)))
#define v_min(a, b) ((vec)vminq_f32((float32x4_t)(a), (float32x4_t)(b)))
#define v_max(a, b) ((vec)vmaxq_f32((float32x4_t)(a), (float32x4_t)(b)))
#endif
#define RK_LOOP_OVER_LANES 1
#define v_load_part RK_NAME(load_lanes)
#define v_store_part RK_NAME(store_lanes)
