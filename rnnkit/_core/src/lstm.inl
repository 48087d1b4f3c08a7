/* The LSTM cell: one panel of a run, forward and backward; whole rows with a normed cell state. */

/* The state c' of a panel; h follows from it in lstm_output. */
RK_INLINE vec FN(lstm_state)(const rk_call *call, const int plain, const FN(run) *run, ptrdiff_t r,
                             ptrdiff_t panel, real *gates) {
    const rk_layer_spec *layer = &call->layer;
    const ptrdiff_t padded = FN(panels_of)(layer) * VL, unit = panel * VL;
    const ptrdiff_t row = run->row + r, lanes = layer->hidden - unit;
    const real *peephole = plain ? NULL : call->peephole;
    real *state = (real *)call->c + (run->b + r) * padded + unit;
    const vec c_prev = v_load(state);
    vec i = v_load(gates), f = v_load(gates + VL), o = v_load(gates + 3 * VL), g, c, c_out;
    if (peephole) {
        peephole += panel * 3 * VL;
        i = v_fma(v_load(peephole), c_prev, i);
        f = v_fma(v_load(peephole + VL), c_prev, f);
    }
    i = FN(gate)(layer, plain, i);
    f = !plain && layer->coupled_gates ? v_set1(1) - i : FN(gate)(layer, plain, f);
    g = FN(candidate)(layer, plain, v_load(gates + 2 * VL));
    c = v_fma(f, c_prev, i * g);
    if (!plain)
        c = FN(keep)(c, lanes);
    if (peephole)
        o = v_fma(v_load(peephole + 2 * VL), c, o);
    o = FN(gate)(layer, plain, o);
    v_store(gates, i);
    v_store(gates + VL, f);
    v_store(gates + 2 * VL, g);
    v_store(gates + 3 * VL, o);
    c_out = c;
    if (!plain && (call->zoneout_c || layer->zoneout != 0))
        c_out = v_fma(FN(kept_share)(call, call->zoneout_c, row, unit, lanes), c_prev - c, c);
    if (!plain && layer->gate_recurrence) {
        v_store(FN(gate_before)(call, call->c, run->b + r, 1) + unit, i);
        v_store(FN(gate_before)(call, call->c, run->b + r, 2) + unit, f);
        v_store(FN(gate_before)(call, call->c, run->b + r, 3) + unit, o);
    }
    if (call->training) {
        v_store((real *)call->c_prev + row * padded + unit, c_prev);
        if (call->c_new)
            v_store((real *)call->c_new + row * padded + unit, c);
    }
    v_store(state, c_out);
    return c;
}

RK_INLINE void FN(lstm_forward)(const rk_call *call, const int plain, const FN(run) *run,
                                FN(rows_of_run) at, ptrdiff_t panel) {
    const rk_layer_spec *layer = &call->layer;
    real *gates = at.gates + panel * at.gates_panel;
    for (ptrdiff_t first = 0, last; first < run->n; first = last) {
        vec c[RK_SIDE_BY_SIDE];
        last = FN(end_of_some)(first, run->n);
        for (ptrdiff_t r = first; r < last; r++)
            c[r - first] = FN(lstm_state)(call, plain, run, r, panel, gates + r * 4 * VL);
        for (ptrdiff_t r = first; r < last; r++) {
            const vec state = c[r - first], o = v_load(gates + (r * 4 + 3) * VL);
            FN(store_h)(call, plain, run, r, panel, o * FN(output)(layer, plain, state));
        }
    }
}

/* h = o * f(norm_c * LN(c') + norm_c_bias), after every panel's gates and c'. */
static void FN(lstm_forward_normed)(const rk_call *call, const FN(run) *run, FN(rows_of_run) at) {
    const rk_layer_spec *layer = &call->layer;
    const ptrdiff_t panels = FN(panels_of)(layer), padded = panels * VL;
    for (ptrdiff_t r = 0; r < run->n; r++) {
        real *hat = at.hat_c + r * padded;
        for (ptrdiff_t p = 0; p < panels; p++)
            v_store(hat + p * VL, FN(lstm_state)(call, 0, run, r, p,
                                                 at.gates + p * at.gates_panel + r * 4 * VL));
        at.norm_scale[r * 3 + 2] =
            FN(normalise)((FN(spread)){hat, VL, 1, layer->hidden}, layer->norm_epsilon);
        for (ptrdiff_t p = 0; p < panels; p++) {
            const vec u = v_fma(v_load((const real *)call->norm_c + p * VL), v_load(hat + p * VL),
                                v_load((const real *)call->norm_c_bias + p * VL));
            const vec o = v_load(at.gates + p * at.gates_panel + r * 4 * VL + 3 * VL);
            FN(store_h)(call, 0, run, r, p, o * FN(output)(layer, 0, u));
        }
    }
}

/* The gradient of a gate by what the gates of the step after saw of it; zeros stay behind. */
RK_INLINE vec FN(take_seen)(const rk_call *call, ptrdiff_t b, ptrdiff_t unit, int gate) {
    real *carried = FN(gate_before)(call, call->dc, b, gate) + unit;
    const vec seen = v_load(carried);
    v_store(carried, v_zero());
    return seen;
}

