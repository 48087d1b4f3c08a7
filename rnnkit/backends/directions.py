"""Both directions of a recurrent layer as one operation: its contract, and one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from rnnkit.backends.interface import Array, ArrayModule, PackedPlan, RecurrentOperation

__all__ = ["JoinedOperation", "OneAfterTheOther"]

States = tuple[Array | None, ...]  # h and c (B, H) of the one direction, then of the other


class JoinedOperation(Protocol):
    """Two opposite directions of a layer over a packed minibatch, their rows side by side.

    Each call is that of `RecurrentOperation` for both, with the same bits. Of weights, gradients
    and masks there is one for each direction.
    """

    def forward(
        self,
        plan: PackedPlan,
        x: Array,
        weights: Sequence[dict[str, Array]],
        state: Sequence[Array | None],
        *,
        training: bool = False,
        masks: Sequence[Mapping[str, Any]] = ({}, {}),
        row_of: np.ndarray | None = None,
    ) -> tuple[Array, States]:
        """Run all steps; return y (P, 2·H) and the states at the end.

        masks have `recurrent_mask` and `zoneout_masks`, where there are any.
        """
        ...

    def backward(
        self,
        dy: Array | None,
        gradients: Sequence[dict[str, Array]],
        dstate: Sequence[Array | None],
        *,
        input_gradient: bool = True,
    ) -> tuple[Array | None, States]:
        """Run back through the last forward call, once, from dy (P, 2·H).

        Returns dx, summed over the directions, and the gradients by the states at the beginning.
        """
        ...


class OneAfterTheOther:
    """Two directions bound to any backend, of which the second runs when the first has ended.

    Parameters
    ----------
    operations : sequence of RecurrentOperation
        The two of them.
    xp : array module
    """

    def __init__(self, operations: Sequence[RecurrentOperation], xp: ArrayModule) -> None:
        self._operations = operations
        self._xp = xp

    def forward(
        self,
        plan: PackedPlan,
        x: Array,
        weights: Sequence[dict[str, Array]],
        state: Sequence[Array | None],
        *,
        training: bool = False,
        masks: Sequence[Mapping[str, Any]] = ({}, {}),
        row_of: np.ndarray | None = None,
    ) -> tuple[Array, States]:
        """Run all steps of the one, then of the other."""
        parts = [
            operation.forward(
                plan,
                x,
                weights[number],
                state[2 * number],
                state[2 * number + 1],
                training=training,
                row_of=row_of,
                **masks[number],
            )
            for number, operation in enumerate(self._operations)
        ]
        h = parts[0][0].shape[1]
        y = self._xp.empty((plan.n_rows, 2 * h), x.dtype)
        for number, part in enumerate(parts):
            y[:, number * h : (number + 1) * h] = part[0]
        return y, parts[0][1:] + parts[1][1:]

    def backward(
        self,
        dy: Array | None,
        gradients: Sequence[dict[str, Array]],
        dstate: Sequence[Array | None],
        *,
        input_gradient: bool = True,
    ) -> tuple[Array | None, States]:
        """Run back through the one, then through the other."""
        start: States = ()
        dx = None
        for number, operation in enumerate(self._operations):
            part = None
            if dy is not None:
                h = dy.shape[1] // 2
                part = dy[:, number * h : (number + 1) * h].copy()
            dpart, dh0, dc0 = operation.backward(
                part,
                gradients[number],
                dstate[2 * number],
                dstate[2 * number + 1],
                input_gradient=input_gradient,
            )
            start += (dh0, dc0)
            dx = dpart if dx is None else dx + dpart
        return dx, start
