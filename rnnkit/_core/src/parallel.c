/* Whole-layer drivers: what of a layer are pieces, cut the same way always, and in what order. */
#include "kernels.h"
#include "pool.h"
#include "tuning.h"

const char *rk_compiler(void) {
#ifdef __clang__
    return __VERSION__; /* has "Clang" in it */
#else
    return "GCC " __VERSION__;
#endif
}

/* What the pieces of a layer's call are cut from. Each direction has as many of each kind. */
typedef struct {
    const rk_kernels *k;
    const rk_pass *pass;
    int direction, shares;                         /* that is shared by steps; of a step, or of a
                                                      panel's columns */
    ptrdiff_t step;                                /* that is shared */
    ptrdiff_t panels, together, gradients, inputs; /* of hidden units; pieces of each kind */
} layer_work;

static void *scratch_of(const layer_work *work, const rk_seat *seat) {
    return work->pass->scratch + (size_t)seat->rank * work->pass->scratch_stride;
}

static ptrdiff_t paired_pieces(const rk_call *call) {
    return (call->rows + RK_PAIRED_ROWS - 1) / RK_PAIRED_ROWS;
}

/* The inputs of RK_PAIRED_ROWS packed rows as operand of the products. */
static void pair_inputs(void *what, ptrdiff_t piece, rk_seat *seat) {
    const layer_work *work = what;
    const ptrdiff_t pieces = paired_pieces(work->pass->calls[0]);
    const rk_call *call = work->pass->calls[piece / pieces];
    const ptrdiff_t first = piece % pieces * RK_PAIRED_ROWS, left = call->rows - first;
    const ptrdiff_t inputs = call->layer.inputs, length = work->k->operand_length(inputs);
    const ptrdiff_t n = left < RK_PAIRED_ROWS ? left : RK_PAIRED_ROWS;
    if (call->x && !rk_leave(seat, (double)(n * inputs)))
        work->k->pair_columns((const float *)call->x + first * inputs, n, inputs,
                              (float *)call->x_pairs + first * length, length);
}

static ptrdiff_t table_pieces(const rk_call *call) {
    return (call->table_rows + RK_TABLE_ROWS - 1) / RK_TABLE_ROWS;
}

/* The input products of RK_TABLE_ROWS rows of the table. */
static void sum_inputs(void *what, ptrdiff_t piece, rk_seat *seat) {
    const layer_work *work = what;
    const rk_call *call = work->pass->calls[work->direction];
    const ptrdiff_t first = piece * RK_TABLE_ROWS, last = first + RK_TABLE_ROWS;
    work->k->input_sums(call, first, last < call->table_rows ? last : call->table_rows, seat);
}

void rk_sum_inputs(const rk_kernels *k, const rk_call *call) {
    rk_seat seat = {0, RK_OPERATIONS_BETWEEN_LOOKS, NULL};
    const unsigned mode = rk_flush_denormals();
    k->input_sums(call, 0, call->table_rows, &seat);
    rk_restore_mode(mode);
}

/* All steps of a tile of sequences; `steps` of them. */
static rk_part tile_of(const rk_pass *pass, ptrdiff_t piece, ptrdiff_t steps) {
    const ptrdiff_t *tile = pass->tiles + piece % pass->n_tiles;
    return (rk_part){tile[0], tile[1], 0, steps, 0, 1};
}

static void tile_forward(void *what, ptrdiff_t piece, rk_seat *seat) {
    const layer_work *work = what;
    const rk_call *call = work->pass->calls[piece / work->pass->n_tiles];
    const rk_part part = tile_of(work->pass, piece, call->steps);
    work->k->forward(call, &part, scratch_of(work, seat), seat);
}

static void tile_backward(void *what, ptrdiff_t piece, rk_seat *seat) {
    const layer_work *work = what;
    const rk_call *call = work->pass->calls[piece / work->pass->n_tiles];
    const rk_part part = tile_of(work->pass, piece, call->steps + 1);
    work->k->backward(call, &part, scratch_of(work, seat), seat);
}

/* A share of a step of all sequences. */
static rk_part share_of_step(const layer_work *work, ptrdiff_t piece) {
    return (rk_part){0, work->pass->calls[0]->batch, work->step, work->step + 1, (int)piece,
                     work->shares};
}

static void step_forward(void *what, ptrdiff_t piece, rk_seat *seat) {
    const layer_work *work = what;
    const rk_part part = share_of_step(work, piece);
    work->k->forward(work->pass->calls[work->direction], &part, scratch_of(work, seat), seat);
}

static void step_backward(void *what, ptrdiff_t piece, rk_seat *seat) {
    const layer_work *work = what;
    const rk_part part = share_of_step(work, piece);
    work->k->backward(work->pass->calls[work->direction], &part, scratch_of(work, seat), seat);
}

