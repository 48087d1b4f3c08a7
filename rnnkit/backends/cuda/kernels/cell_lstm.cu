/* The LSTM cell, c' = f c + i g, h' = o phi_c(c'): one row of one unit, forward and backward.
 *
 * RK_PEEPHOLE and RK_COUPLED, if defined, switch those options on. The gates are i f g o.
 */
#define RK_GATES 4

struct rk_lstm {
    rk_gate i, f, g, o;
    real c_before, c; /* c is the new cell state before zoneout */
};

/* Opens the gates whose inputs are complete but for o's peephole term, which is added to *a_o. */
__device__ inline rk_lstm rk_lstm_gates(const rk_gpu_layer& layer, real a_i, real a_f, real a_g,
                                        real* a_o, real c_before, int unit, bool add_peephole)
{
    rk_lstm cell;
    cell.c_before = c_before;
    cell.i = rk_open_gate(a_i);
    cell.f = rk_open_gate(a_f);
    cell.g = rk_open_cell(a_g);
#ifdef RK_COUPLED
    cell.f.value = 1 - cell.i.value;
#endif
    cell.c = cell.f.value * c_before + cell.i.value * cell.g.value;
#ifdef RK_PEEPHOLE
    if (add_peephole)
        *a_o += layer.peephole[2 * layer.hidden_size + unit] * cell.c;
#endif
    cell.o = rk_open_gate(*a_o);
    return cell;
}

__device__ inline void rk_cell_forward(const rk_gpu_layer& layer, const rk_visit& visit, rk_index b,
                                       int unit, const real* products)
{
    int h = layer.hidden_size;
    rk_index row = visit.row + b, at = row * h + unit;
    real* a = layer.gates + row * 4 * h + unit;
    real c = rk_state_before(layer, visit, layer.c, layer.c0, b, unit);
    real a_i = a[0] + products[0], a_f = a[h] + products[1];
    real a_g = a[2 * h] + products[2], a_o = a[3 * h] + products[3];
#ifdef RK_PEEPHOLE
    a_i += layer.peephole[unit] * c;
    a_f += layer.peephole[h + unit] * c;
#endif
    rk_lstm cell = rk_lstm_gates(layer, a_i, a_f, a_g, &a_o, c, unit, true);
    a[0] = a_i;
    a[h] = a_f;
    a[2 * h] = a_g;
    a[3 * h] = a_o;
    real out = cell.o.value * RK_PHI_C::value(cell.c, RK_PHI_C_ALPHA, RK_PHI_C_BETA);
    real k_h = rk_keep(layer, layer.keep_h, row, unit);
    real k_c = rk_keep(layer, layer.keep_c, row, unit);
    real h_before = rk_state_before(layer, visit, layer.y, layer.h0, b, unit);
    layer.y[at] = k_h * h_before + (1 - k_h) * out;
    layer.c[at] = k_c * c + (1 - k_c) * cell.c;
}

__device__ inline void rk_cell_backward(const rk_gpu_layer& layer, const rk_visit& visit,
                                        rk_index b, int unit, real* dh, real* dc,
                                        real* peephole_terms)
{
    int h = layer.hidden_size;
    rk_index row = visit.row + b;
    real* a = layer.gates + row * 4 * h + unit;
    real c = rk_state_before(layer, visit, layer.c, layer.c0, b, unit);
    rk_lstm cell = rk_lstm_gates(layer, a[0], a[h], a[2 * h], a + 3 * h, c, unit, false);
    real k_h = rk_keep(layer, layer.keep_h, row, unit);
    real k_c = rk_keep(layer, layer.keep_c, row, unit);
    real out = RK_PHI_C::value(cell.c, RK_PHI_C_ALPHA, RK_PHI_C_BETA);
    real dh_new = (1 - k_h) * *dh;
    real da_o = dh_new * out * cell.o.slope;
    real dc_new = (1 - k_c) * *dc
        + dh_new * cell.o.value * RK_PHI_C::slope(out, RK_PHI_C_ALPHA, RK_PHI_C_BETA);
#ifdef RK_PEEPHOLE
    dc_new += layer.peephole[2 * h + unit] * da_o;
#endif
    real di = dc_new * cell.g.value, df = dc_new * c;
#ifdef RK_COUPLED
    di -= df;
    df = 0;
#endif
    real da_i = di * cell.i.slope, da_f = df * cell.f.slope;
    *dh = k_h * *dh;
    *dc = k_c * *dc + dc_new * cell.f.value;
#ifdef RK_PEEPHOLE
    *dc += layer.peephole[unit] * da_i + layer.peephole[h + unit] * da_f;
    real* terms = peephole_terms + row * 3 * h + unit;
    terms[0] = da_i * c;
    terms[h] = da_f * c;
    terms[2 * h] = da_o * cell.c;
#endif
    a[0] = da_i;
    a[h] = da_f;
    a[2 * h] = dc_new * cell.i.value * cell.g.slope;
    a[3 * h] = da_o;
}

__device__ inline real rk_product_gradient(const rk_gpu_layer& layer, rk_index row, int k)
{
    return rk_load_fresh(layer.gates + row * 4 * layer.hidden_size + k);
}

__device__ inline real rk_gate_value(const rk_gpu_layer& layer, rk_index row, int gate, int unit)
{
    const real* a = layer.gates + row * 4 * layer.hidden_size + unit;
#ifdef RK_COUPLED
    if (gate == 1)
        return 1 - rk_open_gate(a[0]).value;
#endif
    real input = a[gate * layer.hidden_size];
    return gate == 2 ? rk_open_cell(input).value : rk_open_gate(input).value;
}
