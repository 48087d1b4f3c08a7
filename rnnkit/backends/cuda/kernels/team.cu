/* How the blocks of a recurrent layer share its work, and how they wait for each other.
 *
 * Sequences do not depend on each other, hidden units do, at every step. So the blocks form teams:
 * team k takes the row tiles k, k + n_teams, ... (RK_ROWS sequences each), and its blocks split
 * the hidden units (RK_UNITS to a tile). After a visit the blocks of one team wait for each other:
 *
 *   RK_WAIT_STEPS    they never do: every visit is a launch of its own
 *   RK_WAIT_CLUSTER  a team is a cluster of RK_CLUSTER blocks (compute capability 9 and later), or
 *                    one block
 *   RK_WAIT_GRID     a team counts its arrivals in global memory; all blocks must be on the device
 *                    at once (a cooperative launch)
 *
 * One of the three is defined: the name of an algorithm of tiling.py.
 *
 * A block has RK_UNITS RK_SLICES threads; thread (unit, slice) sums every RK_SLICES-th product.
 */
#define RK_THREADS (RK_UNITS * RK_SLICES)

/* A factor of RK_ROWS sequences, which a thread reads from shared memory at once. */
struct alignas(16) rk_rows {
    real of[RK_ROWS];
};

struct rk_gpu_team {
    int number, n_teams, rank, size;
};

__device__ inline rk_gpu_team rk_team_of(int size)
{
    rk_gpu_team team;
    team.size = size;
    team.n_teams = gridDim.x / size;
    team.number = blockIdx.x / size;
    team.rank = blockIdx.x % size;
    return team;
}

/* Waits until every block of the team has come here for the round-th time (from 1). */
__device__ inline void rk_team_wait(const rk_gpu_team& team, unsigned* arrivals, unsigned round)
{
#if defined(RK_WAIT_CLUSTER) && RK_CLUSTER > 1
    rk_cluster_barrier();
#else
    __syncthreads();
#ifdef RK_WAIT_GRID
    if (threadIdx.x == 0) {
        __threadfence();
        atomicAdd(arrivals + team.number, 1u);
        while (rk_load_acquire(arrivals + team.number) < round * team.size)
            rk_pause();
        __threadfence();
    }
    __syncthreads();
#endif
#endif
}
