/* The contract of the compute kernels: layouts, shapes, aliasing, and the table that holds them.
 *
 * Letters: B sequences of the minibatch, T steps, P packed rows, I inputs, H hidden units,
 * VL lanes of one vector, NP = ceil(H / VL) panels of hidden units, Hp = NP * VL.
 * `real` is float or double: each kernel exists for both, in every instruction set.
 *
 * Packed rows: sequences sorted longest first, stored step after step; step t owns the rows
 * step_offsets[t] .. step_offsets[t + 1], one for each of the first n_t sequences.
 *
 * Slots: what one hidden unit needs from the products of one step.
 *   rnn   a                 input and recurrent products both feed slot 0
 *   lstm  i f g o           both feed slots 0-3
 *   gru   n r z hn          inputs feed slots 0-2, the recurrent product feeds slots 1-3
 *
 * Gate buffer: [NP][rows][slots][VL]. Forward leaves the activated gates in it (gru: hn is the
 * recurrent part of n), backward overwrites them with the gradients of the slots' inputs. It
 * then serves unchanged as row operand of the dh and dx products and as vector operand of dW.
 *
 * Packed weights, zero where a lane lies beyond H:
 *   weight_ih  [NP][I][input slots][VL]       weight_hh  [NP][operand][recurrent slots][VL]
 *   bias       [NP][slots][VL]                peephole   [NP][3][VL]
 *   norm_*     as the bias, over their slots; norm_c, norm_c_bias [NP][VL]
 *   Transposed, for dh and dx, cut into column groups of up to 4 vectors:
 *   weight_*_t [column group][NP][slots of the product][VL][vectors of the group][VL]
 *
 * Pairs: with operands rounded to bfloat16, two neighbours of the summed dimension share the 32
 * bits of a float, the first in the low half. The summed dimension of an operand is then half as
 * long (rounded up; in tile registers to a multiple of 8), everything else lies as above; sums and
 * all other numbers stay float.
 *
 * Quads: with operands rounded to 8 bits four neighbours share the 32 bits of a float, the first in
 * the lowest, and two words come behind (quads.inl): the summed dimension of an operand is then
 * ceil(n / 4) + 2 long. Sums are integers of 32 bits, all other numbers float; forward alone.
 *
 * Same bits whatever the cut: each output element is one chain of fused multiply-adds (of pairs in
 * tile registers: of sums of 16 or 8 pairs) in a fixed order, so no result depends on the number of threads, on the tile a sequence lies in,
 * or on the sequences beside it. The set "blas" holds this as far as its BLAS does (blas.inl).
 */
#ifndef RK_KERNELS_H
#define RK_KERNELS_H

#include <stddef.h>
#include <string.h>
#include "labels.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "rnnkit needs a little-endian machine: so lie pairs of bfloat16, and numbers in its files"
#endif

enum { RK_RNN, RK_LSTM, RK_GRU };
enum { RK_FLOAT32, RK_FLOAT64, RK_BFLOAT16, RK_INT8, RK_DTYPE_COUNT };
enum { RK_AS_OTHERS, RK_BY_INSTRUCTION, RK_BY_TILES };
enum { RK_MOST_TERMS = 1 << 17 }; /* of a product of quads, whose sums are integers of 32 bits */
enum { RK_GROUP_VECTORS = 4 }; /* vectors in a full column group */
enum { RK_MOST_TILE_ROWS = 8 }; /* the highest register tile of all instruction sets */
enum { RK_MOST_TILE_SUMS = 24 }; /* the largest one, in vectors */

/* The activations, with the names of rnnkit/cells.py. */
#define RK_ACTIVATIONS(KIND)                                                                       \
    KIND(RK_TANH, "tanh")                                                                          \
    KIND(RK_SIGMOID, "sigmoid")                                                                    \
    KIND(RK_SOFTSIGN, "softsign")                                                                  \
    KIND(RK_RELU, "relu")                                                                          \
    KIND(RK_HARD_SIGMOID, "hard_sigmoid")                                                          \
    KIND(RK_LINEAR, "linear")                                                                      \
    KIND(RK_LEAKY_RELU, "leaky_relu")                                                              \
    KIND(RK_SCALED_TANH, "scaled_tanh")

