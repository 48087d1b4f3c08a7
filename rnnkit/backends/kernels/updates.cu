/* One solver step on flat vectors p (n,) with gradient g; the equations of backends/reference.py. */

extern "C" __global__ void sgd(rk_index n, real* p, const real* g, real* velocity, real rate,
                               real momentum, int nesterov)
{
    for (rk_index i = rk_thread(); i < n; i += rk_threads()) {
        real step = momentum * velocity[i] - rate * g[i];
        velocity[i] = step;
        p[i] += nesterov ? momentum * step - rate * g[i] : step;
    }
}

extern "C" __global__ void rmsprop(rk_index n, real* p, const real* g, real* square,
                                   real* velocity, real rate, real decay, real epsilon,
                                   real momentum)
{
    for (rk_index i = rk_thread(); i < n; i += rk_threads()) {
        square[i] = decay * square[i] + (1 - decay) * g[i] * g[i];
        velocity[i] = momentum * velocity[i] - rate * g[i] / (rk_sqrt(square[i]) + epsilon);
        p[i] += velocity[i];
    }
}

extern "C" __global__ void adagrad(rk_index n, real* p, const real* g, real* square, real rate,
                                   real epsilon)
{
    for (rk_index i = rk_thread(); i < n; i += rk_threads()) {
        square[i] += g[i] * g[i];
        p[i] -= rate * g[i] / (rk_sqrt(square[i]) + epsilon);
    }
}

extern "C" __global__ void adadelta(rk_index n, real* p, const real* g, real* square, real* change,
                                    real rate, real decay, real epsilon)
{
    for (rk_index i = rk_thread(); i < n; i += rk_threads()) {
        square[i] = decay * square[i] + (1 - decay) * g[i] * g[i];
        real step = g[i] * rk_sqrt(change[i] + epsilon) / rk_sqrt(square[i] + epsilon);
        change[i] = decay * change[i] + (1 - decay) * step * step;
        p[i] -= rate * step;
    }
}

/* mean_share and square_share are 1 - beta_1^step and 1 - beta_2^step. */
extern "C" __global__ void adam(rk_index n, real* p, const real* g, real* mean, real* square,
                                real rate, real beta_1, real beta_2, real epsilon,
                                real weight_decay, real mean_share, real square_share)
{
    for (rk_index i = rk_thread(); i < n; i += rk_threads()) {
        mean[i] = beta_1 * mean[i] + (1 - beta_1) * g[i];
        square[i] = beta_2 * square[i] + (1 - beta_2) * g[i] * g[i];
        p[i] -= rate * weight_decay * p[i];
        p[i] -= rate * (mean[i] / mean_share) / (rk_sqrt(square[i] / square_share) + epsilon);
    }
}
