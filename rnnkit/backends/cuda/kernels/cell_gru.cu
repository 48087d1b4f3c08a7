/* The GRU cell whose reset acts after the product, n = phi(W_n x + b_n + r (U_n h + b_hn)),
 * h' = (1 - z) n + z h: one row of one unit, forward and backward. The gates are r z n. */
#define RK_GATES 3

__device__ inline void rk_cell_forward(const rk_gpu_layer& layer, const rk_visit& visit, rk_index b,
                                       int unit, const real* products)
{
    int h = layer.hidden_size;
    rk_index row = visit.row + b, at = row * h + unit;
    real* a = layer.gates + row * 3 * h + unit;
    real before = rk_state_before(layer, visit, layer.y, layer.h0, b, unit);
    real uh_n = products[2] + layer.bias_hn[unit];
    real a_r = a[0] + products[0], a_z = a[h] + products[1];
    real a_n = a[2 * h] + rk_open_gate(a_r).value * uh_n;
    real z = rk_open_gate(a_z).value, k = rk_keep(layer, layer.keep_h, row, unit);
    a[0] = a_r;
    a[h] = a_z;
    a[2 * h] = a_n;
    layer.uh_n[at] = uh_n;
    layer.y[at] = k * before + (1 - k) * ((1 - z) * rk_open_cell(a_n).value + z * before);
}

__device__ inline void rk_cell_backward(const rk_gpu_layer& layer, const rk_visit& visit,
                                        rk_index b, int unit, real* dh, real* dc,
                                        real* peephole_terms)
{
    int h = layer.hidden_size;
    rk_index row = visit.row + b, at = row * h + unit;
    real* a = layer.gates + row * 3 * h + unit;
    real before = rk_state_before(layer, visit, layer.y, layer.h0, b, unit);
    rk_gate r = rk_open_gate(a[0]), z = rk_open_gate(a[h]), n = rk_open_cell(a[2 * h]);
    real k = rk_keep(layer, layer.keep_h, row, unit);
    real dh_new = (1 - k) * *dh;
    real da_n = dh_new * (1 - z.value) * n.slope;
    a[0] = da_n * layer.uh_n[at] * r.slope;
    a[h] = dh_new * (before - n.value) * z.slope;
    a[2 * h] = da_n;
    layer.uh_n[at] = da_n * r.value;
    *dh = k * *dh + dh_new * z.value;
}

__device__ inline real rk_product_gradient(const rk_gpu_layer& layer, rk_index row, int k)
{
    int h = layer.hidden_size;
    if (k < 2 * h)
        return rk_load_fresh(layer.gates + row * 3 * h + k);
    return rk_load_fresh(layer.uh_n + row * h + k - 2 * h);
}

__device__ inline real rk_gate_value(const rk_gpu_layer& layer, rk_index row, int gate, int unit)
{
    real a = layer.gates[row * 3 * layer.hidden_size + gate * layer.hidden_size + unit];
    return gate == 2 ? rk_open_cell(a).value : rk_open_gate(a).value;
}
