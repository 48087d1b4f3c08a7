"""The reference backend: every operation in NumPy, with the time loop in plain sight.

It is the definition the compiled backends are measured against, so it prefers the form of the
equations in `rnnkit.cells.LayerSpec` to speed. Each equation stands next to its derivative: a
`forward` keeps on its object what the `backward` below it needs.

Letters: B sequences, n of them in the current step, P packed rows, I inputs, H hidden units,
G gates, K outputs. A leading d means the gradient of the loss by the variable named after it.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from rnnkit.backends.attention import ReferenceAttention
from rnnkit.backends.host import HostBackend
from rnnkit.backends.interface import Array, Pace, PackedPlan, RecurrentGradient, RecurrentResult
from rnnkit.backends.quantizing import QuantizedMatrix
from rnnkit.backends.reference_labels import ReferenceLabels
from rnnkit.backends.rules import require_rule
from rnnkit.backends.streaming import StepStream
from rnnkit.cells import LAYER_NORM_EPSILON, Activation, LayerSpec

__all__ = [
    "UPDATES",
    "GateRecurrence",
    "GruAfterStep",
    "GruBeforeStep",
    "LstmStep",
    "Normalization",
    "Product",
    "ReferenceBackend",
    "ReferenceDense",
    "ReferenceRecurrent",
    "RnnStep",
    "activate",
    "adadelta",
    "adagrad",
    "adam",
    "gate",
    "rmsprop",
    "sgd",
    "slope",
    "step_of",
    "to_bfloat16",
]


def activate(function: Activation, x: Array) -> Array:
    """Evaluate an activation function."""
    name, alpha, beta = function
    if name == "tanh":
        return np.tanh(x)
    if name == "sigmoid":
        e = np.exp(-np.abs(x))  # at most 1, so that nothing overflows
        return np.where(x >= 0, 1 / (1 + e), e / (1 + e))
    if name == "softsign":
        largest = np.finfo(x.dtype).max  # of infinity like of this, not inf / inf
        x = np.clip(x, -largest, largest)
        return x / (1 + np.abs(x))
    if name == "relu":
        return np.maximum(x, 0)
    if name == "hard_sigmoid":
        return np.clip(alpha * x + beta, 0, 1)
    if name == "linear":
        return alpha * x + beta
    if name == "leaky_relu":
        return np.where(x > 0, x, alpha * x)
    if name == "scaled_tanh":
        return alpha * np.tanh(beta * x)
    raise ValueError(f"unknown activation {name!r}")


def slope(function: Activation, y: Array) -> Array:
    """Return the derivative of an activation function where its value is y."""
    name, alpha, beta = function
    if name == "tanh":
        return 1 - y * y
    if name == "sigmoid":
        return y * (1 - y)
    if name == "softsign":
        return (1 - np.abs(y)) ** 2
    if name == "relu":
        return (y > 0).astype(y.dtype)
    if name == "hard_sigmoid":
        return alpha * ((y > 0) & (y < 1)).astype(y.dtype)
    if name == "linear":
        return np.full_like(y, alpha)
    if name == "leaky_relu":
        return np.where(y > 0, y.dtype.type(1), y.dtype.type(alpha))
    if name == "scaled_tanh":
        return beta * (alpha - y * y / alpha)
    raise ValueError(f"unknown activation {name!r}")


def gate(function: Activation, a: Array, limit: float | None) -> tuple[Array, Array]:
    """Return a gate's activation of its limited input a, and the derivative by a."""
    if limit is None:
        y = activate(function, a)
        return y, slope(function, y)
    y = activate(function, np.clip(a, -limit, limit))
    return y, slope(function, y) * (np.abs(a) <= limit)


class Normalization:
    """``LN(a) = (a - mean(a)) / sqrt(var(a) + epsilon)`` over the entries of each row."""

    def forward(self, a: Array) -> Array:
        centred = a - a.mean(axis=1, keepdims=True)
        variance = (centred * centred).mean(axis=1, keepdims=True)
        self.deviation = np.sqrt(variance + LAYER_NORM_EPSILON)
        self.normal = centred / self.deviation
        return self.normal

    def backward(self, dnormal: Array) -> Array:
        along = (dnormal * self.normal).mean(axis=1, keepdims=True)
        centred = dnormal - dnormal.mean(axis=1, keepdims=True)
        return (centred - self.normal * along) / self.deviation


