"""Where and how displays draw: axes, heat maps, labels of steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rnnkit.exceptions import MissingExtraError

__all__ = ["axes_to_draw_on", "colours", "heat_map", "label_steps", "turn"]

MOST_LABELS = 40  # labels along an axis that can still be read
CHARACTERS_A_LINE = 60  # along an axis
STRETCHED = {"aspect": "auto", "interpolation": "nearest", "origin": "lower"}


def axes_to_draw_on(ax: Any, drawer: Any, figsize: tuple[float, float] | None = None) -> Any:
    """Return the axes, those of a figure made for them if None were given.

    Parameters
    ----------
    ax : matplotlib Axes or None
    drawer : object
        What draws; its class is named where matplotlib is missing.
    figsize : tuple of two float, default=None
        Width and height of a figure that is made, in inches.

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    TypeError
        If `ax` is something else.
    """
    name = type(drawer).__name__
    try:
        import matplotlib.pyplot as plt
        from matplotlib.axes import Axes
    except ImportError as error:
        raise MissingExtraError("matplotlib", "plot", f"{name}.plot") from error
    if ax is None:
        _, ax = plt.subplots(figsize=figsize, layout="constrained")
    elif not isinstance(ax, Axes):
        raise TypeError(f"ax must be a matplotlib Axes or None, got {ax!r}")
    return ax


def colours(n: int) -> list[Any]:
    """Return n colours that can be told apart, which repeat after ten."""
    import matplotlib

    table = matplotlib.colormaps["tab10"]
    return [table(i % 10) for i in range(n)]


def heat_map(ax: Any, values: np.ndarray, *, signed: bool, **options: Any) -> Any:
    """Draw values (rows, T), steps from left to right; signed values with white at 0.

    Returns the image.
    """
    if signed:
        known = np.abs(values[np.isfinite(values)])
        largest = float(known.max(initial=0)) or 1.0
        limits = {"cmap": "RdBu_r", "vmin": -largest, "vmax": largest}
    else:
        limits = {"cmap": "viridis"}
    image = ax.imshow(values, **{**STRETCHED, **limits, **options})
    for axis in (ax.xaxis, ax.yaxis):
        axis.get_major_locator().set_params(integer=True)
    return image


def label_steps(ax: Any, labels: Sequence[str] | None, n_steps: int) -> None:
    """Write what each step is below the axes, or only that they are steps."""
    if labels is None or n_steps > MOST_LABELS:
        ax.set_xlabel("step")
        return
    ax.set_xticks(range(n_steps), labels, **turn(labels))


def turn(labels: Sequence[str]) -> dict[str, Any]:
    """Return how labels below an axis are turned so that they do not meet."""
    if len(labels) * (max(map(len, labels)) + 1) <= CHARACTERS_A_LINE:
        return {}
    return {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
