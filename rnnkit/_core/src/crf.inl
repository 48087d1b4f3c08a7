/* A linear-chain random field: log-likelihood with its gradient, marginals, the best labelling.
 *
 * Forward: prefix(t, i) is log sum exp of the scores of all labellings up to step t that end in
 * label i. With m the largest prefix of a step, C_j the largest score of a transition into j,
 * a_i = exp(prefix_i - m) and E_ij = exp(T_ij - C_j),
 *
 *     s_j = sum_i a_i E_ij,    prefix(t + 1, j) = score(t + 1, j) + m + C_j + log s_j:
 *
 * a product instead of an exponential for each pair. Where s_j is so small that a term may have
 * vanished that matters, the exponentials of its pairs are summed beside the largest of them. Back:
 * a label hands its probability p_j to the labels before it in the proportions of s_j's terms, so
 * with q_j = p_j / s_j, p_i = a_i sum_j E_ij q_j, and the pair marginals are E_ij sum a_i q_j.
 *
 * Kept of a step: prefix, a and q (first s). A negative s or q marks a label whose pairs are summed
 * one by one; then -q is its probability.
 */
#define SMALLEST_SUM 1e-100 /* terms that vanish are below 1e-307 */

/* Where the parts of `field` lie. */
typedef struct {
    const double *pairs, *pairs_into;   /* T (K, Kp) by the first label; by the second */
    const double *grown, *grown_into;   /* E, likewise */
    const double *tops;                 /* C (Kp) */
    const double *start, *end;          /* (Kp), -inf beyond K */
} FN(crf_field);

RK_INLINE FN(crf_field) FN(crf_parts)(const rk_crf *call) {
    const ptrdiff_t kp = rk_whole(call->in.width), whole = call->in.width * kp;
    const double *field = call->field;
    return (FN(crf_field)){field,
                           field + whole,
                           field + 2 * whole,
                           field + 3 * whole,
                           field + 4 * whole,
                           field + 4 * whole + kp,
                           field + 4 * whole + 2 * kp};
}

static void FN(crf_prepare)(const rk_crf *call) {
    const ptrdiff_t k = call->in.width, kp = rk_whole(k), whole = k * kp;
    double *pairs = call->field, *pairs_into = pairs + whole, *grown = pairs + 2 * whole;
    double *grown_into = pairs + 3 * whole, *tops = pairs + 4 * whole;
    FN(fill)(pairs, -INFINITY, 2 * whole);
    FN(fill)(tops, -DBL_MAX, kp);
    FN(fill)(tops + kp, -INFINITY, 2 * kp);
    memcpy(tops + kp, call->start, (size_t)k * sizeof *tops);
    memcpy(tops + 2 * kp, call->end, (size_t)k * sizeof *tops);
    for (ptrdiff_t i = 0; i < k; i++)
        for (ptrdiff_t j = 0; j < k; j++) {
            const double score = call->transitions[i * k + j];
            pairs[i * kp + j] = pairs_into[j * kp + i] = score;
            tops[j] = score > tops[j] ? score : tops[j];
        }
    for (ptrdiff_t i = 0; i < k; i++)
        for (ptrdiff_t j = 0; j < kp; j += VL)
            v_store(grown + i * kp + j,
                    FN(v_exp)(v_load(pairs + i * kp + j) - v_load(tops + j)));
    FN(fill)(grown_into, 0, whole);
    for (ptrdiff_t i = 0; i < k; i++)
        for (ptrdiff_t j = 0; j < k; j++)
            grown_into[j * kp + i] = grown[i * kp + j];
}

