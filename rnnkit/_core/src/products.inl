/* The products of a step: the inputs of the gates, and the way of their gradients back to h. */

/* A row operand and the packed weights it meets; absent if a is NULL. */
typedef struct {
    const real *a;
    ptrdiff_t a_stride, n;
    const real *w;
    ptrdiff_t w_stride;
} FN(factor);

/* What sums begin with: a row for all, or the row that each has of a table. */
typedef struct {
    const real *base;      /* of the first panel; NULL for zeros */
    ptrdiff_t panel;       /* from panel to panel */
    const ptrdiff_t *rows; /* NULL: one for all */
} FN(start);

/* Where the sums of a row begin, slots * VL of a panel's. */
RK_INLINE const real *FN(start_of)(FN(start) start, ptrdiff_t panel, ptrdiff_t row,
                                   ptrdiff_t width) {
    return start.base + panel * start.panel + (start.rows ? start.rows[row] * width : 0);
}

#if RK_AMX
/* out[q][r][s] = start[q][s] + x w_x (into slots 0 ..) + h w_h (into the last slots): the inputs
 * of the gates of P panels. Panels of one slot are multiplied side by side. */
RK_INLINE void FN(gate_chunks)(const int P, const int slots, const int x_slots, const int h_slots,
                               ptrdiff_t rows, FN(factor) x, FN(factor) h, FN(start) start,
                               real *out, ptrdiff_t out_panel) {
    const int beside = slots == 1 ? P : 1, V = slots * beside;
    const ptrdiff_t width = slots * VL, out_vector = slots == 1 ? out_panel : VL;
    const ptrdiff_t start_vector = slots == 1 ? start.panel : VL;
    const ptrdiff_t x_panel = x.n * x.w_stride, h_panel = h.n * h.w_stride;
    for (ptrdiff_t q = 0; q < P; q += beside)
        for (ptrdiff_t done = 0; done < rows; done += RK_AMX_ROWS) {
            const ptrdiff_t n = rows - done < RK_AMX_ROWS ? rows - done : RK_AMX_ROWS;
            real room[RK_AMX_ROWS * RK_GROUP_VECTORS * VL];
            if (!start.base) {
                FN(zero_sums)(V);
            } else if (!start.rows) {
                FN(load_sums)(V, FN(start_of)(start, q, 0, width), 0, start_vector);
            } else {
                for (ptrdiff_t r = 0; r < n; r++)
                    FN(copy_sums)(V, 1, FN(start_of)(start, q, done + r, width), 0, start_vector,
                                  room + r * V * VL, 0, VL);
                FN(load_sums)(V, room, V * VL, VL);
            }
            if (x.a)
                FN(add_products)(0, x_slots * beside, n, x.a + done * x.a_stride, x.a_stride, x.n,
                                 x.w + q * x_panel, x.w_stride, slots == 1 ? x_panel : VL);
            if (h.a)
                FN(add_products)(slots - h_slots, h_slots * beside, n, h.a + done * h.a_stride,
                                 h.a_stride, h.n, h.w + q * h_panel, h.w_stride,
                                 slots == 1 ? h_panel : VL);
            FN(store_rows)(V, n, out + q * out_panel + done * width, width, out_vector);
        }
}
#elif RK_BLAS
/* out[q][r][s] = start[q][s] + x w_x (into slots 0 ..) + h w_h (into the last slots): the inputs
 * of the gates of P panels. */
RK_INLINE void FN(gate_chunks)(const int P, const int slots, const int x_slots, const int h_slots,
                               ptrdiff_t rows, FN(factor) x, FN(factor) h, FN(start) start,
                               real *out, ptrdiff_t out_panel) {
    const ptrdiff_t width = slots * VL;
    for (ptrdiff_t q = 0; q < P; q++, out += out_panel) {
        if (start.base && start.rows)
            for (ptrdiff_t r = 0; r < rows; r++)
                FN(start_rows)(1, width, FN(start_of)(start, q, r, width), out + r * width, width);
        else
            FN(start_rows)(rows, width, start.base ? start.base + q * start.panel : NULL, out,
                           width);
        if (x.a)
            FN(add_product)(rows, x_slots * VL, (FN(operand)){x.a, x.a_stride, x.n, 0, 1},
                            x.w + q * x.n * x.w_stride, x.w_stride, out, width);
        if (h.a)
            FN(add_product)(rows, h_slots * VL, (FN(operand)){h.a, h.a_stride, h.n, 0, 1},
                            h.w + q * h.n * h.w_stride, h.w_stride,
                            out + (slots - h_slots) * VL, width);
    }
}
#else
/* out[q][r][s] = start[q][s] + x w_x (into slots 0 ..) + h w_h (into the last slots): the inputs
 * of the gates of P panels, R rows of each; q and r run as one index, q * R + r. Sums of one gate,
 * or of one row, are too few to keep the multipliers busy: such meet several panels at once. */
