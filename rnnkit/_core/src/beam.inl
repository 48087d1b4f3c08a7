/* Prefix beam search for CTC: the W most probable label sequences, their paths summed.
 *
 * A prefix is a node of a tree; equal prefixes are one node, whatever left the beam meanwhile. A
 * node's children hang in a list. Candidates are those that stay, in the order of the beam, then
 * the extensions of each; of equal ones the first stay in the beam.
 */
typedef struct {
    ptrdiff_t parent, label, child, sibling, place; /* place: in the beam, if it is there */
} FN(beam_node);

typedef struct {
    double *by_blank, *by_label; /* log-probability of the paths that end so */
    ptrdiff_t *node;             /* -1: an unused place */
} FN(beam);

static size_t FN(beam_scratch)(const rk_ctc *call, ptrdiff_t steps) {
    const size_t w = (size_t)call->width_of_beam, wp = (w + RK_LANES - 1) / RK_LANES * RK_LANES;
    const size_t kp = (size_t)rk_whole(call->in.width);
    return (9 * wp + 3 * kp) * sizeof(double) + 3 * wp * sizeof(ptrdiff_t) +
           (1 + (size_t)steps * w) * sizeof(FN(beam_node));
}

RK_INLINE ptrdiff_t FN(child_of)(FN(beam_node) *tree, ptrdiff_t *n_nodes, ptrdiff_t parent,
                                 ptrdiff_t label) {
    for (ptrdiff_t c = tree[parent].child; c >= 0; c = tree[c].sibling)
        if (tree[c].label == label)
            return c;
    const ptrdiff_t fresh = (*n_nodes)++;
    tree[fresh] = (FN(beam_node)){parent, label, -1, tree[parent].child, 0};
    tree[parent].child = fresh;
    return fresh;
}

/* The best so far, best first, and of equal ones the first: W values and what they stand for. */
RK_INLINE ptrdiff_t FN(offer)(double value, ptrdiff_t number, double *values, ptrdiff_t *numbers,
                              ptrdiff_t n, ptrdiff_t width) {
    if (n == width && !(value > values[n - 1]))
        return n;
    ptrdiff_t place = n < width ? n : n - 1;
    for (; place > 0 && value > values[place - 1]; place--) {
        values[place] = values[place - 1];
        numbers[place] = numbers[place - 1];
    }
    values[place] = value;
    numbers[place] = number;
    return n < width ? n + 1 : n;
}

