"""Small models whose every bit is recorded, so that a change that should change none is seen.

    python tests/golden/models.py            # a line per instruction set and model: hashes
    python tests/golden/models.py --write    # records them in values.json

A line holds the hash of the trained weights (with the curves of the training) and that of
everything the model answers. Only a commit that means to change results records anew, and says
why.

Letters: N sequences, T steps, I features of a step, H hidden units, K outputs.
"""

import argparse
import hashlib
import json
import math
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import scipy.linalg
from sklearn.frozen import FrozenEstimator

import rnnkit
from rnnkit import functional, preprocessing, training
from rnnkit.energy import DeepBeliefNetwork, DeepBoltzmannMachine, HopfieldNetwork, RecurrentRBM

VALUES = Path(__file__).with_name("values.json")
REFERENCE = "reference"  # the NumPy backend, beside the names of instruction sets
CELLS = ("RNN", "LSTM", "GRU")
N, T, I = 12, 6, 3  # noqa: E741 the letters of the docstring

# The data are small multiples of a power of two: exact in both dtypes and on every machine.


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.RandomState(seed).randint(-64, 65, size=shape) / 32.0


def steps_of(seed: int = 1) -> np.ndarray:
    return np.random.RandomState(seed).randint(3, T + 1, size=N)


class Data(NamedTuple):
    """X and y of any form, with the real steps of every sequence."""

    X: Any
    y: Any
    steps: np.ndarray
    call: dict[str, Any] = {}  # what every method takes besides X

    def head(self, n: int) -> "Data":
        return self._replace(X=self.X[:n], y=self.y[:n], steps=self.steps[:n])


def ragged(targets: Callable[[np.ndarray], Any], dtype: str = "f8", seed: int = 0) -> Data:
    """N sequences of T_i steps, and what `targets` makes of each."""
    steps = steps_of(seed + 1)
    X = [x[:t].astype(dtype) for x, t in zip(numbers(N, T, I, seed=seed), steps)]
    return Data(X, [targets(x) for x in X], steps)


def label(x: np.ndarray) -> str:
    return ("down", "level", "up")[int(x[-1, 0] > -1) + int(x[-1, 0] > 0.5)]


def several_labels(x: np.ndarray) -> list[int]:
    return [int(value > 0) for value in x[-1]]


def switches(dtype: str = "f8") -> Data:
    """N sequences of 0 and 1."""
    data = ragged(label)
    return data._replace(X=[(x > 0).astype(dtype) for x in data.X], y=None)


def number(x: np.ndarray) -> float:
    return float(x[-1].sum() + x[0, 0] / 2)