RK_INLINE void FN(gate_chunk)(const int P, const int R, const int slots, const int x_slots,
                              const int h_slots, FN(factor) x, FN(factor) h, FN(start) start,
                              real *out, ptrdiff_t out_panel, ptrdiff_t done) {
    vec acc[RK_MOST_TILE_SUMS][RK_GROUP_VECTORS];
#pragma GCC unroll 32
    for (int qr = 0; qr < P * R; qr++) {
        const real *from = FN(start_of)(start, qr / R, done + qr % R, slots * VL);
#pragma GCC unroll 4
        for (int s = 0; s < slots; s++)
            acc[qr][s] = start.base ? v_load(from + s * VL) : v_zero();
    }
    if (x.a)
        FN(accumulate)(P, R, x_slots, acc, 0, x.a + done * x.a_stride, x.a_stride, x.n, x.w,
                       x.w_stride);
    if (h.a)
        FN(accumulate)(P, R, h_slots, acc, slots - h_slots, h.a + done * h.a_stride, h.a_stride,
                       h.n, h.w, h.w_stride);
#pragma GCC unroll 32
    for (int qr = 0; qr < P * R; qr++)
#pragma GCC unroll 4
        for (int s = 0; s < slots; s++)
            v_store(out + qr / R * out_panel + ((done + qr % R) * slots + s) * VL, acc[qr][s]);
}

/* The same for any number of rows. */
RK_INLINE void FN(gate_chunks)(const int P, const int slots, const int x_slots, const int h_slots,
                               ptrdiff_t rows, FN(factor) x, FN(factor) h, FN(start) start,
                               real *out, ptrdiff_t out_panel) {
#define RK_GATE_TILE(R, V)                                                                         \
    FN(gate_chunk)(P, R, slots, x_slots, h_slots, x, h, start, out, out_panel, done)
    RK_CHUNKS(rows, P * slots, RK_GATE_TILE)
}
#endif

#define RK_GATE_ROWS(name, P, slots, x_slots, h_slots)                                             \
    static void FN(name)(ptrdiff_t rows, FN(factor) x, FN(factor) h, FN(start) start, real *out,   \
                         ptrdiff_t out_panel) {                                                    \
        FN(gate_chunks)(P, slots, x_slots, h_slots, rows, x, h, start, out, out_panel);            \
    }
RK_GATE_ROWS(lstm_gate_rows, 1, 4, 4, 4)
RK_GATE_ROWS(lstm_gate_rows_2, 2, 4, 4, 4)
RK_GATE_ROWS(gru_gate_rows, 1, 4, 3, 3)
RK_GATE_ROWS(gru_gate_rows_2, 2, 4, 3, 3)
RK_GATE_ROWS(rnn_gate_rows, 1, 1, 1, 1)
RK_GATE_ROWS(rnn_gate_rows_2, 2, 1, 1, 1)
RK_GATE_ROWS(rnn_gate_rows_4, 4, 1, 1, 1)

/* P panels: 1, 2 or, of an rnn, 4. */
RK_INLINE void FN(gate_rows)(const int cell, int P, ptrdiff_t rows, FN(factor) x, FN(factor) h,
                             FN(start) start, real *out, ptrdiff_t out_panel) {
    if (cell == RK_LSTM && P == 2)
        FN(lstm_gate_rows_2)(rows, x, h, start, out, out_panel);
    else if (cell == RK_LSTM)
        FN(lstm_gate_rows)(rows, x, h, start, out, out_panel);
    else if (cell == RK_GRU && P == 2)
        FN(gru_gate_rows_2)(rows, x, h, start, out, out_panel);
    else if (cell == RK_GRU)
        FN(gru_gate_rows)(rows, x, h, start, out, out_panel);
    else if (P == 4)
        FN(rnn_gate_rows_4)(rows, x, h, start, out, out_panel);
    else if (P == 2)
        FN(rnn_gate_rows_2)(rows, x, h, start, out, out_panel);
    else
        FN(rnn_gate_rows)(rows, x, h, start, out, out_panel);
}

