/* All visits of a recurrent layer, backward: rounds first_round:last_round of T + 1.
 *
 * Round r goes back through visit T - 1 - r; the last one, with no visit left, only passes on what
 * belongs to h0. gates leave as gradients of the gates' inputs, uh_n (gru) as that of U_n h + b_hn;
 * dh and dc (B, H) come as gradients by the last states and leave as those by the first.
 * Shared memory holds `chunk` gate gradients of RK_ROWS sequences, then in their place the sums of
 * every thread, and `chunk` rows of U for the block's units:
 *     max(chunk, RK_SUMS(1)) RK_ROWS + chunk RK_STRIDE(RK_UNITS)  reals.
 */
__device__ inline void rk_load_columns(const rk_gpu_layer& layer, int first_unit, int first_k,
                                       int n_k, real* weights)
{
    int h = layer.hidden_size;
    for (int i = threadIdx.x; i < n_k * RK_UNITS; i += RK_THREADS) {
        int u = i % RK_UNITS, k = i / RK_UNITS;
        weights[k * RK_STRIDE(RK_UNITS) + u] =
            first_unit + u < h ? layer.weight_hh[(rk_index)(first_k + k) * h + first_unit + u]
                               : (real)0;
    }
}

__device__ inline void rk_load_gradients(const rk_gpu_layer& layer, const rk_visit& visit,
                                         rk_index first_b, int first_k, int n_k, rk_rows* factors)
{
    int n_after = rk_rows_of(first_b, visit.n_after);
    for (int k = threadIdx.x; k < n_k; k += RK_THREADS) {
        int distance;
        const real* from =
            rk_gradients_by(layer, visit.row_after + first_b, first_k + k, &distance);
        rk_rows factor;
        for (int r = 0; r < RK_ROWS; ++r)
            factor.of[r] = r < n_after ? rk_load_fresh(from + (rk_index)r * distance) : (real)0;
        factors[k] = factor;
    }
}

__device__ inline void rk_backward_tile(const rk_gpu_layer& layer, const rk_visit& visit,
                                        rk_index first_b, int first_unit, int chunk, bool load,
                                        const rk_gradients& gradients,
                                        const rk_block_memory& memory)
{
    int u = threadIdx.x % RK_UNITS, slice = rk_slice();
    int n_products = RK_GATES * layer.hidden_size;
    rk_index n_involved = visit.n > visit.n_after ? visit.n : visit.n_after;
    rk_row_inputs inputs[RK_CELLS_OF_A_THREAD];
    for (int i = 0; i < RK_CELLS_OF_A_THREAD; ++i) {
        rk_place_of_cell cell = rk_cell_of(i, first_b, n_involved, first_unit, layer.hidden_size);
        if (cell.inside)
            inputs[i] = rk_inputs_of_row(layer, visit, cell.b, cell.unit, gradients);
    }
    real sum[RK_ROWS];
    for (int r = 0; r < RK_ROWS; ++r)
        sum[r] = 0;
    for (int first_k = 0; first_k < n_products; first_k += chunk) {
        int n_k = n_products - first_k < chunk ? n_products - first_k : chunk;
        __syncthreads(); /* nobody reads the chunk or the sums before any more */
        if (load)
            rk_load_columns(layer, first_unit, first_k, n_k, memory.weights);
        rk_load_gradients(layer, visit, first_b, first_k, n_k, memory.factors);
        __syncthreads();
        for (int k = slice; k < n_k; k += RK_SLICES) {
            real w = memory.weights[k * RK_STRIDE(RK_UNITS) + u];
            rk_rows factor = memory.factors[k];
            for (int r = 0; r < RK_ROWS; ++r)
                sum[r] += factor.of[r] * w;
        }
    }
    __syncthreads(); /* nobody reads the factors any more, in whose place the sums come */
    for (int r = 0; r < RK_ROWS; ++r)
        rk_sum_of_thread(memory.sums, r, 0, 1) = sum[r];
    __syncthreads();
    for (int i = 0; i < RK_CELLS_OF_A_THREAD; ++i) {
        rk_place_of_cell cell = rk_cell_of(i, first_b, n_involved, first_unit, layer.hidden_size);
        if (!cell.inside)
            continue;
        real product = rk_summed(memory.sums, cell, 0, 1, first_unit);
        rk_backward_row(layer, visit, cell.b, cell.unit, inputs[i], product, gradients);
    }
}

extern "C" __global__ void RK_CLUSTER_DIMS RK_LAUNCH_BOUNDS(RK_THREADS, 1) recurrent_backward(
    const real* weight_hh, const real* peephole, const real* h0, const real* c0, const real* mask,
    const real* keep_h, const real* keep_c, const rk_index* step_offsets, rk_index n_steps,
    int hidden_size, int reverse, real keep, real* gates, real* uh_n, real* y, real* c,
    const real* dy, real* dh, real* dc, real* peephole_terms, rk_index first_round,
    rk_index last_round, int team_size, int chunk, unsigned* arrivals)
{
    RK_SHARED(memory);
    rk_gpu_layer layer = {weight_hh, 0,      peephole,     h0,      c0,          mask,
                      keep_h,    keep_c, step_offsets, n_steps, hidden_size, reverse,
                      keep,      gates,  uh_n,         y,       c};
    rk_gpu_team team = rk_team_of(team_size);
    rk_gradients gradients = {dy, dh, dc, peephole_terms};
    rk_block_memory parts = rk_memory_of(memory, chunk, 1);
    bool resident = chunk >= RK_GATES * hidden_size && team_size * RK_UNITS >= hidden_size;
    bool load = true;
    unsigned round = 0;
    for (rk_index number = first_round; number < last_round; ++number) {
        rk_visit visit = rk_visit_of(layer, n_steps - 1 - number);
        rk_index n_involved = visit.n > visit.n_after ? visit.n : visit.n_after;
        for (int unit = team.rank * RK_UNITS; unit < hidden_size; unit += team_size * RK_UNITS)
            for (rk_index b = (rk_index)team.number * RK_ROWS; b < n_involved;
                 b += (rk_index)team.n_teams * RK_ROWS) {
                rk_backward_tile(layer, visit, b, unit, chunk, load, gradients, parts);
                load = !resident;
            }
        if (number + 1 < last_round)
            rk_team_wait(team, arrivals, ++round);
    }
}
