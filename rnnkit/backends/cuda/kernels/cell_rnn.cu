/* The Elman cell, h' = phi(W x + U h + b): one row of one unit, forward and backward. */
#define RK_GATES 1
#define RK_PRODUCTS 1

/* What a step reads; it does so before the recurrent product is summed. */
struct rk_cell_inputs {
    real a, h, keep_h; /* W x + b or (backward) the gate's input; the state before */
};

__device__ inline rk_cell_inputs rk_forward_inputs(const rk_gpu_layer& layer, const rk_visit& visit,
                                                   rk_index b, int unit)
{
    rk_index row = visit.row + b;
    rk_cell_inputs in;
    in.a = layer.gates[row * layer.hidden_size + unit];
    in.h = rk_state_before(layer, visit, layer.y, layer.h0, b, unit);
    in.keep_h = rk_keep(layer, layer.keep_h, row, unit);
    return in;
}

__device__ inline rk_cell_inputs rk_backward_inputs(const rk_gpu_layer& layer,
                                                    const rk_visit& visit, rk_index b, int unit)
{
    rk_index row = visit.row + b;
    rk_cell_inputs in;
    in.a = layer.gates[row * layer.hidden_size + unit];
    in.keep_h = rk_keep(layer, layer.keep_h, row, unit);
    return in;
}

/* Completes a gate's input with the recurrent products, takes the step and returns its state. */
__device__ inline real rk_cell_forward(const rk_gpu_layer& layer, const rk_visit& visit, rk_index b,
                                       int unit, const rk_cell_inputs& in, const real* products)
{
    rk_index at = (visit.row + b) * layer.hidden_size + unit;
    real a = in.a + products[0];
    real h = in.keep_h * in.h + (1 - in.keep_h) * rk_open_cell(a).value;
    layer.gates[at] = a;
    layer.y[at] = h;
    return h;
}

/* Turns gate inputs into their gradients, and dh, dc after the step into those before it, as far
 * as they do not pass through the recurrent product. */
__device__ inline void rk_cell_backward(const rk_gpu_layer& layer, const rk_visit& visit,
                                        rk_index b, int unit, const rk_cell_inputs& in, real* dh,
                                        real* dc, real* peephole_terms)
{
    rk_index at = (visit.row + b) * layer.hidden_size + unit;
    layer.gates[at] = (1 - in.keep_h) * *dh * rk_open_cell(in.a).slope;
    *dh = in.keep_h * *dh;
}

/* The factor that row k of U meets in the backward product, and how far that of the next row is. */
__device__ inline const real* rk_gradients_by(const rk_gpu_layer& layer, rk_index row, int k,
                                              int* distance)
{
    *distance = layer.hidden_size;
    return layer.gates + row * layer.hidden_size + k;
}

__device__ inline real rk_gate_value(const rk_gpu_layer& layer, rk_index row, int gate, int unit)
{
    return rk_open_cell(layer.gates[row * layer.hidden_size + unit]).value;
}
