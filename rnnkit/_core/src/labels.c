/* Drivers of the label kernels: a sequence is a piece; what is summed over them is so in order. */
#include "labels.h"
#include "kernels.h"
#include "pool.h"

typedef void (*crf_kernel)(const rk_crf *call, ptrdiff_t b, void *scratch, struct rk_seat *seat);
typedef void (*ctc_kernel)(const rk_ctc *call, ptrdiff_t b, void *scratch, struct rk_seat *seat);

typedef struct {
    const rk_label_kernels *kernels;
    const rk_crf *crf;
    const rk_ctc *ctc;
    crf_kernel of_crf;
    ctc_kernel of_ctc;
    char *scratch;
    size_t stride;
} label_work;

static void *scratch_of(const label_work *work, const rk_seat *seat) {
    return work->scratch + (size_t)seat->rank * work->stride;
}

static void crf_sequence(void *what, ptrdiff_t b, rk_seat *seat) {
    const label_work *work = what;
    work->of_crf(work->crf, b, scratch_of(work, seat), seat);
}

static void crf_labels(void *what, ptrdiff_t piece, rk_seat *seat) {
    const label_work *work = what;
    const ptrdiff_t first = piece * RK_LANES, last = first + RK_LANES, k = work->crf->in.width;
    work->kernels->crf_pairs(work->crf, first, last < k ? last : k, scratch_of(work, seat), seat);
}

static void ctc_sequence(void *what, ptrdiff_t b, rk_seat *seat) {
    const label_work *work = what;
    work->of_ctc(work->ctc, b, scratch_of(work, seat), seat);
}

/* How often a score is expected to be used, less how often a labelling that is known uses it. */
static void sum_parameters(const rk_crf *call) {
    const ptrdiff_t k = call->in.width, kp = rk_whole(k);
    for (ptrdiff_t i = 0; i < k; i++) {
        call->dstart[i] = call->dend[i] = 0;
        memcpy(call->dtransitions + i * k, call->pairs + i * kp, (size_t)k * sizeof(double));
    }
    for (ptrdiff_t b = 0; b < call->in.batch && call->in.lengths[b] > 0; b++) {
        const double weight = call->weights ? call->weights[b] : 1;
        for (ptrdiff_t i = 0; i < k; i++) {
            call->dstart[i] += call->firsts[b * kp + i];
            call->dend[i] += call->lasts[b * kp + i];
        }
        for (ptrdiff_t t = 1; t < call->in.lengths[b] && !call->has_unknown[b]; t++) {
            const ptrdiff_t before = call->labels[call->in.step_offsets[t - 1] + b];
            call->dtransitions[before * k + call->labels[call->in.step_offsets[t] + b]] -= weight;
        }
    }
}

int rk_run_crf(const rk_label_kernels *kernels, const rk_crf *call, int task, int threads,
               char *scratch, size_t stride) {
    label_work work = {.kernels = kernels, .crf = call, .scratch = scratch, .stride = stride};
    rk_crew crew;
    rk_enter(&crew, threads);
    kernels->crf_prepare(call);
    work.of_crf = task == RK_CRF_VITERBI ? kernels->crf_viterbi : kernels->crf_gradient;
    rk_share(&crew, crf_sequence, &work, call->in.batch, RK_IN_ORDER);
    if (task == RK_CRF_GRADIENT) {
        rk_share(&crew, crf_labels, &work, (call->in.width + RK_LANES - 1) / RK_LANES,
                 RK_IN_ORDER);
        sum_parameters(call);
    }
    return rk_leave_crew(&crew);
}

int rk_run_ctc(const rk_label_kernels *kernels, const rk_ctc *call, int task, int threads,
               char *scratch, size_t stride) {
    label_work work = {.kernels = kernels, .ctc = call, .scratch = scratch, .stride = stride};
    rk_crew crew;
    rk_enter(&crew, threads);
    work.of_ctc = task == RK_CTC_GRADIENT ? kernels->ctc_gradient
                  : task == RK_CTC_GREEDY ? kernels->ctc_greedy
                                          : kernels->ctc_beam;
    rk_share(&crew, ctc_sequence, &work, call->in.batch, RK_IN_ORDER);
    return rk_leave_crew(&crew);
}
