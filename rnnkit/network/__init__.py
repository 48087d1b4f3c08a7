"""Networks as data: layers, outputs with their losses, and what binds them to a backend.

What a network is and computes may enter; how it is trained, and what users hand over, may not.
"""

from rnnkit.network.adversarial import Adversarial, BoundAdversarial, Realness
from rnnkit.network.autoencoder import Autoencoder, BoundAutoencoder
from rnnkit.network.bound import BoundNetwork
from rnnkit.network.building import build_network
from rnnkit.network.crf import CRF
from rnnkit.network.ctc import CTC
from rnnkit.network.encoder_decoder import BoundEncoderDecoder, EncoderDecoder
from rnnkit.network.inputs import Inputs
from rnnkit.network.labels import Bernoulli, NextToken, SoftmaxCrossEntropy
from rnnkit.network.losses import (
    AbsoluteError,
    HuberLoss,
    PoissonLoss,
    QuantileLoss,
    SquaredError,
)
from rnnkit.network.network import Network
from rnnkit.network.outputs import UNKNOWN, Output, OutputContext
from rnnkit.network.parameters import ParameterVector
from rnnkit.network.quantiles import Quantiles
from rnnkit.network.recurrent_boltzmann import (
    BoltzmannOutput,
    BoundRecurrentBoltzmann,
    RecurrentBoltzmann,
)
from rnnkit.network.streaming import NetworkStream
from rnnkit.network.tokens import CharacterEncoder, Embedding
from rnnkit.network.written import WrittenLabels, WrittenNumbers

__all__ = [
    "CRF",
    "CTC",
    "UNKNOWN",
    "AbsoluteError",
    "Adversarial",
    "Autoencoder",
    "Bernoulli",
    "BoltzmannOutput",
    "BoundAdversarial",
    "BoundAutoencoder",
    "BoundEncoderDecoder",
    "BoundNetwork",
    "BoundRecurrentBoltzmann",
    "CharacterEncoder",
    "Embedding",
    "EncoderDecoder",
    "HuberLoss",
    "Inputs",
    "Network",
    "NetworkStream",
    "NextToken",
    "Output",
    "OutputContext",
    "ParameterVector",
    "PoissonLoss",
    "QuantileLoss",
    "Quantiles",
    "Realness",
    "RecurrentBoltzmann",
    "SoftmaxCrossEntropy",
    "SquaredError",
    "WrittenLabels",
    "WrittenNumbers",
    "build_network",
]
