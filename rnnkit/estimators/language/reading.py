"""What a language model's arguments become: contexts, weights, and what its network reads.

Letters: N documents, S numbers of a context.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rnnkit.estimators.language.texts import Texts
from rnnkit.estimators.language.vocabulary import Vocabulary
from rnnkit.estimators.reader import Reader
from rnnkit.estimators.targets import read_weights
from rnnkit.sequences import Form, Sequences
from rnnkit.sequences.ids import Ids, refuse_other_ids
from rnnkit.sequences.numbers import cast

__all__ = ["contexts_of", "reader_of", "weights_of"]


def reader_of(vocabulary: Vocabulary) -> Reader:
    """Return what a network reads at a step: an id, and the numbers of the context."""
    width = 0 if vocabulary.contexts is None else vocabulary.contexts.width
    return Reader(
        n_features=1 + width,
        step_features=1,
        n_step_features=1 + width,
        n_columns=None,
        any_columns=True,
        feature_names=None,
        padded_steps=None,
        dtype="float32",
        token_columns=(0,),
        n_tokens=(vocabulary.width,),
        static_columns=tuple(range(1, 1 + width)),
    )


def contexts_of(
    vocabulary: Vocabulary, context: Any, n: int, reader: Reader, names: Ids | None = None
) -> np.ndarray | None:
    """Return the contexts (N, S) of documents, if the model has contexts.

    Raises
    ------
    TypeError, ValueError
        If they are not like those of `fit`, not n, or belong to documents of other names.
    """
    if vocabulary.contexts is None:
        if context is not None:
            raise ValueError("context must be None: the model was fitted without contexts")
        return None
    if context is None:
        raise ValueError("context must be given: the model was fitted with contexts")
    refuse_other_ids(names, context, "context")
    return cast(vocabulary.contexts.read(context, n), np.dtype(reader.dtype), "context")


def weights_of(sample_weight: Any, texts: Texts) -> np.ndarray | None:
    """Return the weights (n,) of documents, checked; None where there are none."""
    refuse_other_ids(texts.names, sample_weight, "sample_weight")
    documents = Sequences(np.empty((0, 1)), np.zeros(len(texts) + 1, np.intp))
    return read_weights(sample_weight, documents, Form.of([]), per_step=False)
