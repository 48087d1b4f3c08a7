"""The parameters that say how a network is trained."""

from __future__ import annotations

from typing import Any, ClassVar

from sklearn.utils._param_validation import HasMethods, StrOptions

from rnnkit.estimators.parameters.field import (
    FRACTION,
    NON_NEGATIVE,
    POSITIVE,
    integer,
    parameter,
    parameters,
)
from rnnkit.training.optimizers import SOLVERS
from rnnkit.training.schedules import SCHEDULES

__all__ = ["TrainingParameters"]

SMALLEST_BATCH, LARGEST_BATCH = 8, 64  # sequences, with batch_size="auto"
SOLVER_NAMES = "{" + ", ".join(f'"{name}"' for name in SOLVERS) + "}"
SCHEDULE_NAMES = "{" + ", ".join(f'"{name}"' for name in SCHEDULES) + "}"


@parameters
class TrainingParameters:
    """What every fit takes, whatever the network."""

    _usual_solver: ClassVar[Any] = "adam"  # that solver=None asks for, where it is allowed
    _batches_of_an_epoch: ClassVar[int] = 1  # that batch_size="auto" sees to, if it can

    @classmethod
    def _auto_batch_size(cls, n_sequences: int) -> int:
        """Return the sequences of a minibatch, of so many, with ``batch_size="auto"``."""
        share = n_sequences // cls._batches_of_an_epoch
        return min(max(share, SMALLEST_BATCH), LARGEST_BATCH, n_sequences)

    solver: Any = parameter(
        "adam",
        [StrOptions(set(SOLVERS)), HasMethods(["get_params", "set_params"])],
        f"{SOLVER_NAMES} or solver object",
        "The optimizer. An object of `rnnkit.training` carries its own parameters, which "
        "a search reaches as ``solver__momentum``.",
    )
    learning_rate_init: float = parameter(
        3e-3,
        [POSITIVE],
        "float",
        "Learning rate at the start of training.",
        part="training",
    )
    learning_rate: Any = parameter(
        "constant",
        [StrOptions(set(SCHEDULES)), HasMethods(["get_params", "set_params"])],
        f"{SCHEDULE_NAMES} or schedule object",
        "How the learning rate changes over the epochs.",
    )
    alpha: float = parameter(
        0.0,
        [NON_NEGATIVE],
        "float",
        "Strength of the L2 penalty of the weights, biases excepted.",
        part="training",
    )
    l1: float = parameter(
        0.0,
        [NON_NEGATIVE],
        "float",
        "Strength of the L1 penalty of the weights, biases excepted.",
        part="training",
    )
    clip_norm: float | None = parameter(
        1.0,
        [POSITIVE, None],
        "float or None",
        "Limit of the 2-norm of the gradient of a minibatch. None turns clipping off.",
        part="training",
    )
    clip_value: float | None = parameter(
        None,
        [POSITIVE, None],
        "float or None",
        "Limit of the absolute value of every gradient entry.",
        part="training",
    )
    bptt_steps: int | None = parameter(
        None,
        [integer(1), None],
        "int or None",
        "Window of truncated backpropagation through time, in steps; the state is carried "
        "over the cut. None goes back through the whole sequence.",
        part="training",
    )
    batch_size: Any = parameter(
        "auto",
        [StrOptions({"auto"}), integer(1)],
        'int or "auto"',
        'Sequences B of a minibatch. "auto" is min(64, N); a larger number than N is N.',
    )
    max_iter: int = parameter(
        150,
        [integer(1)],
        "int",
        "Largest number of epochs.",
    )
    shuffle: bool = parameter(
        True,
        ["boolean"],
        "bool",
        "Whether the sequences are shuffled before every epoch.",
        part="training",
    )
    tol: float = parameter(
        0.0001,
        [NON_NEGATIVE],
        "float",
        "Improvement that counts as one: of the training or validation loss as a share of that of "
        "the first epoch, of a validation score as it is.",
        part="training",
    )
    n_iter_no_change: int = parameter(
        10,
        [integer(1)],
        "int",
        "Epochs in a row without improvement after which `fit` stops, if they were at least 300 "
        "updates and the whole training 1000: with few minibatches an epoch is little. A planned "
        'learning rate ("linear", "cosine") is never cut short.',
        part="training",
    )
    monitor: str = parameter(
        "loss",
        [StrOptions({"loss", "score"})],
        '{"loss", "score"}',
        "What of the validation data decides when to stop and which epoch is the best: their "
        "mean loss, or `score`. Both are recorded. Only used with validation data.",
        part="training",
    )
    early_stopping: bool = parameter(
        False,
        ["boolean"],
        "bool",
        "Whether a part of the training data is set aside and decides when to stop (see "
        "`monitor`); the weights of the best epoch are kept.",
    )
    validation_fraction: float = parameter(
        0.1,
        [FRACTION],
        "float",
        "Share of the sequences that `early_stopping` sets aside: in equal shares of every class "
        "where each has enough, and at least 24 sequences or a third of few. With "
        '``validation_split="time"`` the share of the steps of every sequence.',
    )
    validation_split: str = parameter(
        "random",
        [StrOptions({"random", "time"})],
        '{"random", "time"}',
        'What `early_stopping` sets aside: "random" sequences, or with "time" the last steps of '
        "every sequence, which the network then reads after those before them. For estimators "
        "that score steps one by one, and data of one or few long sequences.",
    )
    warm_start: bool = parameter(
        False,
        ["boolean"],
        "bool",
        "Whether `fit` goes on from the weights of the previous call.",
    )
    random_state: Any = parameter(
        None,
        ["random_state"],
        "int, RandomState instance or None",
        "Seed of the initial weights, the shuffling, the validation split and the noise.",
    )
    verbose: Any = parameter(
        0,
        ["verbose"],
        "bool or int",
        "What is printed. 1 or True: a line per epoch with its number, training loss, where there "
        "is validation its loss and score, learning rate and seconds; and one at the end with the "
        "reason, iterations, seconds, and the best epoch with its loss or score. 2: also a line at "
        "the beginning with the numbers of weights, sequences and minibatches, and in each line "
        "the training score, which costs a pass over the data, and whether it is the best so far. "
        "`partial_fit` prints the line of its epoch alone.",
    )
