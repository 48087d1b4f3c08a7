"""Truncated backpropagation is refused in the words of the parameters, before there are data."""

import pytest

from rnnkit.network import CRF, CTC, SoftmaxCrossEntropy
from rnnkit.training import LBFGS, Adam, check_truncation


@pytest.mark.parametrize(
    "solver, options, message",
    [
        ("adam", {"bidirectional": True}, "bidirectional=True: a reverse layer needs the whole"),
        ("adam", {"output": CRF}, "output='crf', whose loss needs whole sequences"),
        (Adam(), {"output": CRF(3)}, "output='crf', whose loss needs whole sequences"),
        ("sgd", {"output": CTC}, "a sequence labeller, whose loss needs whole sequences"),
        ("lbfgs", {}, "solver='lbfgs', which takes all steps at once"),
        (LBFGS(), {"output": SoftmaxCrossEntropy}, "solver='lbfgs', which takes all steps"),
    ],
)
def test_what_is_refused(solver, options, message):
    with pytest.raises(ValueError, match=f"^bptt_steps cannot be used with {message}"):
        check_truncation(solver, **options)


def test_what_is_allowed():
    for solver in ("adam", Adam()):
        check_truncation(solver)
        check_truncation(solver, bidirectional=False, output=SoftmaxCrossEntropy(2))