/* After the steps: parameter gradients, the larger pieces, and then those of the inputs. */
static void gradients(void *what, ptrdiff_t piece, rk_seat *seat) {
    const layer_work *work = what;
    const rk_pass *pass = work->pass;
    if (piece < work->gradients * pass->n_calls) {
        const ptrdiff_t own = piece % work->gradients;
        const ptrdiff_t first = own / work->shares * work->together;
        const ptrdiff_t last = first + work->together;
        work->k->parameter_gradient(pass->calls[piece / work->gradients], first,
                                    last < work->panels ? last : work->panels,
                                    (int)(own % work->shares), work->shares,
                                    scratch_of(work, seat), seat);
        return;
    }
    piece -= work->gradients * pass->n_calls;
    const rk_call *call = pass->calls[piece / work->inputs];
    const ptrdiff_t first = piece % work->inputs * RK_INPUT_GRADIENT_ROWS;
    const ptrdiff_t last = first + RK_INPUT_GRADIENT_ROWS;
    work->k->input_gradient(call, first, last < call->rows ? last : call->rows, seat);
}

/* All sequences together, step after step. Each step is shared anew, so that a share whose thread
 * has no processor is taken by another. */
static void share_steps(rk_crew *crew, rk_work run, layer_work *work, ptrdiff_t steps) {
    const rk_pass *pass = work->pass;
    const int most = work->k->most_shares(pass->calls[0]);
    work->shares = crew->threads < most ? crew->threads : most;
    for (work->direction = 0; work->direction < pass->n_calls; work->direction++)
        for (work->step = 0; work->step < steps && !crew->left; work->step++)
            rk_share(crew, run, work, work->shares, RK_IN_STEPS);
}

int rk_forward(const rk_kernels *k, const rk_pass *pass) {
    layer_work work = {.k = k, .pass = pass};
    rk_crew crew;
    rk_enter(&crew, pass->threads);
    if (k->pair_columns && pass->calls[0]->x)
        rk_share(&crew, pair_inputs, &work, paired_pieces(pass->calls[0]) * pass->n_calls,
                 RK_NEAREST);
    for (work.direction = 0; work.direction < pass->n_calls; work.direction++)
        if (pass->calls[work.direction]->starts)
            rk_share(&crew, sum_inputs, &work, table_pieces(pass->calls[work.direction]),
                     RK_NEAREST);
    if (pass->n_tiles == 0)
        share_steps(&crew, step_forward, &work, pass->calls[0]->steps);
    else
        rk_share(&crew, tile_forward, &work, pass->n_tiles * pass->n_calls, RK_NEAREST);
    return rk_leave_crew(&crew);
}

void rk_step(const rk_kernels *k, const rk_call *call, char *scratch) {
    const rk_part part = {0, call->batch, 0, 1, 0, 1};
    rk_seat seat = {0, RK_OPERATIONS_BETWEEN_LOOKS, NULL};
    const unsigned mode = rk_flush_denormals();
    k->forward(call, &part, scratch, &seat);
    rk_restore_mode(mode);
}

/* How the parameter gradients of a direction are cut: some panels at once, or, where few panels do
 * not divide among its threads, each panel's columns as well. */
static void cut_gradients(layer_work *work, int threads) {
    const ptrdiff_t panels = work->panels, each = panels / threads;
    const int uneven = panels % threads != 0 && panels < RK_PANELS_TOGETHER * threads;
    work->together = uneven || each < 1 ? 1
                     : each < RK_PANELS_TOGETHER ? each : RK_PANELS_TOGETHER;
    work->shares = uneven ? threads : 1;
    work->gradients = (panels + work->together - 1) / work->together * work->shares;
}

int rk_backward(const rk_kernels *k, const rk_pass *pass) {
    const rk_call *call = pass->calls[0];
    layer_work work = {.k = k, .pass = pass};
    rk_crew crew;
    rk_enter(&crew, pass->threads);
    if (pass->n_tiles == 0)
        share_steps(&crew, step_backward, &work, call->steps + 1);
    else
        rk_share(&crew, tile_backward, &work, pass->n_tiles * pass->n_calls, RK_NEAREST);
    work.panels = (call->layer.hidden + k->lanes - 1) / k->lanes;
    work.inputs =
        call->dx ? (call->rows + RK_INPUT_GRADIENT_ROWS - 1) / RK_INPUT_GRADIENT_ROWS : 0;
    cut_gradients(&work, (crew.threads + pass->n_calls - 1) / pass->n_calls);
    rk_share(&crew, gradients, &work, (work.gradients + work.inputs) * pass->n_calls,
             RK_IN_ORDER);
    return rk_leave_crew(&crew);
}

/* What the pieces of a matrix' change of form are cut from. */
typedef struct {
    const rk_kernels *k;
    const rk_matrix *m;
} matrix_work;

/* Some panels of a matrix, or column groups of its transpose. */
static void convert_some(const rk_kernels *k, const rk_matrix *m, ptrdiff_t first, ptrdiff_t last) {
    if (m->form == RK_PACK_TRANSPOSED)
        k->pack_transposed(m->from, m->hidden, m->columns, m->gates, m->n_gates, m->to, first,
                           last);
    else
        (m->form == RK_UNPACK_ADD ? k->unpack_add : k->pack_operand)(
            m->from, m->hidden, m->columns, m->gates, m->n_gates, m->first_slot, m->slots, m->to,
            first, last);
}

