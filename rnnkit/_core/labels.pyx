# cython: wraparound=False
"""Outputs that score whole label sequences: CRF and CTC, forward and back, and their decisions."""

import numpy as np

cimport numpy as cnp
from libc.string cimport memset

from rnnkit._core.kernels cimport (
    RK_CRF_GRADIENT,
    RK_CRF_KEPT,
    RK_CRF_MARGINALS,
    RK_CRF_VITERBI,
    RK_CTC_BEAM,
    RK_CTC_GRADIENT,
    RK_CTC_GREEDY,
    RK_UNKNOWN,
    rk_crf,
    rk_crf_field,
    rk_ctc,
    rk_label_kernels,
    rk_rows,
    rk_whole,
)
from rnnkit._core.memory cimport Buffer, checked_array, checked_bytes
from rnnkit._core.plan cimport PlanCopy
from rnnkit._core.threads cimport label_kernels, run_crf, run_ctc, thread_count

cnp.import_array()

cdef enum:
    # Operations for a number that goes through an exponential or a logarithm, about.
    OPERATIONS = 40


cdef object checked_scores(object scores, PlanCopy plan, rk_rows *rows):
    """Describe raw scores (P, K); return them, contiguous."""
    if not isinstance(scores, np.ndarray) or scores.dtype not in (np.float32, np.float64):
        raise TypeError(f"scores must be an array of float32 or float64, got {scores!r:.60}")
    if scores.ndim != 2 or scores.shape[1] < 1:
        raise ValueError(f"scores must have shape (P, K) with K at least 1, got {scores.shape}")
    scores = checked_array("scores", scores, scores.dtype, (plan.rows, scores.shape[1]))
    rows.batch = plan.batch
    rows.steps = plan.steps
    rows.rows = plan.rows
    rows.width = scores.shape[1]
    rows.step_offsets = plan.offsets
    rows.lengths = plan.lengths
    rows.scores = cnp.PyArray_DATA(scores)
    rows.single = scores.dtype == np.float32
    return scores


cdef object numbers(str name, array, tuple shape):
    """Return an array of doubles of this shape, the caller's where it is one already."""
    array = np.asarray(array, np.float64)
    return checked_array(name, array, array.dtype, shape)


cdef object starts_of(const ptrdiff_t *lengths, ptrdiff_t n):
    """Return where the steps of each sequence begin, if they lie one sequence after the other."""
    starts = np.empty(n, np.intp)
    cdef ptrdiff_t *data = <ptrdiff_t *>cnp.PyArray_DATA(starts)
    cdef ptrdiff_t b, total = 0
    for b in range(n):
        data[b] = total
        total += lengths[b]
    return starts


cdef class Field:
    """A call of the random field: what it reads and writes, kept alive while it runs."""

    cdef rk_crf call
    cdef PlanCopy plan
    cdef list held
    cdef Buffer memory
    cdef object scores

    def __cinit__(self, scores, plan, transitions, start, end):
        self.plan = PlanCopy()
        self.plan.take(plan)
        self.scores = checked_scores(scores, self.plan, &self.call.in_)
        cdef ptrdiff_t k = self.call.in_.width
        self.held = []
        self.call.transitions = self.doubles(numbers("transitions", transitions, (k, k)))
        self.call.start = self.doubles(numbers("start", start, (k,)))
        self.call.end = self.doubles(numbers("end", end, (k,)))
        self.call.field = self.doubles(np.empty(rk_crf_field(k)))
        self.memory = Buffer()

    cdef double *doubles(self, array):
        self.held.append(array)
        return <double *>cnp.PyArray_DATA(array)

    cdef int run(self, int task) except -1:
        """Run a task with as many threads as it is worth."""
        cdef const rk_label_kernels *kernels = label_kernels()
        cdef ptrdiff_t k = self.call.in_.width
        cdef ptrdiff_t longest = self.plan.lengths[0] if self.plan.batch else 0
        cdef int threads = thread_count(<double>self.plan.rows * k * (2 * k + OPERATIONS))
        cdef size_t stride = rk_whole(kernels.crf_scratch(&self.call, longest))
        cdef char *scratch = <char *>self.memory.reserve(checked_bytes(stride, (threads,)))
        with nogil:
            run_crf(kernels, &self.call, task, threads, scratch, stride)
        return 0


