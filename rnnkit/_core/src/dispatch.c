/* The instruction sets: their names, what a machine needs for them, and their kernels. */
#include "amx.h"
#include "blas.h"
#include "kernels.h"

/* Slowest first: name, isa_<file>.c, what the machine needs (the file's RK_TARGET). A row that
 * repeats a name stands for machines that have more: the kernels that it has serve in place of
 * those before it. */
#if defined(__x86_64__) && !defined(RK_SCALAR_ALONE)
#define RK_HAS(feature) (__builtin_cpu_supports(feature) != 0)
#define RK_HAS_AVX2 (RK_HAS("avx2") && RK_HAS("fma"))
#define RK_HAS_AVX512                                                                              \
    (RK_HAS_AVX2 && RK_HAS("avx512f") && RK_HAS("avx512bw") && RK_HAS("avx512dq") &&               \
     RK_HAS("avx512vl"))
#ifdef __clang__ /* which does not know the word in every version */
#include <cpuid.h>
static int has_avxvnni(const char *feature) {
    unsigned a = 0, b = 0, c = 0, d = 0;
    (void)feature;
    return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 4 & 1);
}
#define RK_HAS_ANEW(feature) has_avxvnni(feature)
#else
#define RK_HAS_ANEW(feature) RK_HAS(feature)
#endif
#define RK_MAY_USE(feature) rk_may_use(feature)
#define RK_ISAS(ROW)                                                                               \
    ROW("scalar", scalar, 1)                                                                       \
    ROW("blas", blas, 1)                                                                           \
    ROW("avx2", avx2, RK_HAS_AVX2)                                                                 \
    ROW("avx2", avx2vnni, RK_HAS_AVX2 && RK_HAS_ANEW("avxvnni"))                                   \
    ROW("avx512", avx512, RK_HAS_AVX512)                                                           \
    ROW("avx512", avx512bf16, RK_HAS_AVX512 && RK_HAS("avx512bf16"))                               \
    ROW("avx512", avx512amx,                                                                       \
        RK_HAS_AVX512 && RK_HAS("avx512bf16") && RK_MAY_USE("amx-tile") && RK_MAY_USE("amx-bf16"))   \
    ROW("avx512", avx512vnni, RK_HAS_AVX512 && RK_HAS("avx512vnni"))
#elif defined(__aarch64__) && !defined(RK_SCALAR_ALONE)
#define RK_ISAS(ROW)                                                                               \
    ROW("scalar", scalar, 1)                                                                       \
    ROW("blas", blas, 1)                                                                           \
    ROW("neon", neon, 1)
#elif !defined(RK_SCALAR_ALONE)
#define RK_ISAS(ROW)                                                                               \
    ROW("scalar", scalar, 1)                                                                       \
    ROW("blas", blas, 1)
#else
#define RK_ISAS(ROW) ROW("scalar", scalar, 1)
#endif

#define RK_DECLARE(name, file, needs)                                                              \
    extern const rk_kernels *const rk_kernels_##file[RK_DTYPE_COUNT];                              \
    static int machine_has_##file(void) {                                                          \
        return needs;                                                                              \
    }
RK_ISAS(RK_DECLARE)

#define RK_ROW(name, file, needs) {name, #file, machine_has_##file, rk_kernels_##file},
static const struct {
    const char *name, *file;
    int (*available)(void);
    const rk_kernels *const *kernels; /* for each dtype, or NULL */
} isas[] = {RK_ISAS(RK_ROW)};

rk_sgemm rk_gemm_f32;
rk_dgemm rk_gemm_f64;

void rk_take_blas(void *sgemm, void *dgemm) {
    memcpy(&rk_gemm_f32, &sgemm, sizeof sgemm);
    memcpy(&rk_gemm_f64, &dgemm, sizeof dgemm);
}

int rk_isa_count(void) {
    return (int)(sizeof isas / sizeof *isas);
}

const char *rk_isa_name(int row) {
    return isas[row].name;
}

const char *rk_isa_file(int row) {
    return isas[row].file;
}

static unsigned hidden_rows; /* a bit for each */

int rk_isa_available(int row) {
    return !(hidden_rows >> row & 1) && isas[row].available();
}

void rk_hide_rows(unsigned rows) {
    hidden_rows = rows;
}

const rk_kernels *rk_kernels_of(const char *isa, int dtype) {
    for (int row = rk_isa_count() - 1; row >= 0; row--)
        if (strcmp(isas[row].name, isa) == 0 && isas[row].kernels[dtype] && rk_isa_available(row))
            return isas[row].kernels[dtype];
    return NULL;
}
