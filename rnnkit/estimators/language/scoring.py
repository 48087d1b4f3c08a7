"""What a trained language model says of texts: their probability, and a look inside.

Letters: N documents, T tokens, K ids, S numbers of a context, H hidden units.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from rnnkit.cells import CELLS
from rnnkit.estimators.applying import Operation, apply
from rnnkit.estimators.devices import answers
from rnnkit.estimators.language.learning import LanguageLearning
from rnnkit.estimators.language.likelihood import log_likelihoods, sums
from rnnkit.estimators.language.reading import contexts_of, weights_of
from rnnkit.estimators.language.stretches import (
    lay_out,
    with_contexts,
)
from rnnkit.estimators.language.texts import Texts, read_texts
from rnnkit.estimators.parameters.field import (
    parameters,
)
from rnnkit.network import BoundNetwork, Inputs
from rnnkit.sequences import Form, Plan, Sequences
from rnnkit.sequences.ids import Ids

__all__ = ["LanguageScoring"]


@parameters
class LanguageScoring(LanguageLearning):
    """What scores texts."""

    # Scoring.

    def _read_contexts(self, context: Any, n: int, names: Ids | None = None) -> np.ndarray | None:
        return contexts_of(self._vocabulary, context, n, self._reader, names)

    def _likelihoods(
        self, X: Any, context: Any, sample_weight: Any = None
    ) -> tuple[Texts, np.ndarray, np.ndarray, np.ndarray | None]:
        """Return texts with the log-likelihoods and steps of each document, and their weights."""
        check_is_fitted(self)
        texts = read_texts(X, self._built_with["tokens"])
        weights = weights_of(sample_weight, texts)
        contexts = self._read_contexts(context, len(texts), texts.names)
        laid = lay_out(texts, self._vocabulary)
        found = log_likelihoods(self.network_, self.device, laid, contexts)
        return texts, sums(found, laid.offsets), laid.lengths, weights

    @answers
    def score_samples(self, X: Any, context: Any = None) -> np.ndarray:
        """Return the log-likelihood of every document, its end included.

        Parameters
        ----------
        X : str, list, array or Sequences
            As in `fit`.
        context : array-like of shape (N,) or (N, S), default=None
            As in `fit`.

        Returns
        -------
        ndarray of shape (N,), float64
            In nats: the sum over its tokens of ``log p(token | those before it, context)``. The
            bits of a document do not depend on those beside it.

        Raises
        ------
        ValueError, TypeError
            If an argument is not as in `fit`.
        """
        return self._likelihoods(X, context)[1]

    @answers
    def score(self, X: Any, y: Any = None, sample_weight: Any = None, context: Any = None) -> float:
        """Return the mean log-probability of a token in nats; larger is better.

        Parameters
        ----------
        X : str, list, array or Sequences
            As in `fit`. The state is carried from its beginning to its end, however long it is.
        y : None
            Not looked at.
        sample_weight : array-like of shape (N,), default=None
            Weight of every document.
        context : array-like of shape (N,) or (N, S), default=None
            As in `fit`.

        Returns
        -------
        float
            Over all tokens and ends of documents. A token that `fit` did not see counts with the
            probability of the unknown.

        Raises
        ------
        ValueError, TypeError
            If an argument is not as in `fit`.
        """
        _, found, n_steps, weights = self._likelihoods(X, context, sample_weight)
        return _mean(found, n_steps, weights)

    @answers
    def perplexity(self, X: Any, sample_weight: Any = None, context: Any = None) -> float:
        """Return the perplexity per token, ``exp(-score)``; smaller is better.

        Parameters
        ----------
        X, sample_weight, context
            As in `score`.

        Returns
        -------
        float

        Raises
        ------
        ValueError, TypeError
            If an argument is not as in `fit`.
        """
        _, found, n_steps, weights = self._likelihoods(X, context, sample_weight)
        return float(np.exp(-_mean(found, n_steps, weights)))

    @answers
    def bits_per_character(self, X: Any, sample_weight: Any = None, context: Any = None) -> float:
        """Return the negative log-likelihood in bits, per character of the text.

        Models whose tokens differ can be compared by it.

        Parameters
        ----------
        X, sample_weight, context
            As in `score`.

        Returns
        -------
        float
            Words of a list count with one space between them; ends of documents cost bits and
            are no characters.

        Raises
        ------
        ValueError, TypeError
            If an argument is not as in `fit`, or X holds ids, whose characters are not known.
        """
        texts, found, _, weights = self._likelihoods(X, context, sample_weight)
        if texts.n_characters is None:
            raise ValueError("bits_per_character needs texts of characters or words, got ids")
        return -_mean(found, texts.n_characters, weights) / math.log(2)

    # A look inside.

    @answers
    def hidden_states(self, X: Any, layer: int = -1, context: Any = None) -> Any:
        """Return the hidden states of a recurrent layer, from before the first token on.

        Parameters
        ----------
        X : str, list, array or Sequences
            As in `fit`.
        layer : int, default=-1
            Which recurrent layer, counted from 0; -1 is the last.
        context : array-like of shape (N,) or (N, S), default=None
            As in `fit`.

        Returns
        -------
        list of N ndarrays of shape (T_i + 1, H)
            The first row is what the first token is expected from, the last what follows the last
            one. Of one text the array alone.

        Raises
        ------
        ValueError, TypeError
            If X is not as in `fit`, or there is no such layer.
        """

        def states(bound: BoundNetwork, plan: Plan, x: Inputs) -> np.ndarray:
            found: np.ndarray = bound.hidden_states(plan, x, layer)
            return found

        return self._look(X, context, states)

    @answers
    def gate_activations(self, X: Any, layer: int = 0, context: Any = None) -> dict[str, Any]:
        """Return the activations of every gate of a recurrent layer at every step.

        Parameters
        ----------
        X : str, list, array or Sequences
            As in `fit`.
        layer : int, default=0
            Which recurrent layer, counted from 0; -1 is the last.
        context : array-like of shape (N,) or (N, S), default=None
            As in `fit`.

        Returns
        -------
        dict of str to list of ndarrays
            Gate → activations, each in the form of `hidden_states`.

        Raises
        ------
        ValueError, TypeError
            If X is not as in `fit`, or there is no such layer.
        """
        gates = CELLS[self._cell].gates

        def stacked(bound: BoundNetwork, plan: Plan, x: Inputs) -> np.ndarray:
            activations = bound.gate_activations(plan, x, layer)
            return np.stack([bound.backend.download(activations[gate]) for gate in gates], axis=1)

        found = self._look(X, context, stacked)
        if isinstance(found, list):
            return {g: [one[:, i] for one in found] for i, g in enumerate(gates)}
        return {g: found[:, i] for i, g in enumerate(gates)}

    def _read_new(self, X: Any, lengths: Any) -> tuple[Sequences, Form]:
        """Read texts for what looks at states or pools them; a start, then all tokens."""
        if lengths is not None:
            raise ValueError("lengths must be None: texts have their own")
        if self._vocabulary.contexts is not None:
            raise ValueError(
                f"what was asked of this {type(self).__name__} cannot be told the contexts that it "
                "was fitted with; hidden_states takes them"
            )
        texts = read_texts(X, self._built_with["tokens"])
        read, offsets = self._read_all(texts)
        return Sequences(read.reshape(-1, 1), offsets), Form.of([])

    def _read_all(self, texts: Texts) -> tuple[np.ndarray, np.ndarray]:
        """Return the start and all tokens of every document, and where each starts."""
        ids = self._vocabulary.ids(texts)
        offsets = texts.offsets + np.arange(len(texts) + 1)
        return np.insert(ids, texts.offsets[:-1], self._vocabulary.start), offsets

    def _look(self, X: Any, context: Any, operation: Operation) -> Any:
        check_is_fitted(self)
        texts = read_texts(X, self._built_with["tokens"])
        read, offsets = self._read_all(texts)
        inputs = with_contexts(read, offsets, self._read_contexts(context, len(texts), texts.names))
        rows = apply(self.network_, self.device, inputs, offsets, operation, per_step=True)
        found = [rows[a:b] for a, b in pairwise(offsets.tolist())]
        return found[0] if texts.is_one else found


def _mean(sums: np.ndarray, counts: np.ndarray, weights: np.ndarray | None) -> float:
    """Return the sum of the documents' sums by that of their counts."""
    if weights is None:
        weights = np.ones(len(sums))
    total = math.fsum(weights * counts)
    if not total > 0:
        raise ValueError("X must hold a token to have a mean over tokens")
    return math.fsum(weights * sums) / total
