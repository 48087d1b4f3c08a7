"""A recurrent layer on the GPU: one launch a pass wherever its weights fit shared memory.

Letters: B sequences of the minibatch, P packed rows, I inputs, H hidden units, G gates.
"""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np

from rnnkit.backends.cuda.device import Device
from rnnkit.backends.cuda.kernels.sources import layer_options, refuse_unsupported
from rnnkit.backends.cuda.launching import THREADS, Kernel, Kernels, general_kernels, layer_kernels
from rnnkit.backends.cuda.products import Products
from rnnkit.backends.cuda.tiling import Tiling, algorithm_asked_for, choose_tiling
from rnnkit.backends.cuda.uploads import Uploads
from rnnkit.backends.interface import (
    Array,
    ArrayModule,
    PackedPlan,
    RecurrentGradient,
    RecurrentResult,
)
from rnnkit.cells import LayerSpec
from rnnkit.ownership import Owner

__all__ = ["CudaRecurrent"]

_STEP_BLOCKS = 65535  # at most, of a kernel whose blocks take a step each


class _Saved(NamedTuple):
    """What a forward call leaves to backward."""

    plan: PackedPlan
    x: Array
    weights: dict[str, Array]
    h0: Array | None
    c0: Array | None
    masks: tuple[Array | None, ...]  # recurrent, and of zoneout for h and c
    keep: float  # what zoneout keeps where there is no mask
    gates: Array
    uh_n: Array | None
    y: Array
    c: Array | None


