/* After backward: the gradients of the inputs and of the parameters. */

static void FN(input_gradient)(const rk_call *call, ptrdiff_t first, ptrdiff_t last,
                               rk_seat *seat) {
    const rk_layer_spec *layer = &call->layer;
    const ptrdiff_t per_vector = FN(operand_length)(VL), width = layer->slots * per_vector;
    const real *gates = RK_PAIRS ? call->gate_pairs : call->dgates_ih;
    const FN(column_product) product = {gates + first * width,
                                        width,
                                        call->rows * width,
                                        FN(panels_of)(layer),
                                        layer->input_slots * per_vector,
                                        call->weight_ih_t,
                                        layer->input_slots * per_vector,
                                        0,
                                        (real *)call->dx + first * layer->inputs,
                                        layer->inputs,
                                        layer->inputs,
                                        0,
                                        NULL};
    FN(begin_products)();
    FN(column_rows)(&product, last - first, (FN(share)){0, FN(groups_of)(layer->inputs)},
                    seat);
    FN(end_products)();
}

/* A block of packed rows: for each, the row of the operand and the gradients of a tile of gates.
 * With RK_PAIRS two rows that follow each other become one; in tile registers the operands are
 * turned, operand[0] has all, and rows of zeros fill the last tile. */
typedef struct {
    ptrdiff_t row[RK_BLOCK_ROWS]; /* numbers of the packed rows */
    ptrdiff_t rows, n;             /* how many, and how many operands they become */
    const real *operand[RK_BLOCK_ROWS], *gates[RK_BLOCK_ROWS]; /* operand NULL: zeros, by a BLAS */
    ptrdiff_t gates_vector; /* from one vector of a row of gates to the next */
    ptrdiff_t gates_row;    /* from one row of gates to the next, by a BLAS */
    real *scratch;
} FN(block);

/* Where an outer product goes: dw[k][v], n rows of vectors. */
typedef struct {
    real *dw;
    ptrdiff_t n, stride, vector;
} FN(outer);

#if RK_AMX
/* dw[k][v] += sum over the block's rows of operand[k] gates[v]. */
RK_INLINE void FN(outer_tiles)(const int V, const FN(block) *block, FN(outer) to) {
    for (ptrdiff_t k = 0; k < to.n; k += RK_AMX_ROWS) {
        const ptrdiff_t n = to.n - k < RK_AMX_ROWS ? to.n - k : RK_AMX_ROWS;
        real *dw = to.dw + k * to.stride;
        FN(load_rows)(V, n, dw, to.stride, to.vector);
        FN(add_products)(0, V, RK_AMX_ROWS, block->operand[0] + k * block->n, block->n, block->n,
                         block->gates[0], V * VL, VL);
        FN(store_rows)(V, n, dw, to.stride, to.vector);
    }
}

static void FN(outer_rows)(const FN(block) *block, ptrdiff_t vectors, FN(outer) to) {
    if (block->n)
        RK_WIDTHS(FN(outer_tiles), vectors, block, to);
}
#elif RK_BLAS
/* dw[k][v] += sum over the block's rows of operand[k] gates[v]; the operands lie apart. */
static void FN(outer_rows)(const FN(block) *block, ptrdiff_t vectors, FN(outer) to) {
    real sums[RK_BLAS_ROWS * RK_GROUP_VECTORS * VL];
    const ptrdiff_t width = vectors * VL;
    for (ptrdiff_t k = 0; k < to.n; k += RK_BLAS_ROWS) {
        const int is_whole = to.n - k >= RK_BLAS_ROWS;
        real *dw = to.dw + k * to.stride;
        if (!is_whole) {
            memset(sums, 0, sizeof sums);
            FN(copy_rows)(to.n - k, width, dw, to.stride, sums, width);
        }
        FN(gemm)(1, RK_BLAS_ROWS, width, block->n, block->operand[0] + k, FN(apart)(to.n),
                 block->gates[0], block->gates_row, is_whole ? dw : sums,
                 is_whole ? to.stride : width);
        if (!is_whole)
            FN(copy_rows)(to.n - k, width, sums, width, dw, to.stride);
    }
}
#else
/* dw[k][v] += sum over the block's rows of operand[k] gates[v], k = first .. first + R. */
RK_INLINE void FN(outer_chunk)(const int R, const int V, const FN(block) *block, FN(outer) to,
                               ptrdiff_t k) {
    real *dw = to.dw + k * to.stride;
    vec acc[RK_MOST_TILE_ROWS][RK_GROUP_VECTORS];
#pragma GCC unroll 8
    for (int r = 0; r < R; r++)
#pragma GCC unroll 4
        for (int v = 0; v < V; v++)
            acc[r][v] = v_load(dw + r * to.stride + v * to.vector);
    for (ptrdiff_t row = 0; row < block->n; row++)
        FN(add_outer)(R, V, acc, 0, block->operand[row] + k, 1, block->gates[row],
                      block->gates_vector);
#pragma GCC unroll 8
    for (int r = 0; r < R; r++)
#pragma GCC unroll 4
        for (int v = 0; v < V; v++)
            v_store(dw + r * to.stride + v * to.vector, acc[r][v]);
}

