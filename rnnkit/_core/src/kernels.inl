/* Every kernel body, once: compiled for each instruction set and dtype. kernels.h has the contract.
 *
 * In order: products on register tiles, the three cells forward, layer normalisation, the tile
 * forward; the three cells backward, the tile backward; dx, parameter gradients, dense.
 *
 * The products take their operands as reals or, with RK_PAIRS, as pairs of bfloat16 (pairs.inl):
 * one multiplication of a pair adds two terms, so the same loops run over half the length.
 *
 * `plain` is a compile-time constant: 1 is the usual cell (tanh, sigmoid, no option on), 0 asks
 * for every option, so that an option that is off costs the usual cell nothing.
 */
#undef FN
#define FN(name) RK_NAME(name)
#undef v_multiply_add
#if RK_PAIRS
#define v_multiply_add v_dot
#else
#define v_multiply_add v_fma
#endif

/* Entries of an operand for n summed terms. */
RK_INLINE ptrdiff_t FN(operand_length)(ptrdiff_t n) {
    return RK_PAIRS ? (n + 1) / 2 : n;
}

enum { FN(few_rows) = 2 }; /* of which all panels' products come before all panels' cells */
enum { FN(cache_bytes) = 32768 }; /* first level */
enum { FN(block_rows) = 64 }; /* packed rows whose gate gradients stay in the first-level cache */
enum { FN(wide_row_bytes) = 2048 }; /* from here on, a block's rows are moved apart */

/* ---- Products on register tiles ------------------------------------------------------------ */

/* acc[r][from + v] += a[r] w[v], r < R, v < V, vectors of w w_vector apart. The smaller of the two
 * stays in registers and the other passes by: a tile of LSTM gates would not fit the 16 registers
 * of AVX2 otherwise. */
RK_INLINE void FN(add_outer)(const int R, const int V, vec acc[][RK_GROUP_VECTORS], const int from,
                             const real *a, ptrdiff_t a_stride, const real *w,
                             ptrdiff_t w_vector) {
    vec kept[RK_MOST_TILE_ROWS];
    if (R < V) {
#pragma GCC unroll 8
        for (int r = 0; r < R; r++)
            kept[r] = v_set1(a[r * a_stride]);
#pragma GCC unroll 4
        for (int v = 0; v < V; v++) {
            const vec row = v_load(w + v * w_vector);
#pragma GCC unroll 8
            for (int r = 0; r < R; r++)
                acc[r][from + v] = v_multiply_add(kept[r], row, acc[r][from + v]);
        }
        return;
    }
#pragma GCC unroll 4
    for (int v = 0; v < V; v++)
        kept[v] = v_load(w + v * w_vector);
#pragma GCC unroll 8
    for (int r = 0; r < R; r++) {
        const vec factor = v_set1(a[r * a_stride]);
#pragma GCC unroll 4
        for (int v = 0; v < V; v++)
            acc[r][from + v] = v_multiply_add(factor, kept[v], acc[r][from + v]);
    }
}

/* acc[q R + r][from + v] += sum over k of a[r][k] w[q][k][v], q < P, r < R, v < V, k < n. */
RK_INLINE void FN(accumulate)(const int P, const int R, const int V, vec acc[][RK_GROUP_VECTORS],
                              const int from, const real *a, ptrdiff_t a_stride, ptrdiff_t n,
                              const real *w, ptrdiff_t w_stride) {
    if (P == 1) { /* a loop of its own: GCC runs out of registers for addresses otherwise */
        for (ptrdiff_t k = 0; k < n; k++, w += w_stride)
            FN(add_outer)(R, V, acc, from, a + k, a_stride, w, VL);
        return;
    }
    for (ptrdiff_t k = 0; k < n; k++, w += w_stride)
#pragma GCC unroll 4
        for (int q = 0; q < P; q++)
            FN(add_outer)(R, V, acc + q * R, from, a + k, a_stride, w + q * n * w_stride, VL);
}

/* Rows of a tile V vectors wide: as many sums as RK_TILE_ROWS rows of four vectors, so that a
 * narrow tile, too, has enough of them to keep the multipliers busy. */
#define RK_ROWS(V)                                                                                 \
    (RK_TILE_ROWS * RK_GROUP_VECTORS / (V) < RK_MOST_TILE_ROWS                                     \
         ? RK_TILE_ROWS * RK_GROUP_VECTORS / (V)                                                   \
         : RK_MOST_TILE_ROWS)

/* Call BODY(R) on chunks of at most RK_ROWS(V) rows of nearly equal size; `done` counts rows. */
#define RK_CASE(R, V, BODY)                                                                        \
    case R:                                                                                        \
        if (R <= RK_ROWS(V))                                                                       \
            BODY(R);                                                                               \
        break;
#define RK_CHUNKS(rows, V, BODY)                                                                   \
    for (ptrdiff_t done = 0, chunk; done < (rows); done += chunk) {                                \
        const ptrdiff_t left = (rows) - done;                                                      \
        const ptrdiff_t pieces = (left + RK_ROWS(V) - 1) / RK_ROWS(V);                             \
        chunk = (left + pieces - 1) / pieces;                                                      \
        switch (chunk) {                                                                           \
            RK_CASE(1, V, BODY) RK_CASE(2, V, BODY) RK_CASE(3, V, BODY) RK_CASE(4, V, BODY)        \
            RK_CASE(5, V, BODY) RK_CASE(6, V, BODY) RK_CASE(7, V, BODY) RK_CASE(8, V, BODY)        \
        }                                                                                          \
    }

/* A row operand and the packed weights it meets; absent if a is NULL. */
typedef struct {
    const real *a;
    ptrdiff_t a_stride, n;
    const real *w;
    ptrdiff_t w_stride;
} FN(factor);

/* out[q][r][s] = start[q][s] + x w_x (into slots 0 ..) + h w_h (into the last slots): the inputs
 * of the gates of P panels, R rows of each; q and r run as one index, q * R + r. Sums of one gate,
 * or of one row, are too few to keep the multipliers busy: such meet several panels at once.
 * start may be NULL for zeros. */
RK_INLINE void FN(gate_chunk)(const int P, const int R, const int slots, const int x_slots,
                              const int h_slots, FN(factor) x, FN(factor) h, const real *start,
                              real *out, ptrdiff_t out_panel, ptrdiff_t done) {
    vec acc[RK_MOST_TILE_SUMS][RK_GROUP_VECTORS];
#pragma GCC unroll 32
    for (int qr = 0; qr < P * R; qr++)
#pragma GCC unroll 4
        for (int s = 0; s < slots; s++)
            acc[qr][s] = start ? v_load(start + (qr / R * slots + s) * VL) : v_zero();
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
                               ptrdiff_t rows, FN(factor) x, FN(factor) h, const real *start,
                               real *out, ptrdiff_t out_panel) {
#define RK_GATE_BODY(R)                                                                            \
    FN(gate_chunk)(P, R, slots, x_slots, h_slots, x, h, start, out, out_panel, done)
    RK_CHUNKS(rows, P * slots, RK_GATE_BODY)
}

#define RK_GATE_ROWS(name, P, slots, x_slots, h_slots)                                             \
    static void FN(name)(ptrdiff_t rows, FN(factor) x, FN(factor) h, const real *start, real *out, \
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
                             const real *start, real *out, ptrdiff_t out_panel) {
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
}

/* A range of panels of hidden units, or of column groups. */
typedef struct {
    ptrdiff_t first, last;
} FN(share);