class CudaRecurrent:
    """One recurrent layer in one direction; see `interface.RecurrentOperation`.

    A call that comes while another one runs raises RuntimeError.
    """

    def __init__(
        self,
        spec: LayerSpec,
        dtype: np.dtype,
        xp: ArrayModule,
        device: Device,
        products: Products,
        uploads: Uploads,
    ) -> None:
        refuse_unsupported(spec)
        self.spec = spec
        self._dtype = dtype
        self._xp = xp
        self._device = device
        self._products = products
        self._uploads = uploads
        self._options = layer_options(spec, dtype)
        self._saved: _Saved | None = None
        self._owner = Owner("CudaRecurrent")

    def forward(
        self,
        plan: PackedPlan,
        x: Array,
        weights: dict[str, Array],
        h0: Array | None = None,
        c0: Array | None = None,
        *,
        training: bool = False,
        recurrent_mask: Array | None = None,
        zoneout_masks: tuple[Array, Array | None] | None = None,
        row_of: np.ndarray | None = None,
    ) -> RecurrentResult:
        """Run all steps; the masks act in training alone."""
        with self._owner:
            if row_of is not None:
                x = x[self._xp.asarray(row_of)]
            return self._forward(plan, x, weights, h0, c0, training, recurrent_mask, zoneout_masks)

    def _forward(
        self,
        plan: PackedPlan,
        x: Array,
        weights: dict[str, Array],
        h0: Array | None,
        c0: Array | None,
        training: bool,
        recurrent_mask: Array | None,
        zoneout_masks: tuple[Array, Array | None] | None,
    ) -> RecurrentResult:
        spec, xp = self.spec, self._xp
        width = (plan.n_rows, spec.hidden_size)
        x = xp.ascontiguousarray(x)
        gates = xp.empty((plan.n_rows, len(spec.gates) * spec.hidden_size), self._dtype)
        self._products.multiply(
            x, weights["weight_ih"], gates, transpose_b=True, bias=weights["bias"]
        )
        y = xp.empty(width, self._dtype)
        c = xp.empty(width, self._dtype) if spec.has_cell_state else None
        uh_n = xp.empty(width, self._dtype) if spec.cell == "gru" else None
        masks: tuple[Array | None, ...] = (None, None, None)
        keep = spec.zoneout
        if training:
            keep = 0.0
            masks = (recurrent_mask, *(zoneout_masks or (None, None)))
        saved = _Saved(plan, x, weights, h0, c0, masks, keep, gates, uh_n, y, c)
        if plan.n_rows:
            self._run_forward(saved)
        self._saved = saved if training else None
        return RecurrentResult(y, self._last(saved, y, h0), self._last(saved, c, c0))

    def backward(
        self,
        dy: Array | None,
        gradients: dict[str, Array],
        dh_n: Array | None = None,
        dc_n: Array | None = None,
        *,
        input_gradient: bool = True,
    ) -> RecurrentGradient:
        """Run back through the last forward call, once."""
        with self._owner:
            return self._backward(dy, gradients, dh_n, dc_n, input_gradient)

    def _backward(
        self,
        dy: Array | None,
        gradients: dict[str, Array],
        dh_n: Array | None,
        dc_n: Array | None,
        input_gradient: bool,
    ) -> RecurrentGradient:
        spec, xp, saved = self.spec, self._xp, self._recorded()
        plan = saved.plan
        self._saved = None
        dh = self._carried(dh_n, plan)
        dc = self._carried(dc_n, plan) if spec.has_cell_state else None
        dx = xp.empty_like(saved.x) if input_gradient else None
        if plan.n_rows:
            terms = None
            if spec.peephole:
                terms = xp.empty((plan.n_rows, 3 * spec.hidden_size), self._dtype)
            dy = None if dy is None else xp.ascontiguousarray(dy)
            self._run_backward(saved, dy, dh, dc, terms)
            self._add_gradients(saved, gradients, terms)
            if dx is not None:
                self._products.multiply(saved.gates, saved.weights["weight_ih"], dx)
        return RecurrentGradient(dx, dh, dc)

    def gate(self, name: str) -> Array:
        """Return the (P, H) activations of a gate of the last training forward call."""
        with self._owner:
            return self._gate(name)

    def _gate(self, name: str) -> Array:
        saved, spec = self._recorded(), self.spec
        plan, n_rows = saved.plan, saved.plan.n_rows
        values = self._xp.empty((n_rows, spec.hidden_size), self._dtype)
        if n_rows:
            tiling = self.tiling(plan.n_sequences, backward=False)
            self._kernels(tiling).gate_values(
                self._device.n_multiprocessors,
                THREADS,
                saved.gates,
                n_rows,
                spec.hidden_size,
                spec.gates.index(name),
                values,
            )
        return values

    def tiling(self, n_sequences: int, *, backward: bool) -> Tiling:
        """Return how a pass over B sequences is spread over the GPU."""
        return choose_tiling(
            self._device,
            max(1, n_sequences),
            self.spec.hidden_size,
            len(self.spec.gates),
            self._dtype.itemsize,
            backward=backward,
            algorithm=algorithm_asked_for(),
        )

    def _run_forward(self, saved: _Saved) -> None:
        tiling = self.tiling(saved.plan.n_sequences, backward=False)
        weights = saved.weights
        arguments = (
            weights["weight_hh"],
            weights.get("bias_hn"),
            weights.get("peephole"),
            *self._shared_arguments(saved),
        )
        kernel = self._kernels(tiling).recurrent_forward
        self._launch(kernel, tiling, saved.plan.n_steps, *arguments)

    def _run_backward(
        self, saved: _Saved, dy: Array | None, dh: Array, dc: Array | None, terms: Array | None
    ) -> None:
        tiling = self.tiling(saved.plan.n_sequences, backward=True)
        arguments = (
            saved.weights["weight_hh"],
            saved.weights.get("peephole"),
            *self._shared_arguments(saved),
            dy,
            dh,
            dc,
            terms,
        )
        kernel = self._kernels(tiling).recurrent_backward
        self._launch(kernel, tiling, saved.plan.n_steps + 1, *arguments)

    def _shared_arguments(self, saved: _Saved) -> tuple[Any, ...]:
        """Return the arguments that both passes take, from h0 to c."""
        offsets = self._uploads.plan(saved.plan).step_offsets
        return (
            saved.h0,
            saved.c0,
            *saved.masks,
            offsets,
            saved.plan.n_steps,
            self.spec.hidden_size,
            self.spec.reverse,
            saved.keep,
            saved.gates,
            saved.uh_n,
            saved.y,
            saved.c,
        )

    def _launch(self, kernel: Kernel, tiling: Tiling, n_rounds: int, *arguments: Any) -> None:
        """Run all rounds in one launch, or each in its own with the algorithm "steps"."""
        kernel.kernel.max_dynamic_shared_size_bytes = tiling.shared_bytes
        together = tiling.counts_arrivals
        arrivals = self._xp.zeros(tiling.n_teams, np.uint32) if together else None
        with warnings.catch_warnings():
            if together:  # CuPy would shrink the grid, and blocks would wait
                warnings.simplefilter("error")
            for first, last in tiling.launches(n_rounds):
                kernel(
                    tiling.n_blocks,
                    tiling.n_threads,
                    *arguments,
                    first,
                    last,
                    tiling.team_size,
                    tiling.chunk,
                    arrivals,
                    shared=tiling.shared_bytes,
                )

    def _add_gradients(
        self, saved: _Saved, gradients: dict[str, Array], terms: Array | None
    ) -> None:
        """Add the gradients of all weights, from those of the gates' inputs."""
        spec, products, gates = self.spec, self._products, saved.gates
        before = self._states_before(saved)
        products.multiply(gates, saved.x, gradients["weight_ih"], transpose_a=True, accumulate=True)
        products.add_column_sums(gates, gradients["bias"])
        factors = [(gates, gradients["weight_hh"])]  # gradients by rows of U h, and of U
        if spec.cell == "gru":
            h, dweight = spec.hidden_size, gradients["weight_hh"]
            factors = [(gates[:, : 2 * h], dweight[: 2 * h]), (saved.uh_n, dweight[2 * h :])]
            products.add_column_sums(saved.uh_n, gradients["bias_hn"])
        for dproduct, dweight in factors:
            products.multiply(dproduct, before, dweight, transpose_a=True, accumulate=True)
        if terms is not None:
            products.add_column_sums(terms, gradients["peephole"])

    def _states_before(self, saved: _Saved) -> Array:
        """Return the hidden state (P, H) that each row's recurrent product was taken of."""
        before = self._xp.empty_like(saved.y)
        plan, uploaded = saved.plan, self._uploads.plan(saved.plan)
        general_kernels(self._dtype).states_before(
            min(plan.n_steps, _STEP_BLOCKS),
            THREADS,
            saved.y,
            saved.h0,
            saved.masks[0],
            uploaded.step_offsets,
            plan.n_steps,
            self.spec.hidden_size,
            self.spec.reverse,
            before,
        )
        return before

    def _last(self, saved: _Saved, states: Array | None, start: Array | None) -> Array | None:
        """Return the states (B, H) after each sequence's last step."""
        if states is None:
            return None
        plan = saved.plan
        last = self._xp.empty((plan.n_sequences, self.spec.hidden_size), self._dtype)
        if last.size:
            general_kernels(self._dtype).last_states.over(
                last.size,
                states,
                start,
                *self._uploads.plan(plan),
                plan.n_sequences,
                self.spec.hidden_size,
                self.spec.reverse,
                last,
            )
        return last

    def _carried(self, gradient: Array | None, plan: PackedPlan) -> Array:
        """Return a copy of a gradient (B, H) by the last states; None means zeros."""
        if gradient is None:
            shape = (plan.n_sequences, self.spec.hidden_size)
            return self._xp.zeros(shape, self._dtype)
        return gradient.copy()

    def _kernels(self, tiling: Tiling) -> Kernels:
        options = (*self._options, *tiling.options())
        return layer_kernels(self.spec.cell, options, self._dtype, tiling.counts_arrivals)

    def _recorded(self) -> _Saved:
        if self._saved is None:
            raise RuntimeError("call forward with training=True first, and backward only once")
        return self._saved
