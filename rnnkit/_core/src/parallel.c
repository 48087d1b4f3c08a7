/* Whole-layer drivers: one parallel region for each, over work that is cut the same way always. */
#include <pthread.h>
#include <sched.h>
#include "kernels.h"
#include "tuning.h"
#ifdef _OPENMP
#include <omp.h>
#endif
#ifdef __x86_64__
#include <immintrin.h>
#endif

static int regions_entered = 0; /* whether this process has had a parallel region */
static int serial_child = 0;    /* set in a forked child, where the OpenMP runtime would hang */

static int busy = 0;            /* threads of all calls that are running now */

static void after_fork_in_child(void) {
    serial_child = regions_entered;
    busy = 0;
}

int rk_watch_forks(void) {
    return pthread_atfork(NULL, NULL, after_fork_in_child);
}

int rk_has_openmp(void) {
#ifdef _OPENMP
    return _OPENMP;
#else
    return 0;
#endif
}

const char *rk_compiler(void) {
#ifdef __clang__
    return __VERSION__; /* begins with "Clang" */
#else
    return "GCC " __VERSION__;
#endif
}

/* Beyond this number, or that of the processors, threads are not started whatever OMP_NUM_THREADS
 * says: the OpenMP runtime keeps a table of them on the stack, which a million overflows. */
#define RK_MOST_THREADS 256

int rk_max_threads(void) {
#ifdef _OPENMP
    const int limit = omp_get_max_threads(), processors = omp_get_num_procs();
    const int most = processors > RK_MOST_THREADS ? processors : RK_MOST_THREADS;
    return serial_child ? 1 : limit < most ? limit : most;
#else
    return 1;
#endif
}

int rk_busy_threads(void) {
    return __atomic_load_n(&busy, __ATOMIC_RELAXED);
}

/* How many of the wanted threads a call gets: what the calls of other Python threads leave, so
 * that all of them together hardly use more than one alone would. */
static int enter(int wanted) {
    int others = rk_busy_threads(), threads;
    do {
        threads = serial_child || wanted - others < 1 ? 1 : wanted - others;
    } while (!__atomic_compare_exchange_n(&busy, &others, others + threads, 0, __ATOMIC_RELAXED,
                                          __ATOMIC_RELAXED));
    if (threads > 1)
        regions_entered = 1;
    return threads;
}

static void leave(int threads) {
    __atomic_sub_fetch(&busy, threads, __ATOMIC_RELAXED);
}

/* Denormal numbers count as zero inside a kernel: they cost up to 100 times and change nothing
 * that is learnt. The mode is the thread's own, and restored on the way out. */
static unsigned flush_denormals(void) {
#ifdef __x86_64__
    const unsigned mode = _mm_getcsr();
    _mm_setcsr(mode | 0x8040); /* FTZ | DAZ */
    return mode;
#else
    return 0;
#endif
}

static void restore_mode(unsigned mode) {
#ifdef __x86_64__
    _mm_setcsr(mode);
#else
    (void)mode;
#endif
}

void rk_meet(const rk_member *member) {
    if (!member)
        return;
    rk_meeting *meeting = member->meeting;
    const int round = __atomic_load_n(&meeting->rounds, __ATOMIC_ACQUIRE);
    if (__atomic_add_fetch(&meeting->arrived, 1, __ATOMIC_ACQ_REL) == member->size) {
        __atomic_store_n(&meeting->arrived, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&meeting->rounds, round + 1, __ATOMIC_RELEASE);
        return;
    }
    for (int spins = 0; __atomic_load_n(&meeting->rounds, __ATOMIC_ACQUIRE) == round; spins++) {
#ifdef __x86_64__
        _mm_pause();
#endif
        if (spins >= RK_SPINS)
            sched_yield();
    }
}

/* This thread's place among at most `largest`; one whose rank reaches the size stands by. */
static rk_member member_of(rk_meeting *meeting, int largest) {
    rk_member member = {0, 1, meeting};
#ifdef _OPENMP
    member.rank = omp_get_thread_num();
    member.size = omp_get_num_threads();
#endif
    if (member.size > largest)
        member.size = largest;
    return member;
}

/* The inputs of RK_PAIRED_ROWS packed rows as operand of the products. */
static void pair_inputs(const rk_kernels *k, const rk_call *call, ptrdiff_t first) {
    const ptrdiff_t left = call->rows - first, inputs = call->layer.inputs;
    const ptrdiff_t n_pairs = (inputs + 1) / 2;
    const ptrdiff_t n = left < RK_PAIRED_ROWS ? left : RK_PAIRED_ROWS;
    k->pair_columns((const float *)call->x + first * inputs, n, inputs,
                    (float *)call->x_pairs + first * n_pairs, n_pairs);
}

