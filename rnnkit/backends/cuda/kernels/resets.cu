/* The reset of a GRU that acts before the product: what a visit does beside forward_visit and
 * backward_visit, between two products. uh_n (P, H) holds r h, times the mask, of every row.
 */

__device__ inline rk_gpu_layer rk_reset_layer(const rk_index* step_offsets, rk_index n_steps,
                                              int hidden_size, int reverse)
{
    rk_gpu_layer layer = {};
    layer.step_offsets = step_offsets;
    layer.n_steps = n_steps;
    layer.hidden_size = hidden_size;
    layer.reverse = reverse;
    return layer;
}

/* Before forward_visit: products (B, 2 H), of the states (B, H) that enter the visit, complete the
 * inputs of r and z. */
extern "C" __global__ void reset_visit(const rk_index* step_offsets, rk_index n_steps,
                                       int hidden_size, int reverse, real* gates, real* uh_n,
                                       const real* products, const real* entering, rk_index number)
{
    rk_gpu_layer layer = rk_reset_layer(step_offsets, n_steps, hidden_size, reverse);
    rk_visit visit = rk_visit_of(layer, number);
    int h = hidden_size;
    for (rk_index i = rk_thread(); i < visit.n * h; i += rk_threads()) {
        rk_index b = i / h, unit = i % h, row = visit.row + b;
        real* a = gates + row * 3 * h + unit;
        real a_r = a[0] + products[b * 2 * h + unit];
        a[0] = a_r;
        a[h] += products[(b * 2 + 1) * h + unit];
        uh_n[row * h + unit] = rk_open_gate(a_r).value * entering[i];
    }
}

/* After backward_visit: products (B, H) = da_n U_n are the gradients by r h; they make that by r's
 * input and a share of dh (B, H). */
extern "C" __global__ void reset_visit_backward(const real* h0, const real* mask,
                                                const rk_index* step_offsets, rk_index n_steps,
                                                int hidden_size, int reverse, real* gates,
                                                const real* y, real* dh, const real* products,
                                                rk_index number)
{
    rk_gpu_layer layer = rk_reset_layer(step_offsets, n_steps, hidden_size, reverse);
    rk_visit visit = rk_visit_of(layer, n_steps - 1 - number);
    int h = hidden_size;
    for (rk_index i = rk_thread(); i < visit.n * h; i += rk_threads()) {
        rk_index b = i / h, unit = i % h;
        real* a_r = gates + (visit.row + b) * 3 * h + unit;
        rk_gate r = rk_open_gate(*a_r);
        real dreset = mask ? mask[i] * products[i] : products[i];
        real state = rk_state_before(layer, visit, y, h0, b, (int)unit);
        *a_r = dreset * state * r.slope;
        dh[i] += dreset * r.value;
    }
}
