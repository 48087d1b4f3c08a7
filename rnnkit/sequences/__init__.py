"""Sequences of different lengths: the container, the packed layout and minibatches."""

from rnnkit.sequences.batching import Batch, batch_of, minibatches
from rnnkit.sequences.container import Sequences
from rnnkit.sequences.forms import Form, split_steps
from rnnkit.sequences.packing import Plan, pack, windows

__all__ = [
    "Batch",
    "Form",
    "Plan",
    "Sequences",
    "batch_of",
    "minibatches",
    "pack",
    "split_steps",
    "windows",
]
