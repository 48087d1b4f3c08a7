"""A network that makes a vector of every sequence, and the sequence of its vector again.

It is one chain: what stands before a `Repeating` layer makes one row of a sequence, its code, and
what stands from there on makes steps of codes. Both parts are run alone too.

Letters: B sequences, P packed rows, C numbers of a code, K raw scores of a step.
"""

from __future__ import annotations

from rnnkit.backends.interface import Array
from rnnkit.network.bound import BoundNetwork
from rnnkit.network.inputs import Inputs
from rnnkit.network.network import Network
from rnnkit.network.repeating import Repeating
from rnnkit.sequences import Plan

__all__ = ["Autoencoder", "BoundAutoencoder"]


class BoundAutoencoder(BoundNetwork):
    """An autoencoder's operations on one backend; made by `Autoencoder.bind`.

    Parameters
    ----------
    network, backend, training, input_gradient, constant
        As in `Network.bind`.
    """

    network: Autoencoder

    def encode(self, plan: Plan, inputs: Inputs) -> Array:
        """Return the codes (B, C) of the sequences of a minibatch, in packed order.

        Arguments as in `forward`; the codes are valid until the next call.
        """
        x = self._enter(inputs.on(self.backend))
        return self._chain.run(plan, x, stop=self.network.n_encoding)

    def decode(self, plan: Plan, codes: Array) -> Array:
        """Return the raw scores (P, K) of sequences as long as a plan says.

        Parameters
        ----------
        plan : Plan
        codes : array of shape (B, C)
            On the host or on the backend, in packed order.
        """
        codes = self.backend.upload(codes) if not self._on_host else codes
        return self._chain.run(plan, codes, start=self.network.n_encoding)


class Autoencoder(Network):
    """A network with a `Repeating` layer in its chain.

    Parameters
    ----------
    layers, output, dtype, memory
        As in `Network`.
    """

    bound_type = BoundAutoencoder

    @property
    def n_encoding(self) -> int:
        """How many layers make the code."""
        kinds = list(map(type, self.layers))
        return kinds.index(Repeating)

    @property
    def code_size(self) -> int:
        """C."""
        repeating = self.layers[self.n_encoding]
        assert isinstance(repeating, Repeating)
        return repeating.n_inputs

    @property
    def is_causal(self) -> bool:
        """False: every step is written once the whole sequence was read."""
        return False