def crf_loss(scores, labels, plan, transitions, start, end, weights):
    """Return losses and gradients; see `rnnkit.backends.interface`."""
    cdef Field field = Field(scores, plan, transitions, start, end)
    cdef rk_crf *call = &field.call
    cdef ptrdiff_t k = call.in_.width, kp = rk_whole(k), batch = field.plan.batch
    cdef ptrdiff_t b, t, label, rows = field.plan.rows
    cdef Buffer kept = Buffer(), held = Buffer()
    labels = np.array(labels, dtype=np.intp)  # a copy, as these become places in a row
    if labels.shape != (rows,):
        raise ValueError(f"labels must have shape ({rows},), got {labels.shape}")
    unknown = np.zeros(batch, np.int8)
    cdef cnp.int8_t *has_unknown = <cnp.int8_t *>cnp.PyArray_DATA(unknown)
    cdef const ptrdiff_t *label_of = <const ptrdiff_t *>cnp.PyArray_DATA(labels)
    cdef bint some_unknown = False
    for t in range(field.plan.steps):
        for b in range(field.plan.offsets[t + 1] - field.plan.offsets[t]):
            label = label_of[field.plan.offsets[t] + b]
            if label == RK_UNKNOWN:
                has_unknown[b] = some_unknown = True
            elif not 0 <= label < k:
                raise ValueError(f"labels must lie in 0 .. {k - 1}, or be {RK_UNKNOWN} where they "
                                 f"are not known, got {label}")
    if weights is not None:
        call.weights = field.doubles(numbers("weights", weights, (batch,)))
    starts = starts_of(field.plan.lengths, batch)
    losses, dscores = np.empty(batch), np.empty_like(field.scores)
    dtransitions, dstart, dend = np.empty((k, k)), np.empty(k), np.empty(k)
    call.labels = label_of
    call.has_unknown = <const char *>has_unknown
    call.starts = <const ptrdiff_t *>cnp.PyArray_DATA(starts)
    cdef size_t kept_bytes = checked_bytes(RK_CRF_KEPT * sizeof(double), (rows, kp))
    call.kept = <double *>kept.reserve(kept_bytes)
    if some_unknown:
        call.held = <double *>held.reserve(kept_bytes)
    call.firsts = field.doubles(np.empty((batch, kp)))
    call.lasts = field.doubles(np.empty((batch, kp)))
    call.pairs = field.doubles(np.empty((k, kp)))
    call.losses = field.doubles(losses)
    call.dscores = cnp.PyArray_DATA(dscores)
    call.dtransitions = field.doubles(dtransitions)
    call.dstart = field.doubles(dstart)
    call.dend = field.doubles(dend)
    field.run(RK_CRF_GRADIENT)
    return losses, dscores, dtransitions, dstart, dend


def crf_marginals(scores, plan, transitions, start, end):
    """Return the probability (P, K) of each label; see `rnnkit.backends.interface`."""
    cdef Field field = Field(scores, plan, transitions, start, end)
    marginals = np.empty_like(field.scores)
    field.call.dscores = cnp.PyArray_DATA(marginals)
    field.run(RK_CRF_MARGINALS)
    return marginals


def crf_viterbi(scores, plan, transitions, start, end):
    """Return the best labelling (P,) and its scores (B,); see `rnnkit.backends.interface`."""
    cdef Field field = Field(scores, plan, transitions, start, end)
    labels, best = np.empty(field.plan.rows, np.intp), np.empty(field.plan.batch)
    field.call.decided = <ptrdiff_t *>cnp.PyArray_DATA(labels)
    field.call.best = field.doubles(best)
    field.run(RK_CRF_VITERBI)
    return labels, best


