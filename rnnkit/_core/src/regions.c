/* Help without workers of the core's own: threads of an OpenMP region, or nobody. */
#define _GNU_SOURCE /* processors of a thread, in system.h */
#include "jobs.h"

#if !RK_POOL

int rk_hire(int threads) {
#ifdef _OPENMP
    return rk_the_pool.forks ? 1 : threads; /* the runtime could hang in a forked child */
#else
    (void)threads;
    return 1;
#endif
}

/* A signal handler forked within the region. Its end waits for threads that the child lacks. */
static void end_child(void) {
    static const char why[] = "rnnkit: a signal handler forked during a call, which cannot go on in "
                              "the child\n";
    const ssize_t written = write(STDERR_FILENO, why, sizeof why - 1);
    _exit(written < 0 ? 2 : 1);
}

void rk_share_out(rk_crew *crew, rk_work work, void *what, ptrdiff_t pieces, int order) {
    const rk_job job = rk_open_job(crew, work, what, pieces, order);
#ifdef _OPENMP
#pragma omp parallel num_threads(crew->threads) if (crew->threads > 1)
#endif
    {
        const unsigned mode = rk_flush_denormals();
        rk_seat mine = {0, RK_OPERATIONS_BETWEEN_LOOKS, crew};
#ifdef _OPENMP
        mine.rank = omp_get_thread_num();
#endif
        rk_take_part(&job, mine.rank == 0 ? &crew->seat : &mine);
        if (mine.rank == 0 && crew->forks != rk_peek(&rk_the_pool.forks))
            end_child();
        rk_restore_mode(mode);
    }
    rk_close_job();
}

void rk_dismiss(void) {
}

void rk_forget(void) {
}

#endif