def count(x: np.ndarray) -> float:
    return float(abs(x).sum() // 4)


def vector(x: np.ndarray) -> list[float]:
    return [float(x[-1, 0]), float(x[0].sum())]


def tags(x: np.ndarray) -> list[str]:
    return ["up" if value > 0 else "down" for value in x[:, 0]]


def entity_tags(x: np.ndarray) -> list[str]:
    """An entity, of a type for either sign, as long as the first feature keeps its sign."""
    signs = [value > 0 for value in x[:, 0]]
    begins = [t == 0 or signs[t] != signs[t - 1] for t in range(len(x))]
    ends = [*begins[1:], True]
    letters = ["S" if b and e else "B" if b else "E" if e else "I" for b, e in zip(begins, ends)]
    return [f"{letter}-{'up' if sign else 'down'}" for letter, sign in zip(letters, signs)]


def three_tags(x: np.ndarray) -> np.ndarray:
    return (x[:, 0] > -1).astype(int) + (x[:, 0] > 1) - 1


def some_tags(x: np.ndarray) -> list[str | None]:
    return [None if abs(value) < 0.5 else "up" if value > 0 else "down" for value in x[:, 0]]


def some_steps(x: np.ndarray) -> np.ndarray:
    return np.where(abs(x) < 0.5, np.nan, np.roll(x, -1, axis=0) / 2)


def several_tags(x: np.ndarray) -> np.ndarray:
    return (x[:, :2] > 0).astype(int)


def step_numbers(x: np.ndarray) -> np.ndarray:
    return x.sum(axis=1) / 2


def step_counts(x: np.ndarray) -> np.ndarray:
    return abs(x).sum(axis=1) // 2


def next_steps(x: np.ndarray) -> np.ndarray:
    return np.roll(x, -1, axis=0) / 2


def label_list(x: np.ndarray) -> list[str]:
    words = (["a"], ["a", "b"], ["b"], ["b", "a"], [])
    return words[int(abs(x[0, 0]) * 32) % len(words)]


def numbers_backwards(x: np.ndarray) -> np.ndarray:
    return x[::-1, :2].cumsum(axis=0)[: 1 + len(x) // 2]


TARGETS = {
    "Classifier": label,
    "Regressor": number,
    "SequenceTagger": tags,
    "SequenceRegressor": next_steps,
    "SequenceLabeller": label_list,
}


def tokens(columns: int, targets: Callable[[np.ndarray], Any]) -> Data:
    """Sequences of token ids below 6."""
    steps = steps_of()
    ids = np.random.RandomState(2).randint(0, 6, size=(N, T, columns))
    X = [x[:t] for x, t in zip(ids, steps)]
    return Data(X, [targets(x - 2.0) for x in X], steps)


def words_backwards() -> Data:
    """Strings of four letters, and what they are when read backwards."""
    rng, steps = np.random.RandomState(4), steps_of()
    X = ["".join("abcd"[i] for i in rng.randint(0, 4, t)) for t in steps]
    return Data(X, [text[::-1] for text in X], steps)


def steady_columns(x: np.ndarray) -> np.ndarray:
    """The same with the first two columns as in the first step."""
    return np.column_stack([np.repeat(x[:1, :2], len(x), axis=0), x[:, 2:]])


def spelt(seed: int = 3) -> list[str]:
    """Strings of four letters, the later the rarer, of different lengths."""
    rng = np.random.RandomState(seed)
    return ["".join("abcd"[min(abs(i), 3)] for i in rng.randint(-3, 4, t)) for t in steps_of()]


def texts(X: Any, contexts: Any = None) -> Data:
    return Data(X, contexts, steps_of())


def fit_texts(estimator: Any, data: Data) -> Any:
    return estimator.fit(data.X, context=data.y)


def fit_texts_weighted(estimator: Any, data: Data) -> Any:
    return estimator.fit(data.X, context=data.y, sample_weight=np.arange(N) % 4 / 2)


def fit_texts_partially(estimator: Any, data: Data) -> Any:
    for part in (data.X, data.X[:7], data.X):
        estimator.partial_fit(part)
    return estimator


def labelled(data: Data) -> Data:
    """The same with labels in the first and the last column."""
    sequences = []
    for x in data.X:
        steps = x.astype(object)
        for column in (0, -1):
            steps[:, column] = [f"w{int(value)}" for value in x[:, column]]
        sequences.append(steps)
    return data._replace(X=sequences)


def forms() -> dict[str, Data]:
    """One set of sequences, with tags, in every form that X may have; some have I = 1."""
    dense, steps, whole = numbers(N, T, I), steps_of(), np.full(N, T)
    sequences = [x[:t] for x, t in zip(dense, steps)]
    beyond = np.arange(T) >= steps[:, None]
    padded = np.where(beyond[:, :, None], np.nan, dense)
    every, real = [tags(x) for x in dense], [tags(x) for x in sequences]
    objects = np.empty(N, dtype=object)
    objects[:] = sequences
    rows, thin = dense[:, :, 0], [x[:, 0] for x in sequences]
    columns = [f"t{t}" for t in range(T)]
    return {
        "list": Data(sequences, real, steps),
        "array": Data(dense, every, whole),
        "array, lengths": Data(padded, every, steps, {"lengths": steps}),
        "tuple": Data(tuple(sequences), real, steps),
        "object array": Data(objects, real, steps),
        "Sequences": Data(rnnkit.Sequences.from_list(sequences), real, steps),
        "rows": Data(rows, every, whole),
        "rows, lengths": Data(padded[:, :, 0], every, steps, {"lengths": steps}),
        "rows, step_features": Data(dense.reshape(N, -1), every, whole),
        "frame": Data(pd.DataFrame(rows, columns=columns), every, whole),
        "list of 1-D": Data(thin, real, steps),
        "list of lists": Data([x.tolist() for x in thin], real, steps),
        "list of equal lists": Data(rows.tolist(), every, whole),
    }


class Model(NamedTuple):
    """An estimator before its training, what it learns and how."""

    estimator: Any
    data: Data
    fit: Callable[[Any, Data], Any]


def fit_once(estimator: Any, data: Data, **arguments: Any) -> Any:
    return estimator.fit(data.X, data.y, **data.call, **arguments)


def fit_weighted(estimator: Any, data: Data) -> Any:
    return fit_once(estimator, data, sample_weight=np.arange(N) % 4 / 2)


def fit_step_weighted(estimator: Any, data: Data) -> Any:
    weights = [np.arange(t) % 3 / 2 + 0.5 for t in data.steps]
    return fit_once(estimator, data, sample_weight=weights)


def fit_validated(estimator: Any, data: Data) -> Any:
    return fit_once(estimator, data, validation_data=(data.X[:5], data.y[:5]))


def fit_twice(estimator: Any, data: Data) -> Any:
    return fit_once(fit_once(estimator, data), data.head(7))


def fit_partially(estimator: Any, data: Data) -> Any:
    """Three calls of `partial_fit`, the second with fewer sequences."""
    labels = isinstance(data.y[0], str)
    first = {"classes": np.unique(data.y)} if labels else {}
    estimator.partial_fit(data.X, data.y, **first)
    estimator.partial_fit(data.X[:7], data.y[:7])
    return estimator.partial_fit(data.X, data.y)


def fit_partially_alone(estimator: Any, data: Data) -> Any:
    for part in (data.X, data.X[:7], data.X):
        estimator.partial_fit(part)
    return estimator


def fit_written_partially(estimator: Any, data: Data) -> Any:
    estimator.partial_fit(data.X, data.y, classes=["down", "up"])
    return estimator.partial_fit(data.X[:7], data.y[:7])


def models(device: str = "cpu") -> dict[str, Model]:
    """Return every model by its name."""
    table: dict[str, Model] = {}

    def add(
        name: str,
        kind: str,
        data: Data | None = None,
        fit: Callable[[Any, Data], Any] = fit_once,
        dtype: str = "f8",
        **parameters: Any,
    ) -> None:
        settings: dict[str, Any] = dict(
            hidden_size=7, max_iter=2, batch_size=5, learning_rate_init=0.03, random_state=0
        )
        task = kind.removeprefix("RNN").removeprefix("LSTM").removeprefix("GRU")
        make = RecurrentRBM if kind == "RecurrentRBM" else getattr(rnnkit, kind)
        estimator = make(**{**settings, **parameters, "device": device})
        assert name not in table, name
        table[name] = Model(estimator, data or ragged(TARGETS[task], dtype), fit)

    for position, task in enumerate(TARGETS):
        for cell, sizes in zip(CELLS, ((5, 18), (13, 8), (11, 16))):
            for dtype, size in zip(("f4", "f8"), sizes):
                name, kind = f"{cell} {task} {dtype}", cell + task
                add(name, kind, dtype=dtype, hidden_size=size + position % 2)

    noise = dict(dropout=0.25, input_dropout=0.2, recurrent_dropout=0.3, input_noise=0.1)
    for cell, size in zip(CELLS, (9, 6, 17)):
        dtype = "f4" if cell == "GRU" else "f8"
        both = dict(n_layers=2, bidirectional=True, zoneout=0.1, **noise)
        add(f"{cell} noise, 2 layers, both ways", f"{cell}Classifier", dtype=dtype,
            hidden_size=size, **both)  # fmt: skip
        add(f"{cell} layer_norm", f"{cell}SequenceTagger", hidden_size=size, layer_norm=True)
        add(f"{cell} cell_clip", f"{cell}Regressor", dtype="f4", hidden_size=size, cell_clip=0.5)
        add(f"{cell} zoneout", f"{cell}SequenceRegressor", dtype="f4", zoneout=0.2)
        add(f"{cell} bptt_steps", f"{cell}SequenceTagger", dtype="f4", bptt_steps=2, n_layers=2)
        add(f"{cell} bf16", f"{cell}Classifier", hidden_size=18, precision="bf16", n_layers=2)
    for name in ("sigmoid", "softsign", "relu", "hard_sigmoid", "linear", "scaled_tanh"):
        add(f"activation {name}", "RNNClassifier", dtype="f4", activation=name)
    leaky, hard = ("leaky_relu", 0.1), ("hard_sigmoid", 0.25, 0.5)
    add("activation leaky_relu", "GRUClassifier", activation=leaky, gate_activation=hard)
    add("gate_activation softsign", "LSTMClassifier", gate_activation="softsign",
        activation="softsign")  # fmt: skip
    add("peephole", "LSTMClassifier", peephole=True, hidden_size=9)
    add("peephole f4, clip, both ways", "LSTMSequenceTagger", dtype="f4", peephole=True,
        cell_clip=0.8, bidirectional=True, hidden_size=17)  # fmt: skip
    add("coupled_gates", "LSTMClassifier", coupled_gates=True, forget_bias=2.0, hidden_size=10)
    add("coupled_gates, peephole, layer_norm", "LSTMRegressor", dtype="f4", coupled_gates=True,
        peephole=True, layer_norm=True)  # fmt: skip
    add("output_activation", "LSTMClassifier", output_activation="linear", n_layers=2)
    add("output_activation f4", "LSTMSequenceTagger", dtype="f4", activation="linear",
        output_activation=("scaled_tanh", 2.0, 0.5), peephole=True, hidden_size=9)  # fmt: skip
    add("full_gate_recurrence", "LSTMClassifier", full_gate_recurrence=True, hidden_size=9,
        n_layers=2, peephole=True)  # fmt: skip
    add("full_gate_recurrence f4, both ways", "LSTMSequenceTagger", dtype="f4",
        full_gate_recurrence=True, hidden_size=17, bidirectional=True, layer_norm=True)  # fmt: skip
    add("full_gate_recurrence f4, cut", "LSTMSequenceTagger", dtype="f4",
        full_gate_recurrence=True, zoneout=0.2, bptt_steps=2)  # fmt: skip
    add("fixed_gates", "LSTMClassifier", fixed_gates=("i",), solver="adamw", bidirectional=True)
    add("fixed_gates f4", "LSTMSequenceTagger", dtype="f4", fixed_gates=("f", "o"), peephole=True,
        alpha=0.1, l1=0.1, hidden_size=17)  # fmt: skip
    for dtype, size in (("f4", 17), ("f8", 9)):
        add(f"reset before {dtype}", "GRUClassifier", dtype=dtype, reset="before",
            hidden_size=size, n_layers=2, recurrent_dropout=0.2)  # fmt: skip
    add("gate_bias chrono LSTM", "LSTMClassifier", gate_bias="chrono")
    add("gate_bias chrono GRU", "GRUClassifier", gate_bias="chrono")
    add("gate_bias dict", "LSTMRegressor", gate_bias={"i": -1, "o": 0.5})

    for pooling in ("mean", "max", "attention"):
        add(f"pooling {pooling}", "GRUClassifier", pooling=pooling, bidirectional=True)
        add(f"pooling {pooling} f4", "LSTMRegressor", dtype="f4", pooling=pooling)

    shapes = [rnnkit.Convolution(5, 4, 2), rnnkit.Convolution(7, 3, pooling=2, layer_norm=True)]
    causal = [
        rnnkit.Convolution(6, 3, causal=True, activation="tanh"),
        rnnkit.Convolution(17, 2, causal=True, activation="identity"),
    ]
    for dtype, cell in (("f4", "LSTM"), ("f8", "GRU")):
        add(f"convolutions {dtype}", f"{cell}Classifier", dtype=dtype, convolutions=shapes,
            bidirectional=True, pooling="mean")  # fmt: skip
        add(f"convolutions beside {dtype}", f"{cell}Regressor", dtype=dtype, convolutions=shapes,
            convolution_join="parallel", dropout=0.2)  # fmt: skip
        add(f"causal convolutions {dtype}", f"{cell}SequenceTagger", dtype=dtype,
            convolutions=causal, hidden_size=9)  # fmt: skip
        add(f"causal convolutions beside, cut {dtype}", f"{cell}SequenceRegressor", dtype=dtype,
            convolutions=causal, convolution_join="parallel", bptt_steps=2)  # fmt: skip
    normed = [
        rnnkit.Convolution(5, 3, pooling=2, batch_norm=True),
        rnnkit.Convolution(17, 2, causal=True, activation="tanh", batch_norm=True),
    ]
    for dtype, join in (("f4", "parallel"), ("f8", "before")):
        add(f"convolutions, batch norm {dtype}", "LSTMClassifier", dtype=dtype,
            convolutions=normed, convolution_join=join)  # fmt: skip
    add("widths", "LSTMClassifier", hidden_size=(5, 3), bidirectional=True, dropout=0.2)
    add("no recurrent layer", "RNNClassifier", hidden_size=())
    add("no recurrent layer, steps f4", "LSTMSequenceRegressor", dtype="f4", hidden_size=())

    add("tokens", "GRUClassifier", tokens(1, label), embedding_dim=5, token_dropout=0.5)
    add("tokens, columns", "LSTMSequenceTagger", tokens(2, tags), embedding_dim=(5, 3),
        n_tokens=(8, None), dropout=0.2, input_dropout=0.2)  # fmt: skip
    add("tokens, spelling", "GRUSequenceTagger", tokens(5, tags), embedding_dim=4,
        spelling_columns=4, character_dim=3, character_hidden_size=5,
        bidirectional=True)  # fmt: skip

    mixed = tokens(3, label)._replace(X=[x / [1.0, 4.0, 1.0] for x in tokens(3, label).X])
    add("tokens beside numbers", "LSTMClassifier", mixed, embedding_dim=3,
        categorical_features=(0, -1), input_noise=0.1)  # fmt: skip

    add("tokens, frozen table", "LSTMClassifier", tokens(1, label), embedding_trainable=False,
        embedding_init=np.linspace(-1, 1, 40).reshape(8, 5).tolist(), solver="adamw")  # fmt: skip
    add("labels beside numbers", "GRUClassifier", labelled(mixed), embedding_dim=3,
        categorical_features="from_dtype", alpha=0.1)  # fmt: skip

    steady = tokens(3, label)._replace(X=list(map(steady_columns, mixed.X)))
    for cell, named in (("RNN", None), ("LSTM", None), ("GRU", (0, 1))):
        add(f"static columns {cell}", f"{cell}Classifier", steady, embedding_dim=3,
            static="state", categorical_features=(0, -1), bidirectional=cell == "LSTM",
            static_features=named)  # fmt: skip

    add("monitor score", "LSTMRegressor", monitor="score", early_stopping=True)
    add("label_smoothing", "GRUClassifier", label_smoothing=0.1)
    add("class_weight balanced", "GRUClassifier", class_weight="balanced")
    add("class_weight dict", "LSTMSequenceTagger", class_weight={"up": 2.0, "down": 0.5})
    add("sample_weight", "LSTMClassifier", fit=fit_weighted, class_weight="balanced")
    add("sample_weight Regressor", "GRURegressor", fit=fit_weighted)
    add("sample_weight of steps", "GRUSequenceTagger", fit=fit_step_weighted)
    add("several labels", "LSTMClassifier", ragged(several_labels))
    add("several labels a step", "GRUSequenceTagger", ragged(several_tags, "f4"))
    add("crf", "LSTMSequenceTagger", dtype="f4", output="crf", fit=fit_weighted)
    known = ragged(some_tags)
    add("tags not known", "LSTMSequenceTagger", known, class_weight="balanced")
    add("tags not known, crf", "GRUSequenceTagger", known, output="crf", fit=fit_weighted)
    add("ignore_label", "RNNSequenceTagger", ragged(three_tags, "f4"), ignore_label=-1,
        early_stopping=True, validation_fraction=0.5)  # fmt: skip
    add("crf, both ways", "GRUSequenceTagger", output="crf", bidirectional=True)
    rules = dict(output="crf", forbidden_transitions="iobes", hidden_size=5)
    add("crf, forbidden_transitions", "GRUSequenceTagger", ragged(entity_tags), **rules)
    add("beam_width", "GRUSequenceLabeller", beam_width=4, max_iter=4)

    add("several outputs", "LSTMRegressor", ragged(vector))
    add("a number a step", "LSTMSequenceRegressor", ragged(step_numbers, "f4"))
    add("numbers not known", "GRUSequenceRegressor", ragged(some_steps))
    for loss in ("absolute", "huber", "quantile"):
        add(f"loss {loss}", "GRURegressor", loss=loss, huber_delta=0.5, quantile=0.8)
        add(f"loss {loss} a step", "LSTMSequenceRegressor", ragged(next_steps, "f4"), loss=loss,
            huber_delta=0.5, quantile=0.8)  # fmt: skip
    several = dict(loss="quantile", quantile=[0.1, 0.5, 0.9])
    add("several quantiles", "GRURegressor", ragged(vector, "f4"), **several)
    add("several quantiles a step", "LSTMSequenceRegressor", ragged(step_numbers), **several)
    add("loss poisson", "LSTMRegressor", ragged(count, "f4"), loss="poisson")
    add("loss poisson a step", "GRUSequenceRegressor", ragged(step_counts), loss="poisson")

    for solver in ("adamw", "sgd", "nesterov", "rmsprop", "adagrad", "adadelta", "lbfgs"):
        add(f"solver {solver}", "GRUClassifier", solver=solver, alpha=1e-3)
    add("solver lbfgs f4", "LSTMRegressor", dtype="f4", solver="lbfgs", max_iter=3)
    add("solver object", "LSTMClassifier", dtype="f4", l1=1e-3, alpha=1e-3,
        solver=training.RMSProp(momentum=0.5))  # fmt: skip
    for schedule in ("invscaling", "adaptive", "linear", "cosine"):
        add(f"learning_rate {schedule}", "LSTMClassifier", learning_rate=schedule, max_iter=4,
            tol=10.0, n_iter_no_change=1)  # fmt: skip
    add("clip_norm", "LSTMRegressor", clip_norm=0.02, solver="sgd")
    add("clip_value", "LSTMRegressor", clip_value=0.01, clip_norm=None, solver="sgd")
    add("shuffle False", "GRUClassifier", shuffle=False, batch_size="auto")
    add("early_stopping", "GRURegressor", early_stopping=True, validation_fraction=0.25,
        max_iter=4, n_iter_no_change=2)  # fmt: skip
    add("early_stopping by time", "GRUSequenceTagger", early_stopping=True,
        validation_split="time", validation_fraction=0.3, max_iter=3)  # fmt: skip
    add("validation_data", "LSTMClassifier", fit=fit_validated, max_iter=3)
    add("warm_start", "LSTMClassifier", fit=fit_twice, warm_start=True)
    add("partial_fit", "GRUClassifier", fit=fit_partially, dropout=0.2)
    add("partial_fit Regressor", "LSTMRegressor", fit=fit_partially, learning_rate="cosine")

    falling = dict(learning_rate="linear")
    written = dict(embedding_dim=6, max_target_length=9, **falling)
    for cell, size, attention in zip(CELLS, (9, 17, 10), (None, "dot", "additive")):
        add(f"{cell} writes labels", f"{cell}EncoderDecoder", words_backwards(), hidden_size=size,
            attention=attention, n_layers=2, dropout=0.2, **written)  # fmt: skip
        add(f"{cell} writes numbers", f"{cell}EncoderDecoder", ragged(numbers_backwards),
            fit_weighted, hidden_size=size, attention=attention,
            bidirectional=cell == "LSTM", **falling)  # fmt: skip
    add("writes from its own", "GRUEncoderDecoder", words_backwards(), n_layers=2,
        teacher_forcing=(0.9, 0.2, 4), dropout=0.1, **written)  # fmt: skip
    add("writes what is likeliest", "GRUEncoderDecoder", words_backwards(), beam_width=3,
        length_penalty=0.5, targets="labels", label_smoothing=0.1, token_dropout=1.0,
        early_stopping=True, **written)  # fmt: skip
    add("writes labels for numbers", "LSTMEncoderDecoder", ragged(tags, "f4"), inputs="numbers",
        attention="additive", fit=fit_written_partially, **written)  # fmt: skip

    for cell, size, dtype in zip(CELLS, (9, 17, 10), ("f8", "f4", "f8")):
        add(f"{cell} gives back", f"{cell}Autoencoder", ragged(label, dtype), fit_weighted,
            hidden_size=size, code_size=5, n_layers=2, dropout=0.2, input_noise=0.1,
            bidirectional=cell == "GRU")  # fmt: skip
    add("gives back by widths", "GRUAutoencoder", ragged(label, "f4"), fit_weighted,
        hidden_size=(5, 3), code_size=2)  # fmt: skip
    add("gives back a part", "LSTMAutoencoder", ragged(label, "f4"), fit_partially_alone,
        hidden_size=6, recurrent_dropout=0.2, contamination=0.3)  # fmt: skip
    add("gives back rows", "GRUAutoencoder", forms()["rows, step_features"], code_size=3,
        step_features=I, early_stopping=True)  # fmt: skip

    for cell, size, dtype in zip(CELLS, (9, 17, 10), ("f8", "f4", "f8")):
        add(f"{cell} of machines", "RecurrentRBM", switches(dtype), fit_weighted, n_components=5,
            hidden_size=size, cell=cell.lower(), n_layers=2, dropout=0.2)  # fmt: skip
    add("machines by parts", "RecurrentRBM", switches("f4"), fit_partially_alone, n_gibbs=2,
        n_components=18, cell="gru", recurrent_dropout=0.2, input_dropout=0.1)  # fmt: skip
    add("machines of all states", "RecurrentRBM", switches(), n_components=4, bptt_steps=3,
        negative_phase="exact", early_stopping=True, cell="lstm")  # fmt: skip
    for cell, size, dtype in zip(CELLS, (9, 17, 10), ("f8", "f4", "f8")):
        add(f"{cell} makes series", f"{cell}SeriesGenerator", ragged(label, dtype), fit_weighted,
            hidden_size=size, n_layers=2, dropout=0.2, input_noise=0.1,
            bidirectional=cell == "GRU")  # fmt: skip
    add("makes a part", "LSTMSeriesGenerator", ragged(label, "f4"), fit_partially_alone,
        hidden_size=6, recurrent_dropout=0.2, pooling="last")  # fmt: skip
    add("makes rows of numbers", "GRUSeriesGenerator",
        forms()["rows, step_features"]._replace(y=numbers(N, 2)), noise_size=0, pooling="mean",
        step_features=I, solver="sgd")  # fmt: skip
    add("makes series of two moods", "RNNSeriesGenerator", ragged(label, "f4"), fit_weighted,
        hidden_size=7, sequence_noise_size=2, noise_size=1)  # fmt: skip

    small = dict(embedding_dim=6, stretch_steps=20, bptt_steps=6)
    for cell, size in zip(CELLS, (9, 17, 10)):
        add(f"{cell} writes a text", f"{cell}LanguageModel", texts("".join(spelt()) * 3), fit_texts,
            hidden_size=size, n_layers=2, dropout=0.2, early_stopping=True, **small)  # fmt: skip
        add(f"{cell} writes names", f"{cell}LanguageModel", texts(spelt(), list("xy" * 6)),
            fit_texts_weighted, tied_embeddings=True, zoneout=0.1, **small)  # fmt: skip
    ids = [np.array([ord(letter) for letter in text]) for text in spelt()]
    known = dict(vocabulary=[97, 98, 99], token_dropout=0.5)
    add("writes ids of vectors", "GRULanguageModel", texts(ids, numbers(N, 2)), fit_texts,
        embedding_dim=7, tied_embeddings=True, **known)  # fmt: skip
    words = [" ".join(text) for text in spelt()]
    add("writes words", "LSTMLanguageModel", texts(words), fit_texts_partially, tokens="words",
        min_frequency=4, document_ends=False, peephole=True)  # fmt: skip

    drawn = dict(spectral_radius=0.8, leak=0.5, density=0.3, input_scaling=0.5, bias_scaling=0.2)
    for task, more in (
        ("Classifier", dict(alpha=0.1, pooling="last")),
        ("Regressor", dict(alpha=[0.1, 1.0], bidirectional=True)),
        ("SequenceTagger", dict(alpha=0.1, washout=1)),
        ("SequenceRegressor", dict(alpha=0.1)),
    ):
        estimator = getattr(rnnkit, f"EchoState{task}")(
            7, random_state=0, device=device, **drawn, **more
        )
        table[f"echo state {task}"] = Model(estimator, ragged(TARGETS[task]), fit_once)

    short = dict(hidden_size=5, population=8, random_state=0, device=device, recurrent_scaling=0.5)
    short.update(input_scaling=1.0, bias_scaling=0.5, mutation=0.05)
    for name, estimator, data in (
        ("evolved", rnnkit.EvolinoRegressor(generations=3, alpha=0.1, bidirectional=True,
                                            pooling="max", **short), ragged(number)),
        ("evolved per step", rnnkit.EvolinoSequenceRegressor(
            generations=3, alpha=0.1, washout=1, validation_fraction=0.4, peephole=True,
            fixed_gates=("o",), **short), ragged(next_steps)),
        ("evolved by differences", rnnkit.EvolinoSequenceRegressor(
            generations=2, alpha=0.1, evolution="differential", judged_by="next", **short),
         ragged(next_steps)),
        ("evolved alone", rnnkit.EvolinoSequenceRegressor(
            generations=2, alpha=0.1, judged_by="forecast", horizon=2, **short),
         ragged(next_steps)),
    ):  # fmt: skip
        table[name] = Model(estimator, data, fit_once)

    for name, data in forms().items():
        step_features = I if name == "rows, step_features" else 1
        add(f"X as {name}", "GRUSequenceTagger", data, step_features=step_features)
    for name in ("rows, step_features", "rows, lengths", "frame", "list of equal lists"):
        data = forms()[name]._replace(y=list("abcabcabcabc"))
        step_features = I if name == "rows, step_features" else 1
        add(f"a label for X as {name}", "LSTMClassifier", data, step_features=step_features)
    return table


# What is hashed. Results per step are hashed by the values of the real steps alone, one sequence
# after the other: not by the container they come in, nor by what fills a dense one beyond a
# sequence's length.


def real_steps(result: Any, steps: np.ndarray) -> np.ndarray:
    """Return per-step results of any form as one array (ΣT, ...)."""
    if isinstance(result, rnnkit.Sequences):
        return result.values
    if isinstance(result, np.ndarray) and result.ndim > 1:
        result = [of_sequence[:t] for of_sequence, t in zip(result, steps)]
    return np.concatenate([np.asarray(piece) for piece in result])


def answers_of(model: Any, data: Data) -> list[np.ndarray]:
    """Return all that a trained model tells about the data, always in the same order."""
    if hasattr(model, "attention_weights"):
        return translated(model, data)
    if hasattr(model, "perplexity"):
        return written(model, data)
    if hasattr(model, "reconstruction_error"):
        return given_back(model, data)
    if hasattr(model, "n_components"):
        return told_by_machines(model, data)
    if hasattr(model, "discriminator_loss_curve_"):
        return made(model, data)
    X, call, steps = data.X, data.call, data.steps
    per_step = "Sequence" in type(model).__name__
    tells_lists = type(model).__name__.endswith("Labeller")
    read = (lambda result: real_steps(result, steps)) if per_step else np.asarray
    predicted = model.predict(X, **call)
    found = [np.concatenate(list(predicted)) if tells_lists else read(predicted)]
    if hasattr(model, "predict_proba"):
        found.append(read(model.predict_proba(X, **call)))
    found.append(np.asarray(model.score(X, data.y, **call)))
    before = model.convolutions is not None and model.convolution_join == "before"
    shortened = before and any(shape.shortening > 1 for shape in model.convolutions)
    told = (0, -1) if model.network_.recurrent_layers and not shortened else ()
    for layer in told:  # there are states of every step
        found.append(real_steps(model.hidden_states(X, layer=layer, **call), steps))
        gates = model.gate_activations(X, layer=layer, **call)
        found += [real_steps(gates[gate], steps) for gate in sorted(gates)]
    if hasattr(model, "forecast") and len(np.shape(data.y[0])) == 2 and not model.bidirectional:
        found.append(model.forecast(X, 3, **call))
    if model.network_.is_causal and not (tells_lists or getattr(model, "output", "") == "crf"):
        found += streamed(model, data)
    return found


def made(model: Any, data: Data) -> list[np.ndarray]:
    """Return series that a generator makes, and how real it finds the data."""
    lengths = np.arange(N) % 5 + 2
    known = {} if model._codec.conditions is None else {"y": data.y}
    if model._codec.n_steps is not None:
        lengths = np.full(N, model._codec.n_steps)
    series = model.sample(N, lengths, random_state=0, **known)
    series = series[0] if known else series
    found = [np.ravel(piece) for piece in series]
    return [np.concatenate(found), model.decision_function(data.X, **known)]


def translated(model: Any, data: Data) -> list[np.ndarray]:
    """Return all that an encoder-decoder tells about the data."""
    steps = {} if hasattr(model, "classes_") else {"n_steps": 3}
    predicted = model.predict(data.X, **steps)
    if isinstance(predicted[0], str):
        predicted = [np.array(list(text)) for text in predicted]
    found = [np.concatenate(list(predicted)), np.asarray(model.score(data.X, data.y))]
    if hasattr(model, "classes_"):
        found.append(model.score_samples(data.X, data.y))
    if model.attention is not None:
        found += [*model.attention_weights(data.X, data.y)]
    for layer in (0, -1):
        found += list(real_steps(model.hidden_states(data.X, layer=layer), data.steps)[None])
    return found


def given_back(model: Any, data: Data) -> list[np.ndarray]:
    """Return all that an autoencoder tells about the data."""
    codes = model.transform(data.X)
    back = model.inverse_transform(codes, lengths=data.steps)
    if isinstance(back, np.ndarray) and back.ndim == 2:
        back = back.reshape(len(back), -1, model.step_features)
    errors = model.reconstruction_error(data.X, per_step=True)
    found = [codes, real_steps(back, data.steps), real_steps(errors, data.steps)]
    found += [model.decision_function(data.X), model.predict(data.X)]
    found.append(np.asarray([model.offset_, model.score(data.X)]))
    for layer in (0, -1):
        found.append(real_steps(model.hidden_states(data.X, layer=layer), data.steps))
        gates = model.gate_activations(data.X, layer=layer)
        found += [real_steps(gates[gate], data.steps) for gate in sorted(gates)]
    return found


def told_by_machines(model: Any, data: Data) -> list[np.ndarray]:
    """Return all that machines at every step tell about the data, and what they draw."""
    found = [model.score_samples(data.X, method=method) for method in ("pseudo", "exact", "ais")]
    found += [np.concatenate(model.predict_proba(data.X)), np.concatenate(model.transform(data.X))]
    found += [np.asarray([model.score(data.X), model.accuracy(data.X)])]
    found += [model.sample(4, 3, random_state=0), model.sample(4, prompt=data.X[0], random_state=0)]
    for layer in (0, -1):
        found.append(real_steps(model.hidden_states(data.X, layer=layer), data.steps))
        gates = model.gate_activations(data.X, layer=layer)
        found += [real_steps(gates[gate], data.steps) for gate in sorted(gates)]
    return found


def written(model: Any, data: Data) -> list[np.ndarray]:
    """Return all that a language model tells about texts, and what it writes."""
    context = {} if data.y is None else {"context": data.y}
    one = {} if data.y is None else {"context": data.y[0]}
    found = [model.score_samples(data.X, **context), np.asarray(model.score(data.X, **context))]
    for layer in (0, -1):
        found += list(model.hidden_states(data.X, layer=layer, **context))
        gates = model.gate_activations(data.X, layer=layer, **context)
        found += [of_text for gate in sorted(gates) for of_text in gates[gate]]
    for how in ({"temperature": 0}, {"top_k": 3, "top_p": 0.9}, {"n_samples": 3}):
        text = model.sample(12, random_state=0, **how, **one)
        found.append(np.array([str(text)]))
    stream = model.stream(**one)
    for token in list(model.vocabulary_)[:2]:
        found.append(stream.step(token))
    states, scores = stream.state
    return [*found, scores, *(a for of_layer in states for a in of_layer if a is not None)]


def streamed(model: Any, data: Data) -> list[np.ndarray]:
    """Return what a stream tells about the first sequence and keeps after it."""
    stream = model.stream()
    table = data.X.to_numpy() if isinstance(data.X, pd.DataFrame) else data.X
    first = np.asarray(next(iter(table)))
    first = first.reshape(-1, model.step_features) if first.ndim == 1 else first
    found = [np.asarray(stream.step(x)) for x in first[: data.steps[0]]]
    if hasattr(model, "predict_proba"):
        found.append(stream.predict_proba())
    states = [state for of_layer in stream.state for state in of_layer if state is not None]
    return found + [np.asarray(state) for state in states]


def knowledge_of(model: Any) -> list[np.ndarray]:
    """Return the weights by the order of their names, and the curves of the training."""
    weights = model.weights_
    curves = (model.loss_curve_, model.validation_scores_ or [], [model.n_iter_, model.t_])
    return [weights[name] for name in sorted(weights)] + [np.asarray(curve) for curve in curves]


def digest(arrays: list[np.ndarray]) -> str:
    """Return a hash of dtypes, shapes and bytes; text and objects count by their values."""
    sums = hashlib.blake2b(digest_size=5)
    for array in arrays:
        if array.dtype.kind in "OUS":
            content = json.dumps([str(value) for value in array.ravel()]).encode()
            kind = "text"
        else:
            content, kind = np.ascontiguousarray(array).tobytes(), array.dtype.str
        sums.update(f"{kind} {array.shape} ".encode() + content)
    return sums.hexdigest()


def size_of(arrays: list[np.ndarray]) -> float:
    """Return the 2-norm of all floating-point numbers in the arrays."""
    return math.sqrt(sum(np.square(a.astype("f8")).sum() for a in arrays if a.dtype.kind == "f"))


class Result(NamedTuple):
    """What is recorded of a model: hashes and sizes of knowledge and answers, and its dtype."""

    weights: str
    answers: str
    dtype: str
    weights_size: float
    answers_size: float

    @property
    def bits(self) -> str:
        return f"{self.weights} {self.answers}"


def result_of(
    knowledge: list[np.ndarray], answers: list[np.ndarray], precision: str = "full"
) -> Result:
    dtype = "bf16" if precision == "bf16" else knowledge[0].dtype.str[1:]
    return Result(digest(knowledge), digest(answers), dtype, size_of(knowledge), size_of(answers))


def feature_results(device: str) -> dict[str, Result]:
    """Return the results of `RecurrentFeatures` with each of its poolings."""
    data, results = ragged(label, "f4"), {}
    classifier = rnnkit.LSTMClassifier(
        9, bidirectional=True, n_layers=2, max_iter=2, random_state=0, device=device
    ).fit(data.X, data.y)
    for pooling in ("last", "mean", "max"):
        frozen = FrozenEstimator(classifier) if pooling == "max" else classifier
        features = rnnkit.RecurrentFeatures(frozen, pooling=pooling, layer=0)
        answers = [features.fit(data.X, data.y).transform(data.X)]
        results[f"features {pooling}"] = result_of(knowledge_of(classifier), answers)
    return results


def forecaster_results(device: str) -> dict[str, Result]:
    """Return the results of forecasters: one series of two channels, and many with covariates."""
    results = {}
    settings = {"max_iter": 12, "n_estimators": 2, "random_state": 0, "device": device}
    beside = numbers(60, 1, seed=4)
    # What a network can tell, so that it counts.
    series = 9 + np.arange(60)[:, None] % 5 + numbers(60, 2, seed=3) / 8 + beside
    for cell in CELLS:
        for strategy in ("direct", "recursive", "encoder-decoder"):
            reads_known = cell == "GRU" and strategy != "encoder-decoder"
            if reads_known:
                given: dict[str, Any] = {"y": series[:54], "X": beside[:54]}
            elif cell == "GRU":
                given = {"y": series[:54]}
            else:
                given = {"y": [series[:50, 0], series[:, 1]]}
            forecaster = getattr(rnnkit, f"{cell}Forecaster")(
                5,
                strategy=strategy,
                seasonality=4,
                difference=None,
                smoothing=None,
                stabilize="log",
                learning_rate_init=0.0625,
                **settings,
            ).fit(**given, fh=range(1, 7))
            assert forecaster.weight_ > 0
            future = {"X": beside[54:]} if reads_known else {}
            answers = [forecaster.predict(**future), forecaster.predict_interval(**future)]
            flat = [np.asarray(a) for item in answers for a in (item if cell != "GRU" else [item])]
            knowledge = [a for member in forecaster.estimators_ for a in knowledge_of(member)]
            results[f"{cell} forecaster, {strategy}"] = result_of(knowledge, flat)
    counting = rnnkit.GRUForecaster(5, difference=[1, 4], learning_rate_init=0.0625, **settings)
    counting.fit(series[:, 0], fh=range(1, 4), sample_weight=np.linspace(0, 1, 60))
    knowledge = [a for member in counting.estimators_ for a in knowledge_of(member)]
    answers = [counting.predict(), counting.predict_interval()]
    results["forecaster, weights"] = result_of(knowledge, answers)
    for cell in CELLS:
        smoothing = getattr(rnnkit, f"{cell}Forecaster")(5, learning_rate_init=0.0625, **settings)
        smoothing.fit(series, fh=range(1, 4))
        knowledge = [a for member in smoothing.estimators_ for a in knowledge_of(member)]
        answers = [smoothing.predict(), smoothing.predict_interval()]
        results[f"{cell} forecaster, smoothing"] = result_of(knowledge, answers)
    return results


def transformer_results() -> dict[str, Result]:
    """Return the results of `rnnkit.preprocessing`, the scaler's for every form of X."""
    results = {}
    for name, data in forms().items():
        scaler = preprocessing.SequenceScaler(step_features=I if "features" in name else 1)
        scaler.fit(data.X, **data.call)
        scaled = scaler.transform(data.X, **data.call)
        answers = []
        for result in (scaled, scaler.inverse_transform(scaled, **data.call)):
            result = result.reshape(N, T, I) if "features" in name else result
            answers.append(real_steps(result, data.steps).ravel())
        inner = scaler.scaler_
        results[f"scaler, X as {name}"] = result_of([inner.mean_, inner.scale_], answers)
    sequences = forms()["list"].X
    padder = preprocessing.Padder(side="start", fill=-1.0).fit(sequences)
    windows = preprocessing.SlidingWindows(window=3, horizon=2, step=2)
    answers = [padder.transform(sequences), *windows.pairs(numbers(15, 2))]
    encoder = preprocessing.TokenEncoder(("word", "shape", "affixes", "spelling"))
    answers += encoder.fit_transform([["Ann", "runs", "2024"], ["a", "bee"], ["ran", "Ann"]])
    results["padder, windows, token encoder"] = result_of([np.zeros(1)], answers)
    for name, data in forms().items():
        summary = preprocessing.SequenceSummary(step_features=I if "features" in name else 1)
        answers = [summary.fit_transform(data.X, **data.call)]
        results[f"summary, X as {name}"] = result_of([np.zeros(1)], answers)
    return results


def energy_results() -> dict[str, Result]:
    """Return the results of `rnnkit.energy`'s estimators of rows, which are for the host alone."""
    results = {}
    rows, asked = numbers(20, 9) > 0, numbers(N, 9, seed=1) > 0
    labels = np.where(np.arange(20) % 4 == 3, -1, rows[:, 0] + rows[:, 4])
    for dtype, rule, more in (
        ("f8", "hebb", dict(thresholds=0.25)),
        ("f4", "hebb", dict(update="synchronous", max_iter=5)),
        ("f4", "pseudo-inverse", dict(binarize=0.5)),
        ("f8", "softmax", dict(beta=0.5, tol=1e-3)),
        ("f4", "softmax", dict(update="asynchronous")),
    ):
        network = HopfieldNetwork(rule, random_state=0, **more).fit(rows[:4].astype(dtype))
        states = asked.astype(dtype)
        answers = [network.recall(states), network.energy(states), network.predict(states)]
        knowledge = [network.patterns_, getattr(network, "weights_", np.zeros(0))]
        results[f"hopfield {rule} {dtype}"] = result_of(knowledge, answers)
    for dtype, sizes, more in (
        ("f8", (7, 5), dict(gibbs_steps=2, learning_rate="constant")),
        ("f4", (6,), dict(pretrain_iter=0, transform_layers="all", binarize=0.5)),
        ("f4", (7, 5, 3), dict(transform_layers="all", mean_field_steps=4, alpha=0.01)),
    ):
        machine = DeepBoltzmannMachine(
            sizes, max_iter=3, learning_rate_init=0.1, n_particles=8, random_state=0, **more
        ).fit(rows.astype(dtype))
        states = asked.astype(dtype)
        answers = [machine.transform(states), machine.score_samples(states)]
        answers += [machine.sample(3, n_steps=4, random_state=0)]
        answers += [machine.gibbs(states, random_state=0)]
        knowledge = [*machine.coefs_, *machine.intercepts_, *machine.particles_]
        results[f"deep machine {dtype}, {len(sizes)} layers"] = result_of(knowledge, answers)
    for dtype, more in (
        ("f8", dict(solver="lbfgs", alpha=0.01)),
        ("f4", dict(pretrain_iter=0, solver="sgd", learning_rate_init=0.1)),
        ("f4", dict(binarize=0.5, early_stopping=True, validation_fraction=0.4)),
    ):
        settings = dict(pretrain_iter=3, max_iter=3, random_state=0)
        network = DeepBeliefNetwork((7, 5), **{**settings, **more})
        network.fit(rows.astype(dtype), labels)
        states = asked.astype(dtype)
        answers = [network.transform(states), network.predict_proba(states)]
        knowledge = [*network.coefs_, *network.intercepts_, *network.visible_intercepts_]
        knowledge.append(np.asarray(network.loss_curve_))
        results[f"belief network {dtype}, {network.solver}"] = result_of(knowledge, answers)
    return results


def layer_weights(
    cell: str, n_layers: int, directions: int, dtype: str, peephole: bool, norm: bool
) -> dict[str, np.ndarray]:
    """Return weights for `rnnkit.functional.recurrent` with H = 6."""
    size, weights = 6, {}
    rows = {"rnn": 1, "lstm": 4, "gru": 3}[cell] * size
    for layer in range(n_layers):
        width = I if layer == 0 else size * directions
        shapes = {"weight_ih": (rows, width), "weight_hh": (rows, size)}
        shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
        if peephole:
            shapes["peephole"] = (3 * size,)
        if norm:
            shapes |= {"norm_ih": (rows,), "norm_hh": (rows,)}
        if norm and cell == "lstm":
            shapes |= {"norm_c": (size,), "norm_c_bias": (size,)}
        for suffix in ("", "_reverse")[:directions]:
            for name, shape in shapes.items():
                values = numbers(*shape, seed=len(weights)) / 4
                weights[f"{name}_l{layer}{suffix}"] = values.astype(dtype)
    return weights


# Two directions, each with its own parameter of the activation.
LEAKY = {
    "activation": "leaky_relu",
    "activation_params": {"activation": ((0.1, None), (0.2, None))},
}


def functional_results(backend: str) -> dict[str, Result]:
    """Return the results of `rnnkit.functional`: states, gradients and single steps."""
    results = {}
    cases: list[tuple[str, str, int, int, dict[str, Any]]] = [
        ("rnn", "f4", 1, 1, {"activation": "relu", "reverse": True}),
        ("rnn", "f8", 2, 2, {"activation": ("tanh", "softsign")}),
        ("lstm", "f4", 2, 2, {"cell_clip": 0.7}),
        ("lstm", "f8", 1, 1, {"coupled_gates": True, "output_activation": "softsign"}),
        ("lstm peephole", "f8", 2, 1, {}),
        ("lstm norm", "f4", 1, 2, {}),
        ("gru", "f4", 2, 1, {"gate_activation": "hard_sigmoid"}),
        ("gru", "f8", 1, 2, {"reset": "before"}),
        ("gru norm", "f8", 1, 1, {}),
        ("rnn list", "f8", 1, 2, LEAKY),
        ("gru Sequences", "f4", 2, 1, {}),
    ]
    for text, dtype, n_layers, directions, options in cases:
        cell, _, extra = text.partition(" ")
        weights = layer_weights(
            cell, n_layers, directions, dtype, extra == "peephole", extra == "norm"
        )
        common = dict(cell=cell, n_layers=n_layers, backend=backend, **options)
        named = ("h", "c") if cell == "lstm" else ("h",)
        shape = (n_layers * directions, N, 6)
        states, ends = (
            {name.format(h): numbers(*shape, seed=seed + ord(h)).astype(dtype) / 4 for h in named}
            for name, seed in (("{}0", 0), ("d{}_n", 50))
        )
        steps, x = steps_of(), numbers(N, T, I).astype(dtype)
        lengths = steps.copy()
        lengths[3] = 0
        dy = numbers(N, T, 6 * directions, seed=7).astype(dtype)
        given, dy_given, call = x, dy, {"lengths": lengths}
        if extra in ("list", "Sequences"):
            given, dy_given = ([v[:t] for v, t in zip(values, lengths)] for values in (x, dy))
            call = {}
        if extra == "Sequences":
            given, dy_given = (
                rnnkit.Sequences.from_any(values, allow_empty=True) for values in (given, dy_given)
            )
        output = functional.recurrent(
            given, weights, bidirectional=directions == 2, **call, **states, **common
        )
        gradients = output.backward(dy_given, **ends)
        gradients["x"] = real_steps(gradients["x"], lengths)
        answers = [real_steps(output.y, lengths), output.h_n]
        answers += [output.c_n] if cell == "lstm" else []
        if directions == 1 and not options.get("reverse"):
            stream = functional.RecurrentStream(weights, **common)
            answers += [stream.step(step).copy() for step in x[0]]
        results[f"functional {text} {dtype}, layers {n_layers}, directions {directions}"] = (
            result_of([gradients[name] for name in sorted(gradients)], answers)
        )
    return results


def results_here(device: str) -> dict[str, Result]:
    """Train every model in this process, with the instruction set it has."""
    results = {}
    for name, (estimator, data, fit) in models(device).items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = fit(estimator, data)
            knowledge, answers = knowledge_of(model), answers_of(model, data)
            results[name] = result_of(knowledge, answers, model.precision)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results |= feature_results(device) | forecaster_results(device) | energy_results()
    return results | transformer_results() | functional_results(device)


def fingerprint() -> str:
    """Return a hash of what a model's bits rest on beside rnnkit's own text.

    That is NumPy, SciPy, BLAS, LAPACK and libm, by what they return, and the instructions that
    the core uses. Machines with one fingerprint are expected to give the same bits.
    """
    rng = np.random.RandomState(0)
    found = [rng.standard_normal(99), rng.uniform(-1, 1, 99), rng.standard_gamma(2.0, 9)]
    for dtype in (np.float32, np.float64):
        x = (np.arange(-200, 200) / 37).astype(dtype)
        with np.errstate(all="ignore"):
            found += [f(x) for f in (np.exp, np.log, np.log1p, np.tanh, np.sqrt, np.cos)]
        found += [x.sum(keepdims=True), np.logaddexp(x, x[::-1]), np.power(abs(x), 1.5)]
        for n, k, m in ((5, 3, 7), (18, 6, 5), (40, 13, 52), (1, 12, 9)):
            a, b = np.resize(x, (n, k)), np.resize(x[::-1], (k, m))
            product = scipy.linalg.get_blas_funcs("gemm", (a, b))
            found += [a @ b, a @ b[:, 0], product(1.0, a, b), np.einsum("nk,km->nm", a, b)]
            found.append(np.linalg.qr(a + np.eye(n, k))[0])
    found.append(np.array([f(0.7) for f in (math.exp, math.log, math.cos, math.tanh, math.sqrt)]))
    core = (rnnkit.show_config(mode="dicts") or {})["core"]
    return digest([*found, np.array([core["isa_in_use"], core["bfloat16"]])])


def variants() -> tuple[str, ...]:
    """Return the instruction sets of this machine, and the reference."""
    core = (rnnkit.show_config(mode="dicts") or {})["core"]
    return (*core["isa_available"], REFERENCE)


def results_of(variant: str) -> tuple[str, dict[str, Result]]:
    """Train every model; return the fingerprint and the results by the models' names.

    This takes a process of its own: the core reads RNNKIT_ISA when it is loaded.
    """
    device, isa = (REFERENCE, "") if variant == REFERENCE else ("cpu", variant)
    child = subprocess.run(
        [sys.executable, __file__, "--child", device],
        env={**os.environ, "RNNKIT_ISA": isa},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    machine, results = json.loads(child.stdout)
    return machine, {name: Result(*result) for name, result in results.items()}


def read_values() -> dict[str, Any]:
    """Return what is recorded: "bits" by variant, fingerprint and model; "sizes" by model."""
    return json.loads(VALUES.read_text())


def write_values(found: dict[str, tuple[str, dict[str, Result]]]) -> None:
    """Record results; what is recorded stays of models that have not changed.

    A model has changed if it has other bits than this machine's or, on a machine not known yet,
    other sizes than rounding explains. What other machines had for it goes then.
    """
    values = read_values() if VALUES.exists() else {"bits": {}, "sizes": {}}
    sizes, changed = values["sizes"], set()
    for variant, (machine, results) in found.items():
        machines = values["bits"].setdefault(variant, {})
        known = machines.get(machine, {})
        for name, result in results.items():
            if name in known:
                same = known[name] == result.bits
            else:
                same = is_about(result, sizes.get(name))
            if not same:
                changed.add(name)
                for bits in machines.values():
                    bits.pop(name, None)
        machines[machine] = {name: result.bits for name, result in results.items()}
        for bits in machines.values():
            for name in set(bits) - set(results):
                del bits[name]
    _, results = found[min(found)]
    kept = sizes.keys() - changed
    values["sizes"] = {
        name: sizes[name] if name in kept else f"{r.dtype} {r.weights_size!r} {r.answers_size!r}"
        for name, r in results.items()
    }
    VALUES.write_text(json.dumps(values, indent=0) + "\n")


def is_about(result: Result, recorded: str | None) -> bool:
    """Return whether a result has the sizes recorded, but for the rounding of another machine."""
    if recorded is None:
        return True
    dtype, *sizes = recorded.split()
    found = (result.weights_size, result.answers_size)
    alike = (math.isclose(a, float(b), rel_tol=1e-3) for a, b in zip(found, sizes))
    return dtype == result.dtype and all(alike)


def main() -> None:
    parser = argparse.ArgumentParser(description="Print the hashes of every model.")
    parser.add_argument("--write", action="store_true", help="record them in values.json")
    parser.add_argument("--child", metavar="DEVICE", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps([fingerprint(), results_here(arguments.child)]))
        return
    found = {variant: results_of(variant) for variant in variants()}
    for variant, (_, results) in found.items():
        for name, result in results.items():
            print(f"{variant:9} {result.bits} {name}")
    if arguments.write:
        write_values(found)


if __name__ == "__main__":
    main()