/* log sum exp of the pairs into a label, beside the largest of them; -inf if all are. */
static double FN(sum_pairs)(const double *prefix, const double *into, ptrdiff_t kp) {
    vec top = v_set1(-INFINITY);
    FN(eight_sums) sums = {{{0}}};
    for (ptrdiff_t i = 0; i < kp; i += VL)
        top = v_max(v_load(prefix + i) + v_load(into + i), top);
    double largest = top[0];
    for (ptrdiff_t l = 1; l < VL; l++)
        largest = top[l] > largest ? top[l] : largest;
    if (!(largest > -INFINITY))
        return -INFINITY;
    for (ptrdiff_t first = 0; first < kp; first += RK_LANES)
        for (ptrdiff_t part = 0; part < RK_LANES / VL; part++) {
            const ptrdiff_t i = first + part * VL;
            sums.parts[part] +=
                FN(v_exp)(v_load(prefix + i) + v_load(into + i) - v_set1(largest));
        }
    return largest + FN(log_of)(FN(total_of)(sums));
}

/* out_j = sum_i x_i M_ij over the rows i < n of M (n, kp), in their order; of x what is not negative. */
RK_INLINE void FN(row_times)(const double *x, const double *matrix, ptrdiff_t n, ptrdiff_t kp,
                             double *out) {
    for (ptrdiff_t j = 0; j < kp; j += 2 * VL) {
        const int two = j + VL < kp;
        const double *column = matrix + j, *second = column + (two ? VL : 0);
        vec sum = v_zero(), other = v_zero();
        for (ptrdiff_t i = 0; i < n; i++) {
            const vec factor = v_set1(x[i] < 0 ? 0 : x[i]);
            sum += factor * v_load(column + i * kp);
            other += factor * v_load(second + i * kp);
        }
        v_store(out + j, sum);
        if (two)
            v_store(out + j + VL, other);
    }
}

/* Scores of a row; of a label that is known those of all others are -inf, if they are held. */
RK_INLINE void FN(crf_row)(const rk_crf *call, ptrdiff_t row, int held, double *out) {
    FN(read_row)(&call->in, row, out);
    if (held && call->labels[row] != RK_UNKNOWN) {
        const double score = out[call->labels[row]];
        FN(fill)(out, -INFINITY, call->in.width);
        out[call->labels[row]] = score;
    }
}

/* One field of a sequence: fill `kept` forward; return log Z. scratch: 2 Kp. */
static double FN(crf_forward)(const rk_crf *call, ptrdiff_t b, int held, double *kept,
                              double *scratch, rk_seat *seat) {
    const FN(crf_field) f = FN(crf_parts)(call);
    const ptrdiff_t k = call->in.width, kp = rk_whole(k), steps = call->in.lengths[b];
    double *incoming = scratch, *scores = scratch + kp;
    memcpy(incoming, f.start, (size_t)kp * sizeof *incoming);
    for (ptrdiff_t t = 0; t < steps; t++) {
        double *prefix = kept + t * RK_CRF_KEPT * kp, *shares = prefix + kp;
        double *sums_after = prefix + (RK_CRF_KEPT + 2) * kp; /* of the next step */
        FN(crf_row)(call, FN(row_of)(&call->in, t, b), held, scores);
        for (ptrdiff_t i = 0; i < kp; i += VL)
            v_store(prefix + i, v_load(incoming + i) + v_load(scores + i));
        if (t + 1 == steps || rk_leave(seat, 2.0 * (double)k * (double)(kp + 20)))
            break;
        const double top = FN(largest)(prefix, kp, -DBL_MAX);
        FN(exp_below)(prefix, top, shares, kp);
        FN(row_times)(shares, f.grown, k, kp, sums_after);
        int some_small = 0;
        for (ptrdiff_t j = 0; j < kp; j += VL) {
            const vec sum = v_load(sums_after + j);
            const ivec small = sum < v_set1(SMALLEST_SUM);
            const vec safe = v_select(small, v_set1(1), sum);
            v_store(incoming + j, v_set1(top) + v_load(f.tops + j) + FN(v_log)(safe));
            for (ptrdiff_t l = 0; l < VL; l++)
                some_small |= small[l] != 0;
        }
        if (some_small)
            for (ptrdiff_t j = 0; j < k; j++)
                if (sums_after[j] < SMALLEST_SUM) {
                    sums_after[j] = -1;
                    incoming[j] = FN(sum_pairs)(prefix, f.pairs_into + j * kp, kp);
                }
        FN(fill)(sums_after + k, 1, kp - k);
        FN(fill)(incoming + k, -INFINITY, kp - k);
    }
    const double *last = kept + (steps - 1) * RK_CRF_KEPT * kp;
    for (ptrdiff_t i = 0; i < kp; i += VL)
        v_store(incoming + i, v_load(last + i) + v_load(f.end + i));
    const double top = FN(largest)(incoming, kp, -DBL_MAX);
    const double sum = FN(exp_below)(incoming, top, scores, kp);
    return sum == 0 ? -INFINITY : top + FN(log_of)(sum);
}