RK_INLINE ptrdiff_t FN(groups_of)(ptrdiff_t columns) {
    return (columns + RK_GROUP_VECTORS * VL - 1) / (RK_GROUP_VECTORS * VL);
}

/* The part of n that is this thread's. */
RK_INLINE FN(share) FN(share_of)(ptrdiff_t n, const rk_team *team) {
    if (!team)
        return (FN(share)){0, n};
    return (FN(share)){n * team->rank / team->size, n * (team->rank + 1) / team->size};
}

/* A product with transposed weights: rows of gate gradients, panel after panel, times a matrix. */
typedef struct {
    const real *a; /* first slot of the product, first row, first panel */
    ptrdiff_t a_stride, panel_stride, panels;
    ptrdiff_t n;             /* length of the operand in one panel: slots * VL */
    const real *w;           /* [group][panel][w_panel][vectors][VL] */
    ptrdiff_t w_panel, skip; /* rows of w in a panel, and of them before the product's slots */
    real *out;
    ptrdiff_t out_stride, columns;
    int add; /* start from what is in out (whole vectors), else from zero */
} FN(column_product);

RK_INLINE void FN(column_chunk)(const int R, const int V, const FN(column_product) *c,
                                ptrdiff_t column, ptrdiff_t done) {
    vec acc[RK_MOST_TILE_ROWS][RK_GROUP_VECTORS];
    real *out = c->out + done * c->out_stride + column;
#pragma GCC unroll 8
    for (int r = 0; r < R; r++)
#pragma GCC unroll 4
        for (int v = 0; v < V; v++)
            acc[r][v] = c->add ? v_load(out + r * c->out_stride + v * VL) : v_zero();
    const real *w = c->w + column * c->panels * c->w_panel + c->skip * V * VL;
    for (ptrdiff_t p = 0; p < c->panels; p++, w += c->w_panel * V * VL)
        FN(accumulate)(1, R, V, acc, 0, c->a + p * c->panel_stride + done * c->a_stride,
                       c->a_stride, c->n, w, V * VL);
#pragma GCC unroll 8
    for (int r = 0; r < R; r++)
#pragma GCC unroll 4
        for (int v = 0; v < V; v++)
            v_store_n(out + r * c->out_stride + v * VL, acc[r][v], c->columns - column - v * VL);
}

/* The column groups first .. last of a product. */
static void FN(column_rows)(const FN(column_product) *c, ptrdiff_t rows, FN(share) groups) {
    const ptrdiff_t vectors = (c->columns + VL - 1) / VL;
    for (ptrdiff_t group = groups.first; group < groups.last; group++) {
        const ptrdiff_t first = group * RK_GROUP_VECTORS;
        const ptrdiff_t column = first * VL;
#define RK_COLUMN_BODY_4(R) FN(column_chunk)(R, 4, c, column, done)
#define RK_COLUMN_BODY_3(R) FN(column_chunk)(R, 3, c, column, done)
#define RK_COLUMN_BODY_2(R) FN(column_chunk)(R, 2, c, column, done)
#define RK_COLUMN_BODY_1(R) FN(column_chunk)(R, 1, c, column, done)
        switch (vectors - first) {
        case 1:
            RK_CHUNKS(rows, 1, RK_COLUMN_BODY_1)
            break;
        case 2:
            RK_CHUNKS(rows, 2, RK_COLUMN_BODY_2)
            break;
        case 3:
            RK_CHUNKS(rows, 3, RK_COLUMN_BODY_3)
            break;
        default:
            RK_CHUNKS(rows, 4, RK_COLUMN_BODY_4)
        }
    }
}

/* ---- A run of rows within one step ---------------------------------------------------------- */

/* Rows of one step whose h_prev lies in one piece. A step has one or two of them: a sequence
 * that begins takes h0, the others the row of the step before. */
typedef struct {
    ptrdiff_t t, row, b, n; /* packed row and packed position of the first; how many */
    const real *h_prev;     /* (n, H), NULL for zeros */
    const real *h_pairs;    /* the same as pairs (n, Hp / 2) */
} FN(run);

RK_INLINE ptrdiff_t FN(active)(const rk_call *call, ptrdiff_t t, ptrdiff_t first, ptrdiff_t last) {
    if (t < 0 || t >= call->steps)
        return 0;
    const ptrdiff_t n = call->step_offsets[t + 1] - call->step_offsets[t];
    return n <= first ? 0 : (n < last ? n : last) - first;
}

/* The runs of step t for sequences first .. last. */
static int FN(runs_of_step)(const rk_call *call, ptrdiff_t t, ptrdiff_t first, ptrdiff_t last,
                            FN(run) runs[2]) {
    const rk_layer *layer = &call->layer;
    const ptrdiff_t before = layer->reverse ? t + 1 : t - 1;
    const ptrdiff_t n = FN(active)(call, t, first, last);
    const ptrdiff_t pairs = (layer->hidden + VL - 1) / VL * VL / 2;
    ptrdiff_t n_going = FN(active)(call, before, first, last);
    int count = 0;
    if (n_going > n)
        n_going = n;
    if (n_going > 0) {
        const real *y = call->y, *y_pairs = call->y_pairs;
        const ptrdiff_t row = call->step_offsets[before] + first;
        runs[count++] = (FN(run)){t,       call->step_offsets[t] + first, first,
                                  n_going, y + row * layer->hidden,
                                  y_pairs ? y_pairs + row * pairs : NULL};
    }
    if (n > n_going) {
        const ptrdiff_t b = first + n_going;
        const real *h0 = call->h0, *h0_pairs = call->h0_pairs;
        runs[count++] = (FN(run)){t,           call->step_offsets[t] + b, b,
                                  n - n_going, h0 ? h0 + b * layer->hidden : NULL,
                                  h0_pairs ? h0_pairs + b * pairs : NULL};
    }
    return count;
}

RK_INLINE ptrdiff_t FN(panels_of)(const rk_layer *layer) {
    return (layer->hidden + VL - 1) / VL;
}

/* Whether the usual cell is asked for, so that the plain bodies serve. */
RK_INLINE int FN(is_plain)(const rk_call *call) {
    const rk_layer *layer = &call->layer;
    return layer->activation.kind == RK_TANH && layer->gate_activation.kind == RK_SIGMOID &&
           layer->output_activation.kind == RK_TANH && !layer->peephole && !layer->coupled_gates &&
           !layer->reset_before && !layer->layer_norm && !layer->has_clip &&
           layer->zoneout == 0 && !call->zoneout_h && !call->recurrent_mask;
}

/* Whether a step needs whole rows of gates before a cell can be computed. */
RK_INLINE int FN(needs_rows)(const rk_layer *layer) {
    return layer->layer_norm || layer->reset_before;
}

/* ---- Element-wise parts of the cells -------------------------------------------------------- */

RK_INLINE vec FN(gate)(const rk_layer *layer, const int plain, vec a) {
    if (plain)
        return v_sigmoid(a);
    if (layer->has_clip) {
        a = v_max(v_set1((real)-layer->clip), a);
        a = v_min(v_set1((real)layer->clip), a);
    }
    return v_activate(layer->gate_activation, a);
}

RK_INLINE vec FN(candidate)(const rk_layer *layer, const int plain, vec a) {
    if (plain)
        return v_tanh(a);
    if (layer->has_clip) {
        a = v_max(v_set1((real)-layer->clip), a);
        a = v_min(v_set1((real)layer->clip), a);
    }
    return v_activate(layer->activation, a);
}

