/* Every kernel of one instruction set and dtype, and their table. kernels.h has the contract.
 *
 * Each file stands on those before it.
 */
#include RK_ISA_HEADER
#include "vec.h"
#include "vec_math.h"
#if RK_PAIRS
#include "pairs.inl"
#endif
#if RK_BLAS
#include "blas.inl"
#endif
#include "panels.inl"
#if RK_QUADS
#include "quads.inl"
#endif
#if RK_AMX
#include "amx.inl"
#endif
#include "tiles.inl"
#include "runs.inl"
#include "gates.inl"
#include "products.inl"
#include "layer_norm.inl"
#include "rnn.inl"
#include "lstm.inl"
#include "gru.inl"
#include "passes.inl"
#if !RK_QUADS
#include "gradients.inl"
#endif
#if !RK_PAIRS && !RK_QUADS
#include "dense.inl"
#endif

static const rk_kernels FN(table) = {
    .lanes = VL,
    .operand_length = FN(operand_length),
    .pack = FN(pack),
    .scratch_bytes = FN(scratch_bytes),
    .most_shares = FN(most_shares),
    .input_sums = FN(input_sums),
    .takes_starts = FN(takes_starts),
    .forward = FN(forward),
#if !RK_QUADS
    .unpack_add = FN(unpack_add),
    .pack_transposed = FN(pack_transposed),
    .backward = FN(backward),
    .input_gradient = FN(input_gradient),
    .parameter_gradient = FN(parameter_gradient),
#endif
#if RK_AMX
    .multiplied = RK_BY_TILES,
#elif defined(RK_PAIRS_BY_INSTRUCTION) || defined(RK_QUADS_BY_INSTRUCTION)
    .multiplied = RK_BY_INSTRUCTION,
#endif
#if RK_PAIRS || RK_QUADS
    .pack_operand = FN(pack_operand),
    .pair_columns = FN(pair_columns),
#else
    .pack_operand = FN(pack),
    .pack_dense = FN(pack_dense),
    .dense = FN(dense),
    .dense_gradient = FN(dense_gradient),
    .activate = FN(activate),
#endif
#if RK_DOUBLE
    .labels = &label_table_same,
#endif
};