def to_bfloat16(a: Array) -> Array:
    """Round to the 8 significant bits of bfloat16, to nearest, ties to even; keep the dtype."""
    bits = a.astype(np.float32).view(np.uint32)
    rounded = bits + (0x7FFF + ((bits >> 16) & 1)) & np.uint32(0xFFFF0000)
    return rounded.view(np.float32).astype(a.dtype)


class Product:
    """``W v`` for every row v, or ``gain * LN(W v)`` if there is a gain."""

    def __init__(self, spec: LayerSpec, weight: Array, gain: Array | None = None) -> None:
        self.factor = to_bfloat16 if spec.precision == "bf16" else np.asarray
        self.weight, self.gain = self.factor(weight), gain
        self.norm = Normalization()
        self.in_8_bits = QuantizedMatrix(weight) if spec.precision == "int8" else None

    def forward(self, v: Array) -> Array:
        self.v = self.factor(v)
        a = self.v @ self.weight.T if self.in_8_bits is None else self.in_8_bits.times(v)
        return a if self.gain is None else self.gain * self.norm.forward(a)

    def backward(self, da: Array, dweight: Array, dgain: Array | None = None) -> Array:
        """Add to dweight and dgain; return dv."""
        if self.gain is not None:
            dgain += (da * self.norm.normal).sum(axis=0)
            da = self.norm.backward(da * self.gain)
        da = self.factor(da)
        dweight += da.T @ self.v
        return da @ self.weight


class RnnStep:
    """``h' = φ(W x + U h + b)``."""

    def __init__(self, spec: LayerSpec, weights: dict[str, Array]) -> None:
        self.spec = spec
        self.recurrent = Product(spec, weights["weight_hh"], weights.get("norm_hh"))

    def forward(self, wx: Array, mask: Array, h: Array) -> tuple[Array]:
        """Map W x + b (n, G·H) and the previous states (n, H) to the next states."""
        spec = self.spec
        self.mask = mask
        a = wx + self.recurrent.forward(mask * h)
        h_next, self.slope = gate(spec.activation, a, spec.cell_clip)
        self.gates = {"a": h_next}
        return (h_next,)

    def backward(self, gradients: dict[str, Array], dh_next: Array) -> tuple[Array, tuple[Array]]:
        """Add to the recurrent gradients; return d(W x + b) and d(previous states)."""
        da = dh_next * self.slope
        dh = self.recurrent.backward(da, gradients["weight_hh"], gradients.get("norm_hh"))
        return da, (self.mask * dh,)


class GateRecurrence:
    """``U h + R q``: q are the gates i, f and o of the step before, and R has no rows for g."""

    def __init__(self, spec: LayerSpec, weights: dict[str, Array]) -> None:
        recurrent, r = weights["weight_hh"], weights["gate_recurrence"]
        self.h = h = spec.hidden_size
        of_every_gate = np.concatenate([r[: 2 * h], np.zeros((h, 3 * h), r.dtype), r[2 * h :]])
        both = np.concatenate([recurrent, of_every_gate], axis=1)
        self.product = Product(spec, both, weights.get("norm_hh"))

    def forward(self, h: Array, q: Array) -> Array:
        return self.product.forward(np.concatenate([h, q], axis=1))

    def backward(self, da: Array, gradients: dict[str, Array]) -> tuple[Array, Array]:
        """Add to the gradients of U and R; return dh and dq."""
        h, dboth = self.h, np.zeros_like(self.product.weight)
        dv = self.product.backward(da, dboth, gradients.get("norm_hh"))
        gradients["weight_hh"] += dboth[:, :h]
        gradients["gate_recurrence"] += np.concatenate([dboth[: 2 * h, h:], dboth[3 * h :, h:]])
        return dv[:, :h], dv[:, h:]


