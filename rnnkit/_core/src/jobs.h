/* How the pieces of a job are claimed, for those who help with it: workers.c or regions.c. */
#ifndef RK_JOBS_H
#define RK_JOBS_H

#include "pool.h"
#include "system.h"
#include "tuning.h"

#ifdef RK_WITHOUT_POOL
#define RK_POOL 0
#else
#define RK_POOL 1
#endif

#define rk_load(at) __atomic_load_n(at, __ATOMIC_ACQUIRE)
#define rk_peek(at) __atomic_load_n(at, __ATOMIC_RELAXED)
#define rk_store(at, value) __atomic_store_n(at, value, __ATOMIC_RELAXED)

enum { RK_LINE = 64, RK_MOST_PIECES = 256 }; /* claimed one by one; more several at a time */

/* A job, on a line of its own. Its number is odd while it is open. The rest changes only between an
 * even number and the next odd one, and no number comes back: who reads the number, the rest and
 * the same number again has read one job. */
typedef struct {
    _Alignas(RK_LINE) uint64_t number;
    rk_work work;
    void *what;
    ptrdiff_t pieces;
    rk_crew *crew;
    int threads, order;
} rk_job;

extern rk_job rk_the_job;

/* For each piece the number of the last job in which it was claimed. All pieces of a job that is
 * over were claimed, so whoever comes late finds nothing, in it or in the next. */
typedef struct {
    _Alignas(RK_LINE) uint64_t number;
} rk_claim;

extern rk_claim rk_claims[RK_MOST_PIECES];

typedef struct {
    _Alignas(RK_LINE) ptrdiff_t finished; /* pieces of the open job that workers have run */
    int caller_rests;
} rk_join;

extern rk_join rk_the_join;

typedef struct {
    _Alignas(RK_LINE) int64_t contended; /* when others were last seen to want the processors */
    int64_t alone; /* until when calls do without workers */
    int owned, busy, n_workers, ending;
    unsigned forks;
} rk_pool;

extern rk_pool rk_the_pool;

/* How many are claimed; each stands for pieces * k / n .. pieces * (k + 1) / n. */
static inline ptrdiff_t rk_claimable(ptrdiff_t pieces) {
    return pieces < RK_MOST_PIECES ? pieces : RK_MOST_PIECES;
}

/* Claim pieces of a job one by one and run them; how many were claimed. */
static inline ptrdiff_t rk_take_part(const rk_job *job, rk_seat *seat) {
    const ptrdiff_t pieces = job->pieces, n = rk_claimable(pieces);
    ptrdiff_t ran = 0, k = job->order == RK_IN_ORDER ? 0 : n * seat->rank / job->threads;
    for (ptrdiff_t i = 0; i < n; i++, k = k + 1 < n ? k + 1 : 0) {
        uint64_t before = rk_peek(&rk_claims[k].number);
        if (before >= job->number ||
            !__atomic_compare_exchange_n(&rk_claims[k].number, &before, job->number, 0,
                                         __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
            continue;
        const ptrdiff_t last = pieces * (k + 1) / n;
        for (ptrdiff_t p = pieces * k / n; p < last && !rk_peek(&job->crew->left); p++)
            job->work(job->what, p, seat);
        ran++;
        if (seat->rank > 0)
            __atomic_add_fetch(&rk_the_join.finished, 1, __ATOMIC_SEQ_CST);
    }
    return ran;
}

/* Open a job; back comes the same, with its number. */
static inline rk_job rk_open_job(rk_crew *crew, rk_work work, void *what, ptrdiff_t pieces,
                                 int order) {
    rk_job *open = &rk_the_job;
    const rk_job job = {rk_peek(&open->number) + 1, work, what, pieces, crew, crew->threads, order};
    rk_store(&rk_the_join.finished, 0);
    rk_store(&open->work, work);
    rk_store(&open->what, what);
    rk_store(&open->pieces, pieces);
    rk_store(&open->crew, crew);
    rk_store(&open->threads, crew->threads);
    rk_store(&open->order, order);
    __atomic_store_n(&open->number, job.number, __ATOMIC_SEQ_CST);
    return job;
}

static inline void rk_close_job(void) {
    __atomic_store_n(&rk_the_job.number, rk_peek(&rk_the_job.number) + 1, __ATOMIC_RELEASE);
}

static inline void rk_note_contention(int64_t now) {
    rk_store(&rk_the_pool.contended, now);
}

/* Whether others want the processors too: then waiting threads sleep at once, since one that spins
 * uses up its claim to run. */
static inline int rk_is_contended(int64_t now) {
    const int64_t seen = rk_peek(&rk_the_pool.contended);
    return seen && now - seen < RK_CONTENDED_NS;
}

/* pool.c: what the calling thread must see to every RK_POLL_NS, while it works or waits. */
void rk_poll(rk_crew *crew, int64_t now);

/* workers.c or regions.c: the helpers of the call that owns them. */
int rk_hire(int threads); /* see to enough of them; how many threads there are with the caller */
void rk_share_out(rk_crew *crew, rk_work work, void *what, ptrdiff_t pieces, int order);
void rk_dismiss(void);    /* end them */
void rk_forget(void);     /* in a forked child: they are gone */

#endif