/* Add p_j exp(prefix_i + T_ij - total) for the labels first .. last, whole vectors of them. */
RK_INLINE void FN(add_pairs)(const double *prefix, const double *into, double total, double p,
                             ptrdiff_t first, ptrdiff_t last, double *out) {
    for (ptrdiff_t i = first; i < last; i += VL) {
        const vec pair = v_load(prefix + i) + v_load(into + i) - v_set1(total);
        v_store(out + i, v_load(out + i) + v_set1(p) * FN(v_exp)(pair));
    }
}

/* The probabilities p_i of the labels before a step, from those at it, whose s become q. */
static void FN(crf_back)(const rk_crf *call, const double *before, double *at, const double *p,
                         double *p_before) {
    const FN(crf_field) f = FN(crf_parts)(call);
    const ptrdiff_t k = call->in.width, kp = rk_whole(k);
    const double *prefix = before, *shares = before + kp;
    double *q = at + 2 * kp;
    ivec some_single = {0};
    for (ptrdiff_t j = 0; j < kp; j += VL) {
        const vec sum = v_load(q + j), probability = v_load(p + j);
        const ivec single = sum < v_zero();
        v_store(q + j, v_select(single, v_zero() - probability, probability / sum));
        some_single |= single & (probability > v_zero());
    }
    FN(row_times)(q, f.grown_into, k, kp, p_before);
    for (ptrdiff_t i = 0; i < kp; i += VL)
        v_store(p_before + i, v_load(shares + i) * v_load(p_before + i));
    for (ptrdiff_t l = 0; l < RK_LANES; l++) { /* the order in which they are added */
        if (!some_single[l % VL])
            continue;
        for (ptrdiff_t j = l; j < k; j += RK_LANES)
            if (q[j] < 0) {
                const double *into = f.pairs_into + j * kp;
                FN(add_pairs)(prefix, into, FN(sum_pairs)(prefix, into, kp), -q[j], 0, kp,
                              p_before);
            }
    }
}

static size_t FN(crf_scratch)(const rk_crf *call, ptrdiff_t longest) {
    const size_t kp = (size_t)rk_whole(call->in.width), steps = (size_t)longest;
    const size_t own = call->labels ? 0 : RK_CRF_KEPT * steps * kp; /* of marginals and Viterbi */
    return (own + 2 * RK_LANES * kp) * sizeof(double);
}

/* The score of a labelling that is known. */
RK_INLINE double FN(labelling_score)(const rk_crf *call, ptrdiff_t b) {
    const rk_rows *in = &call->in;
    const ptrdiff_t k = in->width, steps = in->lengths[b];
    double total = 0;
    ptrdiff_t before = 0;
    for (ptrdiff_t t = 0; t < steps; t++) {
        const ptrdiff_t row = FN(row_of)(in, t, b), label = call->labels[row];
        const ptrdiff_t place = row * k + label;
        const double score = in->single ? (double)((const float *)in->scores)[place]
                                        : ((const double *)in->scores)[place];
        total += score + (t ? call->transitions[before * k + label] : call->start[label]);
        before = label;
    }
    return total + call->end[before];
}

