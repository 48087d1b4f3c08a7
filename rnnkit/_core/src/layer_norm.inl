/* Layer normalisation of whole rows, and of the inputs of the gates. */

/* A row that is spread over panels: at base + panel * panel_stride `slots` vectors each. */
typedef struct {
    real *base;
    ptrdiff_t panel_stride;
    int slots;
    ptrdiff_t hidden;
} FN(spread);

/* Replace a row by (row - mean) / sqrt(variance + epsilon); return the factor. */
static real FN(normalise)(FN(spread) row, double epsilon) {
    const ptrdiff_t panels = (row.hidden + VL - 1) / VL;
    const real count = (real)(row.slots * row.hidden);
    vec sum = v_zero(), square = v_zero();
    for (ptrdiff_t p = 0; p < panels; p++)
        for (int s = 0; s < row.slots; s++)
            sum += FN(keep)(v_load(row.base + p * row.panel_stride + s * VL), row.hidden - p * VL);
    const vec mean = v_set1(v_sum(sum) / count);
    for (ptrdiff_t p = 0; p < panels; p++)
        for (int s = 0; s < row.slots; s++) {
            real *at = row.base + p * row.panel_stride + s * VL;
            const vec centred = FN(keep)(v_load(at) - mean, row.hidden - p * VL);
            square = v_fma(centred, centred, square);
            v_store(at, centred);
        }
    const real scale = 1 / (real)sqrt((double)(v_sum(square) / count) + epsilon);
    for (ptrdiff_t p = 0; p < panels; p++)
        for (int s = 0; s < row.slots; s++) {
            real *at = row.base + p * row.panel_stride + s * VL;
            v_store(at, v_load(at) * v_set1(scale));
        }
    return scale;
}

/* The gradient of the row before `normalise`, in place of d: scale (d - mean d - hat mean(d hat)),
 * d the gradient of the normalised row and hat that row. */
static void FN(normalise_backward)(FN(spread) d, FN(spread) hat, real scale) {
    const ptrdiff_t panels = (d.hidden + VL - 1) / VL;
    const real count = (real)(d.slots * d.hidden);
    vec sum = v_zero(), along = v_zero();
    for (ptrdiff_t p = 0; p < panels; p++)
        for (int s = 0; s < d.slots; s++) {
            const vec v = v_load(d.base + p * d.panel_stride + s * VL); /* zero beyond H */
            sum += v;
            along = v_fma(v, v_load(hat.base + p * hat.panel_stride + s * VL), along);
        }
    const vec mean = v_set1(v_sum(sum) / count), share = v_set1(v_sum(along) / count);
    for (ptrdiff_t p = 0; p < panels; p++)
        for (int s = 0; s < d.slots; s++) {
            real *at = d.base + p * d.panel_stride + s * VL;
            const vec h = v_load(hat.base + p * hat.panel_stride + s * VL);
            const vec v = (v_load(at) - mean - h * share) * v_set1(scale);
            v_store(at, FN(keep)(v, d.hidden - p * VL));
        }
}

/* Gate inputs with layer_norm: norm_ih * LN(W x) + norm_hh * LN(U h) + b, for every panel. */
static void FN(normed_gates)(const rk_call *call, const FN(run) *run, FN(rows_of_run) at,
                             rk_seat *seat) {
    const rk_layer_spec *layer = &call->layer;
    const ptrdiff_t panels = FN(panels_of)(layer), hidden = layer->hidden;
    const ptrdiff_t slots = layer->slots, width = slots * VL;
    const ptrdiff_t first_recurrent = slots - layer->recurrent_slots;
    const FN(factor) none = {0};
    const FN(start) zeros = {0};
    for (ptrdiff_t p = 0; p < panels; p++) {
        if (FN(leave)(seat, FN(panel_operations)(layer, run)))
            return;
        FN(gate_rows)(layer->cell, 1, run->n, FN(input_factor)(call, run, p), none, zeros,
                      at.hat_ih + p * at.gates_panel, 0);
        FN(gate_rows)(layer->cell, 1, run->n, none, FN(recurrent_factor)(call, run, at, p), zeros,
                      at.hat_hh + p * at.gates_panel, 0);
    }
    for (ptrdiff_t r = 0; r < run->n; r++) {
        const FN(spread) ih = {at.hat_ih + r * width, at.gates_panel, (int)layer->input_slots,
                               hidden};
        const FN(spread) hh = {at.hat_hh + r * width + first_recurrent * VL, at.gates_panel,
                               (int)layer->recurrent_slots, hidden};
        at.norm_scale[r * 3] = FN(normalise)(ih, layer->norm_epsilon);
        at.norm_scale[r * 3 + 1] = FN(normalise)(hh, layer->norm_epsilon);
        for (ptrdiff_t p = 0; p < panels; p++)
            for (ptrdiff_t s = 0; s < slots; s++) {
                const ptrdiff_t i = p * at.gates_panel + r * width + s * VL;
                const ptrdiff_t gain = p * width + s * VL;
                vec a = v_load((const real *)call->bias + gain);
                if (s < layer->input_slots)
                    a = v_fma(v_load((const real *)call->norm_ih + gain), v_load(at.hat_ih + i), a);
                if (s >= first_recurrent)
                    a = v_fma(v_load((const real *)call->norm_hh + gain), v_load(at.hat_hh + i), a);
                v_store(at.gates + i, a);
            }
    }
}

/* Gate gradients to the gradients of W x and U h, with layer_norm. */
static void FN(denormalise_gates)(const rk_call *call, const FN(run) *run, FN(rows_of_run) at) {
    const rk_layer_spec *layer = &call->layer;
    const ptrdiff_t panels = FN(panels_of)(layer), slots = layer->slots, width = slots * VL;
    const ptrdiff_t first_recurrent = slots - layer->recurrent_slots;
    for (ptrdiff_t r = 0; r < run->n; r++) {
        const ptrdiff_t from = (run->row + r) * width, inner = first_recurrent * VL;
        real *ih = (real *)call->dgates_ih + from, *hh = (real *)call->dgates_hh + from;
        for (ptrdiff_t p = 0; p < panels; p++)
            for (ptrdiff_t s = 0; s < slots; s++) {
                const ptrdiff_t i = p * at.gates_panel + s * VL, gain = p * width + s * VL;
                const vec d = v_load(at.gates + r * width + i);
                v_store(ih + i, d * v_load((const real *)call->norm_ih + gain));
                v_store(hh + i, d * v_load((const real *)call->norm_hh + gain));
            }
        FN(normalise_backward)(
            (FN(spread)){ih, at.gates_panel, (int)layer->input_slots, layer->hidden},
            (FN(spread)){at.hat_ih + r * width, at.gates_panel, (int)layer->input_slots,
                         layer->hidden},
            at.norm_scale[r * 3]);
        FN(normalise_backward)(
            (FN(spread)){hh + inner, at.gates_panel, (int)layer->recurrent_slots, layer->hidden},
            (FN(spread)){at.hat_hh + r * width + inner, at.gates_panel,
                         (int)layer->recurrent_slots, layer->hidden},
            at.norm_scale[r * 3 + 1]);
    }
}
