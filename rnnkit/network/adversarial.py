"""A network that makes sequences of noise, and one that tells them from real ones, as one chain.

What stands before a `Meeting` layer is the generator, what stands behind it the discriminator. Made
sequences go through all of the chain, real ones through the discriminator alone. The two learn in
turn, and the generator by what the discriminator's gradient says of its steps.

Letters: B sequences, P packed rows, I features of a step, C numbers of a condition, Z noise numbers
of a step, S noise numbers of a sequence, R rows of realness: P or B.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any, ClassVar

import numpy as np

from rnnkit.backends.interface import Array, Backend, Scalar
from rnnkit.network.bound import BoundNetwork
from rnnkit.network.chain import Chain
from rnnkit.network.inputs import Inputs
from rnnkit.network.layers import State
from rnnkit.network.losses import SquaredError
from rnnkit.network.meeting import Meeting
from rnnkit.network.network import Network
from rnnkit.sequences import Plan

__all__ = ["Adversarial", "BoundAdversarial", "Realness"]

# Draws the noise where none is given, as for the loss of weights as they are.
STILL = 0


@dataclass(frozen=True)
class Realness(SquaredError):
    """Steps that are made: raw scores of them stand for numbers ``center + scale s``.

    Parameters
    ----------
    n_outputs : int
        I.
    n_conditions : int, default=0
        C.
    center, scale : tuple of I float, default=None
        As in `SquaredError`.
    """

    n_conditions: int = 0

    spoken_name: ClassVar[str] = "what is made"
    targets_per_sequence: ClassVar[bool] = True
    weights_per_sequence: ClassVar[bool] = True
    whole_sequences: ClassVar[bool] = True

    def check(self, targets: np.ndarray, lengths: np.ndarray | None = None) -> None:
        """Raise nothing: conditions were read as numbers."""

    def start(self, targets: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        """Return the realness (1,) that everything begins with: that of what nobody can tell."""
        return np.zeros(1)

    def constant_loss(self, targets: np.ndarray, weights: np.ndarray | None = None) -> Any:
        """Return None: a loss in a game of two says nothing of what was learnt."""
        return None

    @property
    def loss_unit(self) -> float:
        """1: losses are nats, whatever the unit of X."""
        return 1.0


class BoundAdversarial(BoundNetwork):
    """An adversarial network's operations on one backend; made by `Adversarial.bind`.

    Parameters
    ----------
    network, backend, training, input_gradient, constant
        As in `Network.bind`; the gradient is that by the noise and conditions that made the
        steps, in the generator's turn.

    Attributes
    ----------
    turn : {"discriminator", "generator"}
        Whose loss `loss` gives, and in whose part of the gradient `backward` is of use.

    Notes
    -----
    With D the realness of a sequence, G one that was made and σ the logistic function, the losses
    are ``-(log σ(D(x)) + log(1 - σ(D(G)))) / 2`` of the discriminator and ``-log σ(D(G))`` of the
    generator, which does not saturate (Goodfellow et al. 2014). Both are log 2 where nothing can
    be told. Where every step has a realness, a sequence's loss is the mean over its steps. What is
    made has the lengths and conditions of the real minibatch beside it.
    """

    network: Adversarial

    def __init__(
        self,
        network: Adversarial,
        backend: Backend,
        training: bool,
        input_gradient: bool,
        constant: bool,
    ) -> None:
        super().__init__(network, backend, training, input_gradient, constant)
        n = self._n_generating = network.n_generating
        self._meeting: Any = self._chain.operations[n]
        # Real sequences, and made ones whose maker does not learn: no gradient by the steps.
        reading = replace(self._binding, input_gradient=False)
        self._judging = Chain(network.layers[n + 1 :], reading)
        self._unit: tuple[Array, Array] | None = None
        if network.output.scale is not None:
            numbers = (network.output.center, network.output.scale)
            self._unit = tuple(backend.upload(np.array(each, network.dtype)) for each in numbers)
        n_first = network.n_generator_parameters
        self.parts: dict[str, slice] = {
            "discriminator": slice(n_first, None),
            "generator": slice(0, n_first),
        }
        self.turn = "generator"
        self._noise: np.random.Generator | None = None
        self._runs_back = self._chain

    # The game.

    def forward(
        self,
        plan: Plan,
        inputs: Inputs,
        noise: np.random.Generator | None = None,
        states: Sequence[State] | None = None,
    ) -> Array:
        """Return the real steps (P, I) in the unit of the scores; see `BoundNetwork.forward`."""
        self._noise = noise
        return self._scaled(inputs.on(self.backend).numeric)

    def loss(
        self, plan: Plan, scores: Array, targets: Array, weights: Array | None
    ) -> tuple[Scalar, Array]:
        """Return the weighted loss sum of the player whose turn it is, and a gradient.

        Parameters
        ----------
        plan : Plan
        scores : array of shape (P, I)
            What `forward` returned.
        targets : array of shape (B, C)
            Conditions, in packed order.
        weights : array of shape (B,), default=None

        Returns
        -------
        loss : Scalar
        gradient : array of shape (R, 1)
            By the realness of what was made, which `backward` takes.
        """
        noise = self._noise
        conditions = self._of_rows(plan, targets) if self.network.output.n_conditions else None
        made = self._given(plan, np.random.default_rng(STILL) if noise is None else noise)
        if conditions is not None:
            made[:, -conditions.shape[1] :] = conditions
        self._meeting.conditions = conditions
        if self.turn == "generator":
            self._runs_back = self._chain
            realness = self._chain.forward(plan, made, noise)
            return self._surprise(plan, realness, weights, 1.0, real=True)
        self._runs_back = self._judging
        steps = self._chain.run(plan, made, stop=self._n_generating)
        told = self._judging.forward(plan, self._meeting.forward(scores, None), noise)
        real, slopes = self._surprise(plan, told, weights, 0.5, real=True)
        if self.training:
            self._judging.backward(slopes)
        told = self._judging.forward(plan, self._meeting.forward(steps, None), noise)
        made_up, slopes = self._surprise(plan, told, weights, 0.5, real=False)
        return real + made_up, slopes

    def backward(
        self, dscores: Array, dstates: Sequence[State | None] | None = None
    ) -> Array | None:
        """Run back from what the last call of `loss` returned, once."""
        return self._runs_back.backward(dscores, dstates)

    def _surprise(
        self, plan: Plan, realness: Array, weights: Array | None, share: float, *, real: bool
    ) -> tuple[Scalar, Array]:
        """Return the loss sum of a verdict that should be "real" or not, and its slopes (R, 1)."""
        xp = self.backend.xp
        signed = -realness if real else realness
        with np.errstate(all="ignore"):  # what is not finite is noticed where the loss is
            losses = xp.logaddexp(xp.zeros_like(signed), signed)
            slopes = xp.exp(signed - losses)
        if real:
            slopes = -slopes
        counts = self._counts(plan, weights, share)
        losses *= counts
        slopes *= counts
        return self.backend.scalar(losses.sum()), slopes

    def _counts(self, plan: Plan, weights: Array | None, share: float) -> Array:
        """Return how much each row of realness counts: (R, 1), or a number for all."""
        number, upload = self.network.dtype.type, self.backend.upload
        if not self.network.per_step:
            return number(share) if weights is None else weights[:, None] * number(share)
        of_sequence = upload((share / np.maximum(plan.lengths, 1)).astype(self.network.dtype))
        if weights is not None:
            of_sequence = of_sequence * weights
        return of_sequence[upload(plan.sequence_of_row())][:, None]

    # What both are fed with.

    def _scaled(self, x: Array) -> Array:
        if self._unit is None:
            return x
        center, scale = self._unit
        return (x - center) / scale

    def _given(self, plan: Plan, noise: np.random.Generator) -> Array:
        """Draw the noise of a minibatch, on the host; (P, Z + S + C), the conditions still 0."""
        meeting, dtype = self.network.meeting, self.network.dtype

        def draw() -> np.ndarray:
            steps = noise.standard_normal((plan.n_rows, meeting.n_noise), dtype=dtype)
            kept = noise.standard_normal((plan.n_sequences, meeting.n_sequence_noise), dtype=dtype)
            rest = np.zeros((plan.n_rows, meeting.n_conditions), dtype)
            return np.concatenate([steps, kept[plan.sequence_of_row()], rest], axis=1)

        return self.backend.from_host(draw)

    def _of_rows(self, plan: Plan, of_sequences: Array) -> Array:
        return of_sequences[self.backend.upload(plan.sequence_of_row())]

    # What a fitted network answers.

    def make(self, plan: Plan, given: Array) -> Array:
        """Return steps (P, I) in the unit of the scores, valid until the next call.

        Parameters
        ----------
        plan : Plan
        given : array of shape (P, Z + S + C)
            Noise and conditions of every packed row, on the host or on the backend.
        """
        given = self.backend.upload(given) if not self._on_host else given
        return self._chain.run(plan, given, stop=self._n_generating)

    def realness(self, plan: Plan, inputs: Inputs, conditions: np.ndarray | None) -> Array:
        """Return the raw realness (B, 1) of real sequences: log-odds that they are real.

        Where every step has one, the mean of a sequence's.

        Parameters
        ----------
        plan : Plan
        inputs : Inputs
            The P packed rows.
        conditions : ndarray of shape (B, C) or None
            In packed order.
        """
        steps = self._scaled(inputs.on(self.backend).numeric)
        self._meeting.conditions = None
        if conditions is not None:
            of_sequences = self.backend.upload(conditions.astype(self.network.dtype))
            self._meeting.conditions = self._of_rows(plan, of_sequences)
        told = self._judging.run(plan, self._meeting.forward(steps, None))
        if not self.network.per_step:
            return told
        total = self.backend.xp.zeros((plan.n_sequences, 1), self.network.dtype)
        self.backend.add_steps(plan, told, total)
        return total / self.backend.upload(plan.lengths.astype(self.network.dtype))[:, None]


class Adversarial(Network):
    """A network with a `Meeting` layer in its chain; its output is a `Realness`.

    Parameters
    ----------
    layers, output, dtype, memory
        As in `Network`.
    """

    bound_type = BoundAdversarial

    output: Realness

    @property
    def n_generating(self) -> int:
        """How many layers are the generator's."""
        return list(map(type, self.layers)).index(Meeting)

    @property
    def meeting(self) -> Meeting:
        """Where made and real sequences meet."""
        meeting = self.layers[self.n_generating]
        assert isinstance(meeting, Meeting)
        return meeting

    @property
    def n_generator_parameters(self) -> int:
        """How many of the first parameters are the generator's."""
        shapes = [layer.parameter_shapes() for layer in self.layers[: self.n_generating]]
        return sum(prod(shape) for part in shapes for shape in part.values())

    @property
    def is_causal(self) -> bool:
        """False: how real a sequence is depends on all of it."""
        return False
