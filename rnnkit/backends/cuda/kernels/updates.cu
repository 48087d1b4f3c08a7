/* One solver step on flat vectors p (n,) with gradient g; the equations of backends/reference.py.
 *
 * Kernels have the rules' names, and their parameters those of a rule's vectors and options.
 * pace[0] is the learning rate; it lies on the GPU because a CUDA graph repeats every number that
 * a kernel is launched with.
 */

extern "C" __global__ void sgd(rk_index n, real* p, const real* g, real* velocity, const real* pace,
                               real momentum, int nesterov)
{
    real rate = pace[0];
    for (rk_index i = rk_thread(); i < n; i += rk_threads()) {
        real step = momentum * velocity[i] - rate * g[i];
        velocity[i] = step;
        p[i] += nesterov ? momentum * step - rate * g[i] : step;
    }
}

extern "C" __global__ void rmsprop(rk_index n, real* p, const real* g, real* square,
                                   real* velocity, const real* pace, real decay, real epsilon,
                                   real momentum)
{
    real rate = pace[0];
    for (rk_index i = rk_thread(); i < n; i += rk_threads()) {
        square[i] = decay * square[i] + (1 - decay) * g[i] * g[i];
        velocity[i] = momentum * velocity[i] - rate * g[i] / (rk_sqrt(square[i]) + epsilon);
        p[i] += velocity[i];
    }
}

extern "C" __global__ void adagrad(rk_index n, real* p, const real* g, real* square,
                                   const real* pace, real epsilon)
{
    real rate = pace[0];
    for (rk_index i = rk_thread(); i < n; i += rk_threads()) {
        square[i] += g[i] * g[i];
        p[i] -= rate * g[i] / (rk_sqrt(square[i]) + epsilon);
    }
}

extern "C" __global__ void adadelta(rk_index n, real* p, const real* g, real* square, real* change,
                                    const real* pace, real decay, real epsilon)
{
    real rate = pace[0];
    for (rk_index i = rk_thread(); i < n; i += rk_threads()) {
        square[i] = decay * square[i] + (1 - decay) * g[i] * g[i];
        real step = g[i] * rk_sqrt(change[i] + epsilon) / rk_sqrt(square[i] + epsilon);
        change[i] = decay * change[i] + (1 - decay) * step * step;
        p[i] -= rate * step;
    }
}

/* pace[1] and pace[2] are 1 - beta_1^step and 1 - beta_2^step. */
extern "C" __global__ void adam(rk_index n, real* p, const real* g, real* mean, real* square,
                                const real* pace, real beta_1, real beta_2, real epsilon,
                                real weight_decay)
{
    real rate = pace[0], mean_share = pace[1], square_share = pace[2];
    for (rk_index i = rk_thread(); i < n; i += rk_threads()) {
        mean[i] = beta_1 * mean[i] + (1 - beta_1) * g[i];
        square[i] = beta_2 * square[i] + (1 - beta_2) * g[i] * g[i];
        p[i] -= rate * weight_decay * p[i];
        p[i] -= rate * (mean[i] / mean_share) / (rk_sqrt(square[i] / square_share) + epsilon);
    }
}
