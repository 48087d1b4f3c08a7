/* Sums in a fixed order: of columns, of a vector, and the norm that a gradient is clipped by. */

#define RK_COLUMNS 32                        /* of a block */
#define RK_ROW_SLICES (RK_BLOCK / RK_COLUMNS) /* threads that share a column */

/* sums (n,) += the column sums of a (m, n). */
extern "C" __global__ void column_sums(const real* a, rk_index m, rk_index n, real* sums)
{
    RK_SHARED(parts);
    int slice = threadIdx.x / RK_COLUMNS;
    rk_index column = (rk_index)blockIdx.x * RK_COLUMNS + threadIdx.x % RK_COLUMNS;
    real sum = 0;
    if (column < n)
        for (rk_index row = slice; row < m; row += RK_ROW_SLICES)
            sum += a[row * n + column];
    parts[threadIdx.x] = sum;
    __syncthreads();
    if (slice == 0 && column < n) {
        for (int s = 1; s < RK_ROW_SLICES; ++s)
            sum += parts[s * RK_COLUMNS + threadIdx.x];
        sums[column] += sum;
    }
}

/* parts[block] = the block's share of the sum of x (n,), or of its squares. */
extern "C" __global__ void partial_sums(const real* x, rk_index n, int squares, double* parts)
{
    RK_SHARED(memory);
    double* sums = (double*)memory;
    double sum = 0;
    for (rk_index i = rk_thread(); i < n; i += rk_threads())
        sum += squares ? (double)x[i] * (double)x[i] : (double)x[i];
    sums[threadIdx.x] = sum;
    for (int half = RK_BLOCK / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half)
            sums[threadIdx.x] += sums[threadIdx.x + half];
    }
    if (threadIdx.x == 0)
        parts[blockIdx.x] = sums[0];
}

/* total = the sum of the parts, or its square root. One thread. */
extern "C" __global__ void total_of_parts(const double* parts, int n, int root, double* total)
{
    double sum = 0;
    for (int i = 0; i < n; ++i)
        sum += parts[i];
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
