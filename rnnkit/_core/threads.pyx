"""The sole owner of the C core: thread count, instruction set, and the doors to its drivers."""

import os

import numpy as np

from rnnkit._core.kernels cimport (
    RK_BFLOAT16,
    RK_FLOAT32,
    RK_FLOAT64,
    RK_OPERATIONS_WORTH_A_THREAD,
    rk_backward,
    rk_busy_threads,
    rk_call,
    rk_compiler,
    rk_dense,
    rk_dense_gradient,
    rk_forward,
    rk_has_openmp,
    rk_isa_available,
    rk_isa_count,
    rk_isa_name,
    rk_kernels,
    rk_kernels_of,
    rk_max_threads,
    rk_step,
    rk_watch_forks,
)

cdef int forced_threads = 0  # 0: the rule of max_threads
cdef int physical_cores = 0  # 0: not asked yet
cdef bytes isa_in_use = b""  # not chosen yet


def available_isas():
    """Return the names of the instruction sets this machine can run, slowest first."""
    rows = [row for row in range(rk_isa_count()) if rk_isa_available(row)]
    return tuple(dict.fromkeys(rk_isa_name(row).decode() for row in rows))


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
    before = current_isa()
    isa_in_use = name.encode()
    return before


def multiplies_bfloat16():
    """Return whether the instruction set in use has a bfloat16 product of this machine's own."""
    return bool(rk_kernels_of(isa_in_use, RK_BFLOAT16).pairs_by_instruction)


def compiler():
    """Return the compiler that built the core."""
    return rk_compiler().decode()


def openmp_version():
    """Return the date of the OpenMP standard compiled in (201511 is 4.5), 0 in a serial build."""
    return rk_has_openmp()


def max_threads():
    """Return how many threads a large call uses.

    OpenMP's limit, which OMP_NUM_THREADS, threadpoolctl and joblib's workers set, and not more
    than the physical cores unless OMP_NUM_THREADS asks for it, nor than 256 or the processors if
    these are more; 1 in a child forked after a parallel region, where the OpenMP runtime could
    hang.
    """
    global physical_cores
    cdef int limit = rk_max_threads()
    if forced_threads:
        return forced_threads
    if limit == 1 or os.environ.get("OMP_NUM_THREADS"):
        return limit
    if physical_cores == 0:
        import joblib

        physical_cores = joblib.cpu_count(only_physical_cores=True)
    return min(limit, physical_cores)


def force_threads(int n):
    """Use exactly n threads for calls of any size, 0: the usual rule; return the value before."""
    global forced_threads
    if n < 0:
        raise ValueError(f"the number of threads must not be negative, got {n}")
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


cdef const rk_kernels *current_kernels(object dtype) except NULL:
    cdef const rk_kernels *kernels
    if dtype == np.float32:
        kernels = rk_kernels_of(isa_in_use, RK_FLOAT32)
    elif dtype == np.float64:
        kernels = rk_kernels_of(isa_in_use, RK_FLOAT64)
    elif dtype == "bfloat16":
        kernels = rk_kernels_of(isa_in_use, RK_BFLOAT16)
    else:
        raise TypeError(f"dtype must be float32 or float64, got {dtype}")
    return kernels


# The C sources are linked into this module alone, so that there is one fork flag; the other
# modules of the core come through these.

cdef void run_forward(const rk_kernels *k, const rk_call *call, const ptrdiff_t *tiles,
                      int n_tiles, int threads, char *scratch,
                      size_t scratch_stride) noexcept nogil:
    rk_forward(k, call, tiles, n_tiles, threads, scratch, scratch_stride)


cdef void run_step(const rk_kernels *k, const rk_call *call, char *scratch) noexcept nogil:
    rk_step(k, call, scratch)


cdef void run_backward(const rk_kernels *k, const rk_call *call, const ptrdiff_t *tiles,
                       int n_tiles, int threads, char *scratch,
                       size_t scratch_stride) noexcept nogil:
    rk_backward(k, call, tiles, n_tiles, threads, scratch, scratch_stride)


cdef void run_dense(const rk_kernels *k, const void *x, const void *weight, const void *bias,
                    void *y, ptrdiff_t inputs, ptrdiff_t outputs, ptrdiff_t rows,
                    int threads) noexcept nogil:
    rk_dense(k, x, weight, bias, y, inputs, outputs, rows, threads)


cdef void run_dense_gradient(const rk_kernels *k, const void *x, const void *dy, void *dw,
                             ptrdiff_t rows, ptrdiff_t inputs, ptrdiff_t outputs,
                             int threads) noexcept nogil:
    rk_dense_gradient(k, x, dy, dw, rows, inputs, outputs, threads)


if rk_watch_forks() != 0:
    raise ImportError("rnnkit could not register its fork handler")
set_isa(os.environ.get("RNNKIT_ISA") or available_isas()[-1])
