"""Rows of taggers (softmax and CRF) and of a CTC labeller against PyTorch, epoch and predict.

A tagger: 2,000 sentences of 5 to 40 words of 5,000 different ones, 17 labels, embedding 64,
bidirectional GRU of 64 units. CTC: 600 sequences of 60 to 120 frames of 26 features, 30 labels, of
which a target has 10 to 25, bidirectional LSTM of 64 units. Minibatches of 32, Adam, gradients
clipped to norm 1, float32, one thread. An epoch is a whole `fit`, building the model and reading
X and y with it; PyTorch is given tensors. Words are ids already on both sides.

Tables: what one minibatch more costs with a table of 10^6 rows of 16 numbers, beside one of 10^4:
of epochs over the sentences four times and over them once, each within one fit, the difference. So
neither making a table nor what every epoch looks at of all of it counts. The same 5,000 words lie
anywhere in the table.
"""

from __future__ import annotations

import time
from itertools import product

import numpy as np
from harness import interleaved, use_threads
from speed.fits import shown
from speed.rows import at_least, at_most, missing
from speed.searches import quietly

import rnnkit

N_SENTENCES, N_WORDS, N_TAGS = 2000, 5000, 17
N_RECORDINGS, N_FEATURES, N_LABELS = 600, 26, 30
SIZE, BATCH_SIZE = 64, 32
EPOCH_GOALS = {"softmax": 6, "crf": 6, "ctc": 3}
PREDICT_GOAL = 4
TABLES, TABLE_WIDTH, TABLE_GOAL = (10_000, 1_000_000), 16, 1.5  # rows, numbers of a row
TIMES, EPOCHS = 4, 5


def tagging_problem(n_words=N_WORDS):
    """Return sentences of ids (T_i, 1) and a tag for each word, which follows from it."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(5, 41, N_SENTENCES)
    X = [np.minimum(rng.zipf(1.3, (t, 1)), n_words - 1) for t in lengths]
    return X, [x[:, 0] % N_TAGS for x in X]


def ctc_problem():
    """Return recordings (T_i, 26) and the labels that are heard in each."""
    rng = np.random.default_rng(1)
    prototypes = rng.standard_normal((N_LABELS, N_FEATURES))
    X, y = [], []
    for n_frames in rng.integers(60, 121, N_RECORDINGS):
        labels = rng.integers(0, N_LABELS, rng.integers(10, 26))
        heard = labels[np.arange(n_frames) * len(labels) // n_frames]
        noise = rng.standard_normal((n_frames, N_FEATURES))
        X.append((prototypes[heard] + 0.5 * noise).astype(np.float32))
        y.append(labels)
    return X, y


def model_of(kind, **options):
    """Return the estimator of a row, set for one epoch."""
    settings = dict(
        bidirectional=True, batch_size=BATCH_SIZE, max_iter=1, tol=0, random_state=0, **options
    )
    if kind == "ctc":
        return rnnkit.LSTMSequenceLabeller(SIZE, **settings)
    return rnnkit.GRUSequenceTagger(SIZE, embedding_dim=SIZE, output=kind, **settings)


def against_torch(run):
    """Rows of an epoch and of predict, for each kind of output."""
    try:
        import torchcrf  # noqa: F401
    except ImportError:
        return [missing("taggers and CTC", "torch and pytorch-crf are not installed", ">= 6×")]
    use_threads(1)
    rows = []
    for kind, goal in EPOCH_GOALS.items():
        for task, measured, wanted in measured_tasks(run, kind, goal):
            run.results.write(kind="labels", output=kind, task=task, milliseconds=measured)
            print(f"{kind} {task}", shown(measured), flush=True)
            what = f"{kind} {task}, bidirectional, 1 thr, against torch"
            rows.append(at_least(what, measured["torch"] / measured["rnnkit"], wanted))
    return rows


def measured_tasks(run, kind, goal):
    """Return what was done, the milliseconds of both sides and the goal, for epoch and predict."""
    import torch
    from rivals import torch_labels

    X, y = ctc_problem() if kind == "ctc" else tagging_problem()
    tensors = [torch.from_numpy(x if kind == "ctc" else x[:, 0]) for x in X]
    targets = [torch.from_numpy(one) for one in y]
    model = model_of(kind)

    def train():
        if kind == "ctc":
            return torch_labels.train_labeller(tensors, targets, N_LABELS, SIZE)
        return torch_labels.train_tagger(tensors, targets, N_WORDS, N_TAGS, SIZE, kind == "crf")

    runs = {"rnnkit": lambda: quietly(model.fit, X, y), "torch": train}
    epoch = interleaved(runs, run.repeats, run.seconds)
    fitted, answer = train(), torch_labels.label if kind == "ctc" else torch_labels.tag
    runs = {"rnnkit": lambda: model.predict(X), "torch": lambda: answer(fitted, tensors)}
    predict = interleaved(runs, run.repeats, run.seconds)
    return [("epoch", epoch, goal), ("predict", predict, PREDICT_GOAL)]


def large_tables(run):
    """Rows of the cost of a minibatch by the rows of the table."""
    use_threads(1)
    X, y = tagging_problem()
    n_more = (TIMES - 1) * len(X) / BATCH_SIZE
    seconds = {n_rows: {1: [], TIMES: []} for n_rows in TABLES}
    for _ in range(run.repeats):
        for n_rows, times in product(TABLES, (1, TIMES)):
            places = np.random.default_rng(2).permutation(n_rows - 1)[:N_WORDS] + 1
            scattered = [places[x] for x in X] * times
            seconds[n_rows][times] += epoch_seconds(n_rows, scattered, y * times)
    per_step = {}
    for n_rows, found in seconds.items():
        once, more = (1000 * np.percentile(found[times], 25) for times in (1, TIMES))
        per_step[n_rows] = (more - once) / n_more
        run.results.write(kind="table", n_rows=n_rows, milliseconds={"once": once, "more": more})
        print(f"table of {n_rows} rows, a minibatch {per_step[n_rows]:.2f} ms", flush=True)
    small, large = per_step.values()
    what = "minibatch of a tagger, table of 10^6 rows against 10^4"
    return [at_most(what, large / small, TABLE_GOAL, "×")]


def epoch_seconds(n_rows, X, y):
    """Return how long each epoch of a fit took but the first, in which rows are new."""
    model = model_of("softmax", n_tokens=n_rows)
    model.set_params(embedding_dim=TABLE_WIDTH, max_iter=EPOCHS)
    ends = []
    quietly(model.set_callbacks(lambda epoch: ends.append(time.perf_counter())).fit, X, y)
    return np.diff(ends).tolist()
