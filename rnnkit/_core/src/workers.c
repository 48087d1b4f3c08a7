/* The workers of the pool: how long they spin and sleep, and how the caller waits for their pieces. */
#define _GNU_SOURCE /* processors of a thread */
#include "jobs.h"
#ifdef __x86_64__
#include <immintrin.h>
#endif

#if RK_POOL

static void relax(void) {
#ifdef __x86_64__
    _mm_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

typedef struct {
    _Alignas(64) int asleep; /* set by itself, reset by whoever wakes it */
    int rank, works;         /* whether it may hold a piece */
    int64_t woken;           /* when it was woken last, ns */
    rk_thread_clock clock;
    pthread_t thread;
    pthread_cond_t wake;
} worker;

static worker workers[RK_MOST_THREADS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t all_done = PTHREAD_COND_INITIALIZER;
static rk_processor_set pool_set;   /* the processors that the caller may use */
static rk_processor_set worker_set; /* those that the workers may */
static int avoided = -1;            /* the one that they may not, -1 if none */

static int has_news(uint64_t seen) {
    const uint64_t number = __atomic_load_n(&rk_the_job.number, __ATOMIC_SEQ_CST);
    return (number & 1 && number != seen) || rk_peek(&rk_the_pool.ending);
}

static void sleep_until_woken(worker *me, uint64_t seen) {
    pthread_mutex_lock(&lock);
    __atomic_store_n(&me->asleep, 1, __ATOMIC_SEQ_CST);
    if (has_news(seen))
        rk_store(&me->asleep, 0);
    while (rk_peek(&me->asleep))
        pthread_cond_wait(&me->wake, &lock);
    pthread_mutex_unlock(&lock);
}

static void wake_worker(worker *one, int64_t now) {
    pthread_mutex_lock(&lock);
    const int sleeps = rk_peek(&one->asleep);
    if (sleeps) {
        rk_store(&one->woken, now);
        rk_store(&one->asleep, 0);
    }
    pthread_mutex_unlock(&lock);
    if (sleeps)
        pthread_cond_signal(&one->wake);
}

/* Read the open job and take part in it, once. */
static int serve_job(worker *me, uint64_t *seen, rk_seat *seat, int *order) {
    rk_job job = {.number = rk_load(&rk_the_job.number)};
    if (!(job.number & 1) || job.number == *seen)
        return 0;
    job.work = rk_load(&rk_the_job.work);
    job.what = rk_load(&rk_the_job.what);
    job.pieces = rk_load(&rk_the_job.pieces);
    job.crew = rk_load(&rk_the_job.crew);
    job.threads = rk_load(&rk_the_job.threads);
    job.order = rk_load(&rk_the_job.order);
    if (rk_load(&rk_the_job.number) != job.number)
        return 0;
    *seen = job.number;
    *order = job.order;
    if (me->rank >= job.threads)
        return 1;
    rk_store(&me->works, 1);
    seat->crew = job.crew;
    seat->patience = RK_OPERATIONS_BETWEEN_LOOKS;
    rk_take_part(&job, seat);
    rk_store(&me->works, 0);
    if (__atomic_load_n(&rk_the_join.caller_rests, __ATOMIC_SEQ_CST)) {
        pthread_mutex_lock(&lock);
        pthread_mutex_unlock(&lock);
        pthread_cond_signal(&all_done);
    }
    return 1;
}

/* How long a worker spins before it sleeps: through the steps of a layer always, between calls
 * only while nobody else wants its processor. */
static int64_t spin_ns(int order, int64_t now) {
    if (order == RK_IN_STEPS && rk_peek(&rk_the_job.order) == RK_IN_STEPS)
        return RK_STEP_SPIN_NS;
    return rk_is_contended(now) ? RK_CONTENDED_SPIN_NS : RK_SPIN_NS;
}

static void *serve(void *argument) {
    worker *me = argument;
    rk_seat seat = {me->rank, 0, NULL};
    uint64_t seen = 0;
    int order = RK_NEAREST;
    int64_t idle = rk_now(), last = idle, checked = idle, used = rk_thread_ns();
    rk_flush_denormals();
    while (!rk_peek(&rk_the_pool.ending)) {
        if (serve_job(me, &seen, &seat, &order)) {
            idle = 0;
            continue;
        }
        for (int i = 0; i < RK_LOOKS && !has_news(seen); i++)
            relax();
        const int64_t now = rk_now();
        if (idle == 0)
            idle = last = now;
        if (now - last > RK_GAP_NS) /* it had no processor for a while */
            rk_note_contention(now);
        last = now;
        if (now - checked > RK_CHECK_NS) { /* nor had it one for all of the time awake */
            const int64_t used_now = rk_thread_ns();
            if (now - checked - (used_now - used) > RK_MISSED_NS)
                rk_note_contention(now);
            checked = now;
            used = used_now;
        }
        if (now - idle > spin_ns(order, now)) {
            sleep_until_woken(me, seen);
            idle = last = rk_now();
            if (idle - rk_peek(&me->woken) > RK_MISSED_NS)
                rk_note_contention(idle);
            checked = idle;
            used = rk_thread_ns();
        }
    }
    return NULL;
}

/* Let the workers run where the caller may. */
static void follow_caller(void) {
    rk_processor_set now = rk_caller_set();
    if (rk_same_set(&now, &pool_set))
        return;
    pool_set = now;
    worker_set = now;
    avoided = -1;
    for (int i = 0; i < rk_the_pool.n_workers; i++)
        rk_place_thread(workers[i].thread, &pool_set);
}

/* Start the workers that are missing; how many threads the call then has. */
int rk_hire(int threads) {
    follow_caller();
    while (rk_the_pool.n_workers < threads - 1) {
        worker *one = &workers[rk_the_pool.n_workers];
        *one = (worker){.rank = rk_the_pool.n_workers + 1};
        if (pthread_cond_init(&one->wake, NULL) != 0)
            break;
        if (rk_start_thread(&one->thread, serve, one) != 0) {
            pthread_cond_destroy(&one->wake);
            break;
        }
        one->clock = rk_clock_of(one->thread);
        rk_store(&rk_the_pool.n_workers, rk_the_pool.n_workers + 1);
        rk_place_thread(one->thread, &worker_set);
    }
    return rk_the_pool.n_workers + 1 < threads ? rk_the_pool.n_workers + 1 : threads;
}

/* Workers that may hold a piece and whose processor time stands still have no processor, while this
 * thread only waits for them: they get the one it runs on. */
static int rescue(const int64_t *clocks, int threads) {
    int moved = 0;
    for (int i = 0; i + 1 < threads; i++)
        if (rk_load(&workers[i].works) && clocks[i] >= 0 &&
            clocks[i] == rk_used_ns(workers[i].clock))
            moved |= rk_place_thread_here(workers[i].thread, &pool_set);
    return moved;
}

/* Until workers have run so many pieces. Briefly spinning, then asleep. */
static void wait_for(rk_crew *crew, ptrdiff_t begun, int order) {
    if (rk_load(&rk_the_join.finished) >= begun || crew->forks != rk_peek(&rk_the_pool.forks))
        return;
    const int n = crew->threads < RK_RESCUED ? crew->threads : RK_RESCUED;
    int64_t clocks[RK_RESCUED] = {0}, began = rk_now(), last = began, now = began;
    int read = 0;
    const int64_t patience = order == RK_IN_STEPS || !rk_is_contended(began) ? RK_WAIT_NS
                                                                          : RK_CONTENDED_WAIT_NS;
    while (now - began < patience) {
        for (int i = 0; i < RK_LOOKS; i++) {
            relax();
            if (rk_load(&rk_the_join.finished) >= begun)
                return;
        }
        now = rk_now();
        if (now - last > RK_GAP_NS)
            rk_note_contention(now);
        last = now;
        if (!read && now - began > patience / 2) {
            read = 1;
            for (int i = 0; i + 1 < n; i++)
                clocks[i] = rk_load(&workers[i].works) ? rk_used_ns(workers[i].clock) : -1;
        }
    }
    const int moved = read && rescue(clocks, n);
    pthread_mutex_lock(&lock);
    __atomic_store_n(&rk_the_join.caller_rests, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&rk_the_join.finished, __ATOMIC_SEQ_CST) < begun &&
           crew->forks == rk_peek(&rk_the_pool.forks)) {
        rk_rest(&all_done, &lock, RK_POLL_NS);
        if (rk_now() - crew->polled >= RK_POLL_NS) {
            pthread_mutex_unlock(&lock);
            rk_poll(crew, rk_now());
            pthread_mutex_lock(&lock);
        }
    }
    rk_store(&rk_the_join.caller_rests, 0);
    pthread_mutex_unlock(&lock);
    const int64_t end = rk_now();
    crew->slept += end - now;
    if (order != RK_IN_STEPS && rk_is_contended(end))
        rk_store(&rk_the_pool.alone, end + RK_ALONE_TIMES * (end - began));
    if (moved && crew->forks == rk_peek(&rk_the_pool.forks)) /* a child has nobody to move back */
        for (int i = 0; i + 1 < n; i++)
            rk_place_thread(workers[i].thread, &worker_set);
}

/* Let the workers run where the caller may. While the processors are free, not where it runs now:
 * there they would only take its time. While they are not, that is the scheduler's to say, but for
 * steps: a worker kept off one processor stays behind a neighbour in the other's queue, and what it
 * has begun with it. */
static void place_workers(int order) {
    const int free = order == RK_IN_STEPS || !rk_is_contended(rk_now());
    const int processor = free ? rk_processor() : -1;
    if (processor == avoided)
        return;
    avoided = processor;
    worker_set = rk_set_without(&pool_set, processor);
    for (int i = 0; i < rk_the_pool.n_workers; i++)
        rk_place_thread(workers[i].thread, &worker_set);
}

void rk_share_out(rk_crew *crew, rk_work work, void *what, ptrdiff_t pieces, int order) {
    const ptrdiff_t n = rk_claimable(pieces);
    const int threads = n < crew->threads ? (int)n : crew->threads;
    int64_t now = 0;
    place_workers(order);
    const rk_job job = rk_open_job(crew, work, what, pieces, order);
    for (int i = 0; i + 1 < threads; i++)
        if (__atomic_load_n(&workers[i].asleep, __ATOMIC_SEQ_CST)) {
            now = now ? now : rk_now();
            if (order == RK_IN_STEPS && now - crew->woke < RK_STEP_SPIN_NS)
                break; /* not at every step, if it gets no processor */
            wake_worker(&workers[i], now);
        }
    if (now && now - crew->woke >= RK_STEP_SPIN_NS)
        crew->woke = now;
    const ptrdiff_t ran = rk_take_part(&job, &crew->seat);
    wait_for(crew, n - ran, order);
    if (crew->forks == rk_peek(&rk_the_pool.forks)) /* else a child, in which no job is open */
        rk_close_job();
}

void rk_dismiss(void) {
    __atomic_store_n(&rk_the_pool.ending, 1, __ATOMIC_SEQ_CST);
    for (int i = 0; i < rk_the_pool.n_workers; i++) {
        wake_worker(&workers[i], 0);
        pthread_join(workers[i].thread, NULL);
        pthread_cond_destroy(&workers[i].wake);
    }
    rk_store(&rk_the_pool.n_workers, 0);
    rk_store(&rk_the_pool.ending, 0);
}

void rk_forget(void) {
    memset(workers, 0, sizeof workers);
    memset(&pool_set, 0, sizeof pool_set);
    lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    all_done = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
}

#endif
