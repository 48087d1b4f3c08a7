/* The element-wise parts that cells share: activations of gates, their slopes, the way of h.
 *
 * `plain` is a compile-time constant: 1 is the usual cell (tanh, sigmoid, no option on), 0 asks
 * for every option, so that an option that is off costs the usual cell nothing.
 */

/* Whether the usual cell is asked for, so that the plain bodies serve. */
RK_INLINE int FN(is_plain)(const rk_call *call) {
#define RK_IS_OFF(type, name) && layer->name == 0
    const rk_layer_spec *layer = &call->layer;
    return layer->activation.kind == RK_TANH && layer->gate_activation.kind == RK_SIGMOID &&
           layer->output_activation.kind == RK_TANH RK_OPTIONS(RK_IS_OFF) && !call->zoneout_h &&
           !call->recurrent_mask;
}

RK_INLINE vec FN(clipped)(const rk_layer_spec *layer, vec a) {
    if (!layer->has_clip)
        return a;
    a = v_max(v_set1((real)-layer->clip), a);
    return v_min(v_set1((real)layer->clip), a);
}

/* The general cells, too, have the usual activations in place: another option is no reason to call. */
RK_INLINE vec FN(gate)(const rk_layer_spec *layer, const int plain, vec a) {
    if (!plain)
        a = FN(clipped)(layer, a);
    if (plain || layer->gate_activation.kind == RK_SIGMOID)
        return v_sigmoid(a);
    return v_activate(layer->gate_activation, a);
}

RK_INLINE vec FN(candidate)(const rk_layer_spec *layer, const int plain, vec a) {
    if (!plain)
        a = FN(clipped)(layer, a);
    if (plain || layer->activation.kind == RK_TANH)
        return v_tanh(a);
    return v_activate(layer->activation, a);
}

RK_INLINE vec FN(output)(const rk_layer_spec *layer, const int plain, vec state) {
    if (plain || layer->output_activation.kind == RK_TANH)
        return v_tanh(state);
    return v_activate(layer->output_activation, state);
}

RK_INLINE vec FN(output_slope)(const rk_layer_spec *layer, const int plain, vec y) {
    if (plain || layer->output_activation.kind == RK_TANH)
        return v_set1(1) - y * y;
    return v_slope(layer->output_activation, y);
}

/* The slope by the activation's input, zero where the clip holds: there y is f(+-clip). */
RK_OUT_OF_LINE vec FN(slope)(const rk_layer_spec *layer, rk_activation f, vec y) {
    const vec slope = v_slope(f, y);
    if (!layer->has_clip)
        return slope;
    const vec a = v_activate(f, v_set1((real)-layer->clip));
    const vec b = v_activate(f, v_set1((real)layer->clip));
    return v_select((y > v_min(a, b)) & (y < v_max(a, b)), slope, v_zero());
}

RK_INLINE vec FN(gate_slope)(const rk_layer_spec *layer, const int plain, vec y) {
    if (plain || (layer->gate_activation.kind == RK_SIGMOID && !layer->has_clip))
        return y * (v_set1(1) - y);
    return FN(slope)(layer, layer->gate_activation, y);
}

RK_INLINE vec FN(candidate_slope)(const rk_layer_spec *layer, const int plain, vec y) {
    if (plain || (layer->activation.kind == RK_TANH && !layer->has_clip))
        return v_set1(1) - y * y;
    return FN(slope)(layer, layer->activation, y);
}

/* v with zeros from lane n on. */
RK_INLINE vec FN(keep)(vec v, ptrdiff_t n) {
    return n >= VL ? v : (vec)((ivec)v & v_first(n));
}

/* How much of the old state zoneout keeps, for `lanes` units from `unit` on of a packed row. */
RK_INLINE vec FN(kept_share)(const rk_call *call, const real *masks, ptrdiff_t row, ptrdiff_t unit,
                             ptrdiff_t lanes) {
    if (masks)
        return v_load_n(masks + row * call->layer.hidden + unit, lanes);
    return call->training ? v_zero() : v_set1((real)call->layer.zoneout);
}

/* A row's cell is a long chain of operations, of which a CPU sees only a part at a time. So some
 * rows take the first half of it one after the other, then the second: their chains overlap. */
RK_INLINE ptrdiff_t FN(end_of_some)(ptrdiff_t first, ptrdiff_t n) {
    return n - first < RK_SIDE_BY_SIDE ? n : first + RK_SIDE_BY_SIDE;
}

RK_INLINE vec FN(h_prev_units)(const FN(run) *run, ptrdiff_t r, ptrdiff_t unit, ptrdiff_t lanes) {
    return run->h_prev ? v_load_n(run->h_prev + r * run->h_stride + unit, lanes) : v_zero();
}

RK_INLINE void FN(store_h)(const rk_call *call, const int plain, const FN(run) *run, ptrdiff_t r,
                           ptrdiff_t panel, vec h) {
    const ptrdiff_t hidden = call->layer.hidden, unit = panel * VL, lanes = hidden - unit;
    if (!plain && (call->zoneout_h || call->layer.zoneout != 0)) {
        const vec kept = FN(kept_share)(call, call->zoneout_h, run->row + r, unit, lanes);
        const vec h_prev = FN(h_prev_units)(run, r, unit, lanes);
        h = v_fma(kept, h_prev - h, h);
    }
    v_store_n((real *)call->y + (run->row + r) * call->y_stride + unit, h, lanes);
#if RK_PAIRS
    const ptrdiff_t padded = FN(panels_of)(&call->layer) * VL;
    FN(store_halves)((real *)call->y_pairs + ((run->row + r) * padded + unit) / 2,
                     FN(keep)(h, lanes));
#endif
}

/* The gradient of h~ for a panel of one row; leaves in dh the part of h_prev that bypasses the
 * cell (zoneout). */
RK_INLINE vec FN(take_dh)(const rk_call *call, const int plain, const FN(run) *run, ptrdiff_t r,
                          ptrdiff_t panel) {
    const ptrdiff_t hidden = call->layer.hidden, padded = FN(panels_of)(&call->layer) * VL;
    const ptrdiff_t unit = panel * VL, lanes = hidden - unit, row = run->row + r;
    real *carried = (real *)call->dh + (run->b + r) * padded + unit;
    vec dh = v_load(carried), bypass = v_zero();
    if (call->dy)
        dh += v_load_n((const real *)call->dy + row * call->dy_stride + unit, lanes);
    if (!plain && call->zoneout_h) {
        bypass = dh * FN(kept_share)(call, call->zoneout_h, row, unit, lanes);
        dh = dh - bypass;
    }
    v_store(carried, bypass);
    return dh;
}

RK_INLINE void FN(add_dh)(const rk_call *call, const FN(run) *run, ptrdiff_t r, ptrdiff_t panel,
                          vec part) {
    real *carried = (real *)call->dh +
                    (run->b + r) * (FN(panels_of)(&call->layer) * VL) + panel * VL;
    v_store(carried, v_load(carried) + part);
}
