/* The activation functions of cells.ACTIVATIONS under their names, and their slopes by value.
 *
 * A layer chooses three at compile time: RK_PHI (cell), RK_SIGMA (gates), RK_PHI_C (output), each
 * with _ALPHA and _BETA.
 */
#define RK_ACTIVATION(name, value_of_x, slope_of_y)                                  \
    struct name {                                                                    \
        __device__ static real value(real x, real alpha, real beta) { return value_of_x; } \
        __device__ static real slope(real y, real alpha, real beta) { return slope_of_y; } \
    };

RK_ACTIVATION(rk_f_tanh, rk_tanh(x), 1 - y * y)
RK_ACTIVATION(rk_f_sigmoid, 1 / (1 + rk_exp(-x)), y * (1 - y))
/* inf / inf would be NaN: where 1 + |x| is |x|, the sign is the quotient, rounded. */
RK_ACTIVATION(rk_f_softsign,
              1 + rk_abs(x) > rk_abs(x) || x != x ? x / (1 + rk_abs(x)) : (real)(x > 0 ? 1 : -1),
              (1 - rk_abs(y)) * (1 - rk_abs(y)))
RK_ACTIVATION(rk_f_relu, x < 0 ? (real)0 : x, y > 0 ? (real)1 : (real)0)
RK_ACTIVATION(rk_f_hard_sigmoid,
              alpha * x + beta < 0 ? (real)0 : alpha * x + beta > 1 ? (real)1 : alpha * x + beta,
              y > 0 && y < 1 ? alpha : (real)0)
RK_ACTIVATION(rk_f_linear, alpha * x + beta, alpha)
RK_ACTIVATION(rk_f_leaky_relu, x > 0 ? x : alpha * x, y > 0 ? (real)1 : alpha)
RK_ACTIVATION(rk_f_scaled_tanh, alpha * rk_tanh(beta * x), beta * (alpha - y * y / alpha))

/* A gate's value and slope by its input a, which RK_CLIP (if defined) limits. */
struct rk_gate {
    real value, slope;
};

template <class F> __device__ inline rk_gate rk_open(real a, real alpha, real beta)
{
    rk_gate gate;
#ifdef RK_CLIP
    real limit = RK_CLIP;
    gate.value = F::value(a > limit ? limit : a < -limit ? -limit : a, alpha, beta);
    gate.slope = rk_abs(a) <= limit ? F::slope(gate.value, alpha, beta) : (real)0;
#else
    gate.value = F::value(a, alpha, beta);
    gate.slope = F::slope(gate.value, alpha, beta);
#endif
    return gate;
}

__device__ inline rk_gate rk_open_cell(real a)
{
    return rk_open<RK_PHI>(a, RK_PHI_ALPHA, RK_PHI_BETA);
}

__device__ inline rk_gate rk_open_gate(real a)
{
    return rk_open<RK_SIGMA>(a, RK_SIGMA_ALPHA, RK_SIGMA_BETA);
}
