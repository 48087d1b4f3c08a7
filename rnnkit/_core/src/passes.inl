/* A tile of sequences through all steps, forward and backward. */

/* How a layer is shared: forward by panels, backward by the column groups of dh, so that each share
 * adds to the dh of its own units alone. */
static int FN(most_shares)(const rk_call *call) {
    return FN(is_plain)(call) ? (int)FN(groups_of)(call->layer.hidden) : 1;
}

RK_INLINE void FN(forward_run)(const rk_call *call, const int cell, const int plain,
                               const FN(run) *run, FN(rows_of_run) at, FN(share) panels,
                               rk_seat *seat) {
    const rk_layer_spec *layer = &call->layer;
    const int whole_rows = !plain && FN(needs_rows)(layer);
    if (!plain && at.h_used)
        FN(copy_operand)(call, run, at.h_used);
#if RK_QUADS
    if (run->h_prev)
        FN(quad_rows)(run->h_prev, run->h_stride, run->n, layer->hidden, at.h_quads,
                      FN(operand_length)(layer->hidden));
#endif
    if (whole_rows && layer->layer_norm)
        FN(normed_gates)(call, run, at, seat);
    else if (whole_rows)
        FN(reset_gates)(call, run, at, seat);
    if (whole_rows && cell == RK_LSTM) {
        FN(lstm_forward_normed)(call, run, at);
        return;
    }
    /* The cells of a few rows are long chains, one a panel: after the products of all panels they
     * run side by side. Every other step walks the panels backwards and meets first what the
     * caches still hold. */
    ptrdiff_t n = FN(are_few)(run->n) ? panels.last - panels.first
                                      : FN(panels_at_once)(layer, run->n);
    for (ptrdiff_t left = panels.last - panels.first; left > 0; left -= n) {
        n = n < left ? n : left;
        const ptrdiff_t first = (run->t + call->turned) % 2 ? panels.first + left - n : panels.last - left;
        if (!whole_rows)
            FN(products)(call, cell, run, at, (FN(share)){first, first + n}, seat);
        for (ptrdiff_t p = first; p < first + n; p++) {
            if (cell == RK_LSTM)
                FN(lstm_forward)(call, plain, run, at, p);
            else if (cell == RK_GRU)
                FN(gru_forward)(call, plain, run, at, p);
            else
                FN(rnn_forward)(call, plain, run, at, p);
        }
    }
}

RK_INLINE void FN(forward_tile)(const rk_call *call, const int cell, const int plain,
                                const rk_part *part, real *scratch, rk_seat *seat) {
    const ptrdiff_t first = part->first, last = part->last;
    const FN(share) panels =
        FN(share_of)(FN(panels_of)(&call->layer), part->share, part->shares);
    for (ptrdiff_t s = part->first_step; s < part->last_step && seat->patience >= 0; s++) {
        const ptrdiff_t t = call->layer.reverse ? call->steps - 1 - s : s;
        FN(run) runs[2];
        const int count = FN(runs_of_step)(call, t, first, last, runs);
        for (int i = 0; i < count; i++)
            FN(forward_run)(call, cell, plain, &runs[i],
                            FN(place)(call, &runs[i], last - first, scratch), panels, seat);
    }
}

/* One instance of `tile` for each cell, plain or not; products of pairs have the plain ones. */
#define RK_FOR_EACH_CELL(tile)                                                                     \
    do {                                                                                           \
        const int plain = RK_PAIRS || FN(is_plain)(call);                                          \
        if (call->layer.cell == RK_LSTM && plain)                                                  \
            FN(tile)(call, RK_LSTM, 1, part, scratch, seat);                                       \
        else if (call->layer.cell == RK_GRU && plain)                                              \
            FN(tile)(call, RK_GRU, 1, part, scratch, seat);                                        \
        else if (plain)                                                                            \
            FN(tile)(call, RK_RNN, 1, part, scratch, seat);                                        \
        else if (!RK_PAIRS && call->layer.cell == RK_LSTM)                                         \
            FN(tile)(call, RK_LSTM, 0, part, scratch, seat);                                       \
        else if (!RK_PAIRS && call->layer.cell == RK_GRU)                                          \
            FN(tile)(call, RK_GRU, 0, part, scratch, seat);                                        \
        else if (!RK_PAIRS)                                                                        \
            FN(tile)(call, RK_RNN, 0, part, scratch, seat);                                        \
    } while (0)

static void FN(forward)(const rk_call *call, const rk_part *part, void *scratch, rk_seat *seat) {
    FN(begin_products)();
    RK_FOR_EACH_CELL(forward_tile);
    FN(end_products)();
}