static void FN(outer_rows)(const FN(block) *block, ptrdiff_t vectors, FN(outer) to) {
#define RK_OUTER_TILE(R, V) FN(outer_chunk)(R, V, block, to, done)
    RK_TILES(to.n, vectors, RK_OUTER_TILE)
}
#endif

/* Bring some columns of the block's operand rows into the form the outer product wants: as pairs,
 * or, if they are wide, apart from each other. In place wide rows compete for a few sets of the
 * first-level cache, and each line is read for several register tiles. */
static void FN(take_operands)(FN(block) *block, FN(share) columns) {
    const ptrdiff_t n = columns.last - columns.first;
    real *scratch = block->scratch;
    block->n = block->rows;
    for (ptrdiff_t i = 0; i < block->rows; i++)
        if (block->operand[i])
            block->operand[i] += columns.first;
#if RK_BLAS
    for (ptrdiff_t i = 0; i < block->n; i++, scratch += FN(apart)(n)) {
        memset(scratch, 0, (size_t)FN(apart)(n) * sizeof(real));
        if (block->operand[i])
            memcpy(scratch, block->operand[i], (size_t)n * sizeof(real));
        block->operand[i] = scratch;
    }
#elif RK_AMX
    block->n = ((block->rows + 1) / 2 + RK_AMX_PAIRS - 1) / RK_AMX_PAIRS * RK_AMX_PAIRS;
    FN(turned_pairs)(block->operand, block->rows, n, scratch, block->n);
    block->operand[0] = scratch;
#elif RK_PAIRS
    block->n = (block->rows + 1) / 2;
    for (ptrdiff_t i = 0; i < block->n; i++, scratch += FN(apart)(n)) {
        const int is_last = 2 * i + 1 == block->rows;
        FN(pair_rows)(scratch, block->operand[2 * i],
                      is_last ? NULL : block->operand[2 * i + 1], n, VL);
        block->operand[i] = scratch;
    }
#else
    if (n * (ptrdiff_t)sizeof(real) < RK_WIDE_ROW_BYTES)
        return;
    for (ptrdiff_t i = 0; i < block->n; i++, scratch += FN(apart)(n))
        block->operand[i] = memcpy(scratch, block->operand[i], (size_t)n * sizeof(real));
#endif
}

/* The same for the gates they meet: `vectors` of each packed row, `vector` apart, from d on in
 * packed row 0 and `width` further in each row after it. */
static void FN(take_gates)(FN(block) *block, const real *d, ptrdiff_t width, ptrdiff_t vectors,
                           ptrdiff_t vector, ptrdiff_t n) {
#if RK_PAIRS
    real *scratch = block->scratch + block->n * FN(apart)(n);
    for (ptrdiff_t i = 0; i < block->n; i++, scratch += vectors * VL) {
        const ptrdiff_t row = 2 * i, left = block->rows - row;
        FN(pair_rows)(scratch, left > 0 ? d + block->row[row] * width : NULL,
                      left > 1 ? d + block->row[row + 1] * width : NULL, vectors * VL, vector);
        block->gates[i] = scratch;
    }
    block->gates_vector = VL;
#else
    (void)n, (void)vectors;
    for (ptrdiff_t i = 0; i < block->n; i++)
        block->gates[i] = d + block->row[i] * width;
    block->gates_vector = vector;
    block->gates_row = width;
#endif
}

