/* Rows added to the rows of a table that their ids name, in their order.
 *
 * Segment s of n_segments has the rows order[bounds[s]:bounds[s + 1]] of `rows`, which go to row
 * ids[s] of the table; a thread takes one column of one segment.
 */
extern "C" __global__ void add_rows(const real* rows, int width, const rk_index* order,
                                    const rk_index* bounds, const rk_index* ids,
                                    rk_index n_segments, real* table)
{
    for (rk_index i = rk_thread(); i < n_segments * width; i += rk_threads()) {
        rk_index segment = i / width, column = i % width;
        real sum = 0;
        for (rk_index at = bounds[segment]; at < bounds[segment + 1]; ++at)
            sum += rows[order[at] * width + column];
        table[ids[segment] * width + column] += sum;
    }
}
