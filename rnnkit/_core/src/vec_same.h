/* Vectors of doubles, a register each, whose numbers are the same in every instruction set: a product
 * rounds before it is added to, and what adds up lanes does so in eight (logs.inl). Wider vectors than
 * registers would cost GCC a walk through memory, lane by lane where it compares. */
#undef RK_VECTOR_BYTES
#undef RK_TILE_ROWS
#undef v_fma
#undef v_min
#undef v_max
#undef v_load_part
#undef v_store_part
#undef RK_LOOP_OVER_LANES
#define RK_VECTOR_BYTES RK_REGISTER_BYTES
#define RK_TILE_ROWS 1
#define v_fma(a, b, c) ((a) * (b) + (c))
#define v_min(a, b) v_select((a) < (b), (a), (b))
#define v_max(a, b) v_select((a) > (b), (a), (b))
#define RK_LOOP_OVER_LANES 1
#define v_load_part RK_NAME(load_lanes)
#define v_store_part RK_NAME(store_lanes)
