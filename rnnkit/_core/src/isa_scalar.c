/* The kernels for any machine. */
#define RK_ISA scalar
#define RK_ISA_HEADER "vec_scalar.h"
#include "every_dtype.inl"
