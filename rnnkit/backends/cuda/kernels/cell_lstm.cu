/* The LSTM cell, c' = f c + i g, h' = o phi_c(c'): one row of one unit, forward and backward.
 *
 * RK_PEEPHOLE and RK_COUPLED, if defined, switch those options on. The gates are i f g o.
 */
#define RK_GATES 4
#define RK_PRODUCTS 4

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

struct rk_cell_inputs {
    real a[4], h, c, keep_h, keep_c;
};

__device__ inline rk_cell_inputs rk_backward_inputs(const rk_gpu_layer& layer,
                                                    const rk_visit& visit, rk_index b, int unit)
{
    rk_index row = visit.row + b;
    rk_cell_inputs in;
    for (int g = 0; g < 4; ++g)
        in.a[g] = layer.gates[(row * 4 + g) * layer.hidden_size + unit];
    in.c = rk_state_before(layer, visit, layer.c, layer.c0, b, unit);
    in.keep_h = rk_keep(layer, layer.keep_h, row, unit);
    in.keep_c = rk_keep(layer, layer.keep_c, row, unit);
    return in;
}

__device__ inline rk_cell_inputs rk_forward_inputs(const rk_gpu_layer& layer, const rk_visit& visit,
                                                   rk_index b, int unit)
{
    rk_cell_inputs in = rk_backward_inputs(layer, visit, b, unit);
    in.h = rk_state_before(layer, visit, layer.y, layer.h0, b, unit);
    return in;
}

__device__ inline real rk_cell_forward(const rk_gpu_layer& layer, const rk_visit& visit, rk_index b,
                                       int unit, const rk_cell_inputs& in, const real* products)
{
    int h = layer.hidden_size;
    rk_index row = visit.row + b, at = row * h + unit;
    real* a = layer.gates + row * 4 * h + unit;
    real a_i = in.a[0] + products[0], a_f = in.a[1] + products[1];
    real a_g = in.a[2] + products[2], a_o = in.a[3] + products[3];
#ifdef RK_PEEPHOLE
    a_i += layer.peephole[unit] * in.c;
    a_f += layer.peephole[h + unit] * in.c;
#endif
    rk_lstm cell = rk_lstm_gates(layer, a_i, a_f, a_g, &a_o, in.c, unit, true);
    real out = cell.o.value * RK_PHI_C::value(cell.c, RK_PHI_C_ALPHA, RK_PHI_C_BETA);
    real state = in.keep_h * in.h + (1 - in.keep_h) * out;
    a[0] = a_i;
    a[h] = a_f;
    a[2 * h] = a_g;
    a[3 * h] = a_o;
    layer.y[at] = state;
    layer.c[at] = in.keep_c * in.c + (1 - in.keep_c) * cell.c;
    return state;
}

__device__ inline void rk_cell_backward(const rk_gpu_layer& layer, const rk_visit& visit,
                                        rk_index b, int unit, const rk_cell_inputs& in, real* dh,
                                        real* dc, real* peephole_terms)
{
    int h = layer.hidden_size;
    rk_index row = visit.row + b;
    real* a = layer.gates + row * 4 * h + unit;
    real c = in.c, k_h = in.keep_h, k_c = in.keep_c, a_o = in.a[3];
    rk_lstm cell = rk_lstm_gates(layer, in.a[0], in.a[1], in.a[2], &a_o, c, unit, false);
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

__device__ inline const real* rk_gradients_by(const rk_gpu_layer& layer, rk_index row, int k,
                                              int* distance)
{
    *distance = 4 * layer.hidden_size;
    return layer.gates + row * *distance + k;
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