#define RK_KIND(kind, name) kind,
enum rk_activation_kind { RK_ACTIVATIONS(RK_KIND) RK_ACTIVATION_COUNT };
#undef RK_KIND

typedef struct {
    int kind; /* enum rk_activation_kind */
    double alpha, beta;
} rk_activation;

/* The options of a cell, 0 where off, with the names of LayerSpec.options in rnnkit/cells.py. */
#define RK_OPTIONS(OPTION)                                                                         \
    OPTION(int, peephole)                                                                          \
    OPTION(int, coupled_gates)                                                                     \
    OPTION(int, gate_recurrence) /* gates see i, f and o of the step before */                     \
    OPTION(int, reset_before)                                                                      \
    OPTION(int, layer_norm)                                                                        \
    OPTION(int, has_clip)                                                                          \
    OPTION(double, clip)    /* limit of the activations' inputs, if has_clip */                    \
    OPTION(double, zoneout) /* expected share of the old state, outside training */                \
    OPTION(double, norm_epsilon) /* added to the variance, with layer_norm */

/* One layer in one direction; constant over a call. rnnkit/cells.py has the equations. */
typedef struct {
    int cell;
    int reverse;
#define RK_FIELD(type, name) type name;
    RK_OPTIONS(RK_FIELD)
#undef RK_FIELD
    rk_activation activation, gate_activation, output_activation;
    ptrdiff_t inputs, hidden;
    ptrdiff_t slots, input_slots, recurrent_slots; /* recurrent ones are the last */
    ptrdiff_t operand; /* what W_hh is applied to: h, with gate_recurrence h i f o side by side */
} rk_layer_spec;

