"""The parameters of a recurrent layer as the kernels want them."""
from rnnkit._core.kernels cimport rk_call, rk_kernels
from rnnkit._core.memory cimport Buffer

cdef class Parameter:
    cdef str name
    cdef tuple shape
    cdef const int *gates            # of the plain array, in the order of their slots
    cdef ptrdiff_t n_gates, columns  # the plain array is (n_gates * H, columns)
    cdef ptrdiff_t first_slot, slots
    cdef const void **packed         # where the kernels look for the panels
    cdef void **gradient             # and for those of the gradient
    cdef size_t n_bytes              # of the panels; 0: they are those of a parameter before
    cdef object array                # the plain one that was packed last
    cdef object target               # the plain one that its gradient is added to
    cdef Buffer panels, transposed

cdef class LayerParameters:
    cdef readonly dict shapes
    cdef rk_call *call
    cdef const rk_kernels *kernels
    cdef object dtype
    cdef ptrdiff_t padded
    cdef bint packed                 # whether `pack` came to its end
    cdef list table
    cdef tuple gates                 # with gate recurrence: the shapes of W_hh and of R
    cdef tuple targets               # and the plain arrays that the joined gradient is added to
    cdef Buffer gradients
    cdef int fill(self) except -1
    cdef int add(self, str name, str panels, const int *gates, ptrdiff_t first_slot,
                 ptrdiff_t slots) except -1
    cdef int pack(self, dict weights) except -1
    cdef dict beside_gates(self, dict weights)
    cdef dict gradients_beside_gates(self, dict gradients)
    cdef int add_gates(self) except -1
    cdef int convert(self, Parameter parameter, int form, const void *source,
                     void *target) except -1
    cdef int pack_transposed(self, Parameter parameter, const void **groups) except -1
    cdef int pack_for_backward(self, bint input_gradient) except -1
    cdef int check_gradients(self, dict gradients) except -1
    cdef int reserve_gradients(self) except -1
    cdef int add_gradients(self) except -1
    cdef ptrdiff_t slot_of(self, ptrdiff_t gate)

cdef LayerParameters parameters_of(spec, dtype, rk_call *call, const rk_kernels *kernels)
