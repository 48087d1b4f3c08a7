/* Connectionist temporal classification: the loss with its gradient, and the labels of the best path.
 *
 * A path through a target of U labels is at each step at blank u (before label u; blank U follows
 * the last) or at label u. It stays, goes on to the next state, or skips the blank between two
 * different labels:
 *
 *     blank u from blank u, label u - 1;    label u from label u, blank u, label u - 1 (skip).
 *
 * Forward keeps in which shares a state's probability came from each; back it hands its own on in
 * these shares. States beyond the target do no harm: paths only move to later ones.
 */
enum { CTC_SHARES = 5 }; /* blank: stay, come; label: stay, come, skip */

static size_t FN(ctc_scratch)(const rk_ctc *call, ptrdiff_t steps, ptrdiff_t labels) {
    const size_t kp = (size_t)rk_whole(call->in.width), up = (size_t)rk_whole(labels + 1);
    return (((size_t)steps + 1) * (kp + CTC_SHARES * up) + 2 * kp + 4 * (up + RK_LANES) +
            2 * RK_LANES) * sizeof(double);
}

/* log softmax of a row into `logs`, its probabilities into `shares`, both (Kp). */
RK_INLINE void FN(log_softmax)(const rk_rows *in, ptrdiff_t row, double *logs, double *shares) {
    const ptrdiff_t kp = rk_whole(in->width);
    FN(read_row)(in, row, logs);
    const double top = FN(largest)(logs, kp, -DBL_MAX);
    const double sum = FN(exp_below)(logs, top, shares, kp), log_sum = FN(log_of)(sum);
    const vec inverse = v_set1(1 / sum);
    for (ptrdiff_t i = 0; i < kp; i += VL) {
        v_store(logs + i, v_load(logs + i) - v_set1(top) - v_set1(log_sum));
        v_store(shares + i, v_load(shares + i) * inverse);
    }
}

/* A vector of states of a kind one step on: how likely they are come to, and in which shares. */
RK_INLINE void FN(ctc_advance)(double *blank, double *label, vec skip_penalty, double *shares,
                               ptrdiff_t up) {
    const vec one = v_set1(1), earlier = v_load(label - 1);
    const vec b = v_load(blank), l = v_load(label), skip = earlier + skip_penalty;

    const ivec comes = earlier > b;
    const vec lesser = FN(v_exp)(v_zero() - v_abs(earlier - b));
    const vec both = one + lesser, greater_share = one / both;
    const vec lesser_share = lesser * greater_share;
    v_store(shares, v_select(comes, lesser_share, greater_share));
    v_store(shares + up, v_select(comes, greater_share, lesser_share));
    v_store(blank, v_select(comes, earlier, b) + FN(v_log)(both));

    const vec top = v_max(skip, v_max(b, l));
    const vec stays = FN(v_exp)(l - top), steps = FN(v_exp)(b - top);
    const vec skips = FN(v_exp)(skip - top), sum = stays + steps + skips, inverse = one / sum;
    v_store(shares + 2 * up, stays * inverse);
    v_store(shares + 3 * up, steps * inverse);
    v_store(shares + 4 * up, skips * inverse);
    v_store(label, top + FN(v_log)(sum));
}

/* A vector of states one step back: their probabilities from those of the states they led to. */
RK_INLINE void FN(ctc_hand_back)(double *blank, double *label, const double *shares,
                                 ptrdiff_t up) {
    const vec b = v_load(blank), l = v_load(label);
    const vec next_blank = v_load(blank + 1), next_label = v_load(label + 1);
    v_store(blank, b * v_load(shares) + l * v_load(shares + 3 * up));
    v_store(label, l * v_load(shares + 2 * up) + next_blank * v_load(shares + up + 1) +
                       next_label * v_load(shares + 4 * up + 1));
}