static void FN(ctc_beam)(const rk_ctc *call, ptrdiff_t b, void *scratch, rk_seat *seat) {
    const rk_rows *in = &call->in;
    const ptrdiff_t blank = in->width - 1, kp = rk_whole(in->width);
    const ptrdiff_t width = call->width_of_beam, wp = rk_whole(width);
    double *logs = scratch, *shares = logs + kp, *extended = logs + 2 * kp;
    double *total = logs + 3 * kp, *stay_by_blank = total + wp, *stay_by_label = total + 2 * wp;
    double *stay = total + 3 * wp, *values = total + 4 * wp;
    FN(beam) now = {total + 5 * wp, total + 6 * wp, NULL};
    FN(beam) next = {total + 7 * wp, total + 8 * wp, NULL};
    now.node = (ptrdiff_t *)(total + 9 * wp);
    next.node = now.node + wp;
    ptrdiff_t *numbers = next.node + wp, n_nodes = 1;
    FN(beam_node) *tree = (FN(beam_node) *)(numbers + wp);
    tree[0] = (FN(beam_node)){-1, 0, -1, -1, 0};
    FN(fill)(total, IMPOSSIBLE, 9 * wp);
    for (ptrdiff_t i = 0; i < width; i++)
        now.node[i] = i ? -1 : 0;
    now.by_blank[0] = 0;
    for (ptrdiff_t t = 0; t < in->lengths[b]; t++) {
        FN(log_softmax)(in, FN(row_of)(in, t, b), logs, shares);
        for (ptrdiff_t i = 0; i < wp; i += VL)
            v_store(total + i, FN(v_log_add)(v_load(now.by_blank + i), v_load(now.by_label + i)));
        for (ptrdiff_t i = 0; i < width; i++) {
            const ptrdiff_t node = now.node[i];
            stay_by_blank[i] = total[i] + logs[blank];
            stay_by_label[i] = now.by_label[i] + logs[node < 0 ? 0 : tree[node].label];
        }
        /* An extension that stands in the beam already is added to it. */
        for (ptrdiff_t j = 0; j < width; j++) {
            const ptrdiff_t node = now.node[j], parent = node < 0 ? -1 : tree[node].parent;
            const ptrdiff_t i = parent < 0 ? 0 : tree[parent].place;
            if (parent < 0 || now.node[i] != parent)
                continue;
            const ptrdiff_t label = tree[node].label;
            const double before = label == tree[parent].label ? now.by_blank[i] : total[i];
            stay_by_label[j] = FN(log_add)(stay_by_label[j], before + logs[label]);
        }
        for (ptrdiff_t i = 0; i < wp; i += VL)
            v_store(stay + i, FN(v_log_add)(v_load(stay_by_blank + i), v_load(stay_by_label + i)));
        ptrdiff_t n = 0;
        for (ptrdiff_t i = 0; i < width; i++)
            n = FN(offer)(stay[i], i, values, numbers, n, width);
        for (ptrdiff_t i = 0; i < width; i++) {
            const ptrdiff_t node = now.node[i];
            if (rk_leave(seat, 4.0 * (double)kp))
                return;
            if (node < 0)
                continue;
            for (ptrdiff_t k = 0; k < kp; k += VL)
                v_store(extended + k, v_set1(total[i]) + v_load(logs + k));
            const ptrdiff_t last = tree[node].label; /* which a blank must come before */
            extended[last] = now.by_blank[i] + logs[last];
            for (ptrdiff_t c = tree[node].child; c >= 0; c = tree[c].sibling)
                if (now.node[tree[c].place] == c)
                    extended[tree[c].label] = IMPOSSIBLE;
            for (ptrdiff_t k = 0; k < blank; k++)
                if (extended[k] > values[n - 1])
                    n = FN(offer)(extended[k], width + i * blank + k, values, numbers, n, width);
        }
        for (ptrdiff_t place = 0; place < width; place++) {
            const ptrdiff_t number = numbers[place], i = (number - width) / (blank ? blank : 1);
            if (number < width) {
                next.node[place] = now.node[number];
                next.by_blank[place] = stay_by_blank[number];
                next.by_label[place] = stay_by_label[number];
            } else {
                next.node[place] =
                    FN(child_of)(tree, &n_nodes, now.node[i], (number - width) % blank);
                next.by_blank[place] = IMPOSSIBLE;
                next.by_label[place] = values[place];
            }
        }
        for (ptrdiff_t place = 0; place < width; place++)
            if (next.node[place] >= 0)
                tree[next.node[place]].place = place;
        const FN(beam) swapped = now;
        now = next;
        next = swapped;
    }
    ptrdiff_t best = 0, depth = 0;
    for (ptrdiff_t i = 0; i < width; i++) {
        total[i] = FN(log_add)(now.by_blank[i], now.by_label[i]);
        best = total[i] > total[best] ? i : best;
    }
    call->log_probabilities[b] = total[best];
    ptrdiff_t *spelled = call->spelled + call->starts[b];
    const ptrdiff_t leaf = now.node[best] < 0 ? 0 : now.node[best];
    for (ptrdiff_t node = leaf; node > 0; node = tree[node].parent)
        depth++;
    call->counts[b] = depth;
    for (ptrdiff_t node = leaf; node > 0; node = tree[node].parent)
        spelled[--depth] = tree[node].label;
}
