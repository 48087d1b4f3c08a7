"""The sole owner of the C core: thread count, instruction set, and the doors to its drivers."""

import atexit
import os
import threading

import numpy as np

from cpython.pycapsule cimport PyCapsule_GetName, PyCapsule_GetPointer

from rnnkit._core.kernels cimport (
    RK_AS_OTHERS,
    RK_BFLOAT16,
    RK_BY_INSTRUCTION,
    RK_BY_TILES,
    RK_BYTES_WORTH_A_THREAD,
    RK_FLOAT32,
    RK_FLOAT64,
    RK_INT8,
    RK_MOST_THREADS,
    RK_OPERATIONS_WORTH_A_THREAD,
    rk_ask_openmp,
    rk_asks_openmp,
    rk_backward,
    rk_busy_threads,
    rk_call,
    rk_clear,
    rk_compiler,
    rk_convert,
    rk_crf,
    rk_ctc,
    rk_dense,
    rk_dense_gradient,
    rk_dense_step,
    rk_end_workers,
    rk_forward,
    rk_helpers,
    rk_hide_rows,
    rk_isa_available,
    rk_isa_count,
    rk_isa_file,
    rk_isa_name,
    rk_kernels,
    rk_kernels_of,
    rk_label_kernels,
    rk_matrix,
    rk_on_poll,
    rk_openmp_limit,
    rk_pass,
    rk_processors,
    rk_run_crf,
    rk_run_ctc,
    rk_step,
    rk_sum_inputs,
    rk_take_blas,
    rk_watch_forks,
    rk_workers,
)

cdef extern from "Python.h" nogil:
    unsigned long PyThread_get_thread_ident()
    int PyErr_CheckSignals()  # what it raises stays with the thread until `left` passes it on
    void *PyErr_Occurred()

THREADS_A_PROCESSOR = 4  # that OMP_NUM_THREADS may ask for

_GEMM = b"void (char *, char *, int *, int *, int *, "  # how the types of a gemm begin, in Cython

cdef int forced_threads = 0  # 0: the rule of max_threads
cdef int physical_cores = 0  # 0: not asked yet
cdef bytes isa_in_use = b""  # not chosen yet
cdef bint threads_asked_for = bool(os.environ.get("OMP_NUM_THREADS"))
cdef unsigned long main_thread = threading.main_thread().ident


cdef bytes openmp_library():
    """Ask the OpenMP runtime of scikit-learn, or else of any library, whose limits are then ours.

    Linked to none, the core brings no second runtime into a process: one whose threads nobody
    needs, and on macOS one that may end it. What `threadpool_limits` sets is set on all of them.
    """
    for file in libraries_with_openmp():
        path = os.fsencode(file)
        if rk_ask_openmp(path):
            return path
    return b""


def libraries_with_openmp():
    """Yield the files of loaded libraries that may use OpenMP, scikit-learn's first."""
    try:
        import sklearn.utils._openmp_helpers as helpers
        yield helpers.__file__
    except (ImportError, AttributeError):
        pass
    from threadpoolctl import threadpool_info

    for pool in threadpool_info():
        if pool["user_api"] == "openmp":
            yield pool["filepath"]


def first_number(str text):
    """Return the first of the numbers that OMP_NUM_THREADS may list, RK_MOST_THREADS if none."""
    first = text.split(",")[0].strip()
    return int(first) if first.isdecimal() and int(first) else RK_MOST_THREADS


cdef bytes asked_library = openmp_library()
cdef int limit_without_openmp = min(first_number(os.environ.get("OMP_NUM_THREADS", "")),
                                    RK_MOST_THREADS)
cdef int processors_at_import = rk_processors()


def available_isas():
    """Return the names of the instruction sets this machine can run, slowest first."""
    rows = {}  # of each name the first, whose needs are the least
    for row in range(rk_isa_count()):
        rows.setdefault(rk_isa_name(row).decode(), row)
    return tuple(name for name, row in rows.items() if rk_isa_available(row))


def current_isa():
    """Return the name of the instruction set in use."""
    return isa_in_use.decode()


def set_isa(name):
    """Run calls bound from now on with this instruction set; return the one before."""
    global isa_in_use
    if name not in available_isas():
        raise ValueError(
            f"RNNKIT_ISA must be one of {', '.join(available_isas())} on this machine, got {name!r}"
        )
    if name == "blas":
        _take_blas()
    before = current_isa()
    isa_in_use = name.encode()
    return before


