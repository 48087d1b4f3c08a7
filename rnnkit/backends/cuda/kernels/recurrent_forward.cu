/* All visits first_visit:last_visit of a recurrent layer, forward.
 *
 * gates come as W x + b and leave as the inputs of the gates; y, c (lstm) and uh_n (gru) are
 * filled. Shared memory holds `chunk` hidden states of RK_ROWS sequences, `chunk` rows of U's
 * transpose for the block's units, and the sums of every slice:
 *     chunk RK_ROWS + chunk (RK_GATES RK_UNITS + 1) + RK_SLICES RK_ROWS RK_GATES RK_UNITS  reals.
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
        weights[k * (RK_WIDTH + 1) + column] =
            unit < h ? layer.weight_hh[((rk_index)gate * h + unit) * h + first_k + k] : (real)0;
    }
}

__device__ inline void rk_load_states(const rk_gpu_layer& layer, const rk_visit& visit,
                                      rk_index first_b, int first_k, int n_k, rk_rows* states)
{
    for (int k = threadIdx.x; k < n_k; k += RK_THREADS) {
        rk_rows state;
        for (int r = 0; r < RK_ROWS; ++r) {
            rk_index b = first_b + r;
            state.of[r] = 0;
            if (b < visit.n)
                state.of[r] = rk_state_before(layer, visit, layer.y, layer.h0, b, first_k + k);
            if (b < visit.n && layer.mask)
                state.of[r] *= layer.mask[b * layer.hidden_size + first_k + k];
        }
        states[k] = state;
    }
}

__device__ inline void rk_forward_tile(const rk_gpu_layer& layer, const rk_visit& visit,
                                       rk_index first_b, int first_unit, int chunk, bool load,
                                       rk_rows* states, real* weights, real* sums)
{
    int u = threadIdx.x % RK_UNITS, slice = threadIdx.x / RK_UNITS;
    real sum[RK_ROWS][RK_GATES];
    for (int r = 0; r < RK_ROWS; ++r)
        for (int g = 0; g < RK_GATES; ++g)
            sum[r][g] = 0;
    for (int first_k = 0; first_k < layer.hidden_size; first_k += chunk) {
        int n_k = layer.hidden_size - first_k < chunk ? layer.hidden_size - first_k : chunk;
        __syncthreads(); /* nobody reads the chunk before any more */
        if (load)
            rk_load_units(layer, first_unit, first_k, n_k, weights);
        rk_load_states(layer, visit, first_b, first_k, n_k, states);
        __syncthreads();
        for (int k = slice; k < n_k; k += RK_SLICES) {
            const real* w = weights + k * (RK_WIDTH + 1) + u;
            rk_rows state = states[k];
            for (int g = 0; g < RK_GATES; ++g)
                for (int r = 0; r < RK_ROWS; ++r)
                    sum[r][g] += state.of[r] * w[g * RK_UNITS];
        }
    }
    for (int r = 0; r < RK_ROWS; ++r)
        for (int g = 0; g < RK_GATES; ++g)
            sums[((slice * RK_ROWS + r) * RK_GATES + g) * RK_UNITS + u] = sum[r][g];
    __syncthreads();
    for (int i = threadIdx.x; i < RK_ROWS * RK_UNITS; i += RK_THREADS) {
        int unit = first_unit + i % RK_UNITS, r = i / RK_UNITS;
        if (first_b + r >= visit.n || unit >= layer.hidden_size)
            continue;
        real products[RK_GATES];
        for (int g = 0; g < RK_GATES; ++g) {
            products[g] = 0;
            for (int s = 0; s < RK_SLICES; ++s)
                products[g] +=
                    sums[((s * RK_ROWS + r) * RK_GATES + g) * RK_UNITS + i % RK_UNITS];
        }
        rk_cell_forward(layer, visit, first_b + r, unit, products);
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
    rk_rows* states = (rk_rows*)memory;
    real* weights = memory + chunk * RK_ROWS;
    real* sums = weights + chunk * (RK_WIDTH + 1);
    bool resident = chunk >= hidden_size && team_size * RK_UNITS >= hidden_size;
    bool load = true;
    unsigned round = 0;
    for (rk_index number = first_visit; number < last_visit; ++number) {
        rk_visit visit = rk_visit_of(layer, number);
        for (int unit = team.rank * RK_UNITS; unit < hidden_size; unit += team_size * RK_UNITS)
            for (rk_index b = (rk_index)team.number * RK_ROWS; b < visit.n;
                 b += (rk_index)team.n_teams * RK_ROWS) {
                rk_forward_tile(layer, visit, b, unit, chunk, load, states, weights, sums);
                load = !resident;
            }
        if (number + 1 < last_visit)
            rk_team_wait(team, arrivals, ++round);
    }
}

/* values (P, H) of gate number `gate`, from its inputs. */
extern "C" __global__ void gate_values(const real* inputs, rk_index n_rows, int hidden_size,
                                       int gate, real* values)
{
    rk_gpu_layer layer = {};
    layer.gates = (real*)inputs;
    layer.hidden_size = hidden_size;
    for (rk_index i = rk_thread(); i < n_rows * hidden_size; i += rk_threads())
        values[i] = rk_gate_value(layer, i / hidden_size, gate, (int)(i % hidden_size));
}