/* The slope by the activation's input, zero where the clip holds: there y is f(+-clip). */
RK_INLINE vec FN(slope)(const rk_layer *layer, rk_activation f, vec y) {
    const vec slope = v_slope(f, y);
    if (!layer->has_clip)
        return slope;
    const vec a = v_activate(f, v_set1((real)-layer->clip));
    const vec b = v_activate(f, v_set1((real)layer->clip));
    return v_select((y > v_min(a, b)) & (y < v_max(a, b)), slope, v_zero());
}

RK_INLINE vec FN(gate_slope)(const rk_layer *layer, const int plain, vec y) {
    return plain ? y * (v_set1(1) - y) : FN(slope)(layer, layer->gate_activation, y);
}

RK_INLINE vec FN(candidate_slope)(const rk_layer *layer, const int plain, vec y) {
    return plain ? v_set1(1) - y * y : FN(slope)(layer, layer->activation, y);
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

/* Where the rows of a run lie: the kept buffers in training, scratch otherwise. */
typedef struct {
    real *gates; /* [panel][row][slots][VL] from the run's first row on */
    real *gate_pairs; /* the same as pairs */
    ptrdiff_t gates_panel;
    real *hat_ih, *hat_hh;          /* as gates, with layer_norm */
    real *hat_c, *h_reset, *h_used; /* (n, Hp) */
    real *norm_scale;               /* (n, 3) */
} FN(rows_of_run);

RK_INLINE int FN(are_few)(ptrdiff_t rows) {
    return rows <= FN(few_rows);
}

/* Whether the gates of several panels are needed at a time outside training, whatever the rows. */
RK_INLINE int FN(keeps_panels)(const rk_layer *layer) {
    return FN(needs_rows)(layer) || layer->slots == 1;
}

/* Room of one tile outside training, in reals. */
RK_INLINE ptrdiff_t FN(gate_room)(const rk_layer *layer, ptrdiff_t tile_rows) {
    const ptrdiff_t panels = FN(panels_of)(layer), few = FN(few_rows) * panels;
    const ptrdiff_t rows = FN(keeps_panels)(layer) ? panels * tile_rows : tile_rows;
    return (rows > few ? rows : few) * layer->slots * VL;
}

/* Distance of rows of n reals laid out so that neighbouring rows never share a cache set: an odd
 * number of vectors. */
RK_INLINE ptrdiff_t FN(apart)(ptrdiff_t n) {
    return ((n + VL - 1) / VL | 1) * VL;
}

static size_t FN(scratch_bytes)(const rk_layer *layer, ptrdiff_t tile_rows) {
    const ptrdiff_t rows = tile_rows * (FN(panels_of)(layer) * VL);
    const ptrdiff_t widest = layer->inputs > layer->hidden ? layer->inputs : layer->hidden;
    const ptrdiff_t block = FN(block_rows) * (FN(apart)(widest) + RK_PAIRS * RK_GROUP_VECTORS * VL);
    ptrdiff_t reals = FN(gate_room)(layer, tile_rows) + 2 * rows;
    if (layer->layer_norm)
        reals += 2 * FN(gate_room)(layer, tile_rows) + tile_rows * 3;
    return (size_t)((reals > block ? reals : block) + VL) * sizeof(real);
}

static FN(rows_of_run)
    FN(place)(const rk_call *call, const FN(run) *run, ptrdiff_t tile_rows, real *scratch) {
    const rk_layer *layer = &call->layer;
    const ptrdiff_t width = layer->slots * VL, padded = FN(panels_of)(layer) * VL;
    FN(rows_of_run) at = {0};
    if (call->training) {
        at.gates = (real *)call->gates + run->row * width;
        at.gate_pairs = call->gate_pairs ? (real *)call->gate_pairs + run->row * width / 2 : NULL;
        at.gates_panel = call->rows * width;
        if (layer->layer_norm) {
            at.hat_ih = (real *)call->norm_hat_ih + run->row * width;
            at.hat_hh = (real *)call->norm_hat_hh + run->row * width;
            at.hat_c = call->norm_hat_c ? (real *)call->norm_hat_c + run->row * padded : NULL;
            at.norm_scale = (real *)call->norm_scale + run->row * 3;
        }
        at.h_reset = call->h_reset ? (real *)call->h_reset + run->row * padded : NULL;
        at.h_used = call->h_used ? (real *)call->h_used + run->row * padded : NULL;
        return at;
    }
    const ptrdiff_t room = FN(gate_room)(layer, tile_rows);
    at.gates = scratch;
    at.gates_panel = FN(keeps_panels)(layer) ? tile_rows * width : 0;
    if (FN(are_few)(run->n))
        at.gates_panel = run->n * width;
    at.h_reset = scratch + room;
    at.hat_c = at.h_reset + tile_rows * padded;
    at.hat_ih = at.hat_c + tile_rows * padded;
    at.hat_hh = at.hat_ih + room;
    at.norm_scale = at.hat_hh + room;
    return at;
}

/* ---- The cells forward: one panel of a run ---------------------------------------------------
 *
 * A row's cell is a long chain of operations, of which a CPU sees only a part at a time. So some
 * rows take the first half of it one after the other, then the second: their chains overlap. */

enum { FN(side_by_side) = 8 };

RK_INLINE ptrdiff_t FN(end_of_some)(ptrdiff_t first, ptrdiff_t n) {
    return n - first < FN(side_by_side) ? n : first + FN(side_by_side);
}

RK_INLINE vec FN(h_prev_units)(const rk_call *call, const FN(run) *run, ptrdiff_t r, ptrdiff_t unit,
                               ptrdiff_t lanes) {
    return run->h_prev ? v_load_n(run->h_prev + r * call->layer.hidden + unit, lanes) : v_zero();
}

RK_INLINE void FN(store_h)(const rk_call *call, const int plain, const FN(run) *run, ptrdiff_t r,
                           ptrdiff_t panel, vec h) {
    const ptrdiff_t hidden = call->layer.hidden, unit = panel * VL, lanes = hidden - unit;
    if (!plain && (call->zoneout_h || call->layer.zoneout != 0)) {
        const vec kept = FN(kept_share)(call, call->zoneout_h, run->row + r, unit, lanes);
        const vec h_prev = FN(h_prev_units)(call, run, r, unit, lanes);
        h = v_fma(kept, h_prev - h, h);
    }
    v_store_n((real *)call->y + (run->row + r) * hidden + unit, h, lanes);
#if RK_PAIRS
    const ptrdiff_t padded = FN(panels_of)(&call->layer) * VL;
    FN(store_halves)((real *)call->y_pairs + ((run->row + r) * padded + unit) / 2,
                     FN(keep)(h, lanes));
#endif
}

RK_INLINE void FN(rnn_forward)(const rk_call *call, const int plain, const FN(run) *run,
                               FN(rows_of_run) at, ptrdiff_t panel) {
    for (ptrdiff_t r = 0; r < run->n; r++) {
        real *gates = at.gates + panel * at.gates_panel + r * VL;
        const vec h = FN(candidate)(&call->layer, plain, v_load(gates));
        v_store(gates, h);
        FN(store_h)(call, plain, run, r, panel, h);
    }
}

/* The state c' of a panel; h follows from it in lstm_output. */
RK_INLINE vec FN(lstm_state)(const rk_call *call, const int plain, const FN(run) *run, ptrdiff_t r,
                             ptrdiff_t panel, real *gates) {
    const rk_layer *layer = &call->layer;
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
    const rk_layer *layer = &call->layer;
    real *gates = at.gates + panel * at.gates_panel;
    for (ptrdiff_t first = 0, last; first < run->n; first = last) {
        vec c[FN(side_by_side)];
        last = FN(end_of_some)(first, run->n);
        for (ptrdiff_t r = first; r < last; r++)
            c[r - first] = FN(lstm_state)(call, plain, run, r, panel, gates + r * 4 * VL);
        for (ptrdiff_t r = first; r < last; r++) {
            const vec state = c[r - first], o = v_load(gates + (r * 4 + 3) * VL);
            const vec out = plain ? v_tanh(state) : v_activate(layer->output_activation, state);
            FN(store_h)(call, plain, run, r, panel, o * out);
        }
    }
}

/* The gates of one row, and the input of n's activation in its place. */
RK_INLINE void FN(gru_gates)(const rk_layer *layer, const int plain, real *gates) {
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
    const rk_layer *layer = &call->layer;
    const ptrdiff_t unit = panel * VL, lanes = layer->hidden - unit;
    for (ptrdiff_t first = 0, last; first < run->n; first = last) {
        real *gates = at.gates + panel * at.gates_panel + first * 4 * VL;
        last = FN(end_of_some)(first, run->n);
        for (ptrdiff_t r = 0; r < last - first; r++)
            FN(gru_gates)(layer, plain, gates + r * 4 * VL);
        for (ptrdiff_t r = first; r < last; r++, gates += 4 * VL) {
            const vec n = FN(candidate)(layer, plain, v_load(gates)), z = v_load(gates + 2 * VL);
            const vec h_prev = FN(h_prev_units)(call, run, r, unit, lanes);
            v_store(gates, n);
            FN(store_h)(call, plain, run, r, panel, v_fma(z, h_prev - n, n));
        }
    }
}

/* ---- Layer normalisation of whole rows ------------------------------------------------------ */

/* Entries of a row that is spread over panels: base + panel * panel_stride, `slots` vectors each. */
typedef struct {
    real *base;
    ptrdiff_t panel_stride;
    int slots;
    ptrdiff_t hidden;
} FN(spread);

/* Replace a row by (row - mean) / sqrt(variance + epsilon); return the factor. */
static real FN(normalise)(FN(spread) row) {
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
    const real scale = 1 / (real)sqrt((double)(v_sum(square) / count) + 1e-5);
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

/* ---- The tile forward ----------------------------------------------------------------------- */

RK_INLINE FN(factor) FN(input_factor)(const rk_call *call, const FN(run) *run, ptrdiff_t panel) {
    const ptrdiff_t n = FN(operand_length)(call->layer.inputs);
    const ptrdiff_t stride = call->layer.input_slots * VL;
    const real *x = RK_PAIRS ? call->x_pairs : call->x;
    return (FN(factor)){x + run->row * n, n, n, (const real *)call->weight_ih + panel * n * stride,
                        stride};
}

/* The factor h of the recurrent product: h_prev, or what the dropout mask left of it. */
RK_INLINE FN(factor) FN(recurrent_factor)(const rk_call *call, const FN(run) *run,
                                          FN(rows_of_run) at, ptrdiff_t panel) {
    const ptrdiff_t hidden = call->layer.hidden, stride = call->layer.recurrent_slots * VL;
    const ptrdiff_t n = FN(operand_length)(hidden);
    const real *w = (const real *)call->weight_hh + panel * n * stride;
    if (RK_PAIRS)
        return (FN(factor)){run->h_pairs, FN(panels_of)(&call->layer) * VL / 2, n, w, stride};
    if (at.h_used)
        return (FN(factor)){at.h_used, FN(panels_of)(&call->layer) * VL, hidden, w, stride};
    return (FN(factor)){run->h_prev, hidden, hidden, w, stride};
}

/* h_used = mask * h_prev, rows padded with zeros. */
static void FN(mask_rows)(const rk_call *call, const FN(run) *run, real *h_used) {
    const ptrdiff_t hidden = call->layer.hidden, padded = FN(panels_of)(&call->layer) * VL;
    const real *mask = (const real *)call->recurrent_mask + run->b * hidden;
    for (ptrdiff_t r = 0; r < run->n; r++)
        for (ptrdiff_t u = 0; u < padded; u++)
            h_used[r * padded + u] = u < hidden && run->h_prev
                                         ? mask[r * hidden + u] * run->h_prev[r * hidden + u]
                                         : 0;
}

/* Gate inputs with layer_norm: norm_ih * LN(W x) + norm_hh * LN(U h) + b, for every panel. */
static void FN(normed_gates)(const rk_call *call, const FN(run) *run, FN(rows_of_run) at) {
    const rk_layer *layer = &call->layer;
    const ptrdiff_t panels = FN(panels_of)(layer), hidden = layer->hidden;
    const ptrdiff_t slots = layer->slots, width = slots * VL;
    const ptrdiff_t first_recurrent = slots - layer->recurrent_slots;
    const FN(factor) none = {0};
    for (ptrdiff_t p = 0; p < panels; p++) {
        FN(gate_rows)(layer->cell, 1, run->n, FN(input_factor)(call, run, p), none, NULL,
                      at.hat_ih + p * at.gates_panel, 0);
        FN(gate_rows)(layer->cell, 1, run->n, none, FN(recurrent_factor)(call, run, at, p), NULL,
                      at.hat_hh + p * at.gates_panel, 0);
    }
    for (ptrdiff_t r = 0; r < run->n; r++) {
        const FN(spread) ih = {at.hat_ih + r * width, at.gates_panel, (int)layer->input_slots,
                               hidden};
        const FN(spread) hh = {at.hat_hh + r * width + first_recurrent * VL, at.gates_panel,
                               (int)layer->recurrent_slots, hidden};
        at.norm_scale[r * 3] = FN(normalise)(ih);
        at.norm_scale[r * 3 + 1] = FN(normalise)(hh);
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

/* Gate inputs of a gru with reset before: r and z are activated, then U_n (r * h) goes to hn. */
static void FN(reset_gates)(const rk_call *call, const FN(run) *run, FN(rows_of_run) at) {
    const rk_layer *layer = &call->layer;
    const ptrdiff_t panels = FN(panels_of)(layer), hidden = layer->hidden, padded = panels * VL;
    const ptrdiff_t width = 4 * VL;
    const FN(factor) none = {0};
    for (ptrdiff_t p = 0; p < panels; p++) {
        real *gates = at.gates + p * at.gates_panel;
        const FN(factor) h = FN(recurrent_factor)(call, run, at, p);
        FN(gru_gate_rows)(run->n, FN(input_factor)(call, run, p), none,
                          (const real *)call->bias + p * width, gates, 0);
        if (h.a)
            FN(add_slot_rows)(run->n, 2, h, gates + VL, width);
        for (ptrdiff_t r = 0; r < run->n; r++) {
            const ptrdiff_t unit = p * VL;
            const vec reset = FN(gate)(layer, 0, v_load(gates + r * width + VL));
            const vec z = FN(gate)(layer, 0, v_load(gates + r * width + 2 * VL));
            const vec h_units = h.a ? v_load_n(h.a + r * h.a_stride + unit, hidden - unit)
                                    : v_zero();
            v_store(gates + r * width + VL, reset);
            v_store(gates + r * width + 2 * VL, z);
            v_store(at.h_reset + r * padded + unit, FN(keep)(reset * h_units, hidden - unit));
        }
    }
    for (ptrdiff_t p = 0; p < panels; p++) {
        FN(factor) reset = {at.h_reset, padded, hidden,
                            (const real *)call->weight_hh + p * hidden * 3 * VL + 2 * VL, 3 * VL};
        FN(add_slot_rows)(run->n, 1, reset, at.gates + p * at.gates_panel + 3 * VL, width);
    }
}

/* h = o * f(norm_c * LN(c') + norm_c_bias), after every panel's gates and c'. */
static void FN(lstm_forward_normed)(const rk_call *call, const FN(run) *run, FN(rows_of_run) at) {
    const rk_layer *layer = &call->layer;
    const ptrdiff_t panels = FN(panels_of)(layer), padded = panels * VL;
    for (ptrdiff_t r = 0; r < run->n; r++) {
        real *hat = at.hat_c + r * padded;
        for (ptrdiff_t p = 0; p < panels; p++)
            v_store(hat + p * VL, FN(lstm_state)(call, 0, run, r, p,
                                                 at.gates + p * at.gates_panel + r * 4 * VL));
        at.norm_scale[r * 3 + 2] = FN(normalise)((FN(spread)){hat, VL, 1, layer->hidden});
        for (ptrdiff_t p = 0; p < panels; p++) {
            const vec u = v_fma(v_load((const real *)call->norm_c + p * VL), v_load(hat + p * VL),
                                v_load((const real *)call->norm_c_bias + p * VL));
            const vec o = v_load(at.gates + p * at.gates_panel + r * 4 * VL + 3 * VL);
            FN(store_h)(call, 0, run, r, p, o * v_activate(layer->output_activation, u));
        }
    }
}

/* How the threads of a team divide a layer: forward by panels, backward by the column groups of
 * dh, so that each adds to the dh of its own units alone. */
static int FN(largest_team)(const rk_call *call) {
    return FN(is_plain)(call) ? (int)FN(groups_of)(call->layer.hidden) : 1;
}

/* Panels whose products are formed at once: enough sums to keep the multipliers busy, but not so
 * many that a panel does not wait in the first-level cache for the next step. */
RK_INLINE int FN(panels_at_once)(const rk_layer *layer, ptrdiff_t rows) {
    const ptrdiff_t bytes = (layer->inputs * layer->input_slots +
                             layer->hidden * layer->recurrent_slots) * RK_VECTOR_BYTES;
    if (layer->slots == 1)
        return 4;
    if (!FN(are_few)(rows) || 2 * rows > RK_TILE_ROWS)
        return 1;
    return bytes <= FN(cache_bytes) && 2 * bytes > FN(cache_bytes) ? 1 : 2;
}

/* The gate inputs of a share of the panels. */
RK_INLINE void FN(products)(const rk_call *call, const int cell, const FN(run) *run,
                            FN(rows_of_run) at, FN(share) panels) {
    const rk_layer *layer = &call->layer;
    int P = FN(panels_at_once)(layer, run->n);
    for (ptrdiff_t left = panels.last - panels.first; left > 0; left -= P) {
        while (P > left)
            P /= 2;
        const ptrdiff_t p = run->t % 2 ? panels.first + left - P : panels.last - left;
        FN(gate_rows)(cell, P, run->n, FN(input_factor)(call, run, p),
                      FN(recurrent_factor)(call, run, at, p),
                      (const real *)call->bias + p * layer->slots * VL,
                      at.gates + p * at.gates_panel, at.gates_panel);
    }
}

RK_INLINE void FN(forward_run)(const rk_call *call, const int cell, const int plain,
                               const FN(run) *run, FN(rows_of_run) at, FN(share) panels) {
    const rk_layer *layer = &call->layer;
    const int whole_rows = !plain && FN(needs_rows)(layer);
    if (!plain && at.h_used)
        FN(mask_rows)(call, run, at.h_used);
    if (whole_rows && layer->layer_norm)
        FN(normed_gates)(call, run, at);
    else if (whole_rows)
        FN(reset_gates)(call, run, at);
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
        const ptrdiff_t first = run->t % 2 ? panels.first + left - n : panels.last - left;
        if (!whole_rows)
            FN(products)(call, cell, run, at, (FN(share)){first, first + n});
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
                                ptrdiff_t first, ptrdiff_t last, real *scratch,
                                const rk_team *team) {
    const FN(share) panels = FN(share_of)(FN(panels_of)(&call->layer), team);
    for (ptrdiff_t s = 0; s < call->steps; s++) {
        const ptrdiff_t t = call->layer.reverse ? call->steps - 1 - s : s;
        FN(run) runs[2];
        const int count = FN(runs_of_step)(call, t, first, last, runs);
        for (int i = 0; i < count; i++)
            FN(forward_run)(call, cell, plain, &runs[i],
                            FN(place)(call, &runs[i], last - first, scratch), panels);
        rk_meet(team);
    }
}

/* One instance of `tile` for each cell, plain or not; products of pairs have the plain ones. */
#define RK_FOR_EACH_CELL(tile)                                                                     \
    do {                                                                                           \
        const int plain = RK_PAIRS || FN(is_plain)(call);                                          \
        if (call->layer.cell == RK_LSTM && plain)                                                  \
            FN(tile)(call, RK_LSTM, 1, first, last, scratch, team);                                \
        else if (call->layer.cell == RK_GRU && plain)                                              \
            FN(tile)(call, RK_GRU, 1, first, last, scratch, team);                                 \
        else if (plain)                                                                            \
            FN(tile)(call, RK_RNN, 1, first, last, scratch, team);                                 \
        else if (!RK_PAIRS && call->layer.cell == RK_LSTM)                                         \
            FN(tile)(call, RK_LSTM, 0, first, last, scratch, team);                                \
        else if (!RK_PAIRS && call->layer.cell == RK_GRU)                                          \
            FN(tile)(call, RK_GRU, 0, first, last, scratch, team);                                 \
        else if (!RK_PAIRS)                                                                        \
            FN(tile)(call, RK_RNN, 0, first, last, scratch, team);                                 \
    } while (0)

static void FN(forward)(const rk_call *call, ptrdiff_t first, ptrdiff_t last, void *scratch,
                        const rk_team *team) {
    RK_FOR_EACH_CELL(forward_tile);
}

/* ---- The cells backward: one panel of a run -------------------------------------------------- */

/* The gradient of h~ for a panel of one row; leaves in dh the part of h_prev that bypasses the
 * cell (zoneout). */
RK_INLINE vec FN(take_dh)(const rk_call *call, const int plain, const FN(run) *run, ptrdiff_t r,
                          ptrdiff_t panel) {
    const ptrdiff_t hidden = call->layer.hidden, padded = FN(panels_of)(&call->layer) * VL;
    const ptrdiff_t unit = panel * VL, lanes = hidden - unit, row = run->row + r;
    real *carried = (real *)call->dh + (run->b + r) * padded + unit;
    vec dh = v_load(carried), bypass = v_zero();
    if (call->dy)
        dh += v_load_n((const real *)call->dy + row * hidden + unit, lanes);
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

RK_INLINE void FN(rnn_backward)(const rk_call *call, const int plain, const FN(run) *run,
                                FN(rows_of_run) at, ptrdiff_t panel) {
    for (ptrdiff_t r = 0; r < run->n; r++) {
        real *gates = at.gates + panel * at.gates_panel + r * VL;
        const vec dh = FN(take_dh)(call, plain, run, r, panel);
        v_store(gates, dh * FN(candidate_slope)(&call->layer, plain, v_load(gates)));
    }
}

/* Gate gradients from the gradient of the output gate's product and of c'. */
RK_INLINE void FN(lstm_gate_gradients)(const rk_call *call, const int plain, const FN(run) *run,
                                       ptrdiff_t r, ptrdiff_t panel, real *gates, vec dout,
                                       vec dc_out) {
    const rk_layer *layer = &call->layer;
    const ptrdiff_t padded = FN(panels_of)(layer) * VL, unit = panel * VL;
    const ptrdiff_t row = run->row + r, lanes = layer->hidden - unit;
    const real *peephole = plain ? NULL : call->peephole;
    real *carried = (real *)call->dc + (run->b + r) * padded + unit;
    const vec i = v_load(gates), f = v_load(gates + VL), g = v_load(gates + 2 * VL);
    const vec o = v_load(gates + 3 * VL);
    const vec c_prev = v_load((const real *)call->c_prev + row * padded + unit);
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
        d_i = dc * (g - c_prev) * FN(gate_slope)(layer, plain, i);
    } else {
        d_i = dc * g * FN(gate_slope)(layer, plain, i);
        d_f = dc * c_prev * FN(gate_slope)(layer, plain, f);
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
    const rk_layer *layer = &call->layer;
    const ptrdiff_t padded = FN(panels_of)(layer) * VL, unit = panel * VL;
    for (ptrdiff_t r = 0; r < run->n; r++) {
        real *gates = at.gates + panel * at.gates_panel + r * 4 * VL;
        const vec dh = FN(take_dh)(call, plain, run, r, panel);
        const vec c_prev = v_load((const real *)call->c_prev + (run->row + r) * padded + unit);
        vec c = v_fma(v_load(gates + VL), c_prev, v_load(gates) * v_load(gates + 2 * VL));
        if (!plain)
            c = FN(keep)(c, layer->hidden - unit);
        const vec out = plain ? v_tanh(c) : v_activate(layer->output_activation, c);
        const vec slope = plain ? v_set1(1) - out * out : v_slope(layer->output_activation, out);
        FN(lstm_gate_gradients)(call, plain, run, r, panel, gates, dh * out,
                                dh * v_load(gates + 3 * VL) * slope);
    }
}

/* The same with a normed cell state: its gradient needs the whole row. */
static void FN(lstm_backward_normed)(const rk_call *call, const FN(run) *run, FN(rows_of_run) at) {
    const rk_layer *layer = &call->layer;
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
            const vec out = v_activate(layer->output_activation, u);
            const vec du = dh * o * v_slope(layer->output_activation, out);
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

RK_INLINE void FN(gru_backward)(const rk_call *call, const int plain, const FN(run) *run,
                                FN(rows_of_run) at, ptrdiff_t panel) {
    const rk_layer *layer = &call->layer;
    const ptrdiff_t unit = panel * VL, lanes = layer->hidden - unit;
    for (ptrdiff_t r = 0; r < run->n; r++) {
        real *gates = at.gates + panel * at.gates_panel + r * 4 * VL;
        const vec n = v_load(gates), reset = v_load(gates + VL), z = v_load(gates + 2 * VL);
        const vec hn = v_load(gates + 3 * VL);
        const vec h_prev = FN(h_prev_units)(call, run, r, unit, lanes);
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

/* ---- The tile backward ---------------------------------------------------------------------- */

/* out += gate gradients of the `slots` recurrent slots from `skip` on, times W_hh. */
RK_INLINE void FN(recurrent_columns)(const rk_call *call, FN(rows_of_run) at, ptrdiff_t rows,
                                     const real *gates, ptrdiff_t skip, ptrdiff_t slots,
                                     real *out, FN(share) groups) {
    const rk_layer *layer = &call->layer;
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
                                        panels * VL,
                                        panels * VL,
                                        1};
    FN(column_rows)(&product, rows, groups);
}

/* Gate gradients to the gradients of W x and U h, with layer_norm. */
static void FN(denormalise_gates)(const rk_call *call, const FN(run) *run, FN(rows_of_run) at) {
    const rk_layer *layer = &call->layer;
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

/* gru with reset before: with d = gradient of r * h, the gradient of r's input goes to its slot
 * and d * r becomes the start of the gradient of h in dh_used. */
static void FN(reset_backward)(const rk_call *call, const FN(run) *run, FN(rows_of_run) at,
                               real *dh_used) {
    const rk_layer *layer = &call->layer;
    const ptrdiff_t panels = FN(panels_of)(layer), padded = panels * VL, hidden = layer->hidden;
    FN(recurrent_columns)(call, at, run->n, at.gates, 2, 1, dh_used,
                          (FN(share)){0, FN(groups_of)(hidden)});
    for (ptrdiff_t p = 0; p < panels; p++)
        for (ptrdiff_t r = 0; r < run->n; r++) {
            real *slot = at.gates + p * at.gates_panel + r * 4 * VL + VL;
            real *d = dh_used + r * padded + p * VL;
            const vec reset = v_load(slot), d_product = v_load(d);
            const vec h = at.h_used ? v_load(at.h_used + r * padded + p * VL)
                                    : FN(h_prev_units)(call, run, r, p * VL, hidden - p * VL);
            v_store(slot, d_product * h * FN(gate_slope)(layer, 0, reset));
            v_store(d, d_product * reset);
        }
}

/* dh += the gradient that comes through the recurrent product. */
RK_INLINE void FN(through_product)(const rk_call *call, const int plain, const FN(run) *run,
                                   FN(rows_of_run) at, real *scratch, FN(share) groups) {
    const rk_layer *layer = &call->layer;
    const ptrdiff_t padded = FN(panels_of)(layer) * VL, hidden = layer->hidden;
    real *dh = (real *)call->dh + run->b * padded;
    if (plain || (!layer->reset_before && !layer->layer_norm && !call->recurrent_mask)) {
        FN(recurrent_columns)(call, at, run->n, RK_PAIRS ? at.gate_pairs : at.gates, 0,
                              layer->recurrent_slots, dh, groups);
        return;
    }
    const real *gates = at.gates;
    memset(scratch, 0, (size_t)(run->n * padded) * sizeof(real));
    if (layer->layer_norm) {
        FN(denormalise_gates)(call, run, at);
        gates = (const real *)call->dgates_hh + run->row * layer->slots * VL;
    }
    if (layer->reset_before) {
        FN(reset_backward)(call, run, at, scratch);
        FN(recurrent_columns)(call, at, run->n, gates, 0, 2, scratch, groups);
    } else {
        FN(recurrent_columns)(call, at, run->n, gates, 0, layer->recurrent_slots, scratch, groups);
    }
    const real *mask = call->recurrent_mask;
    for (ptrdiff_t r = 0; r < run->n; r++)
        for (ptrdiff_t u = 0; u < hidden; u++)
            dh[r * padded + u] += mask ? mask[(run->b + r) * hidden + u] * scratch[r * padded + u]
                                       : scratch[r * padded + u];
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

RK_INLINE void FN(backward_tile)(const rk_call *call, const int cell, const int plain,
                                 ptrdiff_t first, ptrdiff_t last, real *scratch,
                                 const rk_team *team) {
    const ptrdiff_t n_panels = FN(panels_of)(&call->layer);
    const FN(share) groups = FN(share_of)(FN(groups_of)(call->layer.hidden), team);
    const ptrdiff_t end = groups.last * RK_GROUP_VECTORS;
    const FN(share) panels = {groups.first * RK_GROUP_VECTORS, end < n_panels ? end : n_panels};
    for (ptrdiff_t s = 0; s < call->steps; s++) {
        const ptrdiff_t t = call->layer.reverse ? s : call->steps - 1 - s;
        FN(run) runs[2];
        const int count = FN(runs_of_step)(call, t, first, last, runs);
        for (int i = 0; i < count; i++) {
            const FN(run) *run = &runs[i];
            const FN(rows_of_run) at = FN(place)(call, run, last - first, scratch);
            if (!plain && cell == RK_LSTM && call->layer.layer_norm)
                FN(lstm_backward_normed)(call, run, at);
            else
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
        rk_meet(team);
        for (int i = 0; i < count; i++)
            FN(through_product)(call, plain, &runs[i],
                                FN(place)(call, &runs[i], last - first, scratch), scratch, groups);
    }
}

static void FN(backward)(const rk_call *call, ptrdiff_t first, ptrdiff_t last, void *scratch,
                         const rk_team *team) {
    RK_FOR_EACH_CELL(backward_tile);
}

/* ---- dx and the parameters ------------------------------------------------------------------ */

static void FN(input_gradient)(const rk_call *call, ptrdiff_t first, ptrdiff_t last) {
    const rk_layer *layer = &call->layer;
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
                                        0};
    FN(column_rows)(&product, last - first, (FN(share)){0, FN(groups_of)(layer->inputs)});
}

/* A block of packed rows: for each, the row of the operand and the gradients of a tile of gates.
 * With RK_PAIRS two rows that follow each other become one. */
typedef struct {
    ptrdiff_t row[FN(block_rows)]; /* numbers of the packed rows */
    ptrdiff_t rows, n;             /* how many, and how many operands they become */
    const real *operand[FN(block_rows)], *gates[FN(block_rows)];
    ptrdiff_t gates_vector; /* from one vector of a row of gates to the next */
    real *scratch;
} FN(block);

/* Where an outer product goes: dw[k][v], n rows of vectors. */
typedef struct {
    real *dw;
    ptrdiff_t n, stride, vector;
} FN(outer);

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
#define RK_OUTER_BODY_4(R) FN(outer_chunk)(R, 4, block, to, done)
#define RK_OUTER_BODY_3(R) FN(outer_chunk)(R, 3, block, to, done)
#define RK_OUTER_BODY_2(R) FN(outer_chunk)(R, 2, block, to, done)
#define RK_OUTER_BODY_1(R) FN(outer_chunk)(R, 1, block, to, done)
    switch (vectors) {
    case 1:
        RK_CHUNKS(to.n, 1, RK_OUTER_BODY_1)
        break;
    case 2:
        RK_CHUNKS(to.n, 2, RK_OUTER_BODY_2)
        break;
    case 3:
        RK_CHUNKS(to.n, 3, RK_OUTER_BODY_3)
        break;
    default:
        RK_CHUNKS(to.n, 4, RK_OUTER_BODY_4)
    }
}

/* Bring the block's operand rows, n wide, into the form the outer product wants: as pairs, or, if
 * they are wide, apart from each other. In place wide rows compete for a few sets of the
 * first-level cache, and each line is read for several register tiles. */
static void FN(take_operands)(FN(block) *block, ptrdiff_t n) {
    real *scratch = block->scratch;
    block->n = block->rows;
#if RK_PAIRS
    block->n = (block->rows + 1) / 2;
    for (ptrdiff_t i = 0; i < block->n; i++, scratch += FN(apart)(n)) {
        const int is_last = 2 * i + 1 == block->rows;
        FN(pair_rows)(scratch, block->operand[2 * i],
                      is_last ? NULL : block->operand[2 * i + 1], n, VL);
        block->operand[i] = scratch;
    }
#else
    if (n * (ptrdiff_t)sizeof(real) < FN(wide_row_bytes))
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
        const int is_last = 2 * i + 1 == block->rows;
        FN(pair_rows)(scratch, d + block->row[2 * i] * width,
                      is_last ? NULL : d + block->row[2 * i + 1] * width, vectors * VL, vector);
        block->gates[i] = scratch;
    }
    block->gates_vector = VL;
#else
    (void)n, (void)vectors;
    for (ptrdiff_t i = 0; i < block->n; i++)
        block->gates[i] = d + block->row[i] * width;
    block->gates_vector = vector;
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
} FN(weights);

/* Add to the gradients of some panels of a matrix what the block's rows contribute. Four panels of
 * an rnn make a tile as wide as the four gates of an lstm. */
static void FN(add_outers)(const rk_call *call, FN(share) panels, FN(block) *block,
                           FN(weights) w) {
    const rk_layer *layer = &call->layer;
    const int one_gate = layer->slots == 1;
    const ptrdiff_t width = layer->slots * VL, together = one_gate ? RK_GROUP_VECTORS : 1;
    const ptrdiff_t dw_row = w.dw_slots * VL, gates_panel = call->rows * width;
    FN(take_operands)(block, w.n);
    for (ptrdiff_t p = panels.first; p < panels.last; p += together) {
        const ptrdiff_t left = panels.last - p;
        const ptrdiff_t vectors = w.slots * (left < together ? left : together);
        FN(take_gates)(block, (const real *)w.dgates + p * gates_panel + w.slot * VL, width,
                       vectors, one_gate ? gates_panel : VL, w.n);
        FN(outer_rows)(block, vectors,
                       (FN(outer)){(real *)w.dw + p * w.n * dw_row + w.dw_slot * VL, w.n, dw_row,
                                   one_gate ? w.n * dw_row : VL});
    }
}

static void FN(input_outers)(const rk_call *call, FN(share) panels, ptrdiff_t first,
                             ptrdiff_t last, FN(block) *block) {
    const rk_layer *layer = &call->layer;
    const ptrdiff_t inputs = layer->inputs, slots = layer->input_slots;
    for (block->rows = 0; block->rows < last - first; block->rows++) {
        const ptrdiff_t row = first + block->rows;
        block->row[block->rows] = row;
        block->operand[block->rows] = (const real *)call->x + row * inputs;
    }
    FN(add_outers)(call, panels, block,
                   (FN(weights)){call->dgates_ih, 0, slots, call->dweight_ih, inputs, 0, slots});
}

/* What the recurrent weights were applied to depends on the options. */
static void FN(recurrent_outers)(const rk_call *call, FN(share) panels, ptrdiff_t first,
                                 ptrdiff_t last, FN(block) *block) {
    const rk_layer *layer = &call->layer;
    const ptrdiff_t hidden = layer->hidden, padded = FN(panels_of)(layer) * VL;
    const ptrdiff_t slots = layer->recurrent_slots;
    FN(weights) w = {call->dgates_hh, layer->slots - slots, layer->reset_before ? 2 : slots,
                     call->dweight_hh, hidden, 0, slots};
    block->rows = 0;
    for (ptrdiff_t row = first; row < last; row++) {
        const ptrdiff_t previous = call->previous[row];
        const real *h = call->h_used      ? (const real *)call->h_used + row * padded
                        : previous >= 0   ? (const real *)call->y + previous * hidden
                        : call->h0 != NULL ? (const real *)call->h0 + (-1 - previous) * hidden
                                          : NULL;
        if (h) {
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
    const rk_layer *layer = &call->layer;
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
                                   ptrdiff_t last_panel, void *scratch) {
    const FN(share) panels = {first_panel, last_panel};
    FN(block) block = {.scratch = scratch};
    for (ptrdiff_t first = 0; first < call->rows; first += FN(block_rows)) {
        const ptrdiff_t left = call->rows - first;
        const ptrdiff_t last = first + (left < FN(block_rows) ? left : FN(block_rows));
        for (ptrdiff_t p = first_panel; p < last_panel; p++)
            FN(vector_gradients)(call, p, first, last);
        FN(input_outers)(call, panels, first, last, &block);
        FN(recurrent_outers)(call, panels, first, last, &block);
    }
}

#if !RK_PAIRS

/* ---- Dense and activations ------------------------------------------------------------------ */

RK_INLINE void FN(dense_chunk)(const int R, const int V, const real *x, const real *w,
                               const real *bias, real *y, ptrdiff_t inputs, ptrdiff_t outputs,
                               ptrdiff_t column, ptrdiff_t done) {
    vec acc[RK_MOST_TILE_ROWS][RK_GROUP_VECTORS];
#pragma GCC unroll 8
    for (int r = 0; r < R; r++)
#pragma GCC unroll 4
        for (int v = 0; v < V; v++)
            acc[r][v] = v_load(bias + column + v * VL);
    FN(accumulate)(1, R, V, acc, 0, x + done * inputs, inputs, inputs, w + column * inputs, V * VL);
#pragma GCC unroll 8
    for (int r = 0; r < R; r++)
#pragma GCC unroll 4
        for (int v = 0; v < V; v++)
            v_store_n(y + (done + r) * outputs + column + v * VL, acc[r][v],
                      outputs - column - v * VL);
}

static void FN(dense)(const void *x_all, const void *weight, const void *bias, void *y_all,
                      ptrdiff_t inputs, ptrdiff_t outputs, ptrdiff_t first, ptrdiff_t last) {
    const real *x = (const real *)x_all + first * inputs;
    real *y = (real *)y_all + first * outputs;
    const ptrdiff_t rows = last - first, vectors = (outputs + VL - 1) / VL;
    for (ptrdiff_t v = 0; v < vectors; v += RK_GROUP_VECTORS) {
#define RK_DENSE(R, V)                                                                             \
    FN(dense_chunk)(R, V, x, weight, bias, y, inputs, outputs, v * VL, done)
#define RK_DENSE_BODY_4(R) RK_DENSE(R, 4)
#define RK_DENSE_BODY_3(R) RK_DENSE(R, 3)
#define RK_DENSE_BODY_2(R) RK_DENSE(R, 2)
#define RK_DENSE_BODY_1(R) RK_DENSE(R, 1)
        switch (vectors - v) {
        case 1:
            RK_CHUNKS(rows, 1, RK_DENSE_BODY_1)
            break;
        case 2:
            RK_CHUNKS(rows, 2, RK_DENSE_BODY_2)
            break;
        case 3:
            RK_CHUNKS(rows, 3, RK_DENSE_BODY_3)
            break;
        default:
            RK_CHUNKS(rows, 4, RK_DENSE_BODY_4)
        }
    }
}

/* The outputs k .. k + R and V vectors of inputs from `column` on. */
RK_INLINE void FN(dense_gradient_chunk)(const int R, const int V, const real *x, const real *dy,
                                        real *dw, ptrdiff_t rows, ptrdiff_t inputs,
                                        ptrdiff_t outputs, ptrdiff_t column, ptrdiff_t k) {
    vec acc[RK_MOST_TILE_ROWS][RK_GROUP_VECTORS];
    const ptrdiff_t left = inputs - column;
#pragma GCC unroll 8
    for (int r = 0; r < R; r++)
#pragma GCC unroll 4
        for (int v = 0; v < V; v++)
            acc[r][v] = v_load_n(dw + (k + r) * inputs + column + v * VL, left - v * VL);
    for (ptrdiff_t row = 0; row < rows; row++) {
        vec d[RK_GROUP_VECTORS];
#pragma GCC unroll 4
        for (int v = 0; v < V; v++)
            d[v] = v_load_n(x + row * inputs + column + v * VL, left - v * VL);
#pragma GCC unroll 8
        for (int r = 0; r < R; r++) {
            const vec factor = v_set1(dy[row * outputs + k + r]);
#pragma GCC unroll 4
            for (int v = 0; v < V; v++)
                acc[r][v] = v_fma(factor, d[v], acc[r][v]);
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < R; r++)
#pragma GCC unroll 4
        for (int v = 0; v < V; v++)
            v_store_n(dw + (k + r) * inputs + column + v * VL, acc[r][v], left - v * VL);
}

static void FN(dense_gradient)(const void *x, const void *dy, void *dw, ptrdiff_t rows,
                               ptrdiff_t inputs, ptrdiff_t outputs, ptrdiff_t first,
                               ptrdiff_t last) {
    const ptrdiff_t vectors = (inputs + VL - 1) / VL;
    for (ptrdiff_t v = 0; v < vectors; v += RK_GROUP_VECTORS) {
#define RK_DENSE_GRADIENT(R, V)                                                                    \
    FN(dense_gradient_chunk)(R, V, x, dy, dw, rows, inputs, outputs, v * VL, first + done)
#define RK_DENSE_GRADIENT_BODY_4(R) RK_DENSE_GRADIENT(R, 4)
#define RK_DENSE_GRADIENT_BODY_3(R) RK_DENSE_GRADIENT(R, 3)
#define RK_DENSE_GRADIENT_BODY_2(R) RK_DENSE_GRADIENT(R, 2)
#define RK_DENSE_GRADIENT_BODY_1(R) RK_DENSE_GRADIENT(R, 1)
        switch (vectors - v) {
        case 1:
            RK_CHUNKS(last - first, 1, RK_DENSE_GRADIENT_BODY_1)
            break;
        case 2:
            RK_CHUNKS(last - first, 2, RK_DENSE_GRADIENT_BODY_2)
            break;
        case 3:
            RK_CHUNKS(last - first, 3, RK_DENSE_GRADIENT_BODY_3)
            break;
        default:
            RK_CHUNKS(last - first, 4, RK_DENSE_GRADIENT_BODY_4)
        }
    }
}

static void FN(activate)(rk_activation f, const void *x, void *y, ptrdiff_t n) {
    for (ptrdiff_t i = 0; i < n; i += VL)
        v_store_n((real *)y + i, v_activate(f, v_load_n((const real *)x + i, n - i)), n - i);
}

#endif

/* ---- The table ------------------------------------------------------------------------------ */

static const rk_kernels FN(table) = {
    .lanes = VL,
    .pack = FN(pack),
    .unpack_add = FN(unpack_add),
    .pack_transposed = FN(pack_transposed),
    .scratch_bytes = FN(scratch_bytes),
    .largest_team = FN(largest_team),
    .forward = FN(forward),
    .backward = FN(backward),
    .input_gradient = FN(input_gradient),
    .parameter_gradient = FN(parameter_gradient),
#if RK_PAIRS
    .pack_operand = FN(pack_operand),
    .pair_columns = FN(pair_columns),
#else
    .pack_operand = FN(pack),
    .pack_dense = FN(pack_dense),
    .dense = FN(dense),
    .dense_gradient = FN(dense_gradient),
    .activate = FN(activate),
#endif
};