def _take_blas():
    """Give the products of SciPy's BLAS to the kernels; nothing else of the core asks for SciPy."""
    from scipy.linalg import cython_blas

    functions = [cython_blas.__pyx_capi__[name] for name in ("sgemm", "dgemm")]
    for function in functions:
        if not PyCapsule_GetName(function).startswith(_GEMM):
            raise ImportError("RNNKIT_ISA=blas needs a SciPy whose BLAS counts in 32 bits, got one "
                              f"with {PyCapsule_GetName(function).decode()}")
    rk_take_blas(PyCapsule_GetPointer(functions[0], PyCapsule_GetName(functions[0])),
                 PyCapsule_GetPointer(functions[1], PyCapsule_GetName(functions[1])))


def multiplies_bfloat16():
    """Return what multiplies bfloat16: "float products", "instruction" or "tiles" (of AMX)."""
    cdef int how = rk_kernels_of(isa_in_use, RK_BFLOAT16).multiplied
    return {RK_AS_OTHERS: "float products", RK_BY_INSTRUCTION: "instruction",
            RK_BY_TILES: "tiles"}[how]


def multiplies_int8():
    """Return whether the instruction set in use has a product of bytes of this machine's own."""
    return rk_kernels_of(isa_in_use, RK_INT8).multiplied == RK_BY_INSTRUCTION


def without_instructions_of_their_own(hidden):
    """Compute, for operations bound from now on, as a machine with no more than a set's name says.

    Its products of bfloat16 and of bytes are then the plain ones. For tests; False: as usual; the
    name of a file, isa_<name>.c: without what that one needs.
    """
    cdef int row
    cdef unsigned rows = 0
    for row in range(1, rk_isa_count()):
        if rk_isa_name(row) == rk_isa_name(row - 1):
            if hidden is True or hidden == rk_isa_file(row).decode():
                rows |= <unsigned>1 << row
    rk_hide_rows(rows)


def compiler():
    """Return the compiler that built the core."""
    return rk_compiler().decode()


def helpers():
    """Return who shares the work of a call: "pool", "regions" (of OpenMP) or "nobody"."""
    return rk_helpers().decode()


def limits_from():
    """Return the file of the library whose OpenMP runtime sets the limits, "" if there is none."""
    return os.fsdecode(asked_library)


def max_threads():
    """Return how many threads a large call uses.

    The limit of scikit-learn's OpenMP, which OMP_NUM_THREADS, threadpoolctl and joblib's workers
    set, or OMP_NUM_THREADS alone where scikit-learn has none; not more than the physical cores or
    the processors that the calling thread may use now, unless OMP_NUM_THREADS asks for it. It may
    ask for THREADS_A_PROCESSOR times as many processors as there were at import, and for none that
    was taken away since.
    """
    global physical_cores
    cdef int limit, processors
    if forced_threads:
        return forced_threads
    limit = rk_openmp_limit() if rk_asks_openmp() else limit_without_openmp
    limit = min(limit, RK_MOST_THREADS)
    if limit == 1:
        return 1
    processors = max(1, rk_processors())
    if threads_asked_for:
        if processors < processors_at_import:
            return min(limit, processors)
        return min(limit, THREADS_A_PROCESSOR * processors)
    if physical_cores == 0:
        import joblib

        physical_cores = joblib.cpu_count(only_physical_cores=True)
    return min(limit, processors, physical_cores)


def force_threads(int n):
    """Use exactly n threads for calls of any size, 0: the usual rule; return the value before."""
    global forced_threads
    if n < 0:
        raise ValueError(f"the number of threads must not be negative, got {n}")
    if n > RK_MOST_THREADS:
        raise ValueError(f"the number of threads must be at most {RK_MOST_THREADS}, got {n}")
    before = forced_threads
    forced_threads = n
    return before


cdef int thread_count(double operations):
    if forced_threads:
        return forced_threads
    if operations < RK_OPERATIONS_WORTH_A_THREAD:
        return 1
    return max_threads()


def busy_threads():
    """Return how many threads the calls of all Python threads are using at this moment."""
    return rk_busy_threads()


def processors():
    """Return how many processors the calling thread may use now."""
    return rk_processors()


def workers():
    """Return how many threads the core has started in this process; none before the first need."""
    return rk_workers()


cdef const rk_kernels *current_kernels(object dtype) except NULL:
    cdef const rk_kernels *kernels
    if dtype == np.float32:
        kernels = rk_kernels_of(isa_in_use, RK_FLOAT32)
    elif dtype == np.float64:
        kernels = rk_kernels_of(isa_in_use, RK_FLOAT64)
    elif dtype == "bfloat16":
        kernels = rk_kernels_of(isa_in_use, RK_BFLOAT16)
    elif dtype == "int8":
        kernels = rk_kernels_of(isa_in_use, RK_INT8)
    else:
        raise TypeError(f"dtype must be float32 or float64, got {dtype}")
    return kernels


