/* One visit of a recurrent layer whose recurrent products lie in memory already, and the values of
 * gates: kernels of the cell alone, whose threads walk over the units of all sequences.
 */

/* gates come as W x + b and leave as the inputs of the gates; row `number` of y, c (lstm) and uh_n
 * (gru) is filled. products (B, RK_PRODUCTS H) are of the states (B, H) that enter the visit, which give way
 * to those that enter the next one, times the mask if there is one. */
extern "C" __global__ void forward_visit(
    const real* bias_hn, const real* peephole, const real* h0, const real* c0, const real* mask,
    const real* keep_h, const real* keep_c, const rk_index* step_offsets, rk_index n_steps,
    int hidden_size, int reverse, real keep, real* gates, real* uh_n, real* y, real* c,
    const real* products, real* entering, rk_index number)
{
    rk_gpu_layer layer = {0,      bias_hn, peephole,     h0,      c0,          mask,
                          keep_h, keep_c,  step_offsets, n_steps, hidden_size, reverse,
                          keep,   gates,   uh_n,         y,       c};
    rk_visit visit = rk_visit_of(layer, number);
    for (rk_index i = rk_thread(); i < visit.n * hidden_size; i += rk_threads()) {
        rk_index b = i / hidden_size;
        int unit = (int)(i % hidden_size);
        rk_cell_inputs in = rk_forward_inputs(layer, visit, b, unit);
        real of_unit[RK_PRODUCTS];
        for (int p = 0; p < RK_PRODUCTS; ++p)
            of_unit[p] = products[(b * RK_PRODUCTS + p) * hidden_size + unit];
        real state = rk_cell_forward(layer, visit, b, unit, in, of_unit);
        entering[i] = mask ? mask[i] * state : state;
    }
}

/* Round `number` of the way back, as in recurrent_backward; products (B, H) are of the gradients by
 * the gates of the visit after it. */
extern "C" __global__ void backward_visit(
    const real* peephole, const real* h0, const real* c0, const real* mask, const real* keep_h,
    const real* keep_c, const rk_index* step_offsets, rk_index n_steps, int hidden_size,
    int reverse, real keep, real* gates, real* uh_n, real* y, real* c, const real* dy, real* dh,
    real* dc, real* peephole_terms, const real* products, rk_index number)
{
    rk_gpu_layer layer = {0,      0,      peephole,     h0,      c0,          mask,
                          keep_h, keep_c, step_offsets, n_steps, hidden_size, reverse,
                          keep,   gates,  uh_n,         y,       c};
    rk_gradients gradients = {dy, dh, dc, peephole_terms};
    rk_visit visit = rk_visit_of(layer, n_steps - 1 - number);
    rk_index n_involved = visit.n > visit.n_after ? visit.n : visit.n_after;
    for (rk_index i = rk_thread(); i < n_involved * hidden_size; i += rk_threads()) {
        rk_index b = i / hidden_size;
        int unit = (int)(i % hidden_size);
        rk_row_inputs in = rk_inputs_of_row(layer, visit, b, unit, gradients);
        real product = b < visit.n_after ? products[i] : (real)0;
        rk_backward_row(layer, visit, b, unit, in, product, gradients);
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
