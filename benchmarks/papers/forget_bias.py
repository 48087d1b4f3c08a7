"""Sums and differences written as text: what an initial bias of the forget gate is worth.

    python -m benchmarks.papers.forget_bias [bias-0] [bias-1] [GRU] [--seeds 3]

Task: Jozefowicz, Zaremba & Sutskever (2015), arithmetic: a question such as ``3a6b-h1h3=`` is read
character by character, then the answer, of which every character is to be foreseen from those
before it. The figure is the share of right characters on 2,000 other questions. Reported: tanh
.295, LSTM .892, LSTM with forget bias 1 .902, GRU .896. An experiment succeeds here if its share is
at least 0.70.

What differs from the paper: numbers of at most 3 digits with 4 letters among them (there 8 digits),
one layer of 128 units, 100,000 questions, each seen once, Adam with a rate that sinks.
"""

from functools import partial

import numpy as np

from rnnkit import GRUSequenceTagger, LSTMSequenceTagger
from rnnkit.datasets import make_expressions

from .runner import Experiment, Outcome, run_experiments

CHARACTERS = "0123456789+-=.abcdefghij"
N_DIGITS, N_DISTRACTORS = 3, 4
N_TRAIN, N_AT_ONCE, N_TEST = 100_000, 2_000, 2_000
GOAL = 0.70


def arithmetic(seed, make):
    """Train on fresh questions; return the share of right characters of the answers."""
    rng = np.random.RandomState(seed)
    model = make(
        128,
        embedding_dim=16,
        n_tokens=len(CHARACTERS),
        learning_rate_init=4e-3,
        learning_rate="cosine",
        max_iter=N_TRAIN // N_AT_ONCE,
        batch_size=50,
        random_state=seed,
    )
    for _ in range(N_TRAIN // N_AT_ONCE):
        model.partial_fit(*draw(N_AT_ONCE, rng), classes=list("-.0123456789"))
    X, y = draw(N_TEST, rng)
    share = model.score(X, y)
    right = [
        all(p == t for p, t in zip(a, b) if t is not None) for a, b in zip(model.predict(X), y)
    ]
    return Outcome(
        share >= GOAL, N_TRAIN, {"right characters": share, "right answers": np.mean(right)}
    )


def draw(n, rng):
    """Return ids of questions with answers, and at each step of an answer its next character."""
    X, y = [], np.empty(n, object)
    for i, (question, answer) in enumerate(
        zip(*make_expressions(n, N_DIGITS, N_DISTRACTORS, random_state=rng))
    ):
        shown = question + answer[:-1]
        X.append(np.array([[CHARACTERS.index(character)] for character in shown]))
        y[i] = np.array([None] * (len(question) - 1) + list(answer), object)
    return X, y


if __name__ == "__main__":
    run_experiments(
        __doc__.split("\n")[0],
        *(
            Experiment(name, partial(arithmetic, make=make), N_TRAIN, seeds=3, paper=paper)
            for name, make, paper in [
                ("bias-0", partial(LSTMSequenceTagger, forget_bias=0.0), ".892 (8 digits)"),
                ("bias-1", partial(LSTMSequenceTagger, forget_bias=1.0), ".902 (8 digits)"),
                ("GRU", GRUSequenceTagger, ".896 (8 digits)"),
            ]
        ),
    )