static void convert(void *what, ptrdiff_t piece, rk_seat *seat) {
    const matrix_work *work = what;
    const rk_matrix *m = work->m;
    if (!rk_leave(seat, (double)(m->columns * m->n_gates * work->k->lanes)))
        convert_some(work->k, m, piece, piece + 1);
}

int rk_convert(const rk_kernels *k, const rk_matrix *m, int threads) {
    const ptrdiff_t group = m->form == RK_PACK_TRANSPOSED ? RK_GROUP_VECTORS * k->lanes : k->lanes;
    const ptrdiff_t units = m->form == RK_PACK_TRANSPOSED ? m->columns : m->hidden;
    const ptrdiff_t pieces = (units + group - 1) / group;
    if (threads == 0) { /* denormal sums, too, are the same however many threads there are */
        const unsigned mode = rk_flush_denormals();
        convert_some(k, m, 0, pieces);
        rk_restore_mode(mode);
        return 0;
    }
    matrix_work work = {k, m};
    rk_crew crew;
    rk_enter(&crew, threads);
    rk_share(&crew, convert, &work, pieces, RK_NEAREST);
    return rk_leave_crew(&crew);
}

typedef struct {
    char *memory;
    size_t n_bytes;
} memory_work;

static void clear(void *what, ptrdiff_t piece, rk_seat *seat) {
    const memory_work *work = what;
    const size_t first = (size_t)piece * RK_CLEARED_BYTES, left = work->n_bytes - first;
    (void)seat;
    memset(work->memory + first, 0, left < RK_CLEARED_BYTES ? left : RK_CLEARED_BYTES);
}

int rk_clear(void *memory, size_t n_bytes, int threads) {
    memory_work work = {memory, n_bytes};
    rk_crew crew;
    if (threads == 0) {
        memset(memory, 0, n_bytes);
        return 0;
    }
    rk_enter(&crew, threads);
    rk_share(&crew, clear, &work,
             (ptrdiff_t)((n_bytes + RK_CLEARED_BYTES - 1) / RK_CLEARED_BYTES), RK_NEAREST);
    return rk_leave_crew(&crew);
}

/* What the pieces of a dense layer's call are cut from. */
typedef struct {
    const rk_kernels *k;
    const void *x, *weight, *bias, *dy;
    void *y, *dw;
    ptrdiff_t rows, inputs, outputs;
} dense_work;

static void dense_rows(void *what, ptrdiff_t piece, rk_seat *seat) {
    const dense_work *work = what;
    const ptrdiff_t first = piece * RK_DENSE_ROWS, last = first + RK_DENSE_ROWS;
    work->k->dense(work->x, work->weight, work->bias, work->y, work->inputs, work->outputs, first,
                   last < work->rows ? last : work->rows, seat);
}

int rk_dense(const rk_kernels *k, const void *x, const void *weight, const void *bias, void *y,
             ptrdiff_t inputs, ptrdiff_t outputs, ptrdiff_t rows, int threads) {
    dense_work work = {.k = k, .x = x, .weight = weight, .bias = bias, .y = y,
                       .rows = rows, .inputs = inputs, .outputs = outputs};
    rk_crew crew;
    rk_enter(&crew, threads);
    rk_share(&crew, dense_rows, &work, (rows + RK_DENSE_ROWS - 1) / RK_DENSE_ROWS, RK_NEAREST);
    return rk_leave_crew(&crew);
}

void rk_dense_step(const rk_kernels *k, const void *x, const void *weight, const void *bias, void *y,
                   ptrdiff_t inputs, ptrdiff_t outputs, ptrdiff_t rows) {
    rk_seat seat = {0, RK_OPERATIONS_BETWEEN_LOOKS, NULL};
    const unsigned mode = rk_flush_denormals();
    k->dense(x, weight, bias, y, inputs, outputs, 0, rows, &seat);
    rk_restore_mode(mode);
}

static void dense_outputs(void *what, ptrdiff_t piece, rk_seat *seat) {
    const dense_work *work = what;
    const ptrdiff_t first = piece * RK_DENSE_GRADIENT_OUTPUTS;
    const ptrdiff_t last = first + RK_DENSE_GRADIENT_OUTPUTS;
    work->k->dense_gradient(work->x, work->dy, work->dw, work->rows, work->inputs, work->outputs,
                            first, last < work->outputs ? last : work->outputs, seat);
}

int rk_dense_gradient(const rk_kernels *k, const void *x, const void *dy, void *dw,
                      ptrdiff_t rows, ptrdiff_t inputs, ptrdiff_t outputs, int threads) {
    dense_work work = {.k = k, .x = x, .dy = dy, .dw = dw,
                       .rows = rows, .inputs = inputs, .outputs = outputs};
    rk_crew crew;
    rk_enter(&crew, threads);
    rk_share(&crew, dense_outputs, &work,
             (outputs + RK_DENSE_GRADIENT_OUTPUTS - 1) / RK_DENSE_GRADIENT_OUTPUTS, RK_NEAREST);
    return rk_leave_crew(&crew);
}