/* Set an option; -1 if none has that name. */
static inline int rk_set_option(rk_layer_spec *layer, const char *option, double value) {
#define RK_SET(type, name)                                                                         \
    if (strcmp(option, #name) == 0) {                                                              \
        layer->name = (type)value;                                                                 \
        return 0;                                                                                  \
    }
    RK_OPTIONS(RK_SET)
#undef RK_SET
    return -1;
}

/* The activation of that name, -1 if there is none. */
static inline int rk_activation_named(const char *name) {
#define RK_NAMED(kind, its_name)                                                                   \
    if (strcmp(name, its_name) == 0)                                                               \
        return kind;
    RK_ACTIVATIONS(RK_NAMED)
#undef RK_NAMED
    return -1;
}

/* The packed parameters; parameters.pyx says what lies in them. */
#define RK_PANELS(PANELS)                                                                          \
    PANELS(weight_ih)                                                                              \
    PANELS(weight_hh)                                                                              \
    PANELS(bias)                                                                                   \
    PANELS(peephole)                                                                               \
    PANELS(norm_ih)                                                                                \
    PANELS(norm_hh)                                                                                \
    PANELS(norm_c)                                                                                 \
    PANELS(norm_c_bias)

/* One pass of a layer over a packed minibatch. Pointers to real unless typed; NULL where absent.
 * Nothing aliases, except that backward overwrites gates, dh and dc in place. */
typedef struct {
    rk_layer_spec layer;
    int training;
    int turned; /* whether the odd steps, not the even ones, meet the panels of the end last */
    ptrdiff_t batch, steps, rows;  /* B, T, P */
    const ptrdiff_t *step_offsets; /* (T + 1) */
    const ptrdiff_t *previous;     /* (P), packed row of h_prev, or -1 - b for h0 of b */
    ptrdiff_t y_stride, dy_stride; /* reals from row to row: H, or more beside another direction */

#define RK_FIELD(name) const void *name;
    RK_PANELS(RK_FIELD)
#undef RK_FIELD
    const void *weight_ih_t, *weight_hh_t;

    const void *x;              /* (P, I); not looked at outside backward with `starts` */
    const void *h0;             /* (B, H) */
    const void *recurrent_mask; /* (B, H) */
    const void *zoneout_h;      /* (P, H) of 0 and 1 */
    const void *zoneout_c;      /* (P, H) of 0 and 1 */
    void *y;                    /* (P, H) */
    void *c;                    /* (B, Hp), in: c0, out: c after the last step; lstm. With
                                   gate_recurrence (4, B, Hp): c, and i f o of the last step */

    /* Where rows repeat: (V, I) different ones, and which of them each packed row is. The sums of
     * gates begin with bias and input product, which such a row has once. */
    const void *table;       /* (V, I), with pairs or quads (V, operand length of I) */
    void *starts;            /* [NP][V][slots][VL], made by input_sums; NULL: x is multiplied */
    const ptrdiff_t *row_of; /* (P), 0 .. V - 1 */
    ptrdiff_t table_rows;    /* V */

    /* With pairs: the row operands of the products; with quads the first alone. */
    void *x_pairs;        /* (P, operand length of I) */
    const void *h0_pairs; /* (B, Hp / 2) */
    void *y_pairs;        /* (P, Hp / 2) */
    void *gate_pairs;     /* [NP][P][slots][VL / 2], gradients; backward */

    /* Kept for backward; only if training. */
    void *gates;         /* [NP][P][slots][VL] */
    void *c_prev;        /* (P, Hp), c before each step; lstm */
    void *c_new;         /* (P, Hp), c after each step before zoneout; lstm with peephole */
    void *h_used;        /* (P, operand, padded), what W_hh was applied to; with a recurrent mask or
                            gate_recurrence */
    void *h_reset;       /* (P, Hp), r * h_prev; gru with reset before */
    void *norm_hat_ih;   /* as gates over the input slots: LN(W x) */
    void *norm_hat_hh;   /* as gates over the recurrent slots: LN(U h) */
    void *norm_hat_c;    /* (P, Hp): LN(c) */
    void *norm_scale;    /* (P, 3): 1 / standard deviation of W x, U h and c */

    /* Backward only. */
    const void *dy; /* (P, H) */
    void *dh;       /* (B, Hp), in: dh_n, out: dh0 */
    void *dc;       /* as c, in: dc_n, out: dc0; lstm */
    void *dx;       /* (P, I) */
    void *dgates_ih, *dgates_hh; /* gradients of W x and U h; equal to gates without layer_norm */
    void *d_out, *dc_normed, *dc_state; /* (P, Hp): gradients of o's factor, of the normed and of
                                           the raw cell state; lstm with layer_norm */
#define RK_FIELD(name) void *d##name; /* packed as the weights, set here */
    RK_PANELS(RK_FIELD)
#undef RK_FIELD
} rk_call;

/* Point to the panels of that name and to those of their gradient; -1 if there are none. */
static inline int rk_panels_named(rk_call *call, const char *its_name, const void ***packed,
                                  void ***gradient) {
#define RK_NAMED(name)                                                                             \
    if (strcmp(its_name, #name) == 0) {                                                            \
        *packed = &call->name;                                                                     \
        *gradient = &call->d##name;                                                                \
        return 0;                                                                                  \
    }
    RK_PANELS(RK_NAMED)
#undef RK_NAMED
    return -1;
}

/* A part of a pass: some sequences in some steps and, of each step, a share of the hidden units. A
 * share reads what all shares of the step before it have written; parts that are whole, share 0 of
 * 1, may run all steps at once. */
typedef struct {
    ptrdiff_t first, last;           /* packed positions of the sequences */
    ptrdiff_t first_step, last_step; /* counted in the order of the pass */
    int share, shares;
} rk_part;

/* What a thread brings along. */
typedef struct rk_seat {
    int rank;             /* 0 is the calling thread */
    double patience;      /* operations until it looks up; negative: the call is being left */
    struct rk_crew *crew; /* pool.h; NULL: never looks up */
} rk_seat;

/* Look up from the work: for what the calling thread must see to, and whether to go on. */
int rk_look_up(rk_seat *seat);

/* Count operations to come; whether to leave them undone, with all others of the call. Kernels ask
 * before every piece of some milliseconds at most, whatever the sizes. */
static inline int rk_leave(rk_seat *seat, double operations) {
    seat->patience -= operations;
    return seat->patience < 0 && rk_look_up(seat);
}

/* The kernels of one instruction set and dtype; those for pairs are the recurrent ones alone, and
 * those for quads of these the ones of the forward pass. */
typedef struct {
    ptrdiff_t lanes; /* VL */
    int multiplied; /* pairs, or quads: as other numbers, or by something of their own */

    /* Words of an operand of a product of n terms. */
    ptrdiff_t (*operand_length)(ptrdiff_t n);

    /* The gates of w (G * H, columns) named in `gates` into the slots from first_slot on of
     * panels (NP, columns, slots, VL), zeros beyond H; of the panels first .. last. */
    void (*pack)(const void *w, ptrdiff_t hidden, ptrdiff_t columns, const int *gates,
                 ptrdiff_t n_gates, ptrdiff_t first_slot, ptrdiff_t slots, void *panels,
                 ptrdiff_t first, ptrdiff_t last);

    /* The same from panels to w, added. */
    void (*unpack_add)(const void *panels, ptrdiff_t hidden, ptrdiff_t columns, const int *gates,
                       ptrdiff_t n_gates, ptrdiff_t first_slot, ptrdiff_t slots, void *w,
                       ptrdiff_t first, ptrdiff_t last);

    /* As pack, but as operand of a product: in pairs or quads of columns where products want them. */
    void (*pack_operand)(const void *w, ptrdiff_t hidden, ptrdiff_t columns, const int *gates,
                         ptrdiff_t n_gates, ptrdiff_t first_slot, ptrdiff_t slots, void *panels,
                         ptrdiff_t first, ptrdiff_t last);

    /* Rows (n, width) of reals in pairs or quads of columns, `stride` reals from row to row; NULL
     * where the products take reals. */
    void (*pair_columns)(const void *rows, ptrdiff_t n, ptrdiff_t width, void *pairs,
                         ptrdiff_t stride);

    /* w (G * H, columns) as right operand of the dh and dx products: the groups of four vectors of
     * columns first .. last. */
    void (*pack_transposed)(const void *w, ptrdiff_t hidden, ptrdiff_t columns, const int *gates,
                            ptrdiff_t n_gates, void *groups, ptrdiff_t first, ptrdiff_t last);

    /* A matrix W (K, I), given by its strides in reals, and the bias (K), NULL for zeros, as
     * `dense` wants them. */
    void (*pack_dense)(const void *w, ptrdiff_t input_stride, ptrdiff_t output_stride,
                       const void *bias, ptrdiff_t inputs, ptrdiff_t outputs, void *groups,
                       void *padded_bias);

    /* Bytes of scratch that `forward` and `backward` need for a tile of that many sequences. */
    size_t (*scratch_bytes)(const rk_layer_spec *layer, ptrdiff_t tile_rows);

    /* How many shares the hidden units of a call can have; 1 if its options need whole rows. */
    int (*most_shares)(const rk_call *call);

    /* `starts` of the rows first .. last of the table: the very numbers that `forward` begins with
     * otherwise. Only where a step adds both products up at once: takes_starts. */
    void (*input_sums)(const rk_call *call, ptrdiff_t first, ptrdiff_t last, rk_seat *seat);
    int (*takes_starts)(const rk_layer_spec *layer);

    /* Run a part through its steps, 0 .. T. Writes y, c and what is kept. scratch:
     * scratch_bytes(...), 64-byte aligned, each thread its own. */
    void (*forward)(const rk_call *call, const rk_part *part, void *scratch, rk_seat *seat);

    /* The same backwards: gates become gradients; dh and dc end as dh0 and dc0. One step more,
     * 0 .. T + 1: each begins with the recurrent product of the one before. */
    void (*backward)(const rk_call *call, const rk_part *part, void *scratch, rk_seat *seat);

    /* dx for the packed rows first .. last, after backward. */
    void (*input_gradient)(const rk_call *call, ptrdiff_t first, ptrdiff_t last, rk_seat *seat);

    /* Every parameter gradient of the panels first .. last of hidden units, summed over all packed
     * rows in order, after backward; of the weights a share of the columns, of the rest all with
     * share 0. scratch: as for backward. */
    void (*parameter_gradient)(const rk_call *call, ptrdiff_t first, ptrdiff_t last, int share,
                               int shares, void *scratch, rk_seat *seat);

    /* y (n, K) = x (n, I) Wᵀ + b for rows first .. last. weight: [column group][I][vectors][VL],
     * bias: padded to the vectors. */
    void (*dense)(const void *x, const void *weight, const void *bias, void *y, ptrdiff_t inputs,
                  ptrdiff_t outputs, ptrdiff_t first, ptrdiff_t last, rk_seat *seat);

    /* dw (K, I) += dyᵀ x, summed over all rows in order, for the outputs first .. last. */
    void (*dense_gradient)(const void *x, const void *dy, void *dw, ptrdiff_t rows,
                           ptrdiff_t inputs, ptrdiff_t outputs, ptrdiff_t first, ptrdiff_t last,
                           rk_seat *seat);

    /* y[i] = f(x[i]), i < n; the very function that the cells use. At most 4 ULP from exact for
     * every kind. */
    void (*activate)(rk_activation f, const void *x, void *y, ptrdiff_t n);

    const rk_label_kernels *labels; /* labels.h; with the kernels for double alone */
} rk_kernels;

/* dispatch.c: the instruction sets, slowest first. Names may repeat. */
int rk_isa_count(void);
const char *rk_isa_name(int row);
const char *rk_isa_file(int row); /* isa_<file>.c */
int rk_isa_available(int row); /* whether this machine has it */
void rk_hide_rows(unsigned rows); /* count as if it had not what these bits say, for tests */
const rk_kernels *rk_kernels_of(const char *isa, int dtype); /* NULL if the machine lacks it */
void rk_take_blas(void *sgemm, void *dgemm); /* for "blas", before it is used: Fortran's addresses */

/* A matrix that changes its form: the arguments of pack_operand, pack_transposed or unpack_add. */
enum { RK_PACK_OPERAND, RK_PACK_TRANSPOSED, RK_UNPACK_ADD };

typedef struct {
    int form;
    const void *from;
    void *to;
    ptrdiff_t hidden, columns;
    const int *gates;
    ptrdiff_t n_gates, first_slot, slots;
} rk_matrix;

enum { RK_MOST_DIRECTIONS = 2 };

/* One direction of a layer, or both, over one minibatch: what its threads do together. The tiles of
 * sequences are those of each direction; n_tiles 0: the threads run all sequences of one direction
 * together, step by step. `scratch` holds `threads` pieces of `scratch_stride` bytes. */
typedef struct {
    const rk_call *calls[RK_MOST_DIRECTIONS];
    int n_calls;
    const ptrdiff_t *tiles;
    int n_tiles, threads;
    char *scratch;
    size_t scratch_stride;
} rk_pass;

/* parallel.c: whole-layer drivers. Each returns 0, or -1 if the call was left before its end
 * (pool.h). */
int rk_forward(const rk_kernels *k, const rk_pass *pass);
void rk_sum_inputs(const rk_kernels *k, const rk_call *call); /* of all rows of the table, here */
void rk_step(const rk_kernels *k, const rk_call *call, char *scratch); /* forward, T = 1, here */
int rk_backward(const rk_kernels *k, const rk_pass *pass);
int rk_convert(const rk_kernels *k, const rk_matrix *matrix, int threads); /* 0: at once, here */
int rk_clear(void *memory, size_t n_bytes, int threads);                  /* likewise, to zeros */
int rk_dense(const rk_kernels *k, const void *x, const void *weight, const void *bias, void *y,
             ptrdiff_t inputs, ptrdiff_t outputs, ptrdiff_t rows, int threads);
void rk_dense_step(const rk_kernels *k, const void *x, const void *weight, const void *bias, void *y,
                   ptrdiff_t inputs, ptrdiff_t outputs, ptrdiff_t rows); /* here alone */
int rk_dense_gradient(const rk_kernels *k, const void *x, const void *dy, void *dw,
                      ptrdiff_t rows, ptrdiff_t inputs, ptrdiff_t outputs, int threads);
const char *rk_compiler(void); /* name and version of the compiler */

#endif
