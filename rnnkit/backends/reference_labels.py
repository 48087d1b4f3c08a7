"""CRF and CTC of the reference backend: the functions of both files as one object."""

from __future__ import annotations

from rnnkit.backends.reference_crf import crf_loss, crf_marginals, crf_viterbi
from rnnkit.backends.reference_ctc import ctc_beam, ctc_greedy, ctc_loss

__all__ = ["ReferenceLabels"]


class ReferenceLabels:
    """The operations of `rnnkit.backends.labels` in NumPy."""

    crf_loss = staticmethod(crf_loss)
    crf_marginals = staticmethod(crf_marginals)
    crf_viterbi = staticmethod(crf_viterbi)
    ctc_loss = staticmethod(ctc_loss)
    ctc_greedy = staticmethod(ctc_greedy)
    ctc_beam = staticmethod(ctc_beam)
