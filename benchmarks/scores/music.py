"""JSB chorales: the notes of the next quarter, as negative log-likelihood per step."""

import numpy as np

from rnnkit import GRUSequenceTagger, LSTMSequenceTagger

from .runner import Task, loaders


def next_notes(rolls):
    """Return the steps that are seen and the steps that follow them, as Bai et al. (2018) do."""
    return [roll[:-1] for roll in rolls], [roll[1:] for roll in rolls]


def nats_per_step(model, rolls):
    """Return the mean over real steps of the summed loss of the 88 notes."""
    seen, notes = next_notes(rolls)
    p = np.concatenate(model.predict_proba(seen))
    y = np.concatenate(notes)
    return float(-np.sum(y * np.log(p) + (1 - y) * np.log1p(-p)) / len(y))


def jsb(make, seed):
    """Fit on the training chorales; return the test figure."""
    rolls = {k: [r.astype(np.float32) for r in v] for k, v in loaders().jsb_chorales().items()}
    model = make(seed).fit(*next_notes(rolls["train"]))
    return nats_per_step(model, rolls["test"])


def recipe(max_iter, seed):
    """Return what the three networks have in common."""
    return dict(
        solver="adamw",
        learning_rate="cosine",
        max_iter=max_iter,
        n_iter_no_change=max_iter,
        random_state=seed,
    )


def lstm_36(seed):
    """Return the LSTM of 20 000 weights of Chung et al. (2014)."""
    return LSTMSequenceTagger(
        36,
        dropout=0.1,
        input_dropout=0.1,
        learning_rate_init=1e-2,
        batch_size=16,
        **recipe(60, seed),
    )


def gru_46(seed):
    """Return the GRU of 20 000 weights of Chung et al. (2014)."""
    return GRUSequenceTagger(
        46,
        dropout=0.05,
        input_dropout=0.1,
        learning_rate_init=5e-3,
        batch_size=16,
        **recipe(60, seed),
    )


def lstm_200(seed):
    """Return an LSTM of 250 000 weights."""
    return LSTMSequenceTagger(
        200,
        dropout=0.5,
        input_dropout=0.2,
        learning_rate_init=1e-2,
        batch_size=8,
        **recipe(30, seed),
    )


TASKS = [
    Task(
        name,
        lambda seed, make=make: jsb(make, seed),
        target,
        larger_is_better=False,
        unit="nats/step",
    )
    for name, make, target in [
        ("JSB-LSTM-36", lstm_36, 8.56),
        ("JSB-GRU-46", gru_46, 8.56),
        ("JSB-LSTM-200", lstm_200, 8.43),
    ]
]
