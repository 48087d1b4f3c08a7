/* Outputs that score whole label sequences, CRF and CTC: what their kernels take, and the drivers.
 *
 * Letters: B sequences of the minibatch, T steps, P packed rows, K numbers of a row (CRF: labels;
 * CTC: labels and, last, the blank), Kp = K filled up to whole vectors of RK_LANES, U labels of a
 * target, W prefixes of a beam.
 *
 * A sequence is one piece of work. All is computed in double, in operations that round alike in
 * every instruction set and in an order that its own numbers decide: no result of a sequence
 * depends on the set, on the threads or on the sequences beside it. What is summed over sequences
 * (the gradients of the transitions) is summed in their order.
 */
#ifndef RK_LABELS_H
#define RK_LABELS_H

#include <stddef.h>

enum { RK_LANES = 8 };
enum { RK_UNKNOWN = -1 }; /* a label that is summed over */

/* n filled up to whole vectors. */
static inline ptrdiff_t rk_whole(ptrdiff_t n) {
    return (n + RK_LANES - 1) / RK_LANES * RK_LANES;
}

/* Raw scores (P, K), float or double, of a packed minibatch. */
typedef struct {
    ptrdiff_t batch, steps, rows, width;
    const ptrdiff_t *step_offsets; /* (T + 1) */
    const ptrdiff_t *lengths;      /* (B), longest first */
    const void *scores;
    int single; /* whether they, and their gradient, are float */
} rk_rows;

/* A linear-chain random field. Kept: three (Kp) vectors of a step, for every step of a sequence. */
enum { RK_CRF_KEPT = 3 };

typedef struct {
    rk_rows in;
    const double *transitions, *start, *end; /* (K, K), (K), (K); -inf forbids */
    const double *weights;                   /* (B), NULL for ones */
    const ptrdiff_t *labels;                 /* (P); NULL: marginals alone */
    const ptrdiff_t *starts;                 /* (B), the first step of a sequence in `kept` */
    double *field;                           /* rk_crf_field(K), written by `prepare` */
    double *kept, *held;       /* (P, 3, Kp); held: the same where labels are not all known */
    const char *has_unknown;   /* (B), whether labels of a sequence are unknown */
    double *firsts, *lasts;    /* (B, Kp), gradients of the first and of the last rows, written */
    double *pairs;             /* (K, Kp), written */
    double *losses;            /* (B) */
    void *dscores;             /* (P, K); without labels the marginals */
    ptrdiff_t *decided;        /* (P), Viterbi's labels */
    double *best;              /* (B), and their scores */
    double *dtransitions, *dstart, *dend; /* (K, K), (K), (K) */
} rk_crf;

static inline size_t rk_crf_field(ptrdiff_t k) {
    return (size_t)(4 * k + 3) * (size_t)rk_whole(k);
}

/* Connectionist temporal classification; the blank is the last of the K. */
typedef struct {
    rk_rows in;
    const double *weights;      /* (B), NULL for ones */
    const ptrdiff_t *targets;   /* the labels of all sequences, one after the other */
    const ptrdiff_t *target_of; /* (B + 1), where those of a sequence begin */
    const ptrdiff_t *starts;    /* (B), where the labels read off a sequence go in `spelled` */
    ptrdiff_t width_of_beam;    /* W */
    double *losses;             /* (B), inf where the target does not fit */
    void *dscores;              /* (P, K) */
    ptrdiff_t *spelled, *counts; /* (P), (B) */
    double *log_probabilities;  /* (B) */
} rk_ctc;

struct rk_seat; /* kernels.h */

/* The kernels of one instruction set. Each works on sequence b; scratch: the bytes said, 64-byte
 * aligned, each thread its own. */
typedef struct {
    void (*crf_prepare)(const rk_crf *call);
    size_t (*crf_scratch)(const rk_crf *call, ptrdiff_t longest);
    void (*crf_gradient)(const rk_crf *call, ptrdiff_t b, void *scratch, struct rk_seat *seat);
    void (*crf_viterbi)(const rk_crf *call, ptrdiff_t b, void *scratch, struct rk_seat *seat);
    /* The pair marginals of the labels first .. last, less those held, after crf_gradient. */
    void (*crf_pairs)(const rk_crf *call, ptrdiff_t first, ptrdiff_t last, void *scratch,
                      struct rk_seat *seat);
    size_t (*ctc_scratch)(const rk_ctc *call, ptrdiff_t steps, ptrdiff_t labels);
    void (*ctc_gradient)(const rk_ctc *call, ptrdiff_t b, void *scratch, struct rk_seat *seat);
    void (*ctc_greedy)(const rk_ctc *call, ptrdiff_t b, void *scratch, struct rk_seat *seat);
    size_t (*beam_scratch)(const rk_ctc *call, ptrdiff_t steps);
    void (*ctc_beam)(const rk_ctc *call, ptrdiff_t b, void *scratch, struct rk_seat *seat);
} rk_label_kernels;

enum rk_label_task { RK_CRF_GRADIENT, RK_CRF_MARGINALS, RK_CRF_VITERBI };
enum rk_ctc_task { RK_CTC_GRADIENT, RK_CTC_GREEDY, RK_CTC_BEAM };

/* labels.c: scratch holds `threads` pieces of `stride` bytes. 0, or -1 if the call was left. */
int rk_run_crf(const rk_label_kernels *k, const rk_crf *call, int task, int threads, char *scratch,
               size_t stride);
int rk_run_ctc(const rk_label_kernels *k, const rk_ctc *call, int task, int threads, char *scratch,
               size_t stride);

#endif
