/* What every kernel is written in: its number types, and the few words that differ on a host.
 *
 * No header is included: NVRTC then needs nothing beside itself. A host build defines RK_HOST and
 * brings its own versions of the words below, so that the text after them runs on a CPU.
 *
 * RK_REAL is the compute type, float or double. Rows and flat positions are rk_index. What Python
 * must know too (RK_BLOCK here, other sizes beside their kernels, every kernel's parameters) it
 * reads from the text.
 */
#define RK_BLOCK 256 /* threads of a block, of every kernel but the recurrent passes */
#ifndef RK_REAL
#define RK_REAL float
#endif
typedef RK_REAL real;
typedef long long rk_index;

#ifndef RK_HOST
/* Threads of a block, and how many blocks a multiprocessor should hold. */
#define RK_LAUNCH_BOUNDS(threads, blocks) __launch_bounds__(threads, blocks)
#define RK_SHARED(name)                                            \
    extern __shared__ __align__(16) unsigned char rk_shared_[];    \
    real* name = (real*)rk_shared_

/* Reads what another block has written in the same launch: past the first-level cache. */
__device__ inline real rk_load_fresh(const real* p) { return __ldcg(p); }

__device__ inline void rk_pause() {}

__device__ inline unsigned rk_load_acquire(const unsigned* p)
{
    unsigned value;
    asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(value) : "l"(p) : "memory");
    return value;
}

#if defined(RK_CLUSTER) && __CUDA_ARCH__ >= 900
#define RK_CLUSTER_DIMS __cluster_dims__(RK_CLUSTER, 1, 1)
__device__ inline void rk_cluster_barrier()
{
    asm volatile("barrier.cluster.arrive.release;" ::: "memory");
    asm volatile("barrier.cluster.wait.acquire;" ::: "memory");
}
#else
#define RK_CLUSTER_DIMS
#endif
#endif

__device__ inline float rk_exp(float x) { return expf(x); }
__device__ inline double rk_exp(double x) { return exp(x); }
__device__ inline float rk_log(float x) { return logf(x); }
__device__ inline double rk_log(double x) { return log(x); }
__device__ inline float rk_tanh(float x) { return tanhf(x); }
__device__ inline double rk_tanh(double x) { return tanh(x); }
__device__ inline float rk_sqrt(float x) { return sqrtf(x); }
__device__ inline double rk_sqrt(double x) { return sqrt(x); }
__device__ inline real rk_abs(real x) { return x < 0 ? -x : x; }

/* Position of this thread among all of the launch, and their number. */
__device__ inline rk_index rk_thread() { return (rk_index)blockIdx.x * blockDim.x + threadIdx.x; }
__device__ inline rk_index rk_threads() { return (rk_index)gridDim.x * blockDim.x; }