#if !RK_QUADS
/* dh += the gradient that comes through the recurrent product. */
RK_INLINE void FN(through_product)(const rk_call *call, const int plain, const FN(run) *run,
                                   FN(rows_of_run) at, real *scratch, FN(share) groups,
                                   rk_seat *seat) {
    const rk_layer_spec *layer = &call->layer;
    const ptrdiff_t padded = FN(panels_of)(layer) * VL, hidden = layer->hidden;
    real *dh = (real *)call->dh + run->b * padded;
    if (plain || (!layer->reset_before && !layer->layer_norm && !layer->gate_recurrence &&
                  !call->recurrent_mask)) {
        FN(recurrent_columns)(call, at, run->n, RK_PAIRS ? at.gate_pairs : at.gates, 0,
                              layer->recurrent_slots, dh, groups, seat);
        return;
    }
    const real *gates = at.gates;
    const ptrdiff_t room = FN(operand_room)(layer);
    memset(scratch, 0, (size_t)(run->n * room) * sizeof(real));
    groups = (FN(share)){0, FN(groups_of)(layer->operand)};
    if (layer->layer_norm) {
        FN(denormalise_gates)(call, run, at);
        gates = (const real *)call->dgates_hh + run->row * layer->slots * VL;
    }
    if (layer->reset_before) {
        FN(reset_backward)(call, run, at, scratch, seat);
        FN(recurrent_columns)(call, at, run->n, gates, 0, 2, scratch, groups, seat);
    } else {
        FN(recurrent_columns)(call, at, run->n, gates, 0, layer->recurrent_slots, scratch, groups,
                              seat);
    }
    const real *mask = call->recurrent_mask;
    for (ptrdiff_t r = 0; r < run->n; r++)
        for (ptrdiff_t u = 0; u < hidden; u++)
            dh[r * padded + u] += mask ? mask[(run->b + r) * hidden + u] * scratch[r * room + u]
                                       : scratch[r * room + u];
    for (int gate = 1; layer->gate_recurrence && gate <= 3; gate++)
        for (ptrdiff_t r = 0; r < run->n; r++)
            for (ptrdiff_t u = 0; u < hidden; u++)
                FN(gate_before)(call, call->dc, run->b + r, gate)[u] +=
                    scratch[r * room + gate * hidden + u];
}

#if RK_PAIRS
/* The gate gradients of a panel as operand of the dh and dx products. */
RK_INLINE void FN(halve_gates)(const rk_call *call, const FN(run) *run, FN(rows_of_run) at,
                               ptrdiff_t panel) {
    const ptrdiff_t vectors = run->n * call->layer.slots, from = panel * at.gates_panel;
    for (ptrdiff_t v = 0; v < vectors; v++)
        FN(store_halves)(at.gate_pairs + (from + v * VL) / 2, v_load(at.gates + from + v * VL));
}
#endif

/* The gate gradients of a share of the units, from the dh of those units. */
RK_INLINE void FN(gates_backward)(const rk_call *call, const int cell, const int plain,
                                  const FN(run) *run, FN(rows_of_run) at, FN(share) panels) {
    if (!plain && cell == RK_LSTM && call->layer.layer_norm) {
        FN(lstm_backward_normed)(call, run, at);
        return;
    }
    for (ptrdiff_t p = panels.first; p < panels.last; p++) {
        if (cell == RK_LSTM)
            FN(lstm_backward)(call, plain, run, at, p);
        else if (cell == RK_GRU)
            FN(gru_backward)(call, plain, run, at, p);
        else
            FN(rnn_backward)(call, plain, run, at, p);
#if RK_PAIRS
        FN(halve_gates)(call, run, at, p);
#endif
    }
}

RK_INLINE void FN(backward_tile)(const rk_call *call, const int cell, const int plain,
                                 const rk_part *part, real *scratch, rk_seat *seat) {
    const ptrdiff_t n_panels = FN(panels_of)(&call->layer), rows = part->last - part->first;
    const FN(share) groups =
        FN(share_of)(FN(groups_of)(call->layer.hidden), part->share, part->shares);
    const ptrdiff_t end = groups.last * RK_GROUP_VECTORS;
    const FN(share) panels = {groups.first * RK_GROUP_VECTORS, end < n_panels ? end : n_panels};
    FN(run) runs[2];
    int count = 0;
    for (ptrdiff_t s = part->first_step; s < part->last_step && seat->patience >= 0; s++) {
        const ptrdiff_t t = call->layer.reverse ? s : call->steps - 1 - s;
        const ptrdiff_t before = call->layer.reverse ? t - 1 : t + 1;
        if (s == part->first_step)
            count = FN(runs_of_step)(call, before, part->first, part->last, runs);
        for (int i = 0; i < count; i++)
            FN(through_product)(call, plain, &runs[i],
                                FN(place)(call, &runs[i], rows, scratch), scratch, groups, seat);
        count = FN(runs_of_step)(call, t, part->first, part->last, runs);
        for (int i = 0; i < count; i++)
            FN(gates_backward)(call, cell, plain, &runs[i],
                               FN(place)(call, &runs[i], rows, scratch), panels);
    }
}

static void FN(backward)(const rk_call *call, const rk_part *part, void *scratch,
                         rk_seat *seat) {
    FN(begin_products)();
    RK_FOR_EACH_CELL(backward_tile);
    FN(end_products)();
}
#endif