class LstmStep:
    """``c' = f * c + i * g`` and ``h' = o * φ_c(c')``."""

    recurrent: Any  # a Product of h, or with full gate recurrence a GateRecurrence of h and q

    def __init__(self, spec: LayerSpec, weights: dict[str, Array]) -> None:
        self.spec, self.weights = spec, weights
        if spec.full_gate_recurrence:
            self.recurrent = GateRecurrence(spec, weights)
        else:
            self.recurrent = Product(spec, weights["weight_hh"], weights.get("norm_hh"))
        self.norm_c = Normalization()

    def forward(self, wx: Array, mask: Array, h: Array, c: Array, *q: Array) -> tuple[Array, ...]:
        """Map W x + b (n, G·H) and the previous states to the next: h, c, and q if they see it."""
        spec = self.spec
        self.mask, self.c = mask, c
        a_i, a_f, a_g, a_o = np.split(wx + self.recurrent.forward(mask * h, *q), 4, axis=1)
        if spec.peephole:
            self.p_i, self.p_f, self.p_o = np.split(self.weights["peephole"], 3)
            a_i = a_i + self.p_i * c
            a_f = a_f + self.p_f * c
        i, self.slope_i = gate(spec.gate_activation, a_i, spec.cell_clip)
        f, self.slope_f = gate(spec.gate_activation, a_f, spec.cell_clip)
        g, self.slope_g = gate(spec.activation, a_g, spec.cell_clip)
        if spec.coupled_gates:
            f = 1 - i
        c_next = f * c + i * g
        if spec.peephole:
            a_o = a_o + self.p_o * c_next
        o, self.slope_o = gate(spec.gate_activation, a_o, spec.cell_clip)
        s = c_next
        if spec.layer_norm:
            s = self.weights["norm_c"] * self.norm_c.forward(c_next) + self.weights["norm_c_bias"]
        self.output, self.slope_c = gate(spec.output_activation, s, None)
        self.gates = {"i": i, "f": f, "g": g, "o": o}
        self.c_next = c_next
        if spec.full_gate_recurrence:
            return o * self.output, c_next, np.concatenate([i, f, o], axis=1)
        return o * self.output, c_next

    def backward(
        self, gradients: dict[str, Array], dh_next: Array, dc_next: Array, *dq_next: Array
    ) -> tuple[Array, tuple[Array, ...]]:
        """Add to the recurrent gradients; return d(W x + b) and d(previous states)."""
        spec = self.spec
        i, f, g, o = (self.gates[name] for name in spec.gates)
        seen_i, seen_f, seen_o = np.split(dq_next[0], 3, axis=1) if dq_next else (0.0, 0.0, 0.0)
        da_o = (dh_next * self.output + seen_o) * self.slope_o
        ds = dh_next * o * self.slope_c
        if spec.layer_norm:
            gradients["norm_c"] += (ds * self.norm_c.normal).sum(axis=0)
            gradients["norm_c_bias"] += ds.sum(axis=0)
            ds = self.norm_c.backward(ds * self.weights["norm_c"])
        dc_next = dc_next + ds
        if spec.peephole:
            dc_next = dc_next + self.p_o * da_o  # p_o sees c'
        di, df, dg = dc_next * g + seen_i, dc_next * self.c + seen_f, dc_next * i
        if spec.coupled_gates:
            di, df = di - df, np.zeros_like(df)
        da_i, da_f, da_g = di * self.slope_i, df * self.slope_f, dg * self.slope_g
        dc = dc_next * f
        if spec.peephole:
            dc = dc + self.p_i * da_i + self.p_f * da_f  # p_i and p_f see c
            seen = (da_i * self.c, da_f * self.c, da_o * self.c_next)
            gradients["peephole"] += np.concatenate(seen, axis=1).sum(axis=0)
        da = np.concatenate([da_i, da_f, da_g, da_o], axis=1)
        if spec.full_gate_recurrence:
            dh, dq = self.recurrent.backward(da, gradients)
            return da, (self.mask * dh, dc, dq)
        dh = self.recurrent.backward(da, gradients["weight_hh"], gradients.get("norm_hh"))
        return da, (self.mask * dh, dc)


