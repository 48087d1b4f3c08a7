"""Aligned memory that grows and is reused; arrays used where they lie."""

cdef bint lies_ready(array, int number_type, tuple shape)
cdef object checked_array(str name, array, dtype, tuple shape)
cdef void *address(array) noexcept
cdef bint lies_writable(array, int number_type, tuple shape)

cdef class Buffer:
    cdef void *data
    cdef size_t size
    cdef void *reserve(self, size_t n_bytes) except? NULL
    cdef void *reserve_zeros(self, size_t n_bytes) except? NULL

cdef void copy_rows(const void *source, size_t source_stride, void *target, size_t target_stride,
                    size_t n_bytes, ptrdiff_t rows) noexcept
cdef size_t checked_bytes(object itemsize, tuple shape) except? 0
