/* Runs a kernel's threads as fibres on the host, one at a time, in an order drawn from a seed.
 *
 * Beyond the shared memory of a block lie guard bytes, which must stay as they are.
 *
 * A thread runs until it waits at a barrier, pauses or ends; who runs next is drawn among those
 * that can. Shared memory holds NaN at first. The blocks of a cooperative launch live together,
 * those of a plain launch cluster after cluster in a random order, so that a block that waits for
 * one it has no right to wait for never goes on: such a standstill is reported.
 *
 * Limits: memory is sequentially consistent, so a missing fence or acquire is not noticed.
 */
#undef _FORTIFY_SOURCE
#include "words.h"

#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

namespace {

enum { STACK_BYTES = 128 * 1024, GUARD_BYTES = 256, LONGEST_PAUSE = 3 * 1000 * 1000 };

struct Barrier {
    int n_members, n_waiting;
    int* waiting; /* fibre numbers */
};

struct Fibre {
    rk_thread_now place;
    ucontext_t context;
    jmp_buf at;
    bool started;
    int block, cluster;
};

Fibre** fibres;
int n_fibres;
Barrier* blocks;
Barrier* clusters;
int* runnable;
int n_runnable, n_unfinished, running;
bool finished, standstill, overrun;
jmp_buf scheduler;
uint64_t state;
long n_pauses;
void (*kernel)(void**);
void** arguments;

uint64_t draw()
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

void to_scheduler()
{
    if (!_setjmp(fibres[running]->at))
        _longjmp(scheduler, 1);
}

void live()
{
    for (;;) {
        kernel(arguments);
        finished = true;
        to_scheduler();
    }
}

void make_fibres(int n)
{
    if (n <= n_fibres)
        return;
    fibres = (Fibre**)realloc(fibres, n * sizeof(Fibre*));
    for (; n_fibres < n; ++n_fibres) {
        Fibre* fibre = (Fibre*)calloc(1, sizeof(Fibre));
        getcontext(&fibre->context);
        fibre->context.uc_stack.ss_sp = mmap(0, STACK_BYTES, PROT_READ | PROT_WRITE,
                                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        fibre->context.uc_stack.ss_size = STACK_BYTES;
        makecontext(&fibre->context, live, 0);
        fibres[n_fibres] = fibre;
    }
}

void resume(int number)
{
    Fibre* fibre = fibres[number];
    running = number;
    rk_now = &fibre->place;
    if (_setjmp(scheduler))
        return;
    if (fibre->started)
        _longjmp(fibre->at, 1);
    fibre->started = true;
    setcontext(&fibre->context);
}

void wait_at(Barrier* barrier)
{
    barrier->waiting[barrier->n_waiting++] = running;
    if (barrier->n_waiting == barrier->n_members) {
        for (int i = 0; i < barrier->n_members; ++i)
            runnable[n_runnable++] = barrier->waiting[i];
        barrier->n_waiting = 0;
    }
    to_scheduler();
}

Barrier* make_barriers(int n, int n_members)
{
    Barrier* barriers = (Barrier*)calloc(n, sizeof(Barrier));
    for (int i = 0; i < n; ++i) {
        barriers[i].n_members = n_members;
        barriers[i].waiting = (int*)malloc(n_members * sizeof(int));
    }
    return barriers;
}

void free_barriers(Barrier* barriers, int n)
{
    for (int i = 0; i < n; ++i)
        free(barriers[i].waiting);
    free(barriers);
}

/* Runs the blocks numbered by `which` together. Each has its shared memory. */
void run_together(const int* which, int n, rk_place grid, int block_size, int shared_bytes,
                  int cluster_size)
{
    make_fibres(n * block_size);
    size_t room = (shared_bytes + 15) / 16 * 16 + GUARD_BYTES;
    char* shared = (char*)malloc(n * room);
    memset(shared, 0xff, n * room);
    blocks = make_barriers(n, block_size);
    clusters = make_barriers(n / cluster_size, block_size * cluster_size);
    runnable = (int*)malloc(n * block_size * sizeof(int));
    n_runnable = n_unfinished = n * block_size;
    for (int i = 0; i < n * block_size; ++i) {
        Fibre* fibre = fibres[i];
        unsigned block = which[i / block_size];
        fibre->block = i / block_size;
        fibre->cluster = fibre->block / cluster_size;
        fibre->place.thread = {(unsigned)(i % block_size), 0, 0};
        fibre->place.block = {block % grid.x, block / grid.x % grid.y, block / grid.x / grid.y};
        fibre->place.block_size = {(unsigned)block_size, 1, 1};
        fibre->place.grid_size = grid;
        fibre->place.shared = shared + fibre->block * room;
        runnable[i] = i;
    }
    n_pauses = 0;
    while (n_runnable && !standstill) {
        int chosen = draw() % n_runnable;
        int number = runnable[chosen];
        runnable[chosen] = runnable[--n_runnable];
        finished = false;
        resume(number);
        n_unfinished -= finished;
    }
    standstill = standstill || n_unfinished;
    for (int block = 0; block < n; ++block)
        for (size_t at = shared_bytes; at < room; ++at)
            overrun = overrun || shared[block * room + at] != (char)0xff;
    free_barriers(blocks, n);
    free_barriers(clusters, n / cluster_size);
    free(runnable);
    free(shared);
}

} /* namespace */

extern "C" {

rk_thread_now* rk_now;
int rk_shared_bytes; /* of a block of the launch */

void rk_block_barrier() { wait_at(&blocks[fibres[running]->block]); }
void rk_cluster_barrier() { wait_at(&clusters[fibres[running]->cluster]); }

void rk_pause()
{
    if (++n_pauses > LONGEST_PAUSE)
        standstill = true;
    runnable[n_runnable++] = running;
    to_scheduler();
}

/* Runs a launch; returns 0, 1 if threads wait for what never comes, or 2 if a block writes beyond
 * its shared memory. */
int rk_launch(void (*call)(void**), void** args, const unsigned* grid, int block_size,
              int shared_bytes, int cluster_size, int cooperative, uint64_t seed)
{
    rk_place size = {grid[0], grid[1], grid[2]};
    int n_blocks = size.x * size.y * size.z;
    int together = cooperative ? n_blocks : cluster_size;
    int* order = (int*)malloc(n_blocks * sizeof(int));
    kernel = call;
    rk_shared_bytes = shared_bytes;
    arguments = args;
    standstill = overrun = false;
    state = seed * 2654435769u + 88172645463325252u;
    for (int i = 0; i < n_blocks; ++i)
        order[i] = i;
    for (int i = n_blocks / together - 1; i > 0; --i) /* shuffles whole clusters */
        for (int j = draw() % (i + 1), k = 0; k < together; ++k) {
            int other = order[j * together + k];
            order[j * together + k] = order[i * together + k];
            order[i * together + k] = other;
        }
    for (int first = 0; first < n_blocks && !standstill; first += together)
        run_together(order + first, together, size, block_size, shared_bytes, cluster_size);
    if (standstill) { /* the fibres stand where they stood: never used again */
        fibres = 0;
        n_fibres = 0;
    }
    free(order);
    return standstill ? 1 : overrun ? 2 : 0;
}
}
