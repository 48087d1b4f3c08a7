/* The two functions that the set "blas" calls, of SciPy's BLAS; rk_take_blas fills them in. */
#ifndef RK_BLAS_H
#define RK_BLAS_H

#define RK_GEMM(name, real)                                                                        \
    typedef void (*name)(const char *trans_a, const char *trans_b, const int *m, const int *n,     \
                         const int *k, const real *alpha, const real *a, const int *lda,           \
                         const real *b, const int *ldb, const real *beta, real *c, const int *ldc)
RK_GEMM(rk_sgemm, float);
RK_GEMM(rk_dgemm, double);

extern rk_sgemm rk_gemm_f32;
extern rk_dgemm rk_gemm_f64;

#endif
