"""The gates of a recurrent layer over the steps of a sequence.

Letters: T steps, H hidden units, D directions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rnnkit.cells import CELLS
from rnnkit.inspection.axes import axes_to_draw_on, heat_map, label_steps
from rnnkit.inspection.looking import look_at

__all__ = ["GateActivationDisplay"]

SPOKEN = {
    "lstm": {"i": "input gate", "f": "forget gate", "g": "candidate", "o": "output gate"},
    "gru": {"r": "reset gate", "z": "update gate", "n": "candidate"},
    "rnn": {"a": "activation"},
}
TOP = 0.97  # of the height of the axes; the title of the first gate is above
CANDIDATES = ("g", "n", "a")  # which are no gates: they have a sign


class GateActivationDisplay:
    """Which gates open and close when: the gates of one sequence, units against steps.

    Use `from_estimator`.

    Parameters
    ----------
    activations : mapping of str to ndarray of shape (T, D·H)
        The activations of each gate, by its name: "i", "f", "g", "o" (LSTM), "r", "z", "n" (GRU)
        or "a" (RNN).
    cell : {"lstm", "gru", "rnn"}, default=None
        Whose gates they are, for their titles; None: the one that has them all.
    step_labels : list of str, default=None
        What each step is.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes that all of it is drawn in.
    axes_ : ndarray of matplotlib Axes
        Those of each gate, inside `ax_`.
    figure_ : matplotlib Figure
    images_ : list of matplotlib AxesImage
        One for each gate.

    Examples
    --------
    >>> import numpy as np
    >>> from rnnkit import GRUClassifier
    >>> from rnnkit.inspection import GateActivationDisplay
    >>> X = np.sin(np.arange(120.0)).reshape(20, 6, 1)
    >>> y = X[:, 0, 0] > 0
    >>> classifier = GRUClassifier(4, max_iter=3, learning_rate="linear", random_state=0).fit(X, y)
    >>> display = GateActivationDisplay.from_estimator(classifier, X, index=2)
    >>> display.activations["z"].shape
    (6, 4)
    """

    def __init__(
        self,
        activations: Mapping[str, np.ndarray],
        *,
        cell: str | None = None,
        step_labels: Sequence[str] | None = None,
    ) -> None:
        self.activations = dict(activations)
        self.cell = cell
        self.step_labels = step_labels

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        *,
        index: int = 0,
        layer: int = 0,
        gates: Sequence[str] | None = None,
        lengths: Any = None,
        ax: Any = None,
        **imshow_kw: Any,
    ) -> GateActivationDisplay:
        """Compute the gates of a fitted estimator on one sequence and draw them.

        Parameters
        ----------
        estimator : estimator
            A fitted recurrent estimator, or a Pipeline or search that ends in one.
        X : array-like, data frame, list of arrays or Sequences
            As `estimator.predict` takes it.
        index : int, default=0
            Which sequence of X.
        layer : int, default=0
            Which recurrent layer, counted from 0; -1 is the last.
        gates : sequence of str, default=None
            Which gates, by their names; None: all.
        lengths : array-like of shape (N,), default=None
            Steps of every sequence of a dense X.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **imshow_kw : dict
            Handed on to `imshow`.

        Returns
        -------
        GateActivationDisplay

        Raises
        ------
        ValueError, TypeError
            If X is not as in `fit`, or there is no such sequence, layer or gate.
        MissingExtraError
            If matplotlib is not installed.
        """
        look = look_at(estimator, X, index, lengths)
        cell = look.estimator._cell
        known = CELLS[cell].gates
        chosen = known if gates is None else tuple(gates)
        unknown = [gate for gate in chosen if gate not in known]
        if unknown or not chosen:
            raise ValueError(f"gates must name some of {list(known)}, got {gates!r}")

        def stacked(bound: Any, plan: Any, x: Any) -> np.ndarray:
            activations = bound.gate_activations(plan, x, layer)
            return np.stack([bound.backend.download(activations[gate]) for gate in chosen], axis=1)

        values = look.apply(stacked)
        by_gate = {gate: values[:, place] for place, gate in enumerate(chosen)}
        return cls(by_gate, cell=cell, step_labels=look.words).plot(ax, **imshow_kw)

    def plot(self, ax: Any = None, **imshow_kw: Any) -> GateActivationDisplay:
        """Draw the gates below each other.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **imshow_kw : dict
            Handed on to `imshow`.

        Returns
        -------
        GateActivationDisplay
            This object.

        Raises
        ------
        MissingExtraError
            If matplotlib is not installed.
        """
        n = len(self.activations)
        self.ax_ = axes_to_draw_on(ax, self, (6.4, 0.8 + 1.5 * n))
        self.figure_ = self.ax_.figure
        self.ax_.set_axis_off()
        titles = _titles(self.cell, self.activations)
        self.images_, axes = [], []
        gap = 0.3 / n
        height = (TOP - (n - 1) * gap) / n
        for place, (gate, values) in enumerate(self.activations.items()):
            inner = self.ax_.inset_axes([0.0, (n - 1 - place) * (height + gap), 0.93, height])
            bar = self.ax_.inset_axes([0.95, (n - 1 - place) * (height + gap), 0.02, height])
            signed = gate in CANDIDATES or float(values.min(initial=0)) < 0
            limits = {} if signed else {"vmin": 0.0, "vmax": max(1.0, float(values.max(initial=0)))}
            image = heat_map(inner, values.T, signed=signed, **{**limits, **imshow_kw})
            self.figure_.colorbar(image, cax=bar)
            inner.set_title(titles[gate], fontsize="medium", pad=3)
            inner.set_ylabel("unit")
            if place < n - 1:
                inner.set_xticks([])
            axes.append(inner)
            self.images_.append(image)
        label_steps(axes[-1], self.step_labels, len(values))
        self.axes_ = np.array(axes, dtype=object)
        return self


def _titles(cell: str | None, gates: Mapping[str, Any]) -> dict[str, str]:
    """Return what each gate is called in full."""
    for name, spoken in SPOKEN.items():
        if cell == name or (cell is None and gates.keys() <= spoken.keys()):
            return {gate: f"{spoken.get(gate, gate)} {gate}" for gate in gates}
    return {gate: gate for gate in gates}
