"""The C interface of src/kernels.h, src/labels.h, src/pool.h and src/tuning.h."""

cdef extern from "src/tuning.h" nogil:
    int RK_BYTES_WORTH_A_THREAD, RK_BYTES_WORTH_LARGE_PAGES
    double RK_OPERATIONS_WORTH_A_THREAD
    double RK_OPERATIONS_WORTH_A_MEETING
    int RK_TABLE_REPEATS, RK_TABLE_BYTES, RK_TABLE_BYTES_OF_A_STREAM
    double RK_SEQUENCES_WORTH_A_TILE

cdef extern from "src/labels.h" nogil:
    enum:
        RK_CRF_KEPT
        RK_UNKNOWN
    enum:
        RK_CRF_GRADIENT
        RK_CRF_MARGINALS
        RK_CRF_VITERBI
    enum:
        RK_CTC_GRADIENT
        RK_CTC_GREEDY
        RK_CTC_BEAM

    ctypedef struct rk_rows:
        ptrdiff_t batch, steps, rows, width
        const ptrdiff_t *step_offsets
        const ptrdiff_t *lengths
        const void *scores
        int single

    ctypedef struct rk_crf:
        rk_rows in_ "in"
        const double *transitions
        const double *start
        const double *end
        const double *weights
        const ptrdiff_t *labels
        const ptrdiff_t *starts
        double *field
        double *kept
        double *held
        const char *has_unknown
        double *firsts
        double *lasts
        double *pairs
        double *losses
        void *dscores
        ptrdiff_t *decided
        double *best
        double *dtransitions
        double *dstart
        double *dend

    ctypedef struct rk_ctc:
        rk_rows in_ "in"
        const double *weights
        const ptrdiff_t *targets
        const ptrdiff_t *target_of
        const ptrdiff_t *starts
        ptrdiff_t width_of_beam
        double *losses
        void *dscores
        ptrdiff_t *spelled
        ptrdiff_t *counts
        double *log_probabilities

    ctypedef struct rk_label_kernels:
        size_t (*crf_scratch)(const rk_crf *call, ptrdiff_t longest)
        size_t (*ctc_scratch)(const rk_ctc *call, ptrdiff_t steps, ptrdiff_t labels)
        size_t (*beam_scratch)(const rk_ctc *call, ptrdiff_t steps)

    ptrdiff_t rk_whole(ptrdiff_t n)
    size_t rk_crf_field(ptrdiff_t k)
    int rk_run_crf(const rk_label_kernels *k, const rk_crf *call, int task, int threads,
                   char *scratch, size_t stride)
    int rk_run_ctc(const rk_label_kernels *k, const rk_ctc *call, int task, int threads,
                   char *scratch, size_t stride)