def ctc_loss(scores, targets, plan, weights):
    """Return losses and gradient; see `rnnkit.backends.interface`.

    The loss of a target that does not fit is inf.
    """
    cdef rk_ctc call
    memset(&call, 0, sizeof(call))
    cdef PlanCopy taken = PlanCopy()
    taken.take(plan)
    scores = checked_scores(scores, taken, &call.in_)
    cdef ptrdiff_t b, i, batch = taken.batch, blank = call.in_.width - 1
    if len(targets) != batch:
        raise ValueError(f"labels must be {batch} arrays, got {len(targets)}")
    n_labels = np.array([len(target) for target in targets], np.intp)
    flat = np.concatenate([*targets, np.empty(0, np.intp)], dtype=np.intp, casting="same_kind")
    target_of = np.zeros(batch + 1, np.intp)
    np.cumsum(n_labels, out=target_of[1:])
    if flat.ndim != 1 or len(flat) != target_of[batch]:
        raise ValueError("labels must be arrays of one dimension")
    cdef const ptrdiff_t *label_of = <const ptrdiff_t *>cnp.PyArray_DATA(flat)
    cdef const ptrdiff_t *first_of = <const ptrdiff_t *>cnp.PyArray_DATA(target_of)
    for i in range(first_of[batch]):
        if not 0 <= label_of[i] < blank:
            raise ValueError(f"labels must lie in [0, {blank}), below the blank, got {label_of[i]}")
    if weights is not None:
        weights = numbers("weights", weights, (batch,))
        call.weights = <const double *>cnp.PyArray_DATA(weights)
    losses, dscores = np.empty(batch), np.empty_like(scores)
    call.targets = label_of
    call.target_of = first_of
    call.losses = <double *>cnp.PyArray_DATA(losses)
    call.dscores = cnp.PyArray_DATA(dscores)
    cdef const rk_label_kernels *kernels = label_kernels()
    cdef double operations = 0
    cdef size_t stride = 0
    for b in range(batch):
        i = first_of[b + 1] - first_of[b]
        operations += <double>taken.lengths[b] * (2 * blank + 10 * i) * OPERATIONS
        checked_bytes(6 * sizeof(double), (taken.lengths[b] + 1, blank + i + 16))
        stride = max(stride, kernels.ctc_scratch(&call, taken.lengths[b], i))
    run(&call, RK_CTC_GRADIENT, kernels, operations, stride)
    return losses, dscores


def ctc_greedy(scores, plan):
    """Return the labels of each best path; see `rnnkit.backends.interface`."""
    return read_off(scores, plan, RK_CTC_GREEDY, 1)


def ctc_beam(scores, plan, beam_width):
    """Return the most probable labels that a beam finds; see `rnnkit.backends.interface`."""
    if beam_width < 1:
        raise ValueError(f"beam_width must be at least 1, got {beam_width}")
    return read_off(scores, plan, RK_CTC_BEAM, beam_width)


cdef object read_off(scores, plan, int task, beam_width):
    cdef rk_ctc call
    memset(&call, 0, sizeof(call))
    cdef PlanCopy taken = PlanCopy()
    taken.take(plan)
    scores = checked_scores(scores, taken, &call.in_)
    cdef ptrdiff_t batch = taken.batch, longest = taken.lengths[0] if taken.batch else 0
    checked_bytes(16 * sizeof(double), (longest + 2, beam_width))
    starts = starts_of(taken.lengths, batch)
    spelled, counts = np.empty(taken.rows, np.intp), np.empty(batch, np.intp)
    log_probabilities = np.empty(batch)
    call.width_of_beam = beam_width
    call.starts = <const ptrdiff_t *>cnp.PyArray_DATA(starts)
    call.spelled = <ptrdiff_t *>cnp.PyArray_DATA(spelled)
    call.counts = <ptrdiff_t *>cnp.PyArray_DATA(counts)
    call.log_probabilities = <double *>cnp.PyArray_DATA(log_probabilities)
    cdef const rk_label_kernels *kernels = label_kernels()
    cdef double operations = <double>taken.rows * call.in_.width * OPERATIONS
    cdef size_t stride = kernels.ctc_scratch(&call, 1, 0)
    if task == RK_CTC_BEAM:
        stride = kernels.beam_scratch(&call, longest)
        operations *= call.width_of_beam
    run(&call, task, kernels, operations, stride)
    ends = starts + counts
    labels = [spelled[i:j].copy() for i, j in zip(starts.tolist(), ends.tolist())]
    return labels, log_probabilities


cdef int run(const rk_ctc *call, int task, const rk_label_kernels *kernels, double operations,
             size_t stride) except -1:
    """Run a task with as many threads as its operations are worth."""
    cdef int threads = thread_count(operations)
    cdef Buffer memory = Buffer()
    stride = rk_whole(stride)
    cdef char *scratch = <char *>memory.reserve(checked_bytes(stride, (threads,)))
    with nogil:
        run_ctc(kernels, call, task, threads, scratch, stride)
    return 0
