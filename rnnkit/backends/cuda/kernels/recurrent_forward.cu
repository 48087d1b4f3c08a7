/* All visits first_visit:last_visit of a recurrent layer, forward.
 *
 * gates come as W x + b and leave as the inputs of the gates; y, c (lstm) and uh_n (gru) are
 * filled. Shared memory holds `chunk` hidden states of RK_ROWS sequences, then in their place the
 * sums of every thread, and `chunk` rows of U's transpose for the block's units:
 *     max(chunk, RK_SUMS(RK_GATES)) RK_ROWS + chunk RK_STRIDE(RK_WIDTH)  reals.
 * With chunk = H and no more unit tiles than blocks the weights are read once. With
 * RK_WAIT_STEPS a launch covers one visit.
 */
#define RK_WIDTH (RK_GATES * RK_UNITS)

__device__ inline void rk_load_units(const rk_gpu_layer& layer, int first_unit, int first_k,
                                     int n_k, real* weights)
{
    int h = layer.hidden_size;
    for (int i = threadIdx.x; i < n_k * RK_WIDTH; i += RK_THREADS) {
        int k = i % n_k, column = i / n_k;
        int unit = first_unit + column % RK_UNITS, gate = column / RK_UNITS;
        weights[k * RK_STRIDE(RK_WIDTH) + column] =
            unit < h ? layer.weight_hh[((rk_index)gate * h + unit) * h + first_k + k] : (real)0;
    }
}

__device__ inline void rk_load_states(const rk_gpu_layer& layer, const rk_visit& visit,
                                      rk_index first_b, int first_k, int n_k, rk_rows* states)
{
    int h = layer.hidden_size;
    rk_index at = first_b * h + first_k;
    int n = rk_rows_of(first_b, visit.n), n_before = rk_rows_of(first_b, visit.n_before);
    for (int k = threadIdx.x; k < n_k; k += RK_THREADS) {
        const real* before = layer.y + visit.row_before * h + at + k;
        const real* start = layer.h0 ? layer.h0 + at + k : 0;
        rk_rows state;
        for (int r = 0; r < RK_ROWS; ++r) {
            const real* from = r < n_before ? before : start;
            state.of[r] = from && r < n ? rk_load_fresh(from + (rk_index)r * h) : (real)0;
        }
        if (layer.mask) /* in a loop of its own: all rows are then on their way at once */
            for (int r = 0; r < RK_ROWS; ++r)
                if (r < n)
                    state.of[r] *= layer.mask[at + k + (rk_index)r * h];
        states[k] = state;
    }
}

__device__ inline void rk_forward_tile(const rk_gpu_layer& layer, const rk_visit& visit,
                                       rk_index first_b, int first_unit, int chunk, bool load,
                                       const rk_block_memory& memory)
{
    int u = threadIdx.x % RK_UNITS, slice = rk_slice();
    rk_cell_inputs inputs[RK_CELLS_OF_A_THREAD];
    for (int i = 0; i < RK_CELLS_OF_A_THREAD; ++i) {
        rk_place_of_cell cell = rk_cell_of(i, first_b, visit.n, first_unit, layer.hidden_size);
        if (cell.inside)
            inputs[i] = rk_forward_inputs(layer, visit, cell.b, cell.unit);
    }
    real sum[RK_ROWS][RK_GATES];
    for (int r = 0; r < RK_ROWS; ++r)
        for (int g = 0; g < RK_GATES; ++g)
            sum[r][g] = 0;
    for (int first_k = 0; first_k < layer.hidden_size; first_k += chunk) {
        int n_k = layer.hidden_size - first_k < chunk ? layer.hidden_size - first_k : chunk;
        __syncthreads(); /* nobody reads the chunk or the sums before any more */
        if (load)
            rk_load_units(layer, first_unit, first_k, n_k, memory.weights);
        rk_load_states(layer, visit, first_b, first_k, n_k, memory.factors);
        __syncthreads();
        for (int k = slice; k < n_k; k += RK_SLICES) {
            const real* w = memory.weights + k * RK_STRIDE(RK_WIDTH) + u;
            rk_rows state = memory.factors[k];
            for (int g = 0; g < RK_GATES; ++g)
                for (int r = 0; r < RK_ROWS; ++r)
                    sum[r][g] += state.of[r] * w[g * RK_UNITS];
        }
    }
    __syncthreads(); /* nobody reads the factors any more, in whose place the sums come */
    for (int r = 0; r < RK_ROWS; ++r)
        for (int g = 0; g < RK_GATES; ++g)
            rk_sum_of_thread(memory.sums, r, g, RK_GATES) = sum[r][g];
    __syncthreads();
    for (int i = 0; i < RK_CELLS_OF_A_THREAD; ++i) {
        rk_place_of_cell cell = rk_cell_of(i, first_b, visit.n, first_unit, layer.hidden_size);
        if (!cell.inside)
            continue;
        real products[RK_GATES];
        for (int g = 0; g < RK_GATES; ++g)
            products[g] = rk_summed(memory.sums, cell, g, RK_GATES, first_unit);
        rk_cell_forward(layer, visit, cell.b, cell.unit, inputs[i], products);
    }
}

extern "C" __global__ void RK_CLUSTER_DIMS RK_LAUNCH_BOUNDS(RK_THREADS, 1) recurrent_forward(
    const real* weight_hh, const real* bias_hn, const real* peephole, const real* h0,
    const real* c0, const real* mask, const real* keep_h, const real* keep_c,
    const rk_index* step_offsets, rk_index n_steps, int hidden_size, int reverse, real keep,
    real* gates, real* uh_n, real* y, real* c, rk_index first_visit, rk_index last_visit,
    int team_size, int chunk, unsigned* arrivals)
{
    RK_SHARED(memory);
    rk_gpu_layer layer = {weight_hh, bias_hn, peephole, h0,      c0,          mask,
                      keep_h,    keep_c,  step_offsets, n_steps, hidden_size, reverse,
                      keep,      gates,   uh_n,     y,       c};
    rk_gpu_team team = rk_team_of(team_size);
    rk_block_memory parts = rk_memory_of(memory, chunk, RK_GATES);
    bool resident = chunk >= hidden_size && team_size * RK_UNITS >= hidden_size;
    bool load = true;
    unsigned round = 0;
    for (rk_index number = first_visit; number < last_visit; ++number) {
        rk_visit visit = rk_visit_of(layer, number);
        for (int unit = team.rank * RK_UNITS; unit < hidden_size; unit += team_size * RK_UNITS)
            for (rk_index b = (rk_index)team.number * RK_ROWS; b < visit.n;
                 b += (rk_index)team.n_teams * RK_ROWS) {
                rk_forward_tile(layer, visit, b, unit, chunk, load, parts);
                load = !resident;
            }
        if (number + 1 < last_visit)
            rk_team_wait(team, arrivals, ++round);
    }
}
