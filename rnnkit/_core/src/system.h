/* What pool.c asks of the system: clocks, signals, and the processors of a thread. Where a system
 * does not tell, the answer is one that changes nothing. */
#ifndef RK_SYSTEM_H
#define RK_SYSTEM_H

#include "pool.h"
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#ifdef _OPENMP
#include <omp.h>
#endif
#ifdef __linux__
#include <sched.h>
#endif

static inline int64_t rk_clock_ns(clockid_t clock) {
    struct timespec at;
    return clock_gettime(clock, &at) == 0 ? (int64_t)at.tv_sec * 1000000000 + at.tv_nsec : -1;
}

static inline int64_t rk_now(void) {
    return rk_clock_ns(CLOCK_MONOTONIC);
}

/* How long this thread has had a processor. */
static inline int64_t rk_thread_ns(void) {
    return rk_clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

/* Wait for a condition, at most so long. */
static inline void rk_rest(pthread_cond_t *condition, pthread_mutex_t *lock, int64_t ns) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    ns += until.tv_nsec;
    until.tv_sec += (time_t)(ns / 1000000000);
    until.tv_nsec = (long)(ns % 1000000000);
    pthread_cond_timedwait(condition, lock, &until);
}

/* Start a thread that takes no signal meant for others; those of its own faults stay. */
static inline int rk_start_thread(pthread_t *thread, void *(*run)(void *), void *argument) {
    sigset_t all, before;
    sigfillset(&all);
    sigdelset(&all, SIGSEGV);
    sigdelset(&all, SIGBUS);
    sigdelset(&all, SIGFPE);
    sigdelset(&all, SIGILL);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int error = pthread_create(thread, NULL, run, argument);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

#ifdef __linux__

typedef struct {
    int known;
    cpu_set_t set;
} rk_processor_set;

typedef clockid_t rk_thread_clock;

static inline rk_thread_clock rk_clock_of(pthread_t thread) {
    clockid_t clock;
    return pthread_getcpuclockid(thread, &clock) == 0 ? clock : CLOCK_REALTIME;
}

static inline int rk_same_set(const rk_processor_set *a, const rk_processor_set *b) {
    return a->known == b->known && memcmp(&a->set, &b->set, sizeof a->set) == 0;
}

/* The processors of the calling thread, or, where OpenMP binds it to one, all that OpenMP has. */
static inline rk_processor_set rk_caller_set(void) {
    rk_processor_set found;
    memset(&found, 0, sizeof found);
    const rk_openmp *openmp = &rk_the_openmp;
    const int tells = openmp->proc_bind && openmp->num_places && openmp->place_num_procs &&
                      openmp->place_proc_ids;
    const int places = tells && openmp->proc_bind() ? openmp->num_places() : 0;
    if (places > 0) { /* clang's runtime has a place of all that there were, too, unbound */
        for (int place = 0; place < places; place++) {
            int ids[CPU_SETSIZE];
            const int n = openmp->place_num_procs(place);
            if (n <= 0 || n > CPU_SETSIZE)
                return found;
            openmp->place_proc_ids(place, ids);
            for (int i = 0; i < n; i++)
                if (ids[i] >= 0 && ids[i] < CPU_SETSIZE)
                    CPU_SET(ids[i], &found.set);
        }
        found.known = 1;
        return found;
    }
    found.known = sched_getaffinity(0, sizeof found.set, &found.set) == 0;
    return found;
}

static inline void rk_place_thread(pthread_t thread, const rk_processor_set *set) {
    if (set->known)
        pthread_setaffinity_np(thread, sizeof set->set, &set->set);
}

/* The processor that the caller runs on. */
static inline int rk_processor(void) {
    return sched_getcpu();
}

/* The same without one; the same if nothing would be left. */
static inline rk_processor_set rk_set_without(const rk_processor_set *set, int processor) {
    rk_processor_set others = *set;
    if (processor >= 0 && processor < CPU_SETSIZE && CPU_COUNT(&others.set) > 1)
        CPU_CLR(processor, &others.set);
    return others;
}

/* Of another thread. */
static inline int64_t rk_used_ns(rk_thread_clock clock) {
    return clock == CLOCK_REALTIME ? -1 : rk_clock_ns(clock);
}

/* Move a thread to the processor that the caller runs on; whether it did. */
static inline int rk_place_thread_here(pthread_t thread, const rk_processor_set *usual) {
    const int processor = sched_getcpu();
    cpu_set_t set;
    if (!usual->known || processor < 0 || processor >= CPU_SETSIZE)
        return 0;
    CPU_ZERO(&set);
    CPU_SET(processor, &set);
    return pthread_setaffinity_np(thread, sizeof set, &set) == 0;
}

#else

typedef struct {
    int known;
} rk_processor_set;

typedef int rk_thread_clock;

static inline int rk_processor(void) {
    return -1;
}

static inline rk_processor_set rk_set_without(const rk_processor_set *set, int processor) {
    (void)processor;
    return *set;
}

static inline rk_thread_clock rk_clock_of(pthread_t thread) {
    (void)thread;
    return -1;
}

static inline int64_t rk_used_ns(rk_thread_clock clock) {
    return clock;
}

static inline int rk_same_set(const rk_processor_set *a, const rk_processor_set *b) {
    return a->known == b->known;
}

static inline rk_processor_set rk_caller_set(void) {
    return (rk_processor_set){0};
}

static inline void rk_place_thread(pthread_t thread, const rk_processor_set *set) {
    (void)thread, (void)set;
}

static inline int rk_place_thread_here(pthread_t thread, const rk_processor_set *usual) {
    (void)thread, (void)usual;
    return 0;
}

#endif

/* The processors that the calling thread may use now. The system is asked, not OpenMP's runtime:
 * clang's counts once, when it is first used. */
static inline int rk_count_processors(void) {
#ifdef __linux__
    const rk_processor_set set = rk_caller_set();
    if (set.known && CPU_COUNT(&set.set) > 0)
        return CPU_COUNT(&set.set);
#endif
    const long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : (int)n;
}

#endif
