/* Softmax of every row of raw scores (n, k), alone and with its cross-entropy. */

__device__ inline real rk_largest(const real* scores, int k)
{
    real largest = scores[0];
    for (int i = 1; i < k; ++i)
        largest = scores[i] > largest || scores[i] != scores[i] ? scores[i] : largest;
    return largest;
}

/* probabilities (n, k). A thread takes a row. */
extern "C" __global__ void softmax(const real* scores, rk_index n, int k, real* probabilities)
{
    for (rk_index row = rk_thread(); row < n; row += rk_threads()) {
        const real* s = scores + row * k;
        real* p = probabilities + row * k;
        real largest = rk_largest(s, k), sum = 0;
        for (int i = 0; i < k; ++i) {
            p[i] = rk_exp(s[i] - largest);
            sum += p[i];
        }
        for (int i = 0; i < k; ++i)
            p[i] /= sum;
    }
}

/* losses (n,) in nats and dscores (n, k), both times the row's weight (null: ones). The target is
 * 1 - smoothing at the label plus smoothing / k everywhere. */
extern "C" __global__ void softmax_cross_entropy(const real* scores, rk_index n, int k,
                                                 const rk_index* labels, const real* weights,
                                                 real smoothing, real* losses, real* dscores)
{
    for (rk_index row = rk_thread(); row < n; row += rk_threads()) {
        const real* s = scores + row * k;
        real* d = dscores + row * k;
        real largest = rk_largest(s, k), sum = 0, loss = 0;
        real weight = weights ? weights[row] : (real)1;
        for (int i = 0; i < k; ++i)
            sum += rk_exp(s[i] - largest);
        real log_sum = rk_log(sum);
        for (int i = 0; i < k; ++i) {
            real log_probability = s[i] - largest - log_sum;
            real target = smoothing / k + (i == labels[row] ? 1 - smoothing : (real)0);
            loss -= target * log_probability;
            d[i] = (rk_exp(log_probability) - target) * weight;
        }
        losses[row] = loss * weight;
    }
}
