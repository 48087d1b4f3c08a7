/* States picked out of the packed rows: those before every step, and those after the last. */

/* before (P, H): the state of each row's sequence before its step, times the mask if there is one.
 * Block t takes step t. */
extern "C" __global__ void states_before(const real* y, const real* h0, const real* mask,
                                         const rk_index* step_offsets, rk_index n_steps,
                                         int hidden_size, int reverse, real* before)
{
    rk_gpu_layer layer = {};
    layer.step_offsets = step_offsets;
    layer.n_steps = n_steps;
    layer.hidden_size = hidden_size;
    layer.reverse = reverse;
    for (rk_index number = blockIdx.x; number < n_steps; number += gridDim.x) {
        rk_visit visit = rk_visit_of(layer, number);
        for (rk_index i = threadIdx.x; i < visit.n * hidden_size; i += blockDim.x) {
            rk_index b = i / hidden_size;
            real state = rk_state_before(layer, visit, y, h0, b, (int)(i % hidden_size));
            before[visit.row * hidden_size + i] = mask ? mask[i] * state : state;
        }
    }
}

/* last (B, H): the state after each sequence's last visit, or where an empty one starts. */
extern "C" __global__ void last_states(const real* states, const real* start,
                                       const rk_index* step_offsets, const rk_index* lengths,
                                       rk_index n_sequences, int hidden_size, int reverse,
                                       real* last)
{
    for (rk_index i = rk_thread(); i < n_sequences * hidden_size; i += rk_threads()) {
        rk_index b = i / hidden_size, length = lengths[b];
        rk_index row = (length && !reverse ? step_offsets[length - 1] : 0) + b;
        if (length)
            last[i] = states[row * hidden_size + i % hidden_size];
        else
            last[i] = start ? start[i] : (real)0;
    }
}