class GruAfterStep:
    """``n = φ(W_n x + b_n + r * (U_n h + b_hn))``: the reset acts after the product."""

    def __init__(self, spec: LayerSpec, weights: dict[str, Array]) -> None:
        self.spec, self.bias_hn = spec, weights["bias_hn"]
        self.recurrent = Product(spec, weights["weight_hh"], weights.get("norm_hh"))

    def forward(self, wx: Array, mask: Array, h: Array) -> tuple[Array]:
        """Map W x + b (n, G·H) and the previous states (n, H) to the next states."""
        spec = self.spec
        self.mask, self.h = mask, h
        wx_r, wx_z, wx_n = np.split(wx, 3, axis=1)
        uh_r, uh_z, uh_n = np.split(self.recurrent.forward(mask * h), 3, axis=1)
        self.uh_n = uh_n + self.bias_hn
        r, self.slope_r = gate(spec.gate_activation, wx_r + uh_r, spec.cell_clip)
        z, self.slope_z = gate(spec.gate_activation, wx_z + uh_z, spec.cell_clip)
        n, self.slope_n = gate(spec.activation, wx_n + r * self.uh_n, spec.cell_clip)
        self.gates = {"r": r, "z": z, "n": n}
        return ((1 - z) * n + z * h,)

    def backward(self, gradients: dict[str, Array], dh_next: Array) -> tuple[Array, tuple[Array]]:
        """Add to the recurrent gradients; return d(W x + b) and d(previous states)."""
        r, z, n = (self.gates[name] for name in self.spec.gates)
        da_n = dh_next * (1 - z) * self.slope_n
        da_z = dh_next * (self.h - n) * self.slope_z
        da_r = da_n * self.uh_n * self.slope_r
        duh_n = da_n * r
        gradients["bias_hn"] += duh_n.sum(axis=0)
        duh = np.concatenate([da_r, da_z, duh_n], axis=1)
        dh = self.recurrent.backward(duh, gradients["weight_hh"], gradients.get("norm_hh"))
        return np.concatenate([da_r, da_z, da_n], axis=1), (dh_next * z + self.mask * dh,)


class GruBeforeStep:
    """``n = φ(W_n x + b_n + U_n (r * h) + b_hn)``: the reset acts before the product."""

    def __init__(self, spec: LayerSpec, weights: dict[str, Array]) -> None:
        self.spec, self.bias_hn = spec, weights["bias_hn"]
        n_rows = 2 * spec.hidden_size
        self.recurrent_rz = Product(spec, weights["weight_hh"][:n_rows])
        self.recurrent_n = Product(spec, weights["weight_hh"][n_rows:])

    def forward(self, wx: Array, mask: Array, h: Array) -> tuple[Array]:
        """Map W x + b (n, G·H) and the previous states (n, H) to the next states."""
        spec = self.spec
        self.mask, self.h = mask, h
        wx_r, wx_z, wx_n = np.split(wx, 3, axis=1)
        uh_r, uh_z = np.split(self.recurrent_rz.forward(mask * h), 2, axis=1)
        r, self.slope_r = gate(spec.gate_activation, wx_r + uh_r, spec.cell_clip)
        z, self.slope_z = gate(spec.gate_activation, wx_z + uh_z, spec.cell_clip)
        uh_n = self.recurrent_n.forward(r * mask * h) + self.bias_hn
        n, self.slope_n = gate(spec.activation, wx_n + uh_n, spec.cell_clip)
        self.gates = {"r": r, "z": z, "n": n}
        return ((1 - z) * n + z * h,)

    def backward(self, gradients: dict[str, Array], dh_next: Array) -> tuple[Array, tuple[Array]]:
        """Add to the recurrent gradients; return d(W x + b) and d(previous states)."""
        n_rows = 2 * self.spec.hidden_size
        dweight_hh = gradients["weight_hh"]
        r, z, n = (self.gates[name] for name in self.spec.gates)
        da_n = dh_next * (1 - z) * self.slope_n
        da_z = dh_next * (self.h - n) * self.slope_z
        gradients["bias_hn"] += da_n.sum(axis=0)
        dreset = self.mask * self.recurrent_n.backward(da_n, dweight_hh[n_rows:])
        da_r = dreset * self.h * self.slope_r
        da_rz = np.concatenate([da_r, da_z], axis=1)
        dh = self.mask * self.recurrent_rz.backward(da_rz, dweight_hh[:n_rows])
        return np.concatenate([da_rz, da_n], axis=1), (dh_next * z + dreset * r + dh,)