/* Gate gradients from the gradient of the output gate's product and of c'. */
RK_INLINE void FN(lstm_gate_gradients)(const rk_call *call, const int plain, const FN(run) *run,
                                       ptrdiff_t r, ptrdiff_t panel, real *gates, vec dout,
                                       vec dc_out) {
    const rk_layer_spec *layer = &call->layer;
    const ptrdiff_t padded = FN(panels_of)(layer) * VL, unit = panel * VL;
    const ptrdiff_t row = run->row + r, lanes = layer->hidden - unit;
    const real *peephole = plain ? NULL : call->peephole;
    real *carried = (real *)call->dc + (run->b + r) * padded + unit;
    const vec i = v_load(gates), f = v_load(gates + VL), g = v_load(gates + 2 * VL);
    const vec o = v_load(gates + 3 * VL);
    const vec c_prev = v_load((const real *)call->c_prev + row * padded + unit);
    const int is_seen = !plain && layer->gate_recurrence;
    if (is_seen)
        dout += FN(take_seen)(call, run->b + r, unit, 3);
    const vec d_o = dout * FN(gate_slope)(layer, plain, o);
    vec dc = v_load(carried), bypass = v_zero(), d_i, d_f = v_zero(), dc_prev;
    if (!plain && call->zoneout_c) {
        bypass = dc * FN(kept_share)(call, call->zoneout_c, row, unit, lanes);
        dc = dc - bypass;
    }
    dc += dc_out;
    if (peephole) {
        peephole += panel * 3 * VL;
        dc = v_fma(d_o, v_load(peephole + 2 * VL), dc);
    }
    const vec d_g = dc * i * FN(candidate_slope)(layer, plain, g);
    if (!plain && layer->coupled_gates) {
        d_i = dc * (g - c_prev);
        if (is_seen)
            d_i += FN(take_seen)(call, run->b + r, unit, 1) -
                   FN(take_seen)(call, run->b + r, unit, 2);
        d_i = d_i * FN(gate_slope)(layer, plain, i);
    } else {
        d_i = dc * g;
        d_f = dc * c_prev;
        if (is_seen) {
            d_i += FN(take_seen)(call, run->b + r, unit, 1);
            d_f += FN(take_seen)(call, run->b + r, unit, 2);
        }
        d_i = d_i * FN(gate_slope)(layer, plain, i);
        d_f = d_f * FN(gate_slope)(layer, plain, f);
    }
    dc_prev = dc * f + bypass;
    if (peephole) {
        dc_prev = v_fma(d_i, v_load(peephole), dc_prev);
        dc_prev = v_fma(d_f, v_load(peephole + VL), dc_prev);
    }
    v_store(gates, d_i);
    v_store(gates + VL, d_f);
    v_store(gates + 2 * VL, d_g);
    v_store(gates + 3 * VL, d_o);
    v_store(carried, dc_prev);
}

RK_INLINE void FN(lstm_backward)(const rk_call *call, const int plain, const FN(run) *run,
                                 FN(rows_of_run) at, ptrdiff_t panel) {
    const rk_layer_spec *layer = &call->layer;
    const ptrdiff_t padded = FN(panels_of)(layer) * VL, unit = panel * VL;
    for (ptrdiff_t r = 0; r < run->n; r++) {
        real *gates = at.gates + panel * at.gates_panel + r * 4 * VL;
        const vec dh = FN(take_dh)(call, plain, run, r, panel);
        const vec c_prev = v_load((const real *)call->c_prev + (run->row + r) * padded + unit);
        vec c = v_fma(v_load(gates + VL), c_prev, v_load(gates) * v_load(gates + 2 * VL));
        if (!plain)
            c = FN(keep)(c, layer->hidden - unit);
        const vec out = FN(output)(layer, plain, c);
        const vec slope = FN(output_slope)(layer, plain, out);
        FN(lstm_gate_gradients)(call, plain, run, r, panel, gates, dh * out,
                                dh * v_load(gates + 3 * VL) * slope);
    }
}

/* The same with a normed cell state: its gradient needs the whole row. */
static void FN(lstm_backward_normed)(const rk_call *call, const FN(run) *run, FN(rows_of_run) at) {
    const rk_layer_spec *layer = &call->layer;
    const ptrdiff_t panels = FN(panels_of)(layer), padded = panels * VL;
    for (ptrdiff_t r = 0; r < run->n; r++) {
        const real *hat = at.hat_c + r * padded;
        real *d_normed = (real *)call->dc_normed + (run->row + r) * padded;
        real *d_state = (real *)call->dc_state + (run->row + r) * padded;
        real *d_out = (real *)call->d_out + (run->row + r) * padded;
        for (ptrdiff_t p = 0; p < panels; p++) {
            const vec gain = v_load((const real *)call->norm_c + p * VL);
            const vec u = v_fma(gain, v_load(hat + p * VL),
                                v_load((const real *)call->norm_c_bias + p * VL));
            const vec o = v_load(at.gates + p * at.gates_panel + r * 4 * VL + 3 * VL);
            const vec dh = FN(take_dh)(call, 0, run, r, p);
            const vec out = FN(output)(layer, 0, u);
            const vec du = dh * o * FN(output_slope)(layer, 0, out);
            v_store(d_out + p * VL, dh * out);
            v_store(d_normed + p * VL, du);
            v_store(d_state + p * VL, du * gain);
        }
        FN(normalise_backward)((FN(spread)){d_state, VL, 1, layer->hidden},
                               (FN(spread)){(real *)hat, VL, 1, layer->hidden},
                               at.norm_scale[r * 3 + 2]);
        for (ptrdiff_t p = 0; p < panels; p++)
            FN(lstm_gate_gradients)(call, 0, run, r, p,
                                    at.gates + p * at.gates_panel + r * 4 * VL,
                                    v_load(d_out + p * VL), v_load(d_state + p * VL));
    }
}
