/* Portable, as vec_scalar.h, but four of its vectors wide: the products of a panel by a BLAS are. */
#include "vec_scalar.h"
#undef RK_VECTOR_BYTES
#define RK_VECTOR_BYTES 64
#pragma GCC diagnostic ignored "-Wpsabi" /* such vectors go to no other file */