CellStep = RnnStep | LstmStep | GruAfterStep | GruBeforeStep


def step_of(spec: LayerSpec) -> type[CellStep]:
    """Return the class whose objects are one step of the spec's cell."""
    if spec.cell == "rnn":
        return RnnStep
    if spec.cell == "lstm":
        return LstmStep
    return GruAfterStep if spec.reset == "after" else GruBeforeStep


class ReferenceRecurrent:
    """One recurrent layer in one direction; see `interface.RecurrentOperation`."""

    def __init__(self, spec: LayerSpec, dtype: np.dtype) -> None:
        self.spec, self.dtype = spec, np.dtype(dtype)
        self._steps: list[CellStep] | None = None  # one per step, in the order of visiting

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
        spec = self.spec
        x = x if row_of is None else x[row_of]
        state_shape = (plan.n_sequences, spec.hidden_size)
        states = self._parted(h0, c0, plan.n_sequences)
        mask = recurrent_mask
        if mask is None or not training:
            mask = np.ones(state_shape, self.dtype)
        kept = self._zoneout(plan, training, zoneout_masks)
        inputs = Product(spec, weights["weight_ih"], weights.get("norm_ih"))
        wx = inputs.forward(x) + weights["bias"]
        y = np.empty((plan.n_rows, spec.hidden_size), self.dtype)
        steps: list[CellStep] = []
        for rows, n in self._visits(plan):
            step = step_of(spec)(spec, weights)
            previous = [state[:n].copy() for state in states]
            following = step.forward(wx[rows], mask[:n], *previous)
            for state, old, new, keep in zip(states, previous, following, kept, strict=True):
                state[:n] = keep[rows] * old + (1 - keep[rows]) * new
            y[rows] = states[0][:n]
            steps.append(step)
        self._steps = steps if training else None
        self._plan, self._inputs, self._kept = plan, inputs, kept
        return RecurrentResult(y, *self._joined(states))

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
        spec, plan, steps = self.spec, self._plan, self._recorded_steps()
        if spec.precision == "int8":
            raise RuntimeError("precision='int8' is for inference alone")
        self._steps = None
        dstates = self._parted(dh_n, dc_n, plan.n_sequences)
        dwx = np.empty((plan.n_rows, len(spec.gates) * spec.hidden_size), self.dtype)
        for (rows, n), step in zip(reversed(self._visits(plan)), reversed(steps), strict=True):
            if dy is not None:
                dstates[0][:n] += dy[rows]
            keeps = [kept[rows] for kept in self._kept]
            dfollowing = [(1 - keep) * dstate[:n] for keep, dstate in zip(keeps, dstates)]
            dwx[rows], dprevious = step.backward(gradients, *dfollowing)
            for dstate, keep, dold in zip(dstates, keeps, dprevious, strict=True):
                dstate[:n] = keep * dstate[:n] + dold
        gradients["bias"] += dwx.sum(axis=0)
        dx = self._inputs.backward(dwx, gradients["weight_ih"], gradients.get("norm_ih"))
        return RecurrentGradient(dx if input_gradient else None, *self._joined(dstates))

    def gate(self, name: str) -> Array:
        """Return the (P, H) activations of a gate of the last training forward call."""
        steps = self._recorded_steps()
        activations = np.empty((self._plan.n_rows, self.spec.hidden_size), self.dtype)
        for (rows, _), step in zip(self._visits(self._plan), steps, strict=True):
            activations[rows] = step.gates[name]
        return activations

    def _visits(self, plan: PackedPlan) -> list[tuple[slice, int]]:
        """Return the packed rows of each step and their number, in the order of visiting."""
        bounds = [int(offset) for offset in plan.step_offsets]
        visits = [(slice(first, last), last - first) for first, last in pairwise(bounds)]
        return visits[::-1] if self.spec.reverse else visits

    def _parted(self, h: Array | None, c: Array | None, n: int) -> list[Array]:
        """Return copies of the states h and c, and apart from c the gates q that follow it."""
        spec = self.spec
        given = [(h, spec.hidden_size)]
        if spec.has_cell_state:
            given.append((c, spec.second_state_size))
        states = [
            np.zeros((n, width), self.dtype) if state is None else np.array(state, self.dtype)
            for state, width in given
        ]
        if spec.full_gate_recurrence:
            states[1:] = np.split(states[1], [spec.hidden_size], axis=1)
        return states

    def _joined(self, states: list[Array]) -> tuple[Array, Array | None]:
        """Return h, and c with the gates that follow it."""
        return states[0], np.concatenate(states[1:], axis=1) if states[1:] else None

    def _zoneout(
        self, plan: PackedPlan, training: bool, masks: tuple[Array, Array | None] | None
    ) -> list[Array]:
        """Return the part k of each old state that is kept, for every packed row (P, H)."""
        n_states = 2 if self.spec.has_cell_state else 1
        if not training:
            shares = [self.spec.zoneout] * n_states
        elif masks is None:
            shares = [0.0] * n_states
        else:
            shares = [0.0 if mask is None else mask for mask in masks[:n_states]]
        shape = (plan.n_rows, self.spec.hidden_size)
        kept = [np.broadcast_to(np.asarray(share, self.dtype), shape) for share in shares]
        if self.spec.full_gate_recurrence:
            kept.append(np.zeros((plan.n_rows, 1), self.dtype))  # q is always new
        return kept

    def _recorded_steps(self) -> list[CellStep]:
        if self._steps is None:
            raise RuntimeError("call forward with training=True first, and backward only once")
        return self._steps


