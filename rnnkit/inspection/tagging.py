"""Texts, or other sequences, with the labels of their steps.

Letters: T steps, K labels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

import numpy as np

from rnnkit.estimators.codecs import Indicators
from rnnkit.inspection.axes import axes_to_draw_on
from rnnkit.inspection.looking import fitted_network, places_of, sequences_of, words_of
from rnnkit.metrics.reading import label_sequences
from rnnkit.sequences import split_steps
from rnnkit.sequences.ids import refuse_other_ids
from rnnkit.sequences.numbers import is_missing

__all__ = ["TaggingDisplay"]

PALETTE = (
    *("#cfe2f3", "#fce5cd", "#d9ead3", "#ead1dc", "#fff2cc"),
    *("#d0e0e3", "#e6d0f0", "#f4cccc", "#e2efb8", "#d9d2e9"),
)
OUTSIDE = ("O", "", "None")  # labels that say that there is none: left without colour
MOST_SEQUENCES = 10
CHARACTERS_A_LINE = 76

_WORD = "display:inline-block;margin:2px;padding:1px 5px;border-radius:4px;text-align:center"
_LABEL = "display:block;font-size:70%;opacity:.75"
_WRONG = ";box-shadow:inset 0 -3px 0 #cc0000"


class TaggingDisplay:
    """Sequences with the label of every step, as HTML in a notebook or drawn by `plot`.

    Use `from_estimator`.

    Parameters
    ----------
    words : list of list of str
        What each step of each sequence is.
    labels : list of list of str
        The label of each step.
    true_labels : list of list of str or None, default=None
        The true label of each step, None where it is not known: what differs is marked.
    probabilities : list of ndarray of shape (T_i,), default=None
        How sure each label is.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Drawn when first asked for, since a notebook shows the HTML.
    figure_ : matplotlib Figure

    Examples
    --------
    >>> from rnnkit.inspection import TaggingDisplay
    >>> display = TaggingDisplay([["a", "<b>"]], [["DET", "X"]])
    >>> "&lt;b&gt;" in display._repr_html_()
    True
    """

    def __init__(
        self,
        words: Sequence[Sequence[str]],
        labels: Sequence[Sequence[str]],
        *,
        true_labels: Sequence[Sequence[str | None]] | None = None,
        probabilities: Sequence[np.ndarray] | None = None,
    ) -> None:
        self.words = words
        self.labels = labels
        self.true_labels = true_labels
        self.probabilities = probabilities

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any = None,
        *,
        indices: Any = None,
        words: Sequence[Sequence[str]] | None = None,
        lengths: Any = None,
        ax: Any = None,
    ) -> TaggingDisplay:
        """Label the steps of sequences.

        Parameters
        ----------
        estimator : estimator
            A fitted tagger, or a Pipeline or search that ends in one.
        X : array-like, data frame, list of arrays or Sequences
            As `estimator.predict` takes it.
        y : array of shape (N, T), list or object array of N label sequences, default=None
            The true labels: what differs is marked.
        indices : int or sequence of int, default=None
            Which sequences of X; None: the first 10.
        words : list of N lists of str, default=None
            What the steps of all sequences of X are; None: the tokens of X where it holds
            strings, otherwise the number of a step of one feature, or the step's position.
        lengths : array-like of shape (N,), default=None
            Steps of every sequence of a dense X.
        ax : matplotlib Axes, default=None
            Where to draw at once; None: `plot` draws, or the first look at `ax_`.

        Returns
        -------
        TaggingDisplay

        Raises
        ------
        ValueError, TypeError
            If X or y is not as in `fit`, there is no such sequence, or the estimator does not
            label steps.
        """
        refuse_other_ids(X, y, "y")
        fitted, inner = fitted_network(estimator, X)
        network, codec = fitted.network_, fitted._codec
        if not (network.targets_per_step and hasattr(codec, "classes")):
            raise ValueError(f"TaggingDisplay needs a sequence tagger, got {type(fitted).__name__}")
        sequences = sequences_of(fitted, inner, lengths)
        chosen = places_of(indices, len(sequences), MOST_SEQUENCES)
        if words is not None and len(words) != len(sequences):
            raise ValueError(
                f"words must have a list for each of {len(sequences)} sequences, got {len(words)}"
            )
        true = None if y is None else label_sequences(y, "y", None)
        if true is not None and len(true) != len(sequences):
            raise ValueError(
                f"y must have the labels of {len(sequences)} sequences, got {len(true)}"
            )
        some = sequences[chosen]
        decided = codec.decode(fitted._decide(network, fitted._reader, some))
        probabilities = fitted._probabilities(some)
        texts, truths = [], []
        for place, sequence in zip(chosen, some):
            n = len(sequence)
            own = _texts(X, place, sequence) if words is None else list(map(str, words[place]))
            if len(own) != n:
                raise ValueError(f"words[{place}] must have {n} entries, got {len(own)}")
            texts.append(own)
            if true is not None:
                if len(true[place]) < n:
                    raise ValueError(f"y[{place}] must have {n} labels, got {len(true[place])}")
                truths.append(_true_names(true[place][:n]))
        if isinstance(codec, Indicators):
            names = np.array([_names_of_answers(row) for row in decided], dtype=object)
            sure = np.where(decided > 0, probabilities, 1.0 - probabilities).min(axis=1)
        else:
            names = np.array([str(label) for label in decided.tolist()], dtype=object)
            columns = np.searchsorted(codec.classes, decided)
            sure = probabilities[np.arange(len(probabilities)), columns]
        display = cls(
            texts,
            [list(labels) for labels in split_steps(names, some.offsets)],
            true_labels=None if true is None else truths,
            probabilities=list(split_steps(sure, some.offsets)),
        )
        return display if ax is None else display.plot(ax)

    def _steps(self) -> Iterator[list[tuple[str, str, str | None, float | None]]]:
        """Yield of each sequence the word, label, true label if another, probability of steps."""
        for i, (words, labels) in enumerate(zip(self.words, self.labels)):
            n = len(words)
            truths = [None] * n if self.true_labels is None else self.true_labels[i]
            sure = [None] * n if self.probabilities is None else self.probabilities[i]
            yield [
                (word, label, None if true == label else true, p)
                for word, label, true, p in zip(words, labels, truths, sure)
            ]

    def _colours(self) -> dict[str, str]:
        names = dict.fromkeys(label for labels in self.labels for label in labels)
        shown = sorted(name for name in names if name not in OUTSIDE)
        # What begins a chunk has the colour of what goes on with it: B-PER and I-PER.
        kinds = list(dict.fromkeys(_kind(name) for name in shown))
        return {name: PALETTE[kinds.index(_kind(name)) % len(PALETTE)] for name in shown}

    def _repr_html_(self) -> str:
        """Return the sequences as HTML: words, labels and all else are escaped."""
        colours = self._colours()
        lines = []
        for steps in self._steps():
            parts = []
            for word, label, true, p in steps:
                colour = colours.get(label)
                style = _WORD if colour is None else f"{_WORD};background:{colour};color:#222"
                hint = label if p is None else f"{label} {p:.3f}"
                if true is not None:
                    style += _WRONG
                    hint += f"; true: {true}"
                shown = label if true is None else f"{label} (true: {true})"
                parts.append(
                    f'<span style="{style}" title="{escape(hint)}">{escape(word)}'
                    f'<span style="{_LABEL}">{escape(shown) or "&nbsp;"}</span></span>'
                )
            lines.append(f'<div style="margin:4px 0">{"".join(parts)}</div>')
        return f'<div style="line-height:1.3">{"".join(lines)}</div>'

    def plot(self, ax: Any = None) -> TaggingDisplay:
        """Draw words with their labels below, a wrong one underlined in red with the true one.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        TaggingDisplay
            This object.

        Raises
        ------
        MissingExtraError
            If matplotlib is not installed.
        """
        placed, n_lines = self._places()
        self._ax = axes_to_draw_on(ax, self, (8.0, 0.4 + 0.5 * n_lines))
        colours = self._colours()
        self._ax.set(xlim=(0, CHARACTERS_A_LINE), ylim=(n_lines, 0))
        self._ax.axis("off")
        font = {"ha": "center", "va": "center", "family": "monospace"}
        for column, line, width, word, label, true in placed:
            middle = column + width / 2
            self._ax.axhspan(
                line + 0.08,
                line + 0.9,
                column / CHARACTERS_A_LINE,
                (column + width) / CHARACTERS_A_LINE,
                color=colours.get(label, "white"),
                lw=0,
            )
            self._ax.text(middle, line + 0.34, _unmathed(word), fontsize=9, **font)
            name = label if true is None else f"{label}≠{true}"
            colour = "0.35" if true is None else "#cc0000"
            self._ax.text(middle, line + 0.7, _unmathed(name), fontsize=6, color=colour, **font)
            if true is not None:
                ends = [column + 0.2, column + width - 0.2]
                self._ax.plot(ends, [line + 0.87] * 2, color="#cc0000", lw=1.5)
        return self

    def _places(self) -> tuple[list[tuple[float, int, float, str, str, str | None]], int]:
        """Return column, line and width of each word, and the number of lines."""
        placed = []
        line = -1
        for steps in self._steps():
            column, line = 0.0, line + 1
            for word, label, true, _ in steps:
                name = label if true is None else f"{label}≠{true}"
                width = max(len(word), 0.7 * len(name)) + 1.0
                if column and column + width > CHARACTERS_A_LINE:
                    column, line = 0.0, line + 1
                placed.append((column, line, width, word, label, true))
                column += width + 0.4
        return placed, line + 1

    @property
    def ax_(self) -> Any:
        """The axes, drawn when first asked for."""
        if not hasattr(self, "_ax"):
            self.plot()
        return self._ax

    @property
    def figure_(self) -> Any:
        """The figure that has the axes."""
        return self.ax_.figure


def _unmathed(text: str) -> str:
    """Return text that matplotlib does not take for a formula."""
    return text.replace("$", r"\$")


def _kind(label: str) -> str:
    """Return the kind of chunk that a label such as B-PER belongs to; others by themselves."""
    scheme, dash, kind = label.partition("-")
    return kind if dash and scheme in ("B", "I", "E", "S", "L", "U") else label


def _texts(X: Any, place: int, sequence: np.ndarray) -> list[str]:
    """Return what the steps of a sequence are: words, numbers, or their positions."""
    words = words_of(X, place, len(sequence))
    if words is not None:
        return words
    if sequence.shape[1] == 1:
        return [f"{number:.4g}" for number in sequence[:, 0].tolist()]
    return [str(step) for step in range(len(sequence))]


def _names_of_answers(row: np.ndarray) -> str:
    return "+".join(str(label) for label in np.flatnonzero(row))


def _true_names(labels: np.ndarray) -> list[str | None]:
    """Return the names of true labels; None where a step has none."""
    if labels.ndim == 2:
        return [_names_of_answers(row) for row in labels]
    missing = is_missing(labels)
    return [None if unknown else str(x) for x, unknown in zip(labels.tolist(), missing)]