void rk_forward(const rk_kernels *k, const rk_call *call, const ptrdiff_t *tiles, int n_tiles,
                int threads, char *scratch, size_t scratch_stride) {
    const ptrdiff_t pieces = (call->rows + RK_PAIRED_ROWS - 1) / RK_PAIRED_ROWS;
    rk_meeting meeting = {0, 0};
    threads = enter(threads);
#pragma omp parallel num_threads(threads) if (threads > 1)
    {
        const unsigned mode = flush_denormals();
        const rk_member member = member_of(&meeting, k->largest_team(call));
        char *mine = scratch + (size_t)member.rank * scratch_stride;
        if (k->pair_columns) {
#pragma omp for schedule(static)
            for (ptrdiff_t i = 0; i < pieces; i++)
                pair_inputs(k, call, i * RK_PAIRED_ROWS);
        }
        if (n_tiles == 0 && member.rank < member.size)
            k->forward(call, 0, call->batch, mine, &member);
#pragma omp for schedule(dynamic, 1)
        for (int i = 0; i < n_tiles; i++)
            k->forward(call, tiles[i], tiles[i + 1], mine, NULL);
        restore_mode(mode);
    }
    leave(threads);
}

void rk_step(const rk_kernels *k, const rk_call *call, char *scratch) {
    const unsigned mode = flush_denormals();
    k->forward(call, 0, 1, scratch, NULL);
    restore_mode(mode);
}

/* How many panels a thread takes at once for the parameter gradients. */
static ptrdiff_t panels_together(ptrdiff_t panels, int threads) {
    const ptrdiff_t most = panels / threads < 1 ? 1 : panels / threads;
    return most < RK_PANELS_TOGETHER ? most : RK_PANELS_TOGETHER;
}

void rk_backward(const rk_kernels *k, const rk_call *call, const ptrdiff_t *tiles, int n_tiles,
                 int threads, char *scratch, size_t scratch_stride) {
    const ptrdiff_t panels = (call->layer.hidden + k->lanes - 1) / k->lanes;
    const ptrdiff_t pieces =
        call->dx ? (call->rows + RK_INPUT_GRADIENT_ROWS - 1) / RK_INPUT_GRADIENT_ROWS : 0;
    rk_meeting meeting = {0, 0};
    threads = enter(threads);
    const ptrdiff_t together = panels_together(panels, threads);
#pragma omp parallel num_threads(threads) if (threads > 1)
    {
        const unsigned mode = flush_denormals();
        const rk_member member = member_of(&meeting, k->largest_team(call));
        char *mine = scratch + (size_t)member.rank * scratch_stride;
        if (n_tiles == 0 && member.rank < member.size)
            k->backward(call, 0, call->batch, mine, &member);
#pragma omp for schedule(dynamic, 1)
        for (int i = 0; i < n_tiles; i++)
            k->backward(call, tiles[i], tiles[i + 1], mine, NULL);
#pragma omp for schedule(dynamic, 1) nowait
        for (ptrdiff_t i = 0; i < panels; i += together)
            k->parameter_gradient(call, i, i + together < panels ? i + together : panels, mine);
#pragma omp for schedule(dynamic, 1)
        for (ptrdiff_t i = 0; i < pieces; i++) {
            const ptrdiff_t first = i * RK_INPUT_GRADIENT_ROWS;
            const ptrdiff_t last = first + RK_INPUT_GRADIENT_ROWS;
            k->input_gradient(call, first, last < call->rows ? last : call->rows);
        }
        restore_mode(mode);
    }
    leave(threads);
}

void rk_dense(const rk_kernels *k, const void *x, const void *weight, const void *bias, void *y,
              ptrdiff_t inputs, ptrdiff_t outputs, ptrdiff_t rows, int threads) {
    const ptrdiff_t pieces = (rows + RK_DENSE_ROWS - 1) / RK_DENSE_ROWS;
    threads = enter(threads);
#pragma omp parallel num_threads(threads) if (threads > 1)
    {
        const unsigned mode = flush_denormals();
#pragma omp for schedule(static)
        for (ptrdiff_t i = 0; i < pieces; i++) {
            const ptrdiff_t first = i * RK_DENSE_ROWS, last = first + RK_DENSE_ROWS;
            k->dense(x, weight, bias, y, inputs, outputs, first, last < rows ? last : rows);
        }
        restore_mode(mode);
    }
    leave(threads);
}

void rk_dense_gradient(const rk_kernels *k, const void *x, const void *dy, void *dw,
                       ptrdiff_t rows, ptrdiff_t inputs, ptrdiff_t outputs, int threads) {
    const ptrdiff_t pieces = (outputs + RK_DENSE_GRADIENT_OUTPUTS - 1) / RK_DENSE_GRADIENT_OUTPUTS;
    threads = enter(threads);
#pragma omp parallel num_threads(threads) if (threads > 1)
    {
        const unsigned mode = flush_denormals();
#pragma omp for schedule(static)
        for (ptrdiff_t i = 0; i < pieces; i++) {
            const ptrdiff_t first = i * RK_DENSE_GRADIENT_OUTPUTS;
            const ptrdiff_t last = first + RK_DENSE_GRADIENT_OUTPUTS;
            k->dense_gradient(x, dy, dw, rows, inputs, outputs, first,
                              last < outputs ? last : outputs);
        }
        restore_mode(mode);
    }
    leave(threads);
}
