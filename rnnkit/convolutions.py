"""A convolution over the steps of sequences, as data: its shape, and what follows it."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from numbers import Integral
from typing import Any

__all__ = ["Convolution"]

_ACTIVATIONS = ("relu", "tanh", "identity")


@dataclass(frozen=True, slots=True)
class Convolution:
    """A convolution over the steps of sequences, for the parameter `convolutions`.

    Equal by value, hashable, and never changed: a search goes over lists of them.

    Parameters
    ----------
    channels : int
        C, the numbers that it gives for a step.
    width : int
        k, the steps that one of them sees.
    stride : int, default=1
        Steps s from one that is given to the next: of T steps ⌈T / s⌉ are left.
    pooling : int, default=None
        Width p of a maximum over steps that do not overlap, behind the activation: of T' steps
        ⌈T' / p⌉ are left, and the last is the largest of what there is. None: no maximum.
    causal : bool, default=False
        Whether a step sees itself and the k - 1 steps before it. Otherwise it is centred: it sees
        ⌊(k - 1) / 2⌋ steps before and ⌊k / 2⌋ after it.
    activation : {"relu", "tanh", "identity"}, default="relu"
        φ, what is made of each number.
    layer_norm : bool, default=False
        Whether the C numbers of a step are brought to mean 0 and variance 1 before the
        activation, then scaled by g and shifted by b, both learned (Ba et al. 2016).
    batch_norm : bool, default=False
        Whether each of the C channels is brought to mean 0 and variance 1 over all steps of all
        sequences of a minibatch before the activation, then scaled by g and shifted by b, both
        learned (Ioffe & Szegedy 2015). Outside training a mean and a variance that were kept of
        the minibatches stand in their place, so a prediction does not depend on the sequences
        beside it. Not with `layer_norm`, solver "lbfgs" or `rnnkit.distributed`.

    Raises
    ------
    TypeError, ValueError
        If a value is not what is allowed, or both normalizations are asked for.

    Notes
    -----
    ``y_t = φ(Σ_j W_j x_{s·t + j - l} + b)``, j from 0 to k - 1, with l = k - 1 of a causal one and
    ⌊(k - 1) / 2⌋ of one that is centred. What lies before the first step of a sequence and
    behind its last is zero, whatever the sequences beside it. As in Waibel et al. (1989), "Phoneme
    recognition using time-delay neural networks"; the weights of "relu" are drawn as in He et al.
    (2015), "Delving deep into rectifiers".

    With `batch_norm` the sum z over j, without a bias, becomes
    ``φ(g (z - m) / sqrt(v + 1e-5) + b)``, m and v the mean and variance of its channel over the Q
    steps of the minibatch, each once whatever its sample weight. Kept are ``m̂ += r (m - m̂)`` and
    ``v̂ += r (Q / (Q - 1) v - v̂)`` with ``r = max(0.1, 1 / n)`` at the n-th minibatch, over calls
    of `partial_fit` too. A minibatch worked on in parts, to save memory or with `bptt_steps`, is
    normalized part by part. The FCN of Wang, Yan & Oates (2017), "Time series classification from
    scratch with deep neural networks: a strong baseline", has it behind each convolution.

    Examples
    --------
    >>> from rnnkit import Convolution
    >>> Convolution(32, 8)
    Convolution(32, 8)
    >>> Convolution(32, 8, stride=2, causal=True) == Convolution(32, 8, 2, None, causal=True)
    True
    """

    channels: int
    width: int
    stride: int = 1
    pooling: int | None = None
    causal: bool = field(default=False, kw_only=True)
    activation: str = field(default="relu", kw_only=True)
    layer_norm: bool = field(default=False, kw_only=True)
    batch_norm: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        for name in ("channels", "width", "stride", "pooling"):
            value = getattr(self, name)
            if name == "pooling" and value is None:
                continue
            allowed = "an integer of at least 1" + (" or None" if name == "pooling" else "")
            if isinstance(value, bool) or not isinstance(value, Integral):
                raise TypeError(f"{name} of Convolution must be {allowed}, got {value!r}")
            if value < 1:
                raise ValueError(f"{name} of Convolution must be {allowed}, got {value!r}")
            object.__setattr__(self, name, int(value))
        for name in ("causal", "layer_norm", "batch_norm"):
            value = getattr(self, name)
            if type(value) is not bool:
                raise TypeError(f"{name} of Convolution must be True or False, got {value!r}")
        if self.activation not in _ACTIVATIONS:
            names = ", ".join(map(repr, _ACTIVATIONS))
            raise ValueError(
                f"activation of Convolution must be one of {names}, got {self.activation!r}"
            )
        if self.layer_norm and self.batch_norm:
            raise ValueError(
                "batch_norm of Convolution must be False with layer_norm=True, got True: steps are "
                "normalized once"
            )

    @property
    def is_normalized(self) -> bool:
        """Whether its numbers are normalized before the activation."""
        return self.layer_norm or self.batch_norm

    @property
    def shortening(self) -> int:
        """How many steps become one."""
        return self.stride * (self.pooling or 1)

    @property
    def n_before(self) -> int:
        """How many earlier steps a step sees."""
        return self.width - 1 if self.causal else (self.width - 1) // 2

    @property
    def needs_whole_sequences(self) -> bool:
        """Whether a step depends on later ones, or falls elsewhere if a sequence is cut."""
        return self.shortening > 1 or self.n_before < self.width - 1

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the constructor's arguments by name; `deep` is accepted and changes nothing."""
        return {part.name: getattr(self, part.name) for part in fields(self)}

    def __repr__(self) -> str:
        said = [repr(self.channels), repr(self.width)]
        said += [
            f"{part.name}={getattr(self, part.name)!r}"
            for part in fields(self)[2:]
            if getattr(self, part.name) != part.default
        ]
        return f"Convolution({', '.join(said)})"
