/* A recurrent layer over a packed minibatch as its kernels see it.
 *
 * Letters: B sequences, T steps, P packed rows, H hidden units, G gates. Step t owns the rows
 * step_offsets[t]:step_offsets[t + 1], one for each of the first n_t sequences. Visit v is the
 * v-th step in the order of the layer's direction.
 */
struct rk_gpu_layer {
    const real* weight_hh;        /* (G H, H) */
    const real* bias_hn;          /* (H,), gru */
    const real* peephole;         /* (3 H,), or null */
    const real* h0;               /* (B, H), null for zeros */
    const real* c0;               /* (B, H), null for zeros */
    const real* mask;             /* (B, H) on h before the recurrent product, or null */
    const real* keep_h;           /* (P, H), what zoneout keeps of the old h, or null */
    const real* keep_c;           /* (P, H), the same of c */
    const rk_index* step_offsets; /* (T + 1,) */
    rk_index n_steps;
    int hidden_size;
    int reverse;
    real keep; /* what zoneout keeps where there is no mask */
    real* gates; /* (P, G H): W x + b, then the gates' inputs, then (backward) their gradients */
    real* uh_n;  /* (P, H), gru: U_n h + b_hn, then (backward) its gradient */
    real* y;     /* (P, H) */
    real* c;     /* (P, H), lstm */
};

/* A visit: its first row and number of sequences, and those of its neighbours (0 at the ends). */
struct rk_visit {
    rk_index row, n, row_before, n_before, row_after, n_after;
};

__device__ inline void rk_step_rows(const rk_gpu_layer& layer, rk_index step, rk_index* row,
                                    rk_index* n)
{
    *row = 0;
    *n = 0;
    if (step >= 0 && step < layer.n_steps) {
        *row = layer.step_offsets[step];
        *n = layer.step_offsets[step + 1] - *row;
    }
}

__device__ inline rk_visit rk_visit_of(const rk_gpu_layer& layer, rk_index number)
{
    rk_visit visit;
    rk_index step = layer.reverse ? layer.n_steps - 1 - number : number;
    rk_index onward = layer.reverse ? -1 : 1;
    rk_step_rows(layer, step, &visit.row, &visit.n);
    rk_step_rows(layer, step - onward, &visit.row_before, &visit.n_before);
    rk_step_rows(layer, step + onward, &visit.row_after, &visit.n_after);
    return visit;
}

/* The state of sequence b before a visit: of the visit before, or where the sequence starts. One
 * load behind no branch, so that those of many sequences are on their way together. */
__device__ inline real rk_state_before(const rk_gpu_layer& layer, const rk_visit& visit,
                                       const real* states, const real* start, rk_index b, int unit)
{
    const real* of_b = start ? start + b * layer.hidden_size : 0;
    if (b < visit.n_before)
        of_b = states + (visit.row_before + b) * layer.hidden_size;
    return of_b ? rk_load_fresh(of_b + unit) : (real)0;
}

__device__ inline real rk_keep(const rk_gpu_layer& layer, const real* keep, rk_index row, int unit)
{
    return keep ? keep[row * layer.hidden_size + unit] : layer.keep;
}
