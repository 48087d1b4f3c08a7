/* What a kernel's text needs to be compiled by a host compiler: CUDA's words in terms of fibres. */
#ifndef RNNKIT_TESTS_WORDS_H
#define RNNKIT_TESTS_WORDS_H

#include <math.h>

#define RK_HOST
#define __global__
#define __device__
#define RK_LAUNCH_BOUNDS(threads, blocks)
#define RK_CLUSTER_DIMS
#define RK_SHARED(name) real* name = (real*)rk_now->shared

struct rk_place {
    unsigned x, y, z;
};

/* The thread that runs now; the scheduler sets it. */
struct rk_thread_now {
    rk_place thread, block, block_size, grid_size;
    void* shared;
};

extern "C" {
extern rk_thread_now* rk_now;
void rk_block_barrier();
void rk_cluster_barrier();
void rk_pause(); /* lets the other threads run */
}

#define threadIdx (rk_now->thread)
#define blockIdx (rk_now->block)
#define blockDim (rk_now->block_size)
#define gridDim (rk_now->grid_size)
#ifdef RK_TRACED
extern "C" void rk_traced_barrier();
#define __syncthreads() rk_traced_barrier()
#else
#define __syncthreads() rk_block_barrier()
#endif
#define __threadfence() ((void)0)

static inline unsigned rk_load_acquire(const unsigned* p) { return *(const volatile unsigned*)p; }

static inline unsigned atomicAdd(unsigned* p, unsigned value)
{
    unsigned before = *p;
    *p = before + value;
    return before;
}

template <class T> static inline T rk_load_fresh(const T* p) { return *p; }

#endif
