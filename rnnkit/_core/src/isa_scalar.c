/* The kernels for any machine. */
#define RK_ISA_HEADER "vec_scalar.h"
#define RK_TABLE rk_kernels_scalar
#include "every_dtype.inl"
