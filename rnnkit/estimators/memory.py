"""Whether what a training needs is there: asked before any of it is allocated."""

from __future__ import annotations

from typing import Any

import numpy as np

from rnnkit.backends.interface import Backend
from rnnkit.backends.memory import host_memory
from rnnkit.estimators.building import size_of_network
from rnnkit.estimators.fitting import batch_size_of, solver_of
from rnnkit.estimators.reader import Reader
from rnnkit.network import Output
from rnnkit.network.memory import OBJECTS_OF_A_LAYER, TOO_LITTLE_TO_ASK, Size, refuse_too_much
from rnnkit.sequences import Sequences
from rnnkit.training import LBFGS

__all__ = ["check_training", "parts_of_training"]

MOST_ACTIVATIONS = 2**32  # bytes: the trainer computes a minibatch of more in parts


def check_training(
    estimator: Any,
    reader: Reader,
    output: Output,
    sequences: Sequences,
    backend: Backend,
    *,
    validates: bool = False,
) -> None:
    """Raise MemoryError, with the sum and its parts, if a training does not fit.

    Parameters
    ----------
    estimator : estimator
        Whose parameters say what is trained, for how long, and by what.
    reader : Reader
        What X is like.
    output : Output
        What the network ends in.
    sequences : Sequences
        The training data.
    backend : Backend
        What computes, in whose memory the training has to fit.
    validates : bool, default=False
        Whether the best weights are kept.
    """
    size, item = size_of_network(estimator, reader, output), np.dtype(reader.dtype).itemsize
    training = parts_of_training(estimator, size, item, sequences.lengths, validates=validates)
    parts = max(training, size.weight_parts(item), key=lambda parts: sum(parts.values()))
    total = sum(parts.values())
    if total < TOO_LITTLE_TO_ASK:
        return
    is_long = any(n > total // 2 for name, n in parts.items() if name.endswith("a minibatch"))
    subject, remedy = _words(estimator, size, is_long)
    refuse_too_much(parts, backend.free_bytes(), subject, remedy)
    if not backend.on_host:
        refuse_too_much(size.weight_parts(item), host_memory(), subject, remedy)


def parts_of_training(
    estimator: Any, size: Size, item: int, lengths: np.ndarray, *, validates: bool
) -> dict[str, int]:
    """Return what takes memory in a training of sequences of these lengths, and the bytes.

    The dtype computed in has `item` bytes.
    """
    weights = size.parameters * item
    solver = solver_of(estimator)
    n_epochs = min(estimator.max_iter, 2)  # after which the latest finite weights are kept twice
    if isinstance(solver, LBFGS):
        # SciPy's pairs of vectors in float64, and some for the step that is searched
        remembered = (2 * solver.history + 8) * size.parameters * 8
        n_vectors = 0
    else:
        n_vectors = len(solver.state_names)
        remembered = n_vectors * weights
    n_rows, n_sequences = _largest_minibatch(estimator, size, item, lengths)
    kept = n_rows * size.row + n_sequences * size.sequence
    return {
        "the weights": weights,
        "their gradient": weights,
        "what the solver remembers": remembered,
        "copies to go back to": (1 + n_vectors + n_epochs + validates) * weights,
        "what is packed for the kernels": 3 * size.recurrent * item,
        f"{n_rows} steps of a minibatch": kept * item,
        f"{size.directions} bound layers": size.directions * OBJECTS_OF_A_LAYER,
    }


def _largest_minibatch(
    estimator: Any, size: Size, item: int, lengths: np.ndarray
) -> tuple[int, int]:
    """Return the steps and sequences that are held at once if the longest meet."""
    batch_size = batch_size_of(estimator, len(lengths))
    if isinstance(solver_of(estimator), LBFGS):
        batch_size = len(lengths)
    if estimator.bptt_steps is not None:
        lengths = np.minimum(lengths, estimator.bptt_steps)
    longest = int(lengths.max(initial=0))
    n_rows = int(np.partition(lengths, -batch_size)[-batch_size:].sum())
    most = max(longest, MOST_ACTIVATIONS // (size.row * item))
    return min(n_rows, most), batch_size


def _words(estimator: Any, size: Size, is_long: bool) -> tuple[str, str]:
    """Return what asks for so much memory, and what to do about it."""
    subject = (
        f"this {type(estimator).__name__} of hidden_size={estimator.hidden_size!r} and "
        f"n_layers={estimator.n_layers!r}"
    )
    if size.largest_name.startswith(("embedding", "characters", "decoder.embedding")):
        subject += f", with an embedding table for {size.largest[0]} ids,"
        return subject, (
            "number the ids from 0 on without gaps, as rnnkit.preprocessing.TokenEncoder does, or "
            "use a smaller embedding_dim"
        )
    code_size = getattr(estimator, "code_size", 0)
    widest = np.max(estimator.hidden_size, initial=0)
    if code_size > widest and size.largest_name.startswith(("code", "decoder")):
        subject += f", with codes of code_size={code_size!r},"
        return subject, "use a smaller code_size"
    if is_long:
        return subject, "use shorter sequences, bptt_steps, or a smaller hidden_size or batch_size"
    if size.largest_name.startswith(("head", "crf")):
        subject += f", with {size.largest[0]} classes or outputs,"
        return subject, "use fewer classes, or a smaller hidden_size or batch_size"
    return subject, "use a smaller hidden_size, n_layers or batch_size"
