"""Which steps of sequences a network with attention pooling attends to.

Letters: N sequences, T steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rnnkit.estimators.encoder_decoder.reading import spelled
from rnnkit.inspection.axes import axes_to_draw_on, heat_map, label_steps
from rnnkit.inspection.looking import fitted_network, places_of, sequences_of, words_of
from rnnkit.network import EncoderDecoder
from rnnkit.network.pooling import AttentionPooling
from rnnkit.sequences import split_steps

__all__ = ["AttentionDisplay"]

MOST_ROWS = 20


class AttentionDisplay:
    """The weight of every step in the mean that ``pooling="attention"`` or a decoder takes.

    Use `from_estimator`.

    Parameters
    ----------
    weights : list of ndarray of shape (T_i,), or of one of shape (U, T)
        The weights of each sequence, which sum to 1; or of one sequence those of each of the U
        steps that an encoder-decoder wrote.
    step_labels : list of list of str, default=None
        What each step of each sequence is.
    sequence_labels : list of str, default=None
        What each sequence is called, or each step written; None: its position.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    image_ : matplotlib AxesImage, or None for one sequence, whose weights are bars

    Examples
    --------
    >>> import numpy as np
    >>> from rnnkit import GRUClassifier
    >>> from rnnkit.inspection import AttentionDisplay
    >>> X = np.sin(np.arange(120.0)).reshape(20, 6, 1)
    >>> y = X[:, 0, 0] > 0
    >>> classifier = GRUClassifier(
    ...     4, pooling="attention", max_iter=3, learning_rate="linear", random_state=0
    ... ).fit(X, y)
    >>> display = AttentionDisplay.from_estimator(classifier, X[:3])
    >>> [float(weights.sum().round(6)) for weights in display.weights]
    [1.0, 1.0, 1.0]
    """

    def __init__(
        self,
        weights: Sequence[np.ndarray],
        *,
        step_labels: Sequence[Sequence[str]] | None = None,
        sequence_labels: Sequence[str] | None = None,
    ) -> None:
        self.weights = list(weights)
        self.step_labels = step_labels
        self.sequence_labels = sequence_labels

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        *,
        indices: Any = None,
        lengths: Any = None,
        ax: Any = None,
        **drawing_kw: Any,
    ) -> AttentionDisplay:
        """Compute the weights of a fitted estimator on sequences and draw them.

        Parameters
        ----------
        estimator : estimator
            Fitted with ``pooling="attention"``, or an encoder-decoder with attention, or a Pipeline
            or search that ends in such one.
        X : array-like, data frame, list of arrays or Sequences
            As `estimator.predict` takes it.
        indices : int or sequence of int, default=None
            Which sequences of X; None: the first 20. Of an encoder-decoder one; None: the first.
        lengths : array-like of shape (N,), default=None
            Steps of every sequence of a dense X.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **drawing_kw : dict
            Handed on to `imshow`, or to `bar` for one sequence.

        Returns
        -------
        AttentionDisplay

        Raises
        ------
        ValueError, TypeError
            If X is not as in `fit`, there is no such sequence, or the network has no attention.
        MissingExtraError
            If matplotlib is not installed.
        """
        fitted, inner = fitted_network(estimator, X)
        if isinstance(fitted.network_, EncoderDecoder):
            chosen = places_of(0 if indices is None else indices, len(inner), 1)
            return cls._of_written(fitted, inner, chosen, lengths).plot(ax, **drawing_kw)
        if not any(isinstance(layer, AttentionPooling) for layer in fitted.network_.layers):
            raise ValueError(
                f"AttentionDisplay needs a {type(fitted).__name__} fitted with pooling='attention'"
            )
        sequences = sequences_of(fitted, inner, lengths)
        chosen = places_of(indices, len(sequences), MOST_ROWS)
        sequences = sequences[chosen]

        def attend(bound: Any, plan: Any, x: Any) -> Any:
            bound.forward(plan, x)
            bound.check_every_step(plan)
            return bound.attention_weights

        weights = split_steps(fitted._apply(sequences, attend, per_step=True), sequences.offsets)
        words = [words_of(X, i, len(w)) for i, w in zip(chosen, weights)]
        known = [labels for labels in words if labels is not None]
        labels = known if len(known) == len(words) else None
        ids = chosen if sequences.ids is None else sequences.ids
        names = [str(name) for name in ids]
        return cls(list(weights), step_labels=labels, sequence_labels=names).plot(ax, **drawing_kw)

    @classmethod
    def _of_written(cls, fitted: Any, X: Any, chosen: Any, lengths: Any) -> AttentionDisplay:
        """Return the display of one sequence of X and what is written for it."""
        if len(chosen) != 1:
            raise ValueError(
                f"indices must name one sequence for a {type(fitted).__name__}, got {len(chosen)}"
            )
        if fitted.network_.writer.attention is None:
            raise ValueError(
                f"AttentionDisplay needs a {type(fitted).__name__} fitted with attention='dot' or "
                "'additive'"
            )
        place = int(chosen[0])
        weights = fitted.attention_weights(X, lengths=lengths)[place]
        words = words_of(spelled(X), place, weights.shape[1])
        labels = None
        if hasattr(fitted, "classes_"):
            labels = [str(label) for label in fitted.predict(X, lengths=lengths)[place]]
        return cls(
            [weights], step_labels=None if words is None else [words], sequence_labels=labels
        )

    def plot(self, ax: Any = None, **drawing_kw: Any) -> AttentionDisplay:
        """Draw the weights: of one sequence as bars, of several, or a matrix, as a heat map.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **drawing_kw : dict
            Handed on to `imshow`, or to `bar` for one sequence.

        Returns
        -------
        AttentionDisplay
            This object.

        Raises
        ------
        MissingExtraError
            If matplotlib is not installed.
        """
        if np.ndim(self.weights[0]) == 2:
            return self._plot_written(ax, **drawing_kw)
        n = len(self.weights)
        self.ax_ = axes_to_draw_on(ax, self, (6.4, 3.0 if n == 1 else min(6.4, 1.6 + 0.3 * n)))
        self.figure_ = self.ax_.figure
        labels = self.step_labels
        longest = max(map(len, self.weights))
        self.image_ = None
        if n == 1:
            self.ax_.bar(np.arange(longest), self.weights[0], **drawing_kw)
            self.ax_.set_ylabel("attention")
            label_steps(self.ax_, labels[0] if labels else None, longest)
            return self
        padded = np.full((n, longest), np.nan)
        for row, weights in zip(padded, self.weights):
            row[: len(weights)] = weights
        options = {"vmin": 0.0, "cmap": "Blues", "origin": "upper", **drawing_kw}
        self.image_ = heat_map(self.ax_, padded, signed=False, **options)
        self.figure_.colorbar(self.image_, ax=self.ax_, label="attention")
        if labels and longest <= 12:
            for place, sequence in enumerate(labels):
                for step, word in enumerate(sequence):
                    dark = self.weights[place][step] > 0.5 * np.nanmax(padded)
                    colour = "white" if dark else "black"
                    self.ax_.text(
                        step, place, word, ha="center", va="center", fontsize="small", color=colour
                    )
        self.ax_.set_xlabel("step")
        self.ax_.set_ylabel("sequence")
        self.ax_.set_yticks(range(n), self.sequence_labels or [str(i) for i in range(n)])
        return self

    def _plot_written(self, ax: Any, **drawing_kw: Any) -> AttentionDisplay:
        """Draw a row for each step that was written."""
        weights = self.weights[0]
        n_written, n_read = weights.shape
        size = tuple(1.8 + 0.3 * min(n, 20) for n in (n_read, n_written))
        self.ax_ = axes_to_draw_on(ax, self, (size[0], size[1]))
        self.figure_ = self.ax_.figure
        options = {"vmin": 0.0, "cmap": "Blues", "origin": "upper", **drawing_kw}
        self.image_ = heat_map(self.ax_, weights, signed=False, **options)
        self.figure_.colorbar(self.image_, ax=self.ax_, label="attention")
        label_steps(self.ax_, self.step_labels[0] if self.step_labels else None, n_read)
        if self.step_labels:
            self.ax_.set_xlabel("read")
        if self.sequence_labels and len(self.sequence_labels) == n_written:
            self.ax_.set_yticks(range(n_written), self.sequence_labels)
        self.ax_.set_ylabel("written")
        return self
