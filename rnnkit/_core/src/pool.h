/* Threads that share the work of a call: nobody waits for one that has begun nothing.
 *
 * There is one pool of workers a process, started when first needed. One call owns it at a time;
 * calls of other Python threads that come meanwhile run alone. The work is cut into pieces, which
 * the calling thread and the workers claim one by one. The caller takes whatever nobody else has
 * taken and waits only for pieces that were begun, so a worker that gets no processor costs
 * nothing. Who runs a piece changes no result.
 *
 * While it works, the calling thread looks up every 50 ms: rk_on_poll may then end the call.
 *
 * With RK_WITHOUT_POOL the same pieces are claimed in OpenMP regions, or, where the compiler has none,
 * by the calling thread alone.
 */
#ifndef RK_POOL_H
#define RK_POOL_H

#include <stdint.h>
#include "kernels.h"

enum { RK_MOST_THREADS = 256 }; /* of one call */

/* One call and those who work on it. */
typedef struct rk_crew {
    int threads;       /* how many may work, the caller with them */
    int owns;          /* whether the workers are this call's */
    int left;          /* whether the call is being left: -1, else 0 */
    int measured;      /* whether the caller's processor time is taken */
    unsigned forks;    /* forks of this process when the call began */
    unsigned mode;     /* the caller's floating-point mode */
    int64_t began, polled, woke, slept; /* ns: the begin, the last poll and waking, time at rest */
    int64_t used;      /* the caller's processor time at the begin, ns */
    rk_seat seat;      /* the caller's */
} rk_crew;

typedef void (*rk_work)(void *what, ptrdiff_t piece, rk_seat *seat);

/* How the pieces are taken: each thread first what lies nearest to its rank, so that whoever wrote
 * rows reads them again; the first ones first; or in steps that follow each other at once. */
enum { RK_NEAREST, RK_IN_ORDER, RK_IN_STEPS };

/* Begin a call with at most so many threads; fewer if the calls of other Python threads use them,
 * so that all together hardly use more than one alone would. */
void rk_enter(rk_crew *crew, int threads);
/* Run work(what, piece, seat) once for each piece; back when all have run. */
void rk_share(rk_crew *crew, rk_work work, void *what, ptrdiff_t pieces, int order);
/* End it; 0, or -1 if it was left before its end. */
int rk_leave_crew(rk_crew *crew);

/* Let denormal numbers count as zero in this thread, as rk_enter and the workers do; the mode before,
 * to be restored. */
unsigned rk_flush_denormals(void);
void rk_restore_mode(unsigned mode);

/* Called by the calling thread every 50 ms of a call; what is not 0 ends the call. */
void rk_on_poll(int (*poll)(void));

/* Functions of an OpenMP runtime, each NULL where it is not known. */
typedef struct {
    int (*max_threads)(void), (*proc_bind)(void), (*num_places)(void);
    int (*place_num_procs)(int place);
    void (*place_proc_ids)(int place, int *ids);
} rk_openmp;

extern rk_openmp rk_the_openmp;

int rk_ask_openmp(const char *library); /* from now on the runtime that a loaded library uses; whether
                                           it uses one */
const char *rk_helpers(void); /* who shares the pieces: pool, regions (of OpenMP) or nobody */
int rk_asks_openmp(void);   /* whether there is one to ask */
int rk_openmp_limit(void);  /* its omp_get_max_threads(), RK_MOST_THREADS without one */
int rk_processors(void);    /* those that the calling thread may use now */
int rk_busy_threads(void);  /* threads of all calls that are running now, in any Python thread */
int rk_workers(void);       /* those started in this process */
int rk_watch_forks(void);   /* lets a forked child begin without workers; 0 on success */
void rk_end_workers(void);  /* at the end of the process; a later call starts them again */

#endif