/* out[r][s] += sum of a w over `slots` neighbouring slots of each of `rows` rows of one panel;
 * for the products that feed part of the slots only (gru, reset before). */
static void FN(add_slot_rows)(ptrdiff_t rows, int slots, FN(factor) f, real *out,
                              ptrdiff_t out_stride) {
#if RK_BLAS
    FN(add_product)(rows, slots * VL, (FN(operand)){f.a, f.a_stride, f.n, 0, 1}, f.w, f.w_stride,
                    out, out_stride);
#else
    for (ptrdiff_t r = 0; r < rows; r++) {
        vec acc[1][RK_GROUP_VECTORS];
        for (int s = 0; s < slots; s++)
            acc[0][s] = v_load(out + r * out_stride + s * VL);
        if (slots == 2)
            FN(accumulate)(1, 1, 2, acc, 0, f.a + r * f.a_stride, 0, f.n, f.w, f.w_stride);
        else
            FN(accumulate)(1, 1, 1, acc, 0, f.a + r * f.a_stride, 0, f.n, f.w, f.w_stride);
        for (int s = 0; s < slots; s++)
            v_store(out + r * out_stride + s * VL, acc[0][s]);
    }
#endif
}

RK_INLINE FN(start) FN(bias_of)(const rk_call *call, ptrdiff_t panel) {
    const ptrdiff_t width = call->layer.slots * VL;
    return (FN(start)){(const real *)call->bias + panel * width, width, NULL};
}

/* What the sums of a run begin with, from a panel on. */
RK_INLINE FN(start) FN(start_of_run)(const rk_call *call, const FN(run) *run, ptrdiff_t panel) {
    const ptrdiff_t of_panel = call->table_rows * call->layer.slots * VL;
    if (!call->starts)
        return FN(bias_of)(call, panel);
    return (FN(start)){(const real *)call->starts + panel * of_panel, of_panel,
                       call->row_of + run->row};
}

RK_INLINE FN(factor) FN(input_factor)(const rk_call *call, const FN(run) *run, ptrdiff_t panel) {
    const ptrdiff_t n = FN(operand_length)(call->layer.inputs);
    const ptrdiff_t stride = call->layer.input_slots * VL;
    const real *x = RK_PAIRS || RK_QUADS ? call->x_pairs : call->x;
    return (FN(factor)){x + run->row * n, n, n, (const real *)call->weight_ih + panel * n * stride,
                        stride};
}

/* The factor h of the recurrent product: h_prev, or what `copy_operand` made of it. */
RK_INLINE FN(factor) FN(recurrent_factor)(const rk_call *call, const FN(run) *run,
                                          FN(rows_of_run) at, ptrdiff_t panel) {
    const ptrdiff_t operand = call->layer.operand, stride = call->layer.recurrent_slots * VL;
    const ptrdiff_t n = FN(operand_length)(operand);
    const real *w = (const real *)call->weight_hh + panel * n * stride;
    if (RK_QUADS)
        return (FN(factor)){run->h_prev ? at.h_quads : NULL, n, n, w, stride};
    if (RK_PAIRS)
        return (FN(factor)){run->h_pairs, FN(panels_of)(&call->layer) * VL / 2, n, w, stride};
    if (at.h_used)
        return (FN(factor)){at.h_used, FN(operand_room)(&call->layer), operand, w, stride};
    return (FN(factor)){run->h_prev, run->h_stride, operand, w, stride};
}

/* The state of a sequence that lies beside c: gate 1 2 3 is i f o of the step before. */
RK_INLINE real *FN(gate_before)(const rk_call *call, void *c, ptrdiff_t b, int gate) {
    return (real *)c + (gate * call->batch + b) * FN(panels_of)(&call->layer) * VL;
}

/* h_used = mask * h_prev, and beside it the gates of the step before; rows padded with zeros. */
static void FN(copy_operand)(const rk_call *call, const FN(run) *run, real *h_used) {
    const ptrdiff_t hidden = call->layer.hidden, room = FN(operand_room)(&call->layer);
    const real *mask = call->recurrent_mask;
    for (ptrdiff_t r = 0; r < run->n; r++, h_used += room) {
        const real *h = run->h_prev ? run->h_prev + r * run->h_stride : NULL;
        memset(h_used, 0, (size_t)room * sizeof(real));
        for (ptrdiff_t u = 0; h && u < hidden; u++)
            h_used[u] = mask ? mask[(run->b + r) * hidden + u] * h[u] : h[u];
        for (int gate = 1; call->layer.gate_recurrence && gate <= 3; gate++)
            memcpy(h_used + gate * hidden, FN(gate_before)(call, call->c, run->b + r, gate),
                   (size_t)hidden * sizeof(real));
    }
}