class ReferenceDense:
    """``y = x Wᵀ + b``; see `interface.DenseOperation`."""

    def forward(self, x: Array, weight: Array, bias: Array) -> Array:
        """Map x (P, I) with weight (K, I) and bias (K,) to (P, K)."""
        return x @ weight.T + bias

    def backward(
        self,
        x: Array,
        dy: Array,
        weight: Array,
        dweight: Array,
        dbias: Array,
        *,
        input_gradient: bool = True,
    ) -> Array | None:
        """Add to dweight and dbias; return dx (P, I), or None if not asked for."""
        dweight += dy.T @ x
        dbias += dy.sum(axis=0)
        return dy @ weight if input_gradient else None


# The update rules change p and the vectors they keep in place, by the gradient g.


def sgd(
    p: Array, g: Array, pace: Pace, *, velocity: Array, momentum: float, nesterov: bool
) -> None:
    """``v = momentum v - rate g``; ``p += v``, or with Nesterov ``p += momentum v - rate g``."""
    rate = pace.learning_rate
    velocity *= momentum
    velocity -= rate * g
    p += momentum * velocity - rate * g if nesterov else velocity


def rmsprop(
    p: Array,
    g: Array,
    pace: Pace,
    *,
    square: Array,
    velocity: Array,
    decay: float,
    epsilon: float,
    momentum: float,
) -> None:
    """``s = decay s + (1 - decay) g²``; ``v = momentum v - rate g / (√s + ε)``; ``p += v``."""
    square *= decay
    square += (1 - decay) * g * g
    velocity *= momentum
    velocity -= pace.learning_rate * g / (np.sqrt(square) + epsilon)
    p += velocity


def adagrad(p: Array, g: Array, pace: Pace, *, square: Array, epsilon: float) -> None:
    """``s += g²``; ``p -= rate g / (√s + ε)``."""
    square += g * g
    p -= pace.learning_rate * g / (np.sqrt(square) + epsilon)


def adadelta(
    p: Array, g: Array, pace: Pace, *, square: Array, change: Array, decay: float, epsilon: float
) -> None:
    """``s = decay s + (1 - decay) g²``; ``δ = g √(u + ε) / √(s + ε)``; ``p -= rate δ``.

    u is the running mean of δ², as s is of g².
    """
    square *= decay
    square += (1 - decay) * g * g
    delta = g * np.sqrt(change + epsilon) / np.sqrt(square + epsilon)
    change *= decay
    change += (1 - decay) * delta * delta
    p -= pace.learning_rate * delta


