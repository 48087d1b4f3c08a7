"""A cell as data: its gates in order, its states, its options and the shapes of its parameters.

This is the one place that states the gate order and the names of the weights. Every
backend computes from a `LayerSpec`; file formats with another order permute at their door.

Letters: I inputs, H hidden units, G gates.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple

__all__ = [
    "ACTIVATIONS",
    "CELLS",
    "CELL_OPTIONS",
    "LAYER_NORM_EPSILON",
    "Activation",
    "Cell",
    "LayerSpec",
    "make_activation",
    "make_spec",
    "weight_name",
]

LAYER_NORM_EPSILON = 1e-5  # added to the variance, as in Ba, Kiros & Hinton (2016)


class Cell(NamedTuple):
    """What distinguishes one recurrent cell from another."""

    name: str
    gates: tuple[str, ...]  # the order of the G blocks of H rows in every weight
    states: tuple[str, ...]  # what is carried from step to step


CELLS = {
    "rnn": Cell("rnn", ("a",), ("h",)),
    "lstm": Cell("lstm", ("i", "f", "g", "o"), ("h", "c")),
    "gru": Cell("gru", ("r", "z", "n"), ("h",)),
}


class Activation(NamedTuple):
    """An activation function with its parameters; ``y = f(x; alpha, beta)``."""

    name: str
    alpha: float
    beta: float


# name -> default (alpha, beta). Each derivative is a function of the output y alone, so that
# the backward pass needs nothing but the activated gates:
#   tanh          tanh(x)                       1 - y^2
#   sigmoid       1 / (1 + exp(-x))             y (1 - y)
#   softsign      x / (1 + |x|)                 (1 - |y|)^2
#   relu          max(x, 0)                     [y > 0]
#   hard_sigmoid  clip(alpha x + beta, 0, 1)    alpha [0 < y < 1]
#   linear        alpha x + beta                alpha
#   leaky_relu    x if x > 0 else alpha x       1 if y > 0 else alpha        (alpha > 0)
#   scaled_tanh   alpha tanh(beta x)            beta (alpha - y^2 / alpha)
ACTIVATIONS = {
    "tanh": (1.0, 1.0),
    "sigmoid": (1.0, 0.0),
    "softsign": (1.0, 0.0),
    "relu": (1.0, 0.0),
    "hard_sigmoid": (0.2, 0.5),
    "linear": (1.0, 0.0),
    "leaky_relu": (0.01, 0.0),
    "scaled_tanh": (1.7159, 2.0 / 3.0),
}
_ALIASES = {"logistic": "sigmoid", "identity": "linear"}


def make_activation(
    name: str | Activation, alpha: float | None = None, beta: float | None = None
) -> Activation:
    """Build an `Activation` from its name, with the defaults of `ACTIVATIONS`.

    Parameters
    ----------
    name : str or Activation
        A key of `ACTIVATIONS`, or "logistic" (= "sigmoid") or "identity" (= "linear").
    alpha, beta : float, default=None
        The function's parameters; None takes the default.

    Returns
    -------
    Activation

    Raises
    ------
    ValueError
        If the name is unknown, or `alpha` is not positive where it must be.
    """
    if isinstance(name, Activation):
        return name
    known = _ALIASES.get(name, name) if isinstance(name, str) else name
    if not isinstance(known, str) or known not in ACTIVATIONS:
        allowed = ", ".join(sorted(ACTIVATIONS))
        raise ValueError(f"unknown activation {name!r}; allowed are {allowed}")
    default_alpha, default_beta = ACTIVATIONS[known]
    alpha = default_alpha if alpha is None else float(alpha)
    beta = default_beta if beta is None else float(beta)
    if known in ("leaky_relu", "scaled_tanh") and not alpha > 0:
        raise ValueError(f"activation {known!r} needs alpha > 0, got {alpha!r}")
    return Activation(known, alpha, beta)


PRECISIONS = ("full", "bf16", "int8")
MOST_TERMS = 2**17  # of a product in 8 bits, whose sums are integers of 32 bits

TANH = make_activation("tanh")
SIGMOID = make_activation("sigmoid")


def weight_name(name: str, layer: int, reverse: bool = False) -> str:
    """Return PyTorch's name of a parameter.

    Parameters
    ----------
    name : str
        The name without suffix, a key of `LayerSpec.parameter_shapes`.
    layer : int
        The layer, counted from 0.
    reverse : bool, default=False
        Whether it belongs to the reverse direction.

    Returns
    -------
    str

    Examples
    --------
    >>> weight_name("weight_ih", 0, reverse=True)
    'weight_ih_l0_reverse'
    """
    return f"{name}_l{layer}{'_reverse' if reverse else ''}"


@dataclass(frozen=True)
class LayerSpec:
    """One recurrent layer in one direction, completely described.

    With φ the activation, σ the gate activation, φ_c the output activation, * elementwise:

    rnn
        ``h = φ(W x + U h + b)``
    lstm
        ``i = σ(W_i x + U_i h + b_i + p_i * c)``, ``f = σ(... + p_f * c)``,
        ``g = φ(W_g x + U_g h + b_g)``, ``c' = f * c + i * g``,
        ``o = σ(... + p_o * c')``, ``h' = o * φ_c(c')``.
        The p terms need `peephole`; `coupled_gates` sets ``f = 1 - i`` (the f rows of every
        weight are then ignored and get a zero gradient; with `layer_norm` they still enter
        the mean and variance of their row, and get the gradient of that).
    gru
        ``r = σ(W_r x + U_r h + b_r)``, ``z = σ(W_z x + U_z h + b_z)``,
        reset after:  ``n = φ(W_n x + b_n + r * (U_n h + b_hn))``,
        reset before: ``n = φ(W_n x + b_n + U_n (r * h) + b_hn)``,
        ``h' = (1 - z) * n + z * h``.

    cell_clip
        Limits the input of every gate's activation (peephole term included) to
        ``[-cell_clip, cell_clip]``; the gradient is zero where the limit is active. The
        convention of ONNX's ``clip``: the cell state itself is not limited.
    layer_norm
        ``W x`` and ``U h`` become ``norm_ih * LN(W x)`` and ``norm_hh * LN(U h)``, LN over
        all G·H entries without gain or shift, and φ_c(c') becomes
        ``φ_c(norm_c * LN(c') + norm_c_bias)``; b is added after. Not with reset="before".
        Source: Ba, Kiros & Hinton (2016), eq. 20-22.
    recurrent_dropout
        ``U h`` becomes ``U (m * h)`` with one mask m per sequence, kept for all its steps
        (Gal & Ghahramani 2016). The mask is an input of the forward call.
    zoneout
        ``h' = k_h * h + (1 - k_h) * h~`` and the same for c with k_c, where h~, c~ are the
        states computed above and h~ uses c~ (Krueger et al. 2017). In training k is a 0/1
        mask, an input of the forward call; outside training k is the rate `zoneout`.
    precision
        "full", or "bf16": the two factors of every matrix product, forward and backward, are
        rounded to bfloat16 (8 significant bits, to nearest, ties to even); sums, states, gates
        and gradients stay float32. For cells without other options, in float32. Or "int8", in
        float32 and outside training alone: each row of the two factors is rounded to integers of 8
        bits by its own largest magnitude, their sums are exact integers, and all else is float32
        (`rnnkit.backends.quantizing`).
    """

    cell: str
    n_inputs: int
    hidden_size: int
    reverse: bool = False
    activation: Activation = TANH
    gate_activation: Activation = SIGMOID
    output_activation: Activation = TANH
    peephole: bool = False
    coupled_gates: bool = False
    cell_clip: float | None = None
    reset: str = "after"
    layer_norm: bool = False
    zoneout: float = 0.0
    precision: str = "full"

    def __post_init__(self) -> None:
        if self.cell not in CELLS:
            raise ValueError(f"unknown cell {self.cell!r}; allowed are {', '.join(CELLS)}")
        if self.cell != "lstm" and (self.peephole or self.coupled_gates):
            raise ValueError(f"peephole and coupled_gates belong to the lstm cell, not {self.cell}")
        if self.reset not in ("after", "before"):
            raise ValueError(f"reset must be 'after' or 'before', got {self.reset!r}")
        if self.layer_norm and self.cell == "gru" and self.reset == "before":
            raise ValueError("layer_norm needs reset='after' in the gru cell")
        if isinstance(self.cell_clip, bool) or not (self.cell_clip is None or self.cell_clip > 0):
            raise ValueError(f"cell_clip must be positive or None, got {self.cell_clip!r}")
        if self.precision not in PRECISIONS:
            raise ValueError(f"precision must be 'full', 'bf16' or 'int8', got {self.precision!r}")
        if self.precision == "bf16" and not self.is_plain:
            raise ValueError(
                "precision='bf16' is for the usual cell: activation='tanh', "
                "gate_activation='sigmoid' and no other option of the cell"
            )

        if self.precision == "int8" and max(self.n_inputs, self.hidden_size) > MOST_TERMS:
            raise ValueError(
                f"precision='int8' takes at most {MOST_TERMS:,} inputs and hidden units, got "
                f"{self.n_inputs:,} and {self.hidden_size:,}"
            )

    @property
    def is_plain(self) -> bool:
        """Whether this is the usual cell, tanh and sigmoid, with no option on."""
        usual = LayerSpec(self.cell, self.n_inputs, self.hidden_size, self.reverse)
        output_activation = self.output_activation if self.cell == "lstm" else TANH
        return replace(self, precision="full", output_activation=output_activation) == usual

    @property
    def options(self) -> dict[str, float]:
        """The options of the equations as numbers, 0 where off, as a compiled cell takes them."""
        return {
            "peephole": self.peephole,
            "coupled_gates": self.coupled_gates,
            "reset_before": self.cell == "gru" and self.reset == "before",
            "has_clip": self.cell_clip is not None,
            "clip": self.cell_clip or 0.0,
            "layer_norm": self.layer_norm,
            "norm_epsilon": LAYER_NORM_EPSILON if self.layer_norm else 0.0,
            "zoneout": self.zoneout,
        }

    @property
    def gates(self) -> tuple[str, ...]:
        """The names of the gates in weight order."""
        return CELLS[self.cell].gates

    @property
    def has_cell_state(self) -> bool:
        """Whether a second state c is carried."""
        return "c" in CELLS[self.cell].states

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """Name each parameter, without layer suffix, and give its shape, in storage order."""
        g, h, i = len(self.gates), self.hidden_size, self.n_inputs
        shapes: dict[str, tuple[int, ...]] = {
            "weight_ih": (g * h, i),
            "weight_hh": (g * h, h),
            "bias": (g * h,),
        }
        if self.cell == "gru":
            shapes["bias_hn"] = (h,)
        if self.peephole:
            shapes["peephole"] = (3 * h,)
        if self.layer_norm:
            shapes["norm_ih"] = (g * h,)
            shapes["norm_hh"] = (g * h,)
            if self.has_cell_state:
                shapes["norm_c"] = (h,)
                shapes["norm_c_bias"] = (h,)
        return shapes


# What a cell can be told besides its widths and direction: names of the fields of `LayerSpec`.
CELL_OPTIONS = tuple(
    spec_field.name
    for spec_field in fields(LayerSpec)
    if spec_field.name not in ("cell", "n_inputs", "hidden_size", "reverse")
)


def make_spec(
    cell: str, n_inputs: int, hidden_size: int, *, reverse: bool = False, **options: Any
) -> LayerSpec:
    """Build a `LayerSpec` from options as users write them.

    Parameters
    ----------
    cell : {"rnn", "lstm", "gru"}
    n_inputs, hidden_size : int
        I and H.
    reverse : bool, default=False
        Whether the layer reads each sequence from its last step to its first.
    **options : dict
        Any of `CELL_OPTIONS`. Activations may be names, as in `make_activation`; an
        `output_activation` that is None or absent is the `activation`.

    Returns
    -------
    LayerSpec

    Raises
    ------
    TypeError
        If there is no option of a name.
    ValueError
        If an option is out of range or does not fit the cell.
    """
    for name in options:
        if name not in CELL_OPTIONS:
            raise TypeError(f"unknown cell option {name!r}; allowed are {', '.join(CELL_OPTIONS)}")
    if options.get("output_activation") is None:
        options["output_activation"] = options.get("activation", TANH)
    for name, value in options.items():
        if name.endswith("activation"):
            options[name] = make_activation(value)
    return LayerSpec(cell, n_inputs, hidden_size, reverse, **options)
