/* The Elman cell, h' = phi(W x + U h + b): one row of one unit, forward and backward. */
#define RK_GATES 1

/* Completes a gate's input with the recurrent products and takes the step. */
__device__ inline void rk_cell_forward(const rk_gpu_layer& layer, const rk_visit& visit, rk_index b,
                                       int unit, const real* products)
{
    rk_index row = visit.row + b, at = row * layer.hidden_size + unit;
    real a = layer.gates[at] + products[0];
    real h = rk_state_before(layer, visit, layer.y, layer.h0, b, unit);
    real k = rk_keep(layer, layer.keep_h, row, unit);
    layer.gates[at] = a;
    layer.y[at] = k * h + (1 - k) * rk_open_cell(a).value;
}

/* Turns gate inputs into their gradients, and dh, dc after the step into those before it, as far
 * as they do not pass through the recurrent product. */
__device__ inline void rk_cell_backward(const rk_gpu_layer& layer, const rk_visit& visit,
                                        rk_index b, int unit, real* dh, real* dc,
                                        real* peephole_terms)
{
    rk_index row = visit.row + b, at = row * layer.hidden_size + unit;
    real k = rk_keep(layer, layer.keep_h, row, unit);
    layer.gates[at] = (1 - k) * *dh * rk_open_cell(layer.gates[at]).slope;
    *dh = k * *dh;
}

/* The factor that the recurrent weights of row k of U meet in the backward product. */
__device__ inline real rk_product_gradient(const rk_gpu_layer& layer, rk_index row, int k)
{
    return rk_load_fresh(layer.gates + row * layer.hidden_size + k);
}

__device__ inline real rk_gate_value(const rk_gpu_layer& layer, rk_index row, int gate, int unit)
{
    return rk_open_cell(layer.gates[row * layer.hidden_size + unit]).value;
}
