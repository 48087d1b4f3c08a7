/* The kernels for any machine with their products by a BLAS; those of pairs on register tiles. */
#ifndef RK_SCALAR_ALONE
#define RK_ISA blas
#define RK_ISA_HEADER "vec_blas.h"
#define RK_PRODUCTS_BY_BLAS 1
#include "every_dtype.inl"
#endif
