/* Running figures over the steps of each sequence; a thread takes a column of a sequence.
 *
 * Letters: B sequences, P packed rows, W columns.
 */

/* total (B, W) += the sequence's rows of x (P, W), step after step. */
extern "C" __global__ void add_steps(const real* x, const rk_index* step_offsets,
                                     const rk_index* lengths, rk_index n_sequences, int width,
                                     real* total)
{
    for (rk_index i = rk_thread(); i < n_sequences * width; i += rk_threads()) {
        rk_index b = i / width;
        real sum = total[i];
        for (rk_index step = 0; step < lengths[b]; ++step)
            sum += x[(step_offsets[step] + b) * width + i % width];
        total[i] = sum;
    }
}

/* largest (B, W) becomes the maximum, rows (null: not wanted) where a larger one was found. */
extern "C" __global__ void largest_of_steps(const real* x, const rk_index* step_offsets,
                                            const rk_index* lengths, rk_index n_sequences,
                                            int width, real* largest, rk_index* rows)
{
    for (rk_index i = rk_thread(); i < n_sequences * width; i += rk_threads()) {
        rk_index b = i / width, found = -1;
        real top = largest[i];
        for (rk_index step = 0; step < lengths[b]; ++step) {
            rk_index row = step_offsets[step] + b;
            real value = x[row * width + i % width];
            if (value > top) {
                top = value;
                found = row;
            }
        }
        largest[i] = top;
        if (rows && found >= 0)
            rows[i] = found;
    }
}

/* largest, total (B, 1) and weighted (B, W) are read where they were and written where they are
 * to be: every thread of a sequence follows the largest energy (P, 1) for itself. */
extern "C" __global__ void attend_to_steps(const real* energies, const real* x,
                                           const rk_index* step_offsets, const rk_index* lengths,
                                           rk_index n_sequences, int width,
                                           const real* largest_before, const real* total_before,
                                           real* largest, real* total, real* weighted)
{
    for (rk_index i = rk_thread(); i < n_sequences * width; i += rk_threads()) {
        rk_index b = i / width;
        real top = largest_before[b], sum = total_before[b], part = weighted[i];
        for (rk_index step = 0; step < lengths[b]; ++step) {
            rk_index row = step_offsets[step] + b;
            real new_top = energies[row] > top ? energies[row] : top;
            real shrink = rk_exp(top - new_top), term = rk_exp(energies[row] - new_top);
            sum = sum * shrink + term;
            part = part * shrink + term * x[row * width + i % width];
            top = new_top;
        }
        weighted[i] = part;
        if (i % width == 0) {
            largest[b] = top;
            total[b] = sum;
        }
    }
}