static void FN(ctc_gradient)(const rk_ctc *call, ptrdiff_t b, void *scratch, rk_seat *seat) {
    const rk_rows *in = &call->in;
    const ptrdiff_t kp = rk_whole(in->width), steps = in->lengths[b], no_label = in->width - 1;
    const ptrdiff_t *target = call->targets + call->target_of[b];
    const ptrdiff_t n = call->target_of[b + 1] - call->target_of[b], up = rk_whole(n + 1);
    const ptrdiff_t stride = CTC_SHARES * up;
    const double weight = call->weights ? call->weights[b] : 1;
    const double operations = 300.0 * (double)(up + kp);
    double *softmax = scratch, *kept = softmax + steps * kp;
    double *logs = kept + steps * stride + RK_LANES, *row = logs + kp;
    double *blank = row + kp, *label = blank + up + 2 * RK_LANES;
    double *penalty = label + up + RK_LANES, *emitted = penalty + up;
    call->losses[b] = n ? INFINITY : 0;
    if (steps == 0)
        return;
    FN(fill)(kept + steps * stride, 0, RK_LANES);
    FN(fill)(blank, IMPOSSIBLE, 2 * up + 3 * RK_LANES); /* and label, with a margin before it */
    FN(fill)(penalty, IMPOSSIBLE, up);
    FN(fill)(emitted, 0, up);
    for (ptrdiff_t u = 1; u < n; u++)
        penalty[u] = target[u] != target[u - 1] ? 0 : IMPOSSIBLE;
    blank[0] = 0;
    if (n)
        label[0] = 0;
    for (ptrdiff_t t = 0; t < steps; t++) {
        if (rk_leave(seat, operations))
            return;
        const ptrdiff_t reached = rk_whole(t + 1) < up ? rk_whole(t + 1) : up;
        double *shares = kept + t * stride;
        FN(log_softmax)(in, FN(row_of)(in, t, b), logs, softmax + t * kp);
        for (ptrdiff_t u = reached - VL; t > 0 && u >= 0; u -= VL)
            FN(ctc_advance)(blank + u, label + u, v_load(penalty + u), shares + u, up);
        for (ptrdiff_t part = 0; reached < up && part < CTC_SHARES; part++)
            v_store(shares + part * up + reached, v_zero());
        for (ptrdiff_t u = 0; u < n && u < reached; u++)
            emitted[u] = logs[target[u]];
        for (ptrdiff_t u = 0; u < reached; u += VL) {
            v_store(blank + u, v_load(blank + u) + v_set1(logs[no_label]));
            v_store(label + u, v_load(label + u) + v_load(emitted + u));
        }
    }
    const double by_blank = blank[n], by_label = n ? label[n - 1] : IMPOSSIBLE;
    const double total = FN(log_add)(by_blank, by_label);
    call->losses[b] = -total;

    FN(fill)(blank, 0, 2 * up + 3 * RK_LANES);
    label = blank + up + RK_LANES; /* with a margin behind both */
    blank[n] = FN(exp_of)(by_blank - total);
    if (n)
        label[n - 1] = FN(exp_of)(by_label - total);
    for (ptrdiff_t t = steps - 1; t >= 0; t--) {
        if (rk_leave(seat, operations))
            return;
        const ptrdiff_t reached = rk_whole(t + 1) < up ? rk_whole(t + 1) : up;
        FN(eight_sums) blanks = {{{0}}};
        for (ptrdiff_t u = 0; u < reached; u += VL)
            blanks.parts[u % RK_LANES / VL] += v_load(blank + u);
        memcpy(row, softmax + t * kp, (size_t)kp * sizeof *row);
        row[no_label] -= FN(total_of)(blanks);
        for (ptrdiff_t u = 0; u < n && u < reached; u++)
            row[target[u]] -= label[u];
        for (ptrdiff_t i = 0; weight != 1 && i < kp; i += VL)
            v_store(row + i, v_set1(weight) * v_load(row + i));
        FN(write_row)(in, FN(row_of)(in, t, b), row, call->dscores);
        for (ptrdiff_t u = 0; t > 0 && u < reached; u += VL)
            FN(ctc_hand_back)(blank + u, label + u, kept + t * stride + u, up);
    }
}

static void FN(ctc_greedy)(const rk_ctc *call, ptrdiff_t b, void *scratch, rk_seat *seat) {
    const rk_rows *in = &call->in;
    const ptrdiff_t k = in->width, kp = rk_whole(k);
    double *scores = scratch, *shares = scores + kp, total = 0;
    ptrdiff_t *spelled = call->spelled + call->starts[b], count = 0, before = -1;
    for (ptrdiff_t t = 0; t < in->lengths[b]; t++) {
        if (rk_leave(seat, 40.0 * (double)kp))
            return;
        ptrdiff_t best = 0;
        FN(read_row)(in, FN(row_of)(in, t, b), scores);
        const double top = FN(largest)(scores, kp, -DBL_MAX);
        const double log_sum = FN(log_of)(FN(exp_below)(scores, top, shares, kp));
        while (best < k - 1 && !(scores[best] - top - log_sum >= -log_sum))
            best++;
        total -= log_sum;
        if (best != k - 1 && best != before)
            spelled[count++] = best;
        before = best;
    }
    call->counts[b] = count;
    call->log_probabilities[b] = total;
}