static void FN(crf_gradient)(const rk_crf *call, ptrdiff_t b, void *scratch, rk_seat *seat) {
    const rk_rows *in = &call->in;
    const ptrdiff_t kp = rk_whole(in->width), steps = in->lengths[b];
    const ptrdiff_t stride = RK_CRF_KEPT * kp;
    double *p = scratch, *p_before = p + kp, *h = p + 2 * kp, *h_before = p + 3 * kp;
    double *out = p + 4 * kp, *more = p + 5 * kp;
    double *kept = call->labels ? call->kept + call->starts[b] * stride : more + 2 * kp;
    double *held = NULL;
    const double weight = call->weights ? call->weights[b] : 1;
    if (steps == 0) {
        if (call->losses)
            call->losses[b] = 0;
        return;
    }
    const double log_z = FN(crf_forward)(call, b, 0, kept, more, seat);
    const FN(crf_field) f = FN(crf_parts)(call);
    const double *last = kept + (steps - 1) * stride;
    for (ptrdiff_t i = 0; i < kp; i += VL)
        v_store(p + i, FN(v_exp)(v_load(last + i) + v_load(f.end + i) - v_set1(log_z)));
    if (call->labels && !call->has_unknown[b]) {
        call->losses[b] = log_z - FN(labelling_score)(call, b);
    } else if (call->labels) {
        held = call->held + call->starts[b] * stride;
        const double agreeing = FN(crf_forward)(call, b, 1, held, more, seat);
        const double *end = held + (steps - 1) * stride;
        for (ptrdiff_t i = 0; i < kp; i += VL)
            v_store(h + i, FN(v_exp)(v_load(end + i) + v_load(f.end + i) - v_set1(agreeing)));
        call->losses[b] = log_z - agreeing;
    }
    for (ptrdiff_t t = steps - 1; t >= 0; t--) {
        const ptrdiff_t row = FN(row_of)(in, t, b);
        if (rk_leave(seat, 2.0 * (double)in->width * (double)(kp + 20)))
            return;
        for (ptrdiff_t i = 0; i < kp; i += VL)
            v_store(out + i, held ? v_load(p + i) - v_load(h + i) : v_load(p + i));
        if (call->labels && !held)
            out[call->labels[row]] -= 1;
        if (weight != 1)
            for (ptrdiff_t i = 0; i < kp; i += VL)
                v_store(out + i, v_set1(weight) * v_load(out + i));
        FN(write_row)(in, row, out, call->dscores);
        if (call->labels && t == 0)
            memcpy(call->firsts + b * kp, out, (size_t)kp * sizeof *out);
        if (call->labels && t == steps - 1)
            memcpy(call->lasts + b * kp, out, (size_t)kp * sizeof *out);
        if (t == 0)
            break;
        double *at = kept + t * stride, *swapped = p;
        FN(crf_back)(call, at - stride, at, p, p_before);
        p = p_before;
        p_before = swapped;
        if (held) {
            FN(crf_back)(call, held + (t - 1) * stride, held + t * stride, h, h_before);
            swapped = h;
            h = h_before;
            h_before = swapped;
        }
    }
}

/* Add the pair marginals of one field of sequence b, first .. last at most RK_LANES labels: those
 * of products, that E_ij still multiplies, and those that were summed one by one. */
static void FN(add_pair_marginals)(const rk_crf *call, ptrdiff_t b, const double *kept, double sign,
                                   ptrdiff_t first, ptrdiff_t last, double *products,
                                   double *singles) {
    const FN(crf_field) f = FN(crf_parts)(call);
    const ptrdiff_t k = call->in.width, kp = rk_whole(k), stride = RK_CRF_KEPT * kp;
    const double weight = sign * (call->weights ? call->weights[b] : 1);
    for (ptrdiff_t t = 1; t < call->in.lengths[b]; t++) {
        const double *before = kept + (t - 1) * stride, *q = before + stride + 2 * kp;
        ivec some_single = {0};
        for (ptrdiff_t j = 0; j < kp; j += VL) {
            const vec all = v_load(q + j);
            const ivec single = all < v_zero();
            const vec here = v_select(single, v_zero(), all);
            some_single |= single;
            for (ptrdiff_t i = first; i < last; i++) {
                double *sum = products + (i - first) * kp + j;
                v_store(sum, v_load(sum) + v_set1(weight * before[kp + i]) * here);
            }
        }
        for (ptrdiff_t l = 0; l < VL; l++)
            for (ptrdiff_t j = l; some_single[l] && j < k; j += VL)
                if (q[j] < 0) {
                    const double *into = f.pairs_into + j * kp;
                    const double total = FN(sum_pairs)(before, into, kp);
                    for (ptrdiff_t i = first; i < last; i++)
                        singles[(i - first) * kp + j] -=
                            weight * q[j] * FN(exp_of)(before[i] + into[i] - total);
                }
    }
}