cdef extern from "src/kernels.h" nogil:
    enum:
        RK_RNN
        RK_LSTM
        RK_GRU
    enum:
        RK_FLOAT32
        RK_FLOAT64
        RK_BFLOAT16
        RK_INT8
    enum:
        RK_AS_OTHERS
        RK_BY_INSTRUCTION
        RK_BY_TILES

    ctypedef struct rk_activation:
        int kind
        double alpha
        double beta

    ctypedef struct rk_layer_spec:
        int cell, reverse
        int reset_before, layer_norm, peephole, gate_recurrence
        rk_activation activation, gate_activation, output_activation
        ptrdiff_t inputs, hidden
        ptrdiff_t slots, input_slots, recurrent_slots, operand

    int rk_set_option(rk_layer_spec *layer, const char *option, double value)
    int rk_activation_named(const char *name)

    ctypedef struct rk_call:
        rk_layer_spec layer
        int training
        int turned
        ptrdiff_t batch, steps, rows
        const ptrdiff_t *step_offsets
        const ptrdiff_t *previous
        ptrdiff_t y_stride, dy_stride
        const void *weight_ih_t
        const void *weight_hh_t
        const void *x
        const void *h0
        const void *recurrent_mask
        const void *zoneout_h
        const void *zoneout_c
        void *y
        void *c
        const void *table
        void *starts
        const ptrdiff_t *row_of
        ptrdiff_t table_rows
        void *gates
        void *c_prev
        void *c_new
        void *h_used
        void *h_reset
        void *norm_hat_ih
        void *norm_hat_hh
        void *norm_hat_c
        void *norm_scale
        const void *dy
        void *x_pairs
        const void *h0_pairs
        void *y_pairs
        void *gate_pairs
        void *dh
        void *dc
        void *dx
        void *dgates_ih
        void *dgates_hh
        void *d_out
        void *dc_normed
        void *dc_state

    int rk_panels_named(rk_call *call, const char *name, const void ***packed, void ***gradient)

    ctypedef struct rk_kernels:
        ptrdiff_t lanes
        int multiplied
        ptrdiff_t (*operand_length)(ptrdiff_t n)
        void (*pack)(const void *w, ptrdiff_t hidden, ptrdiff_t columns, const int *gates,
                     ptrdiff_t n_gates, ptrdiff_t first_slot, ptrdiff_t slots, void *panels,
                     ptrdiff_t first, ptrdiff_t last)
        void (*pair_columns)(const void *rows, ptrdiff_t n, ptrdiff_t width, void *pairs,
                             ptrdiff_t stride)
        void (*unpack_add)(const void *panels, ptrdiff_t hidden, ptrdiff_t columns,
                           const int *gates, ptrdiff_t n_gates, ptrdiff_t first_slot,
                           ptrdiff_t slots, void *w, ptrdiff_t first, ptrdiff_t last)
        void (*pack_dense)(const void *w, ptrdiff_t input_stride, ptrdiff_t output_stride,
                           const void *bias, ptrdiff_t inputs, ptrdiff_t outputs, void *groups,
                           void *padded_bias)
        int (*most_shares)(const rk_call *call)
        int (*takes_starts)(const rk_layer_spec *layer)
        void (*backward)(const rk_call *call, const void *part, void *scratch, void *seat)
        size_t (*scratch_bytes)(const rk_layer_spec *layer, ptrdiff_t tile_rows)
        void (*activate)(rk_activation f, const void *x, void *y, ptrdiff_t n)
        const rk_label_kernels *labels

    int RK_PACK_OPERAND, RK_PACK_TRANSPOSED, RK_UNPACK_ADD

    ctypedef struct rk_matrix:
        int form
        const void *source "from"
        void *to
        ptrdiff_t hidden, columns
        const int *gates
        ptrdiff_t n_gates, first_slot, slots

    int rk_isa_count()
    const char *rk_isa_name(int row)
    int rk_isa_available(int row)
    const char *rk_isa_file(int row)
    void rk_hide_rows(unsigned rows)
    const rk_kernels *rk_kernels_of(const char *isa, int dtype)
    void rk_take_blas(void *sgemm, void *dgemm)
    ctypedef struct rk_pass:
        const rk_call *calls[2]
        int n_calls
        const ptrdiff_t *tiles
        int n_tiles, threads
        char *scratch
        size_t scratch_stride

    int rk_forward(const rk_kernels *k, const rk_pass *one)
    void rk_sum_inputs(const rk_kernels *k, const rk_call *call)
    void rk_step(const rk_kernels *k, const rk_call *call, char *scratch)
    int rk_backward(const rk_kernels *k, const rk_pass *one)
    int rk_convert(const rk_kernels *k, const rk_matrix *matrix, int threads)
    int rk_clear(void *memory, size_t n_bytes, int threads)
    int rk_dense(const rk_kernels *k, const void *x, const void *weight, const void *bias, void *y,
                 ptrdiff_t inputs, ptrdiff_t outputs, ptrdiff_t rows, int threads)
    void rk_dense_step(const rk_kernels *k, const void *x, const void *weight, const void *bias,
                       void *y, ptrdiff_t inputs, ptrdiff_t outputs, ptrdiff_t rows)
    int rk_dense_gradient(const rk_kernels *k, const void *x, const void *dy, void *dw,
                          ptrdiff_t rows, ptrdiff_t inputs, ptrdiff_t outputs, int threads)
    const char *rk_compiler()

cdef extern from "src/pool.h" nogil:
    int RK_MOST_THREADS

    void rk_on_poll(int (*poll)() noexcept nogil)
    int rk_openmp_limit()
    int rk_processors()
    int rk_busy_threads()
    int rk_workers()
    int rk_ask_openmp(const char *library)
    const char *rk_helpers()
    int rk_asks_openmp()
    int rk_watch_forks()
    void rk_end_workers()
