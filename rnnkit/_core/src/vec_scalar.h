/* Portable: 16-byte vectors of the compiler, no intrinsics (SSE2 on x86-64, NEON on arm64). */
#undef RK_VECTOR_BYTES
#undef RK_TILE_ROWS
#undef v_fma
#undef v_min
#undef v_max
#undef RK_LOOP_OVER_LANES
#define RK_VECTOR_BYTES 16
#define RK_TILE_ROWS 2
#define v_fma(a, b, c) ((a) * (b) + (c)) /* rounds twice: the base set may have no FMA */
#define v_min(a, b) v_select((a) < (b), (a), (b))
#define v_max(a, b) v_select((a) > (b), (a), (b))
#define RK_LOOP_OVER_LANES 1
#undef v_load_part
#undef v_store_part
#define v_load_part RK_NAME(load_lanes)
#define v_store_part RK_NAME(store_lanes)
