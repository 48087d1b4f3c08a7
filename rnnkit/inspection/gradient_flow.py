"""How far back the state of a fitted network depends on what it read.

Letters: N sequences, T steps, I features of a step, H hidden units, D directions.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rnnkit.inspection.axes import axes_to_draw_on
from rnnkit.inspection.gradients import jacobian_norms
from rnnkit.inspection.looking import fitted_network, place_of, sequences_of

__all__ = ["GradientFlowDisplay"]


class GradientFlowDisplay:
    """The size of the gradient of the last state by the input so many steps before.

    Use `from_estimator`.

    Parameters
    ----------
    norms : ndarray of shape (D, T)
        For each direction the size of the gradient by the distance in steps; NaN beyond the
        longest sequence.
    name : str, default=None
        What the curve is called in a legend.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    lines_ : list of matplotlib Line2D

    Notes
    -----
    The number at distance d is the root of the mean, over the sequences with more than d steps, of
    ``Σ_ij (∂h_i,T / ∂x_j,T-d)²``: the squared Frobenius norm of the derivative of a layer's last
    state by the features of the step d before (ids: by the vectors that are looked up). Gradients
    of a loss reach back as far and no further; where they fade by a factor a step, what lies
    further back than a few times ``-1 / log factor`` cannot be learnt (Hochreiter 1991; Bengio,
    Simard & Frasconi 1994). The reverse direction's last state is that of the first step. Features
    that make the initial state are left out.

    Examples
    --------
    >>> import numpy as np
    >>> from rnnkit import RNNClassifier
    >>> from rnnkit.inspection import GradientFlowDisplay
    >>> X = np.sin(np.arange(400.0)).reshape(20, 20, 1)
    >>> y = X[:, -1, 0] > 0
    >>> classifier = RNNClassifier(8, max_iter=3, learning_rate="linear", random_state=0).fit(X, y)
    >>> display = GradientFlowDisplay.from_estimator(classifier, X[:4])
    >>> display.norms.shape
    (1, 20)
    """

    def __init__(self, norms: np.ndarray, *, name: str | None = None) -> None:
        self.norms = norms
        self.name = name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        *,
        layer: int = -1,
        lengths: Any = None,
        name: str | None = None,
        relative: bool = False,
        ax: Any = None,
        **line_kw: Any,
    ) -> GradientFlowDisplay:
        """Compute the gradients of a fitted estimator's states and draw their sizes.

        Parameters
        ----------
        estimator : estimator
            A fitted recurrent estimator, or a Pipeline or search that ends in one.
        X : array-like, data frame, list of arrays or Sequences
            As `estimator.predict` takes it. A few sequences tell: each is read once for every
            hidden unit.
        layer : int, default=-1
            Which recurrent layer's state, counted from 0; -1 is the last.
        lengths : array-like of shape (N,), default=None
            Steps of every sequence of a dense X.
        name : str, default=None
            What the curve is called in a legend; None: the estimator's class.
        relative : bool, default=False
            As in `plot`.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure. Several estimators can share one.
        **line_kw : dict
            Handed on to the lines.

        Returns
        -------
        GradientFlowDisplay

        Raises
        ------
        ValueError, TypeError
            If X is not as in `fit`, or there is no such layer.
        MissingExtraError
            If matplotlib is not installed.
        """
        fitted, inner = fitted_network(estimator, X)
        sequences = sequences_of(fitted, inner, lengths)
        network = fitted.network_
        layer = place_of(layer, len(network.recurrent_layers), "layer")
        longest = int(sequences.lengths.max(initial=0))
        if not longest:
            raise ValueError("X must hold a step; all of its sequences are empty")
        n_directions = len(network.recurrent_layers[layer].specs)
        squares, counts = np.zeros((n_directions, longest)), np.zeros(longest)
        for place, n_steps in enumerate(sequences.lengths.tolist()):
            if not n_steps:
                continue
            inputs = fitted._reader.inputs(sequences[place : place + 1])
            norms = jacobian_norms(network, fitted.device, inputs, n_steps, layer)
            squares[:, :n_steps] += np.square(norms)
            counts[:n_steps] += 1
        display = cls(np.sqrt(squares / counts), name=name or type(fitted).__name__)
        return display.plot(ax, relative=relative, **line_kw)

    def plot(
        self, ax: Any = None, *, relative: bool = False, **line_kw: Any
    ) -> GradientFlowDisplay:
        """Draw the sizes on a logarithmic scale.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        relative : bool, default=False
            Whether sizes are divided by the one at distance 0, so that networks compare.
        **line_kw : dict
            Handed on to the lines.

        Returns
        -------
        GradientFlowDisplay
            This object.

        Raises
        ------
        MissingExtraError
            If matplotlib is not installed.
        """
        self.ax_ = axes_to_draw_on(ax, self)
        self.figure_ = self.ax_.figure
        self.lines_ = []
        for direction, norms in enumerate(self.norms):
            sizes = norms / norms[0] if relative and norms[0] > 0 else norms
            label = self.name
            if len(self.norms) > 1:
                label = f"{label or 'state'}, {('forward', 'reverse')[direction]}"
            options = {"label": label, **line_kw}
            shown = np.where(sizes > 0, sizes, np.nan)  # a logarithm of 0 is nowhere
            self.lines_ += self.ax_.plot(np.arange(len(shown)), shown, **options)
        self.ax_.set_yscale("log")
        self.ax_.set_xlabel("distance in steps")
        self.ax_.set_ylabel("gradient norm" + (", relative" if relative else ""))
        self.ax_.grid(alpha=0.3)
        if self.name or len(self.norms) > 1:
            self.ax_.legend()
        return self
