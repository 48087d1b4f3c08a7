"""Networks as data: parameters in one vector, a chain of layers, an output with its loss."""

from rnnkit.network.crf import CRF
from rnnkit.network.ctc import CTC
from rnnkit.network.inputs import Inputs
from rnnkit.network.losses import (
    AbsoluteError,
    Bernoulli,
    HuberLoss,
    Output,
    PoissonLoss,
    QuantileLoss,
    SoftmaxCrossEntropy,
    SquaredError,
)
from rnnkit.network.network import BoundNetwork, Network, build_network
from rnnkit.network.parameters import ParameterVector
from rnnkit.network.streaming import NetworkStream
from rnnkit.network.tokens import CharacterEncoder, Embedding

__all__ = [
    "CRF",
    "CTC",
    "AbsoluteError",
    "Bernoulli",
    "BoundNetwork",
    "CharacterEncoder",
    "Embedding",
    "HuberLoss",
    "Inputs",
    "Network",
    "NetworkStream",
    "Output",
    "ParameterVector",
    "PoissonLoss",
    "QuantileLoss",
    "SoftmaxCrossEntropy",
    "SquaredError",
    "build_network",
]