/* sum[s] += sum over rows of d[s], or of d[s] factor[s]. Strides in reals from row to row. */
RK_INLINE void FN(add_rows)(real *sum, ptrdiff_t vectors, ptrdiff_t rows, const real *d,
                            ptrdiff_t d_stride, const real *factor, ptrdiff_t factor_stride) {
    for (ptrdiff_t s = 0; s < vectors; s++) {
        vec total = v_load(sum + s * VL);
        for (ptrdiff_t r = 0; r < rows; r++) {
            const vec v = v_load(d + r * d_stride + s * VL);
            total = factor ? v_fma(v, v_load(factor + r * factor_stride + s * VL), total)
                           : total + v;
        }
        v_store(sum + s * VL, total);
    }
}

/* The slots of W_ih or W_hh that meet one operand, and where their gradients lie. */
typedef struct {
    const void *dgates;
    ptrdiff_t slot, slots; /* of the gates: the first, how many */
    void *dw;
    ptrdiff_t n, dw_slot, dw_slots; /* rows of a panel of dw; the first slot there, of how many */
    FN(share) columns; /* of the operand, and rows of dw, that are summed */
} FN(weights);

/* Add to the gradients of some panels of a matrix what the block's rows contribute. Four panels of
 * an rnn make a tile as wide as the four gates of an lstm. */
static void FN(add_outers)(const rk_call *call, FN(share) panels, FN(block) *block,
                           FN(weights) w) {
    const rk_layer_spec *layer = &call->layer;
    const int one_gate = layer->slots == 1;
    const ptrdiff_t width = layer->slots * VL;
    const ptrdiff_t together = one_gate && !RK_BLAS ? RK_GROUP_VECTORS : 1;
    const ptrdiff_t dw_row = w.dw_slots * VL, gates_panel = call->rows * width;
    const ptrdiff_t n = w.columns.last - w.columns.first;
    FN(take_operands)(block, w.columns);
    for (ptrdiff_t p = panels.first; p < panels.last; p += together) {
        const ptrdiff_t left = panels.last - p;
        const ptrdiff_t vectors = w.slots * (left < together ? left : together);
        FN(take_gates)(block, (const real *)w.dgates + p * gates_panel + w.slot * VL, width,
                       vectors, one_gate ? gates_panel : VL, n);
        FN(outer_rows)(block, vectors,
                       (FN(outer)){(real *)w.dw + (p * w.n + w.columns.first) * dw_row +
                                       w.dw_slot * VL,
                                   n, dw_row, one_gate ? w.n * dw_row : VL});
    }
}

static void FN(input_outers)(const rk_call *call, FN(share) panels, FN(share) columns,
                             ptrdiff_t first, ptrdiff_t last, FN(block) *block) {
    const rk_layer_spec *layer = &call->layer;
    const ptrdiff_t inputs = layer->inputs, slots = layer->input_slots;
    for (block->rows = 0; block->rows < last - first; block->rows++) {
        const ptrdiff_t row = first + block->rows;
        block->row[block->rows] = row;
        block->operand[block->rows] = (const real *)call->x + row * inputs;
    }
    FN(add_outers)(call, panels, block,
                   (FN(weights)){call->dgates_ih, 0, slots, call->dweight_ih, inputs, 0, slots,
                                 columns});
}

/* What the recurrent weights were applied to depends on the options. */
static void FN(recurrent_outers)(const rk_call *call, FN(share) panels, FN(share) columns,
                                 ptrdiff_t first, ptrdiff_t last, FN(block) *block) {
    const rk_layer_spec *layer = &call->layer;
    const ptrdiff_t hidden = layer->hidden, padded = FN(panels_of)(layer) * VL;
    const ptrdiff_t slots = layer->recurrent_slots, room = FN(operand_room)(layer);
    FN(weights) w = {call->dgates_hh, layer->slots - slots, layer->reset_before ? 2 : slots,
                     call->dweight_hh, layer->operand, 0, slots, columns};
    block->rows = 0;
    for (ptrdiff_t row = first; row < last; row++) {
        const ptrdiff_t previous = call->previous[row];
        const real *h = call->h_used      ? (const real *)call->h_used + row * room
                        : previous >= 0   ? (const real *)call->y + previous * call->y_stride
                        : call->h0 != NULL ? (const real *)call->h0 + (-1 - previous) * hidden
                                          : NULL;
        if (h || RK_BLAS) {
            block->row[block->rows] = row;
            block->operand[block->rows++] = h;
        }
    }
    FN(add_outers)(call, panels, block, w);
    if (!layer->reset_before)
        return;
    for (block->rows = 0; block->rows < last - first; block->rows++) {
        const ptrdiff_t row = first + block->rows;
        block->row[block->rows] = row;
        block->operand[block->rows] = (const real *)call->h_reset + row * padded;
    }
    w.slot = 3, w.slots = 1, w.dw_slot = 2;
    FN(add_outers)(call, panels, block, w);
}

