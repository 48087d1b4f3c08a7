/* Calls and the pool they share: who owns it, when the calling thread polls, what a fork leaves. */
#define _GNU_SOURCE /* processors of a thread, in system.h */
#include "jobs.h"
#ifdef __x86_64__
#include <immintrin.h>
#endif

rk_job rk_the_job;
rk_claim rk_claims[RK_MOST_PIECES];
rk_join rk_the_join;
rk_pool rk_the_pool;

static int (*on_poll)(void);

/* Denormal numbers count as zero inside a kernel: they cost up to 100 times and change nothing
 * that is learnt. The mode is the thread's own, and restored on the way out. */
unsigned rk_flush_denormals(void) {
#ifdef __x86_64__
    const unsigned mode = _mm_getcsr();
    _mm_setcsr(mode | 0x8040); /* FTZ | DAZ */
    return mode;
#elif defined(__aarch64__)
    uint64_t mode;
    __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
    __asm__ volatile("msr fpcr, %0" : : "r"(mode | 1u << 24)); /* FZ */
    return (unsigned)mode; /* the upper half is reserved, zero */
#else
    return 0;
#endif
}

void rk_restore_mode(unsigned mode) {
#ifdef __x86_64__
    _mm_setcsr(mode);
#elif defined(__aarch64__)
    __asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)mode));
#else
    (void)mode;
#endif
}

void rk_on_poll(int (*poll)(void)) {
    on_poll = poll;
}

void rk_poll(rk_crew *crew, int64_t now) {
    const int64_t since = now - crew->polled;
    crew->polled = now;
    if (!on_poll || since < RK_POLL_NS || rk_peek(&crew->left))
        return;
    const unsigned mode = crew->mode;
    rk_restore_mode(mode);
    const int ends = on_poll() != 0 || crew->forks != rk_peek(&rk_the_pool.forks);
    rk_flush_denormals();
    if (ends)
        rk_store(&crew->left, -1);
}

int rk_look_up(rk_seat *seat) {
    rk_crew *crew = seat->crew;
    seat->patience = RK_OPERATIONS_BETWEEN_LOOKS;
    if (!crew)
        return 0;
    if (seat->rank == 0) {
        const int64_t now = rk_now();
        if (now - crew->polled >= RK_POLL_NS)
            rk_poll(crew, now);
    }
    if (!rk_peek(&crew->left))
        return 0;
    seat->patience = -1;
    return 1;
}

static void share_alone(rk_crew *crew, rk_work work, void *what, ptrdiff_t pieces) {
    for (ptrdiff_t p = 0; p < pieces && !rk_peek(&crew->left); p++)
        work(what, p, &crew->seat);
}

int rk_busy_threads(void) {
    return rk_peek(&rk_the_pool.busy);
}

static void give_back(int threads) {
    __atomic_sub_fetch(&rk_the_pool.busy, threads, __ATOMIC_RELAXED);
}

void rk_enter(rk_crew *crew, int wanted) {
    int others = rk_busy_threads(), threads, unowned = 0;
    const int64_t began = rk_now();
    if (wanted > RK_MOST_THREADS)
        wanted = RK_MOST_THREADS;
    if (began < rk_peek(&rk_the_pool.alone))
        wanted = 1;
    do {
        threads = wanted - others < 1 ? 1 : wanted - others;
    } while (!__atomic_compare_exchange_n(&rk_the_pool.busy, &others, others + threads, 0,
                                          __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    *crew = (rk_crew){.threads = threads, .forks = rk_peek(&rk_the_pool.forks)};
    crew->seat = (rk_seat){0, RK_OPERATIONS_BETWEEN_LOOKS, crew};
    crew->began = crew->polled = began;
    crew->mode = rk_flush_denormals();
    if (threads == 1)
        return;
    crew->owns = __atomic_compare_exchange_n(&rk_the_pool.owned, &unowned, 1, 0, __ATOMIC_ACQUIRE,
                                             __ATOMIC_RELAXED);
    if (crew->owns) {
        crew->threads = rk_hire(threads);
        static int64_t checked; /* the owner's */
        crew->measured = crew->began - checked > RK_CHECK_NS;
        if (crew->measured) {
            checked = crew->began;
            crew->used = rk_thread_ns();
        }
    } else {
        crew->threads = 1;
    }
    give_back(threads - crew->threads);
}

void rk_share(rk_crew *crew, rk_work work, void *what, ptrdiff_t pieces, int order) {
    if (crew->threads > 1 && pieces > 1 && !rk_peek(&crew->left))
        rk_share_out(crew, work, what, pieces, order);
    else
        share_alone(crew, work, what, pieces);
}

int rk_leave_crew(rk_crew *crew) {
    rk_restore_mode(crew->mode);
    if (crew->forks != rk_peek(&rk_the_pool.forks))
        return crew->left;
    if (crew->measured) {
        const int64_t now = rk_now(), awake = now - crew->began - crew->slept;
        if (awake - (rk_thread_ns() - crew->used) > RK_MISSED_NS)
            rk_note_contention(now);
    }
    if (crew->owns)
        __atomic_store_n(&rk_the_pool.owned, 0, __ATOMIC_RELEASE);
    give_back(crew->threads);
    return crew->left;
}

/* The child has the thread that forked and no other: no workers, no owner, no call but perhaps the
 * one whose poll forked, which then ends. */
static void after_fork_in_child(void) {
    const unsigned forks = rk_the_pool.forks + 1;
    memset(&rk_the_pool, 0, sizeof rk_the_pool);
    rk_the_pool.forks = forks;
    rk_the_job.number += 2 - (rk_the_job.number & 1);
    memset(&rk_the_join, 0, sizeof rk_the_join);
    rk_forget();
}

int rk_watch_forks(void) {
    return pthread_atfork(NULL, NULL, after_fork_in_child);
}

void rk_end_workers(void) {
    int unowned = 0;
    if (!__atomic_compare_exchange_n(&rk_the_pool.owned, &unowned, 1, 0, __ATOMIC_ACQUIRE,
                                     __ATOMIC_RELAXED))
        return; /* a thread that outlives the interpreter still computes */
    rk_dismiss();
    __atomic_store_n(&rk_the_pool.owned, 0, __ATOMIC_RELEASE);
}

int rk_workers(void) {
    return rk_peek(&rk_the_pool.n_workers);
}

int rk_processors(void) {
    return rk_count_processors();
}
