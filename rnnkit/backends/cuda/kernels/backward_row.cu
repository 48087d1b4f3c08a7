/* What every way back does at one unit of one sequence, once its recurrent product is summed. */

/* Gradients beside those in the layer: dy (P, H), dh and dc (B, H), and the peepholes' terms
 * (P, 3 H); null where there is none. */
struct rk_gradients {
    const real* dy;
    real *dh, *dc, *peephole_terms;
};

/* What is read of them and of the cell, before the recurrent product is summed. */
struct rk_row_inputs {
    rk_cell_inputs cell;
    real dy, dh, dc, mask;
};

__device__ inline rk_row_inputs rk_inputs_of_row(const rk_gpu_layer& layer, const rk_visit& visit,
                                                 rk_index b, int unit,
                                                 const rk_gradients& gradients)
{
    rk_index at = b * layer.hidden_size + unit;
    rk_row_inputs in;
    in.dh = gradients.dh[at];
    in.dc = gradients.dc ? gradients.dc[at] : (real)0;
    in.mask = layer.mask ? layer.mask[at] : (real)1;
    in.dy = 0;
    if (b < visit.n) {
        if (gradients.dy)
            in.dy = gradients.dy[(visit.row + b) * layer.hidden_size + unit];
        in.cell = rk_backward_inputs(layer, visit, b, unit);
    }
    return in;
}

__device__ inline void rk_backward_row(const rk_gpu_layer& layer, const rk_visit& visit, rk_index b,
                                       int unit, const rk_row_inputs& in, real product,
                                       const rk_gradients& gradients)
{
    rk_index at = b * layer.hidden_size + unit;
    real dstate = in.dh, dcell = in.dc;
    if (b < visit.n_after)
        dstate += in.mask * product;
    if (b < visit.n) {
        dstate += in.dy;
        rk_cell_backward(layer, visit, b, unit, in.cell, &dstate, &dcell,
                         gradients.peephole_terms);
    }
    gradients.dh[at] = dstate;
    if (gradients.dc)
        gradients.dc[at] = dcell;
}
