/* The label kernels of one instruction set: CRF, CTC and what they share. labels.h has the contract. */
#include "vec_same.h"
#include "vec.h"
#include "vec_math.h"
#include "logs.inl"
#include "crf.inl"
#include "ctc.inl"
#include "beam.inl"

static const rk_label_kernels FN(label_table) = {
    .crf_prepare = FN(crf_prepare),
    .crf_scratch = FN(crf_scratch),
    .crf_gradient = FN(crf_gradient),
    .crf_viterbi = FN(crf_viterbi),
    .crf_pairs = FN(crf_pairs),
    .ctc_scratch = FN(ctc_scratch),
    .ctc_gradient = FN(ctc_gradient),
    .ctc_greedy = FN(ctc_greedy),
    .beam_scratch = FN(beam_scratch),
    .ctc_beam = FN(ctc_beam),
};
