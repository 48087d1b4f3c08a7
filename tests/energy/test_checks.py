"""scikit-learn's own checks of the networks of an energy, with none expected to fail."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from rnnkit.energy import DeepBeliefNetwork, DeepBoltzmannMachine, HopfieldNetwork

CHECKED = [
    DeepBeliefNetwork((20, 20), pretrain_iter=2, solver="lbfgs", binarize=0.0),
    DeepBeliefNetwork(30, pretrain_iter=2, learning_rate_init=0.03),
    DeepBoltzmannMachine((4, 3), pretrain_iter=1, max_iter=2),
    DeepBoltzmannMachine(4, max_iter=2, binarize=0.0, transform_layers="all"),
    HopfieldNetwork(),
    HopfieldNetwork("hebb", update="synchronous"),
    HopfieldNetwork("pseudo-inverse"),
    HopfieldNetwork("softmax"),
    HopfieldNetwork("softmax", update="asynchronous", beta=0.1),
]


@parametrize_with_checks(CHECKED)
def test_scikit_learn_check(estimator, check):
    check(estimator)
