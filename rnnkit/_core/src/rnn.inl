/* The Elman cell: one panel of a run, forward and backward. rnnkit/cells.py has the equations. */

RK_INLINE void FN(rnn_forward)(const rk_call *call, const int plain, const FN(run) *run,
                               FN(rows_of_run) at, ptrdiff_t panel) {
    for (ptrdiff_t r = 0; r < run->n; r++) {
        real *gates = at.gates + panel * at.gates_panel + r * VL;
        const vec h = FN(candidate)(&call->layer, plain, v_load(gates));
        v_store(gates, h);
        FN(store_h)(call, plain, run, r, panel, h);
    }
}

RK_INLINE void FN(rnn_backward)(const rk_call *call, const int plain, const FN(run) *run,
                                FN(rows_of_run) at, ptrdiff_t panel) {
    for (ptrdiff_t r = 0; r < run->n; r++) {
        real *gates = at.gates + panel * at.gates_panel + r * VL;
        const vec dh = FN(take_dh)(call, plain, run, r, panel);
        v_store(gates, dh * FN(candidate_slope)(&call->layer, plain, v_load(gates)));
    }
}
