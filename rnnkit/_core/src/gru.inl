/* The GRU cell: one panel of a run, forward and backward; whole rows with reset before. */

/* The gates of one row, and the input of n's activation in its place. */
RK_INLINE void FN(gru_gates)(const rk_layer_spec *layer, const int plain, real *gates) {
    const vec n = v_load(gates), reset = v_load(gates + VL), z = v_load(gates + 2 * VL);
    const vec hn = v_load(gates + 3 * VL);
    if (!plain && layer->reset_before) { /* the gates are there already; hn has r in it */
        v_store(gates, n + hn);
        return;
    }
    const vec r = FN(gate)(layer, plain, reset);
    v_store(gates, v_fma(r, hn, n));
    v_store(gates + VL, r);
    v_store(gates + 2 * VL, FN(gate)(layer, plain, z));
}

RK_INLINE void FN(gru_forward)(const rk_call *call, const int plain, const FN(run) *run,
                               FN(rows_of_run) at, ptrdiff_t panel) {
    const rk_layer_spec *layer = &call->layer;
    const ptrdiff_t unit = panel * VL, lanes = layer->hidden - unit;
    for (ptrdiff_t first = 0, last; first < run->n; first = last) {
        real *gates = at.gates + panel * at.gates_panel + first * 4 * VL;
        last = FN(end_of_some)(first, run->n);
        for (ptrdiff_t r = 0; r < last - first; r++)
            FN(gru_gates)(layer, plain, gates + r * 4 * VL);
        for (ptrdiff_t r = first; r < last; r++, gates += 4 * VL) {
            const vec n = FN(candidate)(layer, plain, v_load(gates)), z = v_load(gates + 2 * VL);
            const vec h_prev = FN(h_prev_units)(run, r, unit, lanes);
            v_store(gates, n);
            FN(store_h)(call, plain, run, r, panel, v_fma(z, h_prev - n, n));
        }
    }
}

/* Gate inputs of a gru with reset before: r and z are activated, then U_n (r * h) goes to hn. */
static void FN(reset_gates)(const rk_call *call, const FN(run) *run, FN(rows_of_run) at,
                            rk_seat *seat) {
    const rk_layer_spec *layer = &call->layer;
    const ptrdiff_t panels = FN(panels_of)(layer), hidden = layer->hidden, padded = panels * VL;
    const ptrdiff_t width = 4 * VL;
    const FN(factor) none = {0};
    for (ptrdiff_t p = 0; p < panels; p++) {
        if (FN(leave)(seat, FN(panel_operations)(layer, run)))
            return;
        real *gates = at.gates + p * at.gates_panel;
        const FN(factor) h = FN(recurrent_factor)(call, run, at, p);
        FN(gru_gate_rows)(run->n, FN(input_factor)(call, run, p), none, FN(bias_of)(call, p),
                          gates, 0);
        if (h.a)
            FN(add_slot_rows)(run->n, 2, h, gates + VL, width);
        for (ptrdiff_t r = 0; r < run->n; r++) {
            const ptrdiff_t unit = p * VL;
            const vec reset = FN(gate)(layer, 0, v_load(gates + r * width + VL));
            const vec z = FN(gate)(layer, 0, v_load(gates + r * width + 2 * VL));
            const vec h_units = at.h_used ? v_load(at.h_used + r * padded + unit)
                                          : FN(h_prev_units)(run, r, unit, hidden - unit);
            v_store(gates + r * width + VL, reset);
            v_store(gates + r * width + 2 * VL, z);
            v_store(at.h_reset + r * padded + unit, FN(keep)(reset * h_units, hidden - unit));
        }
    }
    FN(factor) reset = {at.h_reset, padded, FN(operand_length)(hidden), NULL, 3 * VL};
#if RK_QUADS
    FN(quad_rows)(at.h_reset, padded, run->n, hidden, at.h_quads, reset.n);
    reset.a = at.h_quads;
    reset.a_stride = reset.n;
#endif
    for (ptrdiff_t p = 0; p < panels; p++) {
        reset.w = (const real *)call->weight_hh + (p * reset.n * 3 + 2) * VL;
        FN(add_slot_rows)(run->n, 1, reset, at.gates + p * at.gates_panel + 3 * VL, width);
    }
}

RK_INLINE void FN(gru_backward)(const rk_call *call, const int plain, const FN(run) *run,
                                FN(rows_of_run) at, ptrdiff_t panel) {
    const rk_layer_spec *layer = &call->layer;
    const ptrdiff_t unit = panel * VL, lanes = layer->hidden - unit;
    for (ptrdiff_t r = 0; r < run->n; r++) {
        real *gates = at.gates + panel * at.gates_panel + r * 4 * VL;
        const vec n = v_load(gates), reset = v_load(gates + VL), z = v_load(gates + 2 * VL);
        const vec hn = v_load(gates + 3 * VL);
        const vec h_prev = FN(h_prev_units)(run, r, unit, lanes);
        const vec dh = FN(take_dh)(call, plain, run, r, panel);
        const vec d_n = dh * (v_set1(1) - z) * FN(candidate_slope)(layer, plain, n);
        v_store(gates, d_n);
        v_store(gates + 2 * VL, dh * (h_prev - n) * FN(gate_slope)(layer, plain, z));
        FN(add_dh)(call, run, r, panel, dh * z);
        if (!plain && layer->reset_before) { /* r waits for the gradient of r * h */
            v_store(gates + 3 * VL, d_n);
        } else {
            v_store(gates + VL, d_n * hn * FN(gate_slope)(layer, plain, reset));
            v_store(gates + 3 * VL, d_n * reset);
        }
    }
}

/* gru with reset before: with d = gradient of r * h, the gradient of r's input goes to its slot
 * and d * r becomes the start of the gradient of h in dh_used. */
static void FN(reset_backward)(const rk_call *call, const FN(run) *run, FN(rows_of_run) at,
                               real *dh_used, rk_seat *seat) {
    const rk_layer_spec *layer = &call->layer;
    const ptrdiff_t panels = FN(panels_of)(layer), padded = panels * VL, hidden = layer->hidden;
    FN(recurrent_columns)(call, at, run->n, at.gates, 2, 1, dh_used,
                          (FN(share)){0, FN(groups_of)(hidden)}, seat);
    for (ptrdiff_t p = 0; p < panels; p++)
        for (ptrdiff_t r = 0; r < run->n; r++) {
            real *slot = at.gates + p * at.gates_panel + r * 4 * VL + VL;
            real *d = dh_used + r * padded + p * VL;
            const vec reset = v_load(slot), d_product = v_load(d);
            const vec h = at.h_used ? v_load(at.h_used + r * padded + p * VL)
                                    : FN(h_prev_units)(run, r, p * VL, hidden - p * VL);
            v_store(slot, d_product * h * FN(gate_slope)(layer, 0, reset));
            v_store(d, d_product * reset);
        }
}