static void FN(crf_pairs)(const rk_crf *call, ptrdiff_t first, ptrdiff_t last, void *scratch,
                          rk_seat *seat) {
    const FN(crf_field) f = FN(crf_parts)(call);
    const ptrdiff_t kp = rk_whole(call->in.width), stride = RK_CRF_KEPT * kp;
    double *products = scratch, *singles = products + RK_LANES * kp;
    FN(fill)(products, 0, 2 * RK_LANES * kp);
    for (ptrdiff_t b = 0; b < call->in.batch; b++) {
        const ptrdiff_t steps = call->in.lengths[b];
        if (rk_leave(seat, 2.0 * (double)(steps * kp * (last - first))))
            return;
        FN(add_pair_marginals)(call, b, call->kept + call->starts[b] * stride, 1, first, last,
                               products, singles);
        if (call->has_unknown[b])
            FN(add_pair_marginals)(call, b, call->held + call->starts[b] * stride, -1, first,
                                   last, products, singles);
    }
    for (ptrdiff_t i = first; i < last; i++)
        for (ptrdiff_t j = 0; j < kp; j += VL) {
            const ptrdiff_t own = (i - first) * kp + j;
            v_store(call->pairs + i * kp + j,
                    v_load(f.grown + i * kp + j) * v_load(products + own) + v_load(singles + own));
        }
}

/* scratch: K numbers of a step and, for each step, the best label before each. */
static void FN(crf_viterbi)(const rk_crf *call, ptrdiff_t b, void *scratch, rk_seat *seat) {
    const FN(crf_field) f = FN(crf_parts)(call);
    const rk_rows *in = &call->in;
    const ptrdiff_t k = in->width, kp = rk_whole(k), steps = in->lengths[b];
    double *total = scratch, *scores = total + kp, *next = total + 2 * kp;
    integer *best_before = (integer *)(total + 7 * kp);
    call->best[b] = 0;
    for (ptrdiff_t t = 0; t < steps; t++) {
        FN(read_row)(in, FN(row_of)(in, t, b), scores);
        if (rk_leave(seat, 2.0 * (double)k * (double)kp))
            return;
        for (ptrdiff_t j = 0; j < kp; j += VL) {
            if (t == 0) {
                v_store(next + j, v_load(scores + j) + v_load(f.start + j));
                continue;
            }
            vec best = v_set1(total[0]) + v_load(f.pairs + j);
            ivec from = {0};
            for (ptrdiff_t i = 1; i < k; i++) {
                const vec pair = v_set1(total[i]) + v_load(f.pairs + i * kp + j);
                const ivec better = pair > best;
                best = v_select(better, pair, best);
                from = (better & (integer)i) | (~better & from);
            }
            v_store(next + j, v_load(scores + j) + best);
            memcpy(best_before + t * kp + j, &from, sizeof from);
        }
        double *swapped = total;
        total = next;
        next = swapped;
    }
    if (steps == 0)
        return;
    ptrdiff_t label = 0;
    for (ptrdiff_t i = 0; i < k; i++) {
        total[i] += f.end[i];
        label = total[i] > total[label] ? i : label;
    }
    call->best[b] = total[label];
    for (ptrdiff_t t = steps - 1; t >= 0; t--) {
        call->decided[FN(row_of)(in, t, b)] = label;
        if (t > 0)
            label = (ptrdiff_t)best_before[t * kp + label];
    }
}
