"""A network that ends in a restricted Boltzmann machine for each step (RNN-RBM).

Its chain gives every step the biases of its machine, from the states before it; one matrix is that
of all machines.

Letters: P packed rows, F visible units, M hidden units.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from rnnkit.backends import get_backend
from rnnkit.backends.interface import Array, Backend
from rnnkit.network.boltzmann import Boltzmann, Expectations
from rnnkit.network.bound import BoundNetwork
from rnnkit.network.chain import Chain
from rnnkit.network.inputs import Inputs
from rnnkit.network.layers import Binding, Dense, State
from rnnkit.network.network import Network
from rnnkit.network.outputs import Output, OutputContext
from rnnkit.network.parameters import named_views
from rnnkit.network.previous import Previous
from rnnkit.sequences import Plan, pack

__all__ = [
    "BoltzmannOutput",
    "BoundRecurrentBoltzmann",
    "RecurrentBoltzmann",
    "RecurrentSampler",
    "host_of",
]

WEIGHT = "rbm.weight"


@dataclass(frozen=True)
class BoltzmannOutput(Output):
    """Output object: vectors of 0 and 1, with the probabilities of a restricted Boltzmann machine.

    A row of raw scores is the biases of the row's machine, F of the visible units, then M of the
    hidden ones. Its parameter is "rbm.weight" W (M, F), small and random at first.

    Parameters
    ----------
    n_visible : int
        F.
    n_components : int
        M.
    n_gibbs : int, default=15
        k, how often both layers are sampled for the negative phase, from the data on.
    negative_phase : {"gibbs", "exact"}, default="gibbs"
        Whether what the machine expects is sampled, or summed over all states of the smaller
        layer.

    Notes
    -----
    The gradient of ``-log P(v)`` by W is ``E[h vᵀ] - E[h vᵀ | v]``, by the biases likewise. "gibbs"
    puts the end of a chain of k steps in place of the first (contrastive divergence, Hinton 2002),
    and the loss, which that gradient does not belong to, is the negative pseudo-log-likelihood.
    With "exact" it is ``-log P(v)``. Both are in nats per row, summed over the visible units.
    """

    spoken_name: ClassVar[str] = "a Boltzmann machine"
    on_host: ClassVar[bool] = True
    kept_scores: ClassVar[int] = 4

    n_visible: int
    n_components: int
    n_gibbs: int = 15
    negative_phase: str = "gibbs"

    @property
    def width(self) -> int:
        """K = F + M, the number of raw scores in a row."""
        return self.n_visible + self.n_components

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the full name and shape of W."""
        return {WEIGHT: (self.n_components, self.n_visible)}

    def initialize(self, parameters: Mapping[str, np.ndarray], rng: Any) -> None:
        """Draw W from a normal distribution of standard deviation 0.01 (Hinton 2010)."""
        parameters[WEIGHT][...] = rng.normal(0.0, 0.01, (self.n_components, self.n_visible))

    def machine(self, context: OutputContext) -> Boltzmann:
        """Return the machine as it is at this moment, on the host."""
        return Boltzmann(
            context.backend.download(context.parameters[WEIGHT]), host_of(context.backend)
        )

    def biases(self, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return those of the visible (P, F) and of the hidden units (P, M)."""
        return scores[:, : self.n_visible], scores[:, self.n_visible :]

    def loss(
        self, scores: Array, targets: Array, weights: Array | None, context: OutputContext
    ) -> tuple[float, Array]:
        """Return the weighted sum of the losses (nats) and its gradient by the scores (P, F + M).

        Where nothing is drawn from, as for a validation loss, the gradient lacks the negative
        phase of "gibbs".
        """
        backend = context.backend
        scores, v = backend.download(scores), backend.download(targets)
        weights = None if weights is None else backend.download(weights)
        machine = self.machine(context)
        b, c = self.biases(scores)
        h = machine.hidden_means(v, c)
        expected: Expectations | None = None
        if self.negative_phase == "exact":
            expected = machine.expectations(b, c, weights)
            losses = machine.free_energy(v, b, c) + expected.log_partition
        else:
            losses = machine.pseudo_losses(v, b, c)
        slopes = np.empty_like(scores)
        dvisible, dhidden = self.biases(slopes)
        dvisible[...], dhidden[...] = -v, -h
        sides = [(v, -h)]
        products: Any = 0.0
        if expected is not None:
            dvisible += expected.visible.astype(scores.dtype)
            dhidden += expected.hidden.astype(scores.dtype)
            products = expected.products
        elif context.noise is not None:
            drawn, means = machine.gibbs(v, b, c, self.n_gibbs, context.noise)
            of_drawn = machine.hidden_means(drawn, c)
            dvisible += means
            dhidden += of_drawn
            sides.append((drawn, of_drawn))
        if weights is not None:
            slopes *= weights[:, None]
            losses = losses * weights
        if WEIGHT in context.gradients:
            self._add_products(sides, products, weights, context)
        return float(losses.sum()), backend.upload(slopes)

    def _add_products(
        self, sides: Any, products: Any, weights: np.ndarray | None, context: OutputContext
    ) -> None:
        """Add to W's gradient the weighted sums of h vᵀ of some v and h, and sums known already."""
        backend = context.backend
        dtype = sides[0][0].dtype
        dense = host_of(backend).dense(self.n_visible, self.n_components, dtype)
        shape = (self.n_components, self.n_visible)
        total, unused = np.zeros(shape, dtype), np.zeros(self.n_components, dtype)
        for v, h in sides:
            weighted = h if weights is None else h * weights[:, None]
            dense.backward(v, weighted, total, total, unused, input_gradient=False)
        total += products
        gradient = context.gradients[WEIGHT]
        gradient += backend.upload(total)

    def decision(self, scores: Array, context: OutputContext) -> Array:
        """Raise AttributeError: what it expects of its units takes draws, or all its states."""
        raise AttributeError(f"{type(self).__name__} decides nothing without drawing")

    def check(
        self, targets: np.ndarray, lengths: np.ndarray | None = None, *, name: str = "X"
    ) -> None:
        """Raise ValueError, which calls them by a name, unless the targets are 0 and 1."""
        if targets.ndim != 2 or targets.shape[1] != self.n_visible:
            raise ValueError(
                f"{self.spoken_name} needs steps of {self.n_visible} numbers, got the shape "
                f"{targets.shape}"
            )
        wrong = (targets != 0) & (targets != 1)
        if wrong.any():
            raise ValueError(f"{name} must hold 0 and 1 alone, got {targets[wrong][0]:.6g}")

    def start(self, targets: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        """Return the log-odds of each visible unit, those of 1 to 999 at most, and zeros."""
        means = np.clip(np.average(targets, axis=0, weights=weights), 1e-3, 1.0 - 1e-3)
        return np.concatenate([np.log(means) - np.log1p(-means), np.zeros(self.n_components)])

    def constant_loss(self, targets: np.ndarray, weights: np.ndarray | None = None) -> float:
        """Return the entropy of independent units in nats, which is the mean loss of `start`."""
        means = np.average(targets, axis=0, weights=weights)
        inside = means[(means > 0) & (means < 1)]
        return float(-(inside * np.log(inside) + (1 - inside) * np.log1p(-inside)).sum())


def host_of(backend: Backend) -> Backend:
    """Return a backend if it is the host's, else that of the CPU."""
    return backend if backend.on_host else get_backend("cpu")


class BoundRecurrentBoltzmann(BoundNetwork):
    """Its operations on one backend; made by `RecurrentBoltzmann.bind`.

    Parameters
    ----------
    network, backend, training, input_gradient, constant
        As in `Network.bind`.
    """

    network: RecurrentBoltzmann
    output: BoltzmannOutput

    def forward(
        self,
        plan: Plan,
        inputs: Inputs,
        noise: np.random.Generator | None = None,
        states: Sequence[State] | None = None,
    ) -> Array:
        """Return the biases (P, F + M) of every step's machine; see `BoundNetwork.forward`.

        The loss that is asked for next draws from the same noise.
        """
        self._context.noise = noise
        return super().forward(plan, inputs, noise, states)

    def pseudo_losses(self, plan: Plan, inputs: Inputs) -> np.ndarray:
        """Return the negative pseudo-log-likelihood (P,) of every step, float64."""
        machine, v, b, c = self._met(plan, inputs)
        return machine.pseudo_losses(v, b, c)

    def exact_losses(self, plan: Plan, inputs: Inputs) -> np.ndarray:
        """Return ``-log P(v)`` (P,) of every step, float64, of all states."""
        machine, v, b, c = self._met(plan, inputs)
        losses = machine.free_energy(v, b, c)
        losses += machine.expectations(b, c).log_partition
        return losses

    def exact_means(self, plan: Plan, inputs: Inputs) -> np.ndarray:
        """Return ``P(v = 1)`` (P, F) of every step, of all states."""
        machine, v, b, c = self._met(plan, inputs)
        return machine.expectations(b, c).visible.astype(v.dtype)

    def hidden_means(self, plan: Plan, inputs: Inputs) -> np.ndarray:
        """Return ``P(h = 1 | v)`` (P, M) of every step."""
        machine, v, _, c = self._met(plan, inputs)
        return machine.hidden_means(v, c)

    def _met(
        self, plan: Plan, inputs: Inputs
    ) -> tuple[Boltzmann, np.ndarray, np.ndarray, np.ndarray]:
        """Return the machine, what it sees at every step, and the biases there."""
        scores = self.backend.download(self.forward(plan, inputs))
        v = self.backend.download(inputs.numeric)
        return self.output.machine(self.context(plan)), v, *self.output.biases(scores)


class RecurrentBoltzmann(Network):
    """A network that ends in a `BoltzmannOutput`, with a `Previous` layer in its chain.

    Parameters
    ----------
    layers, output, dtype, memory
        As in `Network`.
    """

    bound_type = BoundRecurrentBoltzmann

    output: BoltzmannOutput


class RecurrentSampler:
    """Continues n sequences step by step with what the machines draw.

    Parameters
    ----------
    network : RecurrentBoltzmann
    backend : Backend
        Of the host.
    n_sequences : int
        n.
    """

    def __init__(self, network: RecurrentBoltzmann, backend: Backend, n_sequences: int) -> None:
        flat = np.asarray(network.parameters.flat)
        parameters = named_views(flat, network.parameters.shapes)
        layers = [layer for layer in network.layers if not isinstance(layer, Previous)]
        binding = Binding(backend, parameters, {}, network.dtype, constant=True)
        self._chain = Chain(layers, binding, n_streams=n_sequences)
        self._chain.start_stream(pack(np.ones(n_sequences, np.intp)))
        self._machine = Boltzmann(parameters[WEIGHT], backend)
        self._output = network.output
        head = layers[-1]
        assert isinstance(head, Dense)
        self._scores: np.ndarray = np.tile(parameters[head.bias_name], (n_sequences, 1))
        self._last = np.zeros((n_sequences, network.output.n_visible), network.dtype)

    def read(self, v: np.ndarray) -> None:
        """Take a step (n, F) that is known."""
        self._last = v
        self._scores = np.array(self._chain.step(v))

    def draw(self, n_gibbs: int, noise: np.random.Generator) -> np.ndarray:
        """Draw the next step (n, F), from the last one on, and take it."""
        b, c = self._output.biases(self._scores)
        v, _ = self._machine.gibbs(self._last, b, c, n_gibbs, noise)
        self.read(v)
        return v
