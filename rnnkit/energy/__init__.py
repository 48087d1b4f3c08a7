"""Models that give what they see an energy, and probabilities that fall with it.

What is learnt by energies, of steps or of whole patterns, may enter.
"""

from rnnkit.energy.recurrent_rbm.model import RecurrentRBM

__all__ = ["RecurrentRBM"]