/* Sums over the packed rows first .. last of one panel: the gradients of all but the weights. */
static void FN(vector_gradients)(const rk_call *call, ptrdiff_t panel, ptrdiff_t first,
                                 ptrdiff_t last) {
    const rk_layer_spec *layer = &call->layer;
    const ptrdiff_t padded = FN(panels_of)(layer) * VL, n = last - first;
    const ptrdiff_t slots = layer->slots, width = slots * VL;
    const ptrdiff_t at = (panel * call->rows + first) * width;
    const real *d = (const real *)call->gates + at;
    FN(add_rows)((real *)call->dbias + panel * width, slots, n, d, width, NULL, 0);
    if (layer->peephole) {
        real *dp = (real *)call->dpeephole + panel * 3 * VL;
        const real *before = (const real *)call->c_prev + first * padded + panel * VL;
        const real *after = (const real *)call->c_new + first * padded + panel * VL;
        FN(add_rows)(dp, 1, n, d, width, before, padded);
        FN(add_rows)(dp + VL, 1, n, d + VL, width, before, padded);
        FN(add_rows)(dp + 2 * VL, 1, n, d + 3 * VL, width, after, padded);
    }
    if (layer->layer_norm) {
        const ptrdiff_t inner = (slots - layer->recurrent_slots) * VL;
        FN(add_rows)((real *)call->dnorm_ih + panel * width, layer->input_slots, n, d, width,
                     (const real *)call->norm_hat_ih + at, width);
        FN(add_rows)((real *)call->dnorm_hh + panel * width + inner, layer->recurrent_slots, n,
                     d + inner, width, (const real *)call->norm_hat_hh + at + inner, width);
        if (layer->cell == RK_LSTM) {
            const ptrdiff_t c_at = first * padded + panel * VL;
            const real *du = (const real *)call->dc_normed + c_at;
            FN(add_rows)((real *)call->dnorm_c + panel * VL, 1, n, du, padded,
                         (const real *)call->norm_hat_c + c_at, padded);
            FN(add_rows)((real *)call->dnorm_c_bias + panel * VL, 1, n, du, padded, NULL, 0);
        }
    }
}

/* Block after block of packed rows, so that its operands are brought into form once for all of
 * the panels and its gates stay in the first-level cache. */
static void FN(parameter_gradient)(const rk_call *call, ptrdiff_t first_panel,
                                   ptrdiff_t last_panel, int share, int shares, void *scratch,
                                   rk_seat *seat) {
    const rk_layer_spec *layer = &call->layer;
    const FN(share) panels = {first_panel, last_panel};
    const FN(share) inputs = FN(share_of)(layer->inputs, share, shares);
    const FN(share) operand = FN(share_of)(layer->operand, share, shares);
    const double operations = 2.0 * RK_BLOCK_ROWS * (double)(layer->slots * VL) *
                              (double)((last_panel - first_panel) *
                                       (inputs.last - inputs.first + operand.last - operand.first));
    FN(block) block = {.scratch = scratch};
    FN(begin_products)();
    for (ptrdiff_t first = 0; first < call->rows; first += RK_BLOCK_ROWS) {
        const ptrdiff_t left = call->rows - first;
        const ptrdiff_t last = first + (left < RK_BLOCK_ROWS ? left : RK_BLOCK_ROWS);
        if (FN(leave)(seat, operations))
            break;
        for (ptrdiff_t p = first_panel; p < last_panel && share == 0; p++)
            FN(vector_gradients)(call, p, first, last);
        FN(input_outers)(call, panels, inputs, first, last, &block);
        FN(recurrent_outers)(call, panels, operand, first, last, &block);
    }
    FN(end_products)();
}