def adam(
    p: Array,
    g: Array,
    pace: Pace,
    *,
    mean: Array,
    square: Array,
    beta_1: float,
    beta_2: float,
    epsilon: float,
    weight_decay: float,
) -> None:
    """``p -= rate weight_decay p``; ``p -= rate m̂ / (√v̂ + ε)`` with bias-free m̂, v̂."""
    rate = pace.learning_rate
    mean *= beta_1
    mean += (1 - beta_1) * g
    square *= beta_2
    square += (1 - beta_2) * g * g
    p -= rate * weight_decay * p
    unbiased_mean = mean / (1 - beta_1**pace.step)
    unbiased_square = square / (1 - beta_2**pace.step)
    p -= rate * unbiased_mean / (np.sqrt(unbiased_square) + epsilon)


UPDATES: dict[str, Callable[..., None]] = {
    "sgd": sgd,
    "rmsprop": rmsprop,
    "adagrad": adagrad,
    "adadelta": adadelta,
    "adam": adam,
}


class ReferenceBackend(HostBackend):
    """NumPy on the host; see `interface.Backend`."""

    name = "reference"
    labels = ReferenceLabels()

    def recurrent(
        self, spec: LayerSpec, dtype: np.dtype, *, constant: bool = False
    ) -> ReferenceRecurrent:
        """Return one recurrent layer in one direction."""
        return ReferenceRecurrent(spec, dtype)

    def recurrent_stream(
        self, spec: LayerSpec, dtype: np.dtype, weights: dict[str, Array], n: int = 1
    ) -> StepStream:
        """Return one recurrent layer for n sequences, step by step."""
        return StepStream(ReferenceRecurrent(spec, dtype), weights, np, n)

    def dense(
        self, n_inputs: int, n_outputs: int, dtype: np.dtype, *, constant: bool = False
    ) -> ReferenceDense:
        """Return ``y = x Wᵀ + b``."""
        return ReferenceDense()

    def attention(self) -> ReferenceAttention:
        """Bind attention."""
        return ReferenceAttention()

    def softmax_cross_entropy(
        self, scores: Array, labels: Array, weights: Array | None, label_smoothing: float = 0.0
    ) -> tuple[float, Array]:
        """Return the weighted sum of the losses (nats) and its gradient by the raw scores."""
        n_rows, n_classes = scores.shape
        target = np.full_like(scores, label_smoothing / n_classes)
        target[np.arange(n_rows), labels] += 1 - label_smoothing
        shifted = scores - scores.max(axis=1, keepdims=True)
        log_probability = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        weight = np.ones(n_rows, scores.dtype) if weights is None else weights
        loss = -(target * log_probability).sum(axis=1)
        dscores = (np.exp(log_probability) - target) * weight[:, np.newaxis]
        return float((weight * loss).sum()), dscores

    def softmax(self, scores: Array) -> Array:
        """Return the class probabilities (P, K) of raw scores (P, K)."""
        e = np.exp(scores - scores.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    def add_rows(self, table: Array, ids: np.ndarray, rows: Array) -> None:
        """Add each of rows (P, W) to the row of table (V, W) that its id names, in order."""
        np.add.at(table, ids, rows)

    def clip_norm(self, gradient: Array, limit: float, ranges: np.ndarray | None = None) -> float:
        """Scale the flat gradient in place so that its 2-norm is at most `limit`."""
        largest = float(np.abs(gradient).max(initial=0.0))
        if not np.isfinite(largest) or largest == 0:
            return largest
        # Squares of the entries could overflow or vanish; those of the scaled ones cannot.
        norm = largest * float(np.linalg.norm(gradient.astype(np.float64) / largest))
        if norm > limit:
            gradient *= limit / norm
        return norm

    def update(
        self,
        rule: str,
        parameters: Array,
        gradient: Array,
        state: dict[str, Array],
        pace: Pace,
        ranges: np.ndarray | None = None,
        **options: float,
    ) -> None:
        """Apply one optimizer step in place on flat vectors."""
        require_rule(rule)
        UPDATES[rule](parameters, gradient, pace, **state, **options)
