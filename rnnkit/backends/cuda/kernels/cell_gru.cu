/* The GRU cell, h' = (1 - z) n + z h: one row of one unit, forward and backward. The gates are r z n.
 *
 * The reset acts after the product, n = phi(W_n x + b_n + r (U_n h + b_hn)); with RK_RESET_BEFORE
 * before it, n = phi(W_n x + b_n + U_n (r h) + b_hn), where r is the business of resets.cu.
 */
#define RK_GATES 3
#ifdef RK_RESET_BEFORE
#define RK_PRODUCTS 1 /* U_n (r h); the others have completed the inputs of r and z */
#else
#define RK_PRODUCTS 3
#endif

struct rk_cell_inputs {
    real a[3], h, bias_hn, uh_n, keep_h; /* uh_n is U_n h + b_hn */
};

__device__ inline rk_cell_inputs rk_forward_inputs(const rk_gpu_layer& layer, const rk_visit& visit,
                                                   rk_index b, int unit)
{
    int h = layer.hidden_size;
    rk_index row = visit.row + b;
    rk_cell_inputs in;
    for (int g = 0; g < 3; ++g)
        in.a[g] = layer.gates[(row * 3 + g) * h + unit];
    in.h = rk_state_before(layer, visit, layer.y, layer.h0, b, unit);
    in.bias_hn = layer.bias_hn[unit];
    in.keep_h = rk_keep(layer, layer.keep_h, row, unit);
    return in;
}

__device__ inline rk_cell_inputs rk_backward_inputs(const rk_gpu_layer& layer,
                                                    const rk_visit& visit, rk_index b, int unit)
{
    int h = layer.hidden_size;
    rk_index row = visit.row + b;
    rk_cell_inputs in;
    for (int g = 0; g < 3; ++g)
        in.a[g] = layer.gates[(row * 3 + g) * h + unit];
    in.h = rk_state_before(layer, visit, layer.y, layer.h0, b, unit);
    in.uh_n = layer.uh_n[row * h + unit];
    in.keep_h = rk_keep(layer, layer.keep_h, row, unit);
    return in;
}

__device__ inline real rk_cell_forward(const rk_gpu_layer& layer, const rk_visit& visit, rk_index b,
                                       int unit, const rk_cell_inputs& in, const real* products)
{
    int h = layer.hidden_size;
    rk_index row = visit.row + b, at = row * h + unit;
    real* a = layer.gates + row * 3 * h + unit;
#ifdef RK_RESET_BEFORE
    real a_z = in.a[1], a_n = in.a[2] + (products[0] + in.bias_hn);
#else
    real uh_n = products[2] + in.bias_hn;
    real a_r = in.a[0] + products[0], a_z = in.a[1] + products[1];
    real a_n = in.a[2] + rk_open_gate(a_r).value * uh_n;
    a[0] = a_r;
    a[h] = a_z;
    layer.uh_n[at] = uh_n;
#endif
    real z = rk_open_gate(a_z).value, k = in.keep_h;
    real state = k * in.h + (1 - k) * ((1 - z) * rk_open_cell(a_n).value + z * in.h);
    a[2 * h] = a_n;
    layer.y[at] = state;
    return state;
}

__device__ inline void rk_cell_backward(const rk_gpu_layer& layer, const rk_visit& visit,
                                        rk_index b, int unit, const rk_cell_inputs& in, real* dh,
                                        real* dc, real* peephole_terms)
{
    int h = layer.hidden_size;
    rk_index row = visit.row + b;
    real* a = layer.gates + row * 3 * h + unit;
    rk_gate z = rk_open_gate(in.a[1]), n = rk_open_cell(in.a[2]);
    real dh_new = (1 - in.keep_h) * *dh;
    real da_n = dh_new * (1 - z.value) * n.slope;
#ifndef RK_RESET_BEFORE
    rk_gate r = rk_open_gate(in.a[0]);
    a[0] = da_n * in.uh_n * r.slope;
    layer.uh_n[row * h + unit] = da_n * r.value;
#endif
    a[h] = dh_new * (in.h - n.value) * z.slope;
    a[2 * h] = da_n;
    *dh = in.keep_h * *dh + dh_new * z.value;
}

__device__ inline const real* rk_gradients_by(const rk_gpu_layer& layer, rk_index row, int k,
                                              int* distance)
{
    int h = layer.hidden_size;
    *distance = k < 2 * h ? 3 * h : h;
    return k < 2 * h ? layer.gates + row * 3 * h + k : layer.uh_n + row * h + k - 2 * h;
}

__device__ inline real rk_gate_value(const rk_gpu_layer& layer, rk_index row, int gate, int unit)
{
    real a = layer.gates[row * 3 * layer.hidden_size + gate * layer.hidden_size + unit];
    return gate == 2 ? rk_open_cell(a).value : rk_open_gate(a).value;
}
