"""Every constructor parameter with a value other than its default, and what it depends on."""

from typing import Any, NamedTuple

import numpy as np
from estimators.problems import CELLS

import rnnkit

# No result depends on these in any mode.
WITHOUT_RESULT = {
    "device": "where it is computed",
    "monitor": "by which curve the best epoch is chosen, and both may choose the same",
    "verbose": "what is printed",
    "warm_start": "where a second fit begins",
}

# What is on by default in one task and off in others; a mode of that one says so.
BY_TASK = {"bidirectional"}


class Option(NamedTuple):
    """A value of a parameter, what it needs beside it, and which form of X."""

    value: Any
    needs: dict[str, Any] = {}
    form: str = "numbers"


OPTIONS = {
    "hidden_size": Option(3),
    "n_layers": Option(2),
    "bidirectional": Option(True),
    "step_features": Option(3, form="rows"),
    "embedding_dim": Option(3, form="tokens"),
    "categorical_features": Option((0,), {"embedding_dim": 3}, "tokens"),
    "embedding_init": Option([np.full((4, 3), 0.5), None, None], {"embedding_dim": 3}, "tokens"),
    "embedding_trainable": Option(False, {"embedding_dim": 3}, "tokens"),
    "n_tokens": Option(9, {"embedding_dim": 3}, "tokens"),
    "static": Option("state", form="static"),
    "static_features": Option((1,), {"static": "state"}, "static"),
    "token_dropout": Option(5.0, {"embedding_dim": 3}, "tokens"),
    "spelling_columns": Option(2, {"embedding_dim": 3}, "tokens"),
    "character_dim": Option(5, {"embedding_dim": 3, "spelling_columns": 2}, "tokens"),
    "character_hidden_size": Option(5, {"embedding_dim": 3, "spelling_columns": 2}, "tokens"),
    "convolutions": Option([rnnkit.Convolution(3, 2, causal=True)]),
    "convolution_join": Option(
        "parallel", {"convolutions": (rnnkit.Convolution(3, 2, causal=True),)}
    ),
    "activation": Option("softsign"),
    "cell_clip": Option(0.1),
    "layer_norm": Option(True),
    "zoneout": Option(0.5),
    "dropout": Option(0.5),
    "input_dropout": Option(0.5),
    "recurrent_dropout": Option(0.5),
    "input_noise": Option(0.5),
    "precision": Option("bf16"),
    "gate_activation": Option("hard_sigmoid"),
    "peephole": Option(True),
    "coupled_gates": Option(True),
    "full_gate_recurrence": Option(True),
    "output_activation": Option("softsign"),
    "fixed_gates": Option(("o",)),
    "forget_bias": Option(2.0),
    "gate_bias": Option("chrono"),
    "reset": Option("before"),
    "pooling": Option("mean"),
    "solver": Option("sgd"),
    "learning_rate_init": Option(0.5),
    "learning_rate": Option("linear"),
    "alpha": Option(0.5),
    "l1": Option(0.5),
    "clip_norm": Option(1e-3),
    "clip_value": Option(1e-3),
    "bptt_steps": Option(2),
    "batch_size": Option(5),
    "max_iter": Option(1),
    "shuffle": Option(False, {"batch_size": 5}),
    "tol": Option(1e9, {"n_iter_no_change": 1, "max_iter": 4}),
    "n_iter_no_change": Option(1, {"tol": 1e9, "max_iter": 4}),
    "early_stopping": Option(True),
    "validation_fraction": Option(0.5, {"early_stopping": True}),
    "validation_split": Option("time", {"early_stopping": True}),
    "random_state": Option(1),
    "label_smoothing": Option(0.3),
    "class_weight": Option({0: 2.0}),
    "output": Option("crf"),
    "forbidden_transitions": Option([(1, None)]),
    "ignore_label": Option(1),
    "beam_width": Option(4),
    "attention": Option("additive"),
    "code_size": Option(3),
    "contamination": Option(0.4),
    "inputs": Option("numbers", form="tokens"),
    "targets": Option("numbers"),
    "teacher_forcing": Option(0.2),
    "length_penalty": Option(8.0, {"beam_width": 4}),
    "max_target_length": Option(1),
    "loss": Option("absolute"),
    "noise_size": Option(3),
    "sequence_noise_size": Option(3),
    "huber_delta": Option(0.1, {"loss": "huber"}),
    "quantile": Option(0.9, {"loss": "quantile"}),
}


class Mode(NamedTuple):
    """A kind of y: who takes it, with which parameters, and itself."""

    task: str
    settings: dict[str, Any]
    y: Any


_RNG = np.random.RandomState(0)
N, T, F = 20, 5, 3
NUMBERS = _RNG.randn(N, T, F)
TOKENS = _RNG.randint(0, 4, (N, T, F))
STATIC = np.concatenate([NUMBERS[..., :1], np.repeat(NUMBERS[:, :1, 1:], T, axis=1)], axis=2)
FORMS = {"numbers": NUMBERS, "static": STATIC, "rows": NUMBERS.reshape(N, -1), "tokens": TOKENS}
LOSSES = ("squared", "absolute", "huber", "quantile", "poisson")


def _modes():
    classes = np.arange(N) % 2
    yes_or_no = _RNG.randint(0, 2, (N, 3))
    numbers = _RNG.uniform(0.5, 2, (N, T, F))
    yield "label", Mode("Classifier", {}, classes)
    yield "labels", Mode("Classifier", {}, yes_or_no)
    yield "tag", Mode("SequenceTagger", {}, _RNG.randint(0, 3, (N, T)))
    yield "tags", Mode("SequenceTagger", {}, _RNG.randint(0, 2, (N, T, 3)))
    ends_in_0 = _RNG.randint(0, 3, (N, T)) * (np.arange(T) < T - 1)
    yield "crf", Mode("SequenceTagger", {"output": "crf"}, ends_in_0)
    yield "ctc", Mode("SequenceLabeller", {}, [[0, 1], [1, 0], [0], [1]] * (N // 4))
    one_way = {"bidirectional": False}
    lists = [[0, 1, 1, 0], [1, 0, 1, 1], [0, 1, 0], [1, 1, 1]] * (N // 4)
    yield "written labels", Mode("EncoderDecoder", one_way, lists)
    no_search = {"beam_width": None, "targets": "numbers", **one_way}
    yield "written numbers", Mode("EncoderDecoder", no_search, numbers[:, :3, 0])
    not_planned = {"learning_rate": "constant"}  # whose end a plan decides
    yield "own steps", Mode("Autoencoder", not_planned, np.zeros(N))
    for loss in LOSSES:
        settings = {"loss": loss}
        yield f"number, {loss}", Mode("Regressor", settings, numbers[:, 0, 0])
        yield f"vector, {loss}", Mode("Regressor", settings, numbers[:, 0])
        yield f"number per step, {loss}", Mode("SequenceRegressor", settings, numbers[:, :, 0])
        yield f"vector per step, {loss}", Mode("SequenceRegressor", settings, numbers)


MODES = dict(_modes())
ESTIMATORS = [f"{cell}{task}" for cell in CELLS for task in {m.task: None for m in MODES.values()}]


def small(cell, mode, **parameters):
    """A small estimator of a mode, two epochs long."""
    settings = {"hidden_size": 4, "max_iter": 2, "random_state": 0, "learning_rate_init": 0.05}
    return getattr(rnnkit, cell + mode.task)(**{**settings, **mode.settings, **parameters})
