"""Networks of an energy, whose states settle or are drawn by it; loaded when it is asked for.

What stores or learns rows of units by an energy may enter; what reads sequences step by step is in
`rnnkit.estimators`, unless each of its steps has an energy of its own.
"""

from rnnkit.energy.belief import DeepBeliefNetwork
from rnnkit.energy.boltzmann import DeepBoltzmannMachine
from rnnkit.energy.hopfield import HopfieldNetwork
from rnnkit.energy.recurrent_rbm.model import RecurrentRBM

__all__ = ["DeepBeliefNetwork", "DeepBoltzmannMachine", "HopfieldNetwork", "RecurrentRBM"]