/* Panels whose products are formed at once: enough sums to keep the multipliers busy. */
RK_INLINE int FN(panels_at_once)(const rk_layer_spec *layer, ptrdiff_t rows) {
    if (layer->slots == 1)
        return 4;
    return !FN(are_few)(rows) || 2 * rows > RK_TILE_ROWS ? 1 : 2;
}

/* Operations of the products of one panel of a run. */
RK_INLINE double FN(panel_operations)(const rk_layer_spec *layer, const FN(run) *run) {
    return 2.0 * (double)(run->n * layer->slots * VL) * (double)(layer->inputs + layer->operand);
}

/* The gate inputs of a share of the panels. */
RK_INLINE void FN(products)(const rk_call *call, const int cell, const FN(run) *run,
                            FN(rows_of_run) at, FN(share) panels, rk_seat *seat) {
    const rk_layer_spec *layer = &call->layer;
    const double operations = FN(panel_operations)(layer, run);
    int P = FN(panels_at_once)(layer, run->n);
    for (ptrdiff_t left = panels.last - panels.first; left > 0; left -= P) {
        while (P > left)
            P /= 2;
        if (FN(leave)(seat, P * operations))
            return;
        const ptrdiff_t p = (run->t + call->turned) % 2 ? panels.first + left - P : panels.last - left;
        FN(gate_rows)(cell, P, run->n,
                      call->starts ? (FN(factor)){0} : FN(input_factor)(call, run, p),
                      FN(recurrent_factor)(call, run, at, p), FN(start_of_run)(call, run, p),
                      at.gates + p * at.gates_panel, at.gates_panel);
    }
}

/* Whether a step adds the products of inputs and hidden units up at once. */
static int FN(takes_starts)(const rk_layer_spec *layer) {
    return !FN(needs_rows)(layer);
}

/* The input products of some rows of the table, on the bias. */
static void FN(input_sums)(const rk_call *call, ptrdiff_t first, ptrdiff_t last, rk_seat *seat) {
    const rk_layer_spec *layer = &call->layer;
    const ptrdiff_t n = FN(operand_length)(layer->inputs), stride = layer->input_slots * VL;
    const ptrdiff_t width = layer->slots * VL, panels = FN(panels_of)(layer);
    const double operations = 2.0 * (double)((last - first) * n * stride);
    const FN(factor) none = {0};
    FN(begin_products)();
    for (ptrdiff_t p = 0; p < panels && !FN(leave)(seat, operations); p++) {
        const FN(factor) x = {(const real *)call->table + first * n, n, n,
                              (const real *)call->weight_ih + p * n * stride, stride};
        FN(gate_rows)(layer->cell, 1, last - first, x, none, FN(bias_of)(call, p),
                      (real *)call->starts + (p * call->table_rows + first) * width, 0);
    }
    FN(end_products)();
}

/* out += gate gradients of the `slots` recurrent slots from `skip` on, times W_hh. */
RK_INLINE void FN(recurrent_columns)(const rk_call *call, FN(rows_of_run) at, ptrdiff_t rows,
                                     const real *gates, ptrdiff_t skip, ptrdiff_t slots,
                                     real *out, FN(share) groups, rk_seat *seat) {
    const rk_layer_spec *layer = &call->layer;
    const ptrdiff_t panels = FN(panels_of)(layer);
    const ptrdiff_t slot = layer->slots - layer->recurrent_slots + skip;
    const ptrdiff_t per_vector = FN(operand_length)(VL);
    const FN(column_product) product = {gates + slot * per_vector,
                                        layer->slots * per_vector,
                                        at.gates_panel * per_vector / VL,
                                        panels,
                                        slots * per_vector,
                                        call->weight_hh_t,
                                        layer->recurrent_slots * per_vector,
                                        skip * per_vector,
                                        out,
                                        FN(operand_room)(layer),
                                        FN(operand_room)(layer),
                                        1,
                                        NULL};
    FN(column_rows)(&product, rows, groups, seat);
}
