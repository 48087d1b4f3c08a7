"""Aligned memory that grows and is reused; whether an array can be used where it lies."""

import numpy as np

cimport numpy as cnp
from libc.stdlib cimport free
from libc.string cimport memcpy, memset

from rnnkit._core.kernels cimport RK_BYTES_WORTH_LARGE_PAGES

cnp.import_array()

cdef extern from "stdlib.h" nogil:
    int posix_memalign(void **memory, size_t alignment, size_t size)

cdef extern from *:
    """
    #include <sys/mman.h>
    static inline void rk_ask_for_large_pages(void *memory, size_t n_bytes) {
    #ifdef MADV_HUGEPAGE
        madvise(memory, n_bytes, MADV_HUGEPAGE);
    #else
        (void)memory, (void)n_bytes;
    #endif
    }
    """
    void rk_ask_for_large_pages(void *memory, size_t n_bytes) nogil

cdef enum:
    ALIGNMENT_BYTES = 64  # one cache line, one AVX-512 vector
    LARGE_PAGE = 1 << 21  # bytes


cdef size_t checked_bytes(object itemsize, tuple shape) except? 0:
    """Multiply in Python's integers, so that nothing wraps."""
    cdef object total = itemsize
    for n in shape:
        total = total * n
    if total > 2 ** 47:
        raise MemoryError(
            f"this call needs {total / 2 ** 30:.3g} GB for an array of shape {shape}"
        )
    return total


cdef bint lies_ready(array, int number_type, tuple shape):
    """Whether this is a contiguous, aligned array of the type and shape: no call of Python."""
    cdef int axis
    if (type(array) is not np.ndarray or cnp.PyArray_TYPE(array) != number_type
            or not cnp.PyArray_ISCARRAY_RO(array) or cnp.PyArray_NDIM(array) != len(shape)):
        return False
    for axis in range(len(shape)):
        if cnp.PyArray_DIM(array, axis) != <ptrdiff_t>shape[axis]:
            return False
    return True


cdef bint lies_writable(array, int number_type, tuple shape):
    """The same, and whether it may be written to."""
    return lies_ready(array, number_type, shape) and cnp.PyArray_ISWRITEABLE(array)


cdef object checked_array(str name, array, dtype, tuple shape):
    """Return the array, contiguous and aligned, if it has the dtype and shape."""
    cdef int number_type = (<cnp.dtype>dtype).type_num
    if lies_ready(array, number_type, shape):
        return array
    if not isinstance(array, np.ndarray) or array.dtype != dtype:
        raise TypeError(f"{name} must be an array of {dtype}, got {array!r:.60}")
    # Of a subclass the array beneath it, since what that says of its shape may be anything.
    plain = np.require(array, dtype, ["C", "A"])
    if not lies_ready(plain, number_type, shape):
        raise ValueError(f"{name} must have shape {shape}, got {plain.shape}")
    return plain


cdef void *address(array) noexcept:
    """The first byte of a contiguous array; NULL for None."""
    return NULL if array is None else cnp.PyArray_DATA(array)


cdef void copy_rows(const void *source, size_t source_stride, void *target, size_t target_stride,
                    size_t n_bytes, ptrdiff_t rows) noexcept:
    """Copy the first bytes of each row; strides in bytes."""
    cdef ptrdiff_t r
    for r in range(rows):
        memcpy(<char *>target + r * target_stride, <const char *>source + r * source_stride,
               n_bytes)


cdef class Buffer:
    """A piece of 64-byte aligned memory; its content is lost when it grows."""

    def __cinit__(self):
        self.data = NULL
        self.size = 0

    def __dealloc__(self):
        free(self.data)

    cdef void *reserve(self, size_t n_bytes) except? NULL:
        cdef void *fresh = NULL
        cdef size_t alignment = ALIGNMENT_BYTES, asked = n_bytes if n_bytes else 1
        if n_bytes > self.size or self.data == NULL:
            free(self.data)
            self.data = NULL
            self.size = 0
            if n_bytes >= RK_BYTES_WORTH_LARGE_PAGES:
                alignment = LARGE_PAGE
                asked = (n_bytes + LARGE_PAGE - 1) // LARGE_PAGE * LARGE_PAGE
            if posix_memalign(&fresh, alignment, asked) != 0:
                raise MemoryError(f"could not get {n_bytes / 2 ** 30:.3g} GB of memory")
            if alignment == LARGE_PAGE:
                rk_ask_for_large_pages(fresh, asked)
            self.data = fresh
            self.size = n_bytes
        return self.data

    cdef void *reserve_zeros(self, size_t n_bytes) except? NULL:
        cdef void *data = self.reserve(n_bytes)
        memset(data, 0, n_bytes)
        return data
