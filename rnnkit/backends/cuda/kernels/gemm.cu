/* c = a b, or c = a b + bias, or c += a b, for matrices of any strides.
 *
 * a is (m, k), b is (k, n), c is (m, n) with rows next to each other in memory. Block (x, y) takes
 * tile y of the rows and tile x of the columns; each of RK_BLOCK threads, 16 by 16, sums a 4 by 4
 * part of it.
 */
#define RK_TILE 64
#define RK_DEPTH 16

extern "C" __global__ void RK_LAUNCH_BOUNDS(RK_BLOCK, 2) gemm(
    rk_index m, rk_index n, rk_index k, const real* a, rk_index a_row, rk_index a_column,
    const real* b, rk_index b_row, rk_index b_column, const real* bias, int accumulate, real* c)
{
    RK_SHARED(a_tile); /* [RK_DEPTH][RK_TILE + 1], then the same of b */
    real* b_tile = a_tile + RK_DEPTH * (RK_TILE + 1);
    int column = threadIdx.x % 16, row = threadIdx.x / 16;
    rk_index first_n = (rk_index)blockIdx.x * RK_TILE;
    for (rk_index first_m = (rk_index)blockIdx.y * RK_TILE; first_m < m;
         first_m += (rk_index)gridDim.y * RK_TILE) {
        real sum[4][4];
        for (int i = 0; i < 4; ++i)
            for (int j = 0; j < 4; ++j)
                sum[i][j] = 0;
        for (rk_index first_k = 0; first_k < k; first_k += RK_DEPTH) {
            __syncthreads(); /* nobody reads the tiles before any more */
            for (int i = threadIdx.x; i < RK_DEPTH * RK_TILE; i += RK_BLOCK) {
                /* Threads next to each other read memory next to each other. */
                int depth = a_column == 1 ? i % RK_DEPTH : i / RK_TILE;
                int place = a_column == 1 ? i / RK_DEPTH : i % RK_TILE;
                bool inside = first_m + place < m && first_k + depth < k;
                a_tile[depth * (RK_TILE + 1) + place] =
                    inside ? a[(first_m + place) * a_row + (first_k + depth) * a_column] : (real)0;
                depth = b_row == 1 ? i % RK_DEPTH : i / RK_TILE;
                place = b_row == 1 ? i / RK_DEPTH : i % RK_TILE;
                inside = first_n + place < n && first_k + depth < k;
                b_tile[depth * (RK_TILE + 1) + place] =
                    inside ? b[(first_k + depth) * b_row + (first_n + place) * b_column] : (real)0;
            }
            __syncthreads();
            for (int depth = 0; depth < RK_DEPTH; ++depth)
                for (int i = 0; i < 4; ++i)
                    for (int j = 0; j < 4; ++j)
                        sum[i][j] += a_tile[depth * (RK_TILE + 1) + row + 16 * i]
                            * b_tile[depth * (RK_TILE + 1) + column + 16 * j];
        }
        for (int i = 0; i < 4; ++i)
            for (int j = 0; j < 4; ++j) {
                rk_index to_m = first_m + row + 16 * i, to_n = first_n + column + 16 * j;
                if (to_m >= m || to_n >= n)
                    continue;
                real* to = c + to_m * n + to_n;
                *to = sum[i][j] + (accumulate ? *to : bias ? bias[to_n] : (real)0);
            }
    }
}
