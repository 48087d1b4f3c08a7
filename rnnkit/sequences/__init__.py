"""Sequences of different lengths: the container, the packed layout and minibatches."""

from rnnkit.sequences.batching import Batch, batch_of, minibatches
from rnnkit.sequences.container import Sequences
from rnnkit.sequences.forms import restore_form
from rnnkit.sequences.packing import Plan, pack, windows

__all__ = [
    "Batch",
    "Plan",
    "Sequences",
    "batch_of",
    "minibatches",
    "pack",
    "restore_form",
    "windows",
]
