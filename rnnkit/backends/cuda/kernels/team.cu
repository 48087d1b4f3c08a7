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
 * A block has RK_UNITS RK_SLICES threads; thread (unit, slice) sums every RK_SLICES-th product. So a
 * warp reads RK_GROUPS rows of the weights at a time, RK_UNITS of each, from shared memory of 32
 * banks. Its slices lie 8 apart, and 8 rows of RK_STRIDE(width) are RK_UNITS banks: no two of its
 * threads meet in a bank. Nor do they where columns are stored, threads next to each other then
 * being rows next to each other (at 16 units two do).
 */
#define RK_THREADS (RK_UNITS * RK_SLICES)
#define RK_GROUPS (RK_UNITS < 32 ? 32 / RK_UNITS : 1)
#define RK_STRIDE(width) ((width) + (RK_UNITS == 16 ? 2 : 1))

/* The sums of all threads for one sequence, and a gap after which the next one begins so many
 * banks further as it has units. They lie where the factors lay. */
#define RK_SUMS(gates) ((gates) * RK_THREADS + RK_UNITS)

/* Cells (a unit of a sequence) of a tile, and how many of them a thread takes. */
#define RK_CELLS (RK_ROWS * RK_UNITS)
#define RK_CELLS_OF_A_THREAD ((RK_CELLS + RK_THREADS - 1) / RK_THREADS)

/* A factor of RK_ROWS sequences, which a thread reads from shared memory at once. */
struct alignas(16) rk_rows {
    real of[RK_ROWS];
};

/* The slice of a thread; those of a warp lie RK_SLICES / RK_GROUPS, that is 8, apart. */
__device__ inline int rk_slice()
{
    int group = threadIdx.x / RK_UNITS;
    return group % RK_GROUPS * (RK_SLICES / RK_GROUPS) + group / RK_GROUPS;
}

/* What of shared memory a block of `chunk` factors and rows of weights gives to what. */
struct rk_block_memory {
    rk_rows* factors;
    real *sums, *weights;
};

__device__ inline rk_block_memory rk_memory_of(real* memory, int chunk, int gates)
{
    int n_factors = chunk * RK_ROWS, n_sums = RK_ROWS * RK_SUMS(gates);
    rk_block_memory parts;
    parts.factors = (rk_rows*)memory;
    parts.sums = memory;
    parts.weights = memory + (n_factors > n_sums ? n_factors : n_sums);
    return parts;
}

/* The number-th cell of a thread, of the sequences and units from first_b and first_unit on. */
struct rk_place_of_cell {
    int row; /* of the tile */
    rk_index b;
    int unit;
    bool inside;
};

__device__ inline rk_place_of_cell rk_cell_of(int number, rk_index first_b, rk_index n,
                                              int first_unit, int hidden_size)
{
    int i = threadIdx.x + number * RK_THREADS;
    rk_place_of_cell cell;
    cell.row = i / RK_UNITS;
    cell.b = first_b + cell.row;
    cell.unit = first_unit + i % RK_UNITS;
    cell.inside = i < RK_CELLS && cell.b < n && cell.unit < hidden_size;
    return cell;
}

/* Where a thread's sum of one sequence and gate lies, and the sum of those of a cell's threads. */
__device__ inline real& rk_sum_of_thread(real* sums, int row, int gate, int gates)
{
    return sums[row * RK_SUMS(gates) + gate * RK_THREADS + threadIdx.x];
}

__device__ inline real rk_summed(const real* sums, const rk_place_of_cell& cell, int gate,
                                 int gates, int first_unit)
{
    const real* of_unit =
        sums + cell.row * RK_SUMS(gates) + gate * RK_THREADS + cell.unit - first_unit;
    real sum = 0;
    for (int group = 0; group < RK_SLICES; ++group)
        sum += of_unit[group * RK_UNITS];
    return sum;
}

/* How many of a tile's sequences, from first_b on, are among the first n. */
__device__ inline int rk_rows_of(rk_index first_b, rk_index n)
{
    rk_index rows = n - first_b;
    return rows < RK_ROWS ? (int)rows : RK_ROWS;
}

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
