/* A run: the rows of one step whose h_prev lies in one piece, and where its buffers lie. */

/* Rows of one step whose h_prev lies in one piece. A step has one or two of them: a sequence
 * that begins takes h0, the others the row of the step before. */
typedef struct {
    ptrdiff_t t, row, b, n; /* packed row and packed position of the first; how many */
    const real *h_prev;     /* (n, H), NULL for zeros */
    ptrdiff_t h_stride;     /* from row to row of it */
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
    const rk_layer_spec *layer = &call->layer;
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
        runs[count++] = (FN(run)){t,
                                  call->step_offsets[t] + first,
                                  first,
                                  n_going,
                                  y + row * call->y_stride,
                                  call->y_stride,
                                  y_pairs ? y_pairs + row * pairs : NULL};
    }
    if (n > n_going) {
        const ptrdiff_t b = first + n_going;
        const real *h0 = call->h0, *h0_pairs = call->h0_pairs;
        runs[count++] = (FN(run)){t,
                                  call->step_offsets[t] + b,
                                  b,
                                  n - n_going,
                                  h0 ? h0 + b * layer->hidden : NULL,
                                  layer->hidden,
                                  h0_pairs ? h0_pairs + b * pairs : NULL};
    }
    return count;
}

RK_INLINE ptrdiff_t FN(panels_of)(const rk_layer_spec *layer) {
    return (layer->hidden + VL - 1) / VL;
}

/* Whether a step needs whole rows of gates before a cell can be computed. */
RK_INLINE int FN(needs_rows)(const rk_layer_spec *layer) {
    return layer->layer_norm || layer->reset_before;
}

/* Where the rows of a run lie: the kept buffers in training, scratch otherwise. */
typedef struct {
    real *gates; /* [panel][row][slots][VL] from the run's first row on */
    real *gate_pairs; /* the same as pairs */
    ptrdiff_t gates_panel;
    real *hat_ih, *hat_hh;          /* as gates, with layer_norm */
    real *hat_c, *h_reset, *h_used; /* (n, Hp) */
    real *norm_scale;               /* (n, 3) */
    real *h_quads; /* (n, operand length of H): h_prev, or r * h_prev, as operand */
} FN(rows_of_run);

RK_INLINE int FN(are_few)(ptrdiff_t rows) {
    return rows <= RK_FEW_ROWS;
}

/* Whether the gates of several panels are needed at a time outside training, whatever the rows. */
RK_INLINE int FN(keeps_panels)(const rk_layer_spec *layer) {
    return FN(needs_rows)(layer) || layer->slots == 1;
}

/* Room of one tile outside training, in reals. */
RK_INLINE ptrdiff_t FN(gate_room)(const rk_layer_spec *layer, ptrdiff_t tile_rows) {
    const ptrdiff_t panels = FN(panels_of)(layer), few = RK_FEW_ROWS * panels;
    const ptrdiff_t rows = FN(keeps_panels)(layer) ? panels * tile_rows : tile_rows;
    return (rows > few ? rows : few) * layer->slots * VL;
}

/* Distance of rows of n reals laid out so that neighbouring rows never share a cache set: an odd
 * number of vectors. For a BLAS, which copies them anyway: as many as whole blocks have. */
RK_INLINE ptrdiff_t FN(apart)(ptrdiff_t n) {
    if (RK_BLAS)
        return (n + RK_BLAS_ROWS - 1) / RK_BLAS_ROWS * RK_BLAS_ROWS;
    return ((n + VL - 1) / VL | 1) * VL;
}

/* Room of the rows of h as operand with quads, in reals: whole vectors. */
RK_INLINE ptrdiff_t FN(quad_room)(const rk_layer_spec *layer, ptrdiff_t tile_rows) {
    return RK_QUADS ? (tile_rows * FN(operand_length)(layer->hidden) + VL - 1) / VL * VL : 0;
}

static size_t FN(scratch_bytes)(const rk_layer_spec *layer, ptrdiff_t tile_rows) {
    const ptrdiff_t rows = tile_rows * (FN(panels_of)(layer) * VL);
    const ptrdiff_t widest = layer->inputs > layer->hidden ? layer->inputs : layer->hidden;
    const ptrdiff_t block = RK_BLOCK_ROWS * (FN(apart)(widest) + RK_PAIRS * RK_GROUP_VECTORS * VL);
    ptrdiff_t reals =
        FN(quad_room)(layer, tile_rows) + FN(gate_room)(layer, tile_rows) + 2 * rows;
    if (layer->layer_norm)
        reals += 2 * FN(gate_room)(layer, tile_rows) + tile_rows * 3;
    return (size_t)((reals > block ? reals : block) + VL) * sizeof(real);
}

static FN(rows_of_run)
    FN(place)(const rk_call *call, const FN(run) *run, ptrdiff_t tile_rows, real *scratch) {
    const rk_layer_spec *layer = &call->layer;
    const ptrdiff_t width = layer->slots * VL, padded = FN(panels_of)(layer) * VL;
    FN(rows_of_run) at = {0};
    at.h_quads = scratch;
    scratch += FN(quad_room)(layer, tile_rows);
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