cdef const rk_label_kernels *label_kernels() except NULL:
    """Return the kernels of CRF and CTC of the instruction set in use; all give the same bits."""
    return rk_kernels_of(isa_in_use, RK_FLOAT64).labels


cdef int poll() noexcept nogil:
    """Let Python see to its signals, in its main thread; not 0 if a handler raised."""
    if PyThread_get_thread_ident() != main_thread:
        return 0
    with gil:
        return PyErr_CheckSignals() != 0


cdef int left(int status) except -1 nogil:
    """Raise what ended a call before its end: what a handler raised, or a fork within one."""
    if status == 0:
        return 0
    with gil:
        if PyErr_Occurred() == NULL:
            raise RuntimeError("a signal handler forked during this call, which cannot go on in "
                               "the child")
    return -1


def _end_workers():
    rk_end_workers()


def _main_thread_after_fork():
    """Note that the thread that forked is the child's main thread."""
    global main_thread
    main_thread = threading.get_ident()


# The C sources are linked into this module alone, so that there is one pool of workers; the other
# modules of the core come through these.

cdef int run_forward(const rk_kernels *k, const rk_pass *one) except -1 nogil:
    return left(rk_forward(k, one))


cdef void run_input_sums(const rk_kernels *k, const rk_call *call) noexcept nogil:
    rk_sum_inputs(k, call)


cdef void run_step(const rk_kernels *k, const rk_call *call, char *scratch) noexcept nogil:
    rk_step(k, call, scratch)


cdef int run_backward(const rk_kernels *k, const rk_pass *one) except -1 nogil:
    return left(rk_backward(k, one))


cdef int threads_to_move(size_t n_bytes):
    """How many threads share so little arithmetic on so many bytes; 0: it is not worth a call."""
    if forced_threads:
        return forced_threads
    return max_threads() if n_bytes >= RK_BYTES_WORTH_A_THREAD else 0


cdef int run_convert(const rk_kernels *k, const rk_matrix *matrix, size_t n_bytes) except -1:
    """Bring a matrix of so many bytes into another form."""
    cdef int threads = threads_to_move(n_bytes)
    if threads == 0:
        return rk_convert(k, matrix, 0)
    with nogil:
        return left(rk_convert(k, matrix, threads))


cdef int run_clear(void *memory, size_t n_bytes) except -1:
    """Set memory to zeros."""
    cdef int threads = threads_to_move(n_bytes)
    if threads == 0:
        return rk_clear(memory, n_bytes, 0)
    with nogil:
        return left(rk_clear(memory, n_bytes, threads))


cdef int run_dense(const rk_kernels *k, const void *x, const void *weight, const void *bias,
                   void *y, ptrdiff_t inputs, ptrdiff_t outputs, ptrdiff_t rows,
                   int threads) except -1 nogil:
    return left(rk_dense(k, x, weight, bias, y, inputs, outputs, rows, threads))


cdef void run_dense_step(const rk_kernels *k, const void *x, const void *weight, const void *bias,
                         void *y, ptrdiff_t inputs, ptrdiff_t outputs,
                         ptrdiff_t rows) noexcept nogil:
    rk_dense_step(k, x, weight, bias, y, inputs, outputs, rows)


cdef int run_dense_gradient(const rk_kernels *k, const void *x, const void *dy, void *dw,
                            ptrdiff_t rows, ptrdiff_t inputs, ptrdiff_t outputs,
                            int threads) except -1 nogil:
    return left(rk_dense_gradient(k, x, dy, dw, rows, inputs, outputs, threads))


cdef int run_crf(const rk_label_kernels *k, const rk_crf *call, int task, int threads,
                 char *scratch, size_t stride) except -1 nogil:
    return left(rk_run_crf(k, call, task, threads, scratch, stride))


cdef int run_ctc(const rk_label_kernels *k, const rk_ctc *call, int task, int threads,
                 char *scratch, size_t stride) except -1 nogil:
    return left(rk_run_ctc(k, call, task, threads, scratch, stride))


if rk_watch_forks() != 0:
    raise ImportError("rnnkit could not register its fork handler")
rk_on_poll(poll)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_main_thread_after_fork)
atexit.register(_end_workers)
set_isa(os.environ.get("RNNKIT_ISA") or available_isas()[-1])
