/* Sums in a fixed order: of columns, of a vector, and the norm that a gradient is clipped by. */

#define RK_COLUMNS 32                        /* of a block */
#define RK_ROW_SLICES (RK_BLOCK / RK_COLUMNS) /* threads that share a column */

/* sums (gridDim.y, n) = the column sums of as many shares of the rows of a (m, n), which are added
 * to what is there if `accumulate`. */
extern "C" __global__ void column_sums(const real* a, rk_index m, rk_index n, int accumulate,
                                       real* sums)
{
    RK_SHARED(parts);
    int slice = threadIdx.x / RK_COLUMNS;
    rk_index column = (rk_index)blockIdx.x * RK_COLUMNS + threadIdx.x % RK_COLUMNS;
    rk_index first = (rk_index)blockIdx.y * RK_ROW_SLICES + slice;
    real sum = 0;
    if (column < n)
        for (rk_index row = first; row < m; row += (rk_index)gridDim.y * RK_ROW_SLICES)
            sum += a[row * n + column];
    parts[threadIdx.x] = sum;
    __syncthreads();
    if (slice == 0 && column < n) {
        for (int s = 1; s < RK_ROW_SLICES; ++s)
            sum += parts[s * RK_COLUMNS + threadIdx.x];
        real* to = sums + blockIdx.y * n + column;
        *to = accumulate ? *to + sum : sum;
    }
}

/* The sum of a number of every thread of a block, for its first thread. */
__device__ inline double rk_sum_of_block(double number, double* numbers)
{
    numbers[threadIdx.x] = number;
    for (int half = RK_BLOCK / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half)
            numbers[threadIdx.x] += numbers[threadIdx.x + half];
    }
    return numbers[0];
}

/* parts[block] = the block's share of the sum of x (n,), or of its squares. */
extern "C" __global__ void partial_sums(const real* x, rk_index n, int squares, double* parts)
{
    RK_SHARED(memory);
    double sum = 0;
    for (rk_index i = rk_thread(); i < n; i += rk_threads())
        sum += squares ? (double)x[i] * (double)x[i] : (double)x[i];
    sum = rk_sum_of_block(sum, (double*)memory);
    if (threadIdx.x == 0)
        parts[blockIdx.x] = sum;
}

/* total = the sum of the parts, or its square root. One block. */
extern "C" __global__ void total_of_parts(const double* parts, int n, int root, double* total)
{
    RK_SHARED(memory);
    double sum = 0;
    for (int i = threadIdx.x; i < n; i += RK_BLOCK)
        sum += parts[i];
    sum = rk_sum_of_block(sum, (double*)memory);
    if (threadIdx.x == 0)
        *total = root ? sqrt(sum) : sum;
}

/* x (n,) *= limit / norm where the norm exceeds the limit and is finite. */
extern "C" __global__ void limit_norm(real* x, rk_index n, const double* norm, double limit)
{
    if (!(*norm > limit) || *norm > 1.7976931348623157e308)
        return;
    real factor = (real)(limit / *norm);
    for (rk_index i = rk_thread(); i < n; i += rk_threads())
        x[i] *= factor;
}
