"""How many threads a call may use, which kernels it runs, and the drivers that run them."""
from rnnkit._core.kernels cimport (
    rk_call,
    rk_crf,
    rk_ctc,
    rk_kernels,
    rk_label_kernels,
    rk_matrix,
    rk_pass,
)

cdef int thread_count(double operations)
cdef const rk_kernels *current_kernels(object dtype) except NULL
cdef int run_forward(const rk_kernels *k, const rk_pass *one) except -1 nogil
cdef void run_input_sums(const rk_kernels *k, const rk_call *call) noexcept nogil
cdef void run_step(const rk_kernels *k, const rk_call *call, char *scratch) noexcept nogil
cdef int run_backward(const rk_kernels *k, const rk_pass *one) except -1 nogil
cdef int run_convert(const rk_kernels *k, const rk_matrix *matrix, size_t n_bytes) except -1
cdef int run_clear(void *memory, size_t n_bytes) except -1
cdef int run_dense(const rk_kernels *k, const void *x, const void *weight, const void *bias,
                   void *y, ptrdiff_t inputs, ptrdiff_t outputs, ptrdiff_t rows,
                   int threads) except -1 nogil
cdef void run_dense_step(const rk_kernels *k, const void *x, const void *weight, const void *bias,
                         void *y, ptrdiff_t inputs, ptrdiff_t outputs,
                         ptrdiff_t rows) noexcept nogil
cdef int run_dense_gradient(const rk_kernels *k, const void *x, const void *dy, void *dw,
                            ptrdiff_t rows, ptrdiff_t inputs, ptrdiff_t outputs,
                            int threads) except -1 nogil
cdef const rk_label_kernels *label_kernels() except NULL
cdef int run_crf(const rk_label_kernels *k, const rk_crf *call, int task, int threads,
                 char *scratch, size_t stride) except -1 nogil
cdef int run_ctc(const rk_label_kernels *k, const rk_ctc *call, int task, int threads,
                 char *scratch, size_t stride) except -1 nogil
