"""Sequences of different lengths: the container, the packed layout and minibatches.

What reads, holds, cuts and lays out ragged data may enter; nothing here computes with it.
"""

from rnnkit.sequences.batching import Batch, batch_of, minibatches
from rnnkit.sequences.container import Sequences
from rnnkit.sequences.forms import Form, looks_channel_first, split_steps
from rnnkit.sequences.packing import Plan, pack, windows

__all__ = [
    "Batch",
    "Form",
    "Plan",
    "Sequences",
    "batch_of",
    "looks_channel_first",
    "minibatches",
    "pack",
    "split_steps",
    "windows",
]
