"""`recurrent` against torch: outputs and all gradients of random layers."""

import numpy as np
import pytest
from tolerances import assert_close

from rnnkit.functional import recurrent

torch = pytest.importorskip("torch", reason='torch is absent: pip install "rnnkit[oracle]"')

BACKENDS = ["reference", "cpu"]
MODULES = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}
N, T, N_INPUTS, H = 5, 7, 3, 4
LENGTHS = [3, 7, 1, 7, 5]


pytestmark = pytest.mark.usefixtures("torch_on_one_thread")


def draw(shape, rng):
    return torch.tensor(rng.normal(size=shape), requires_grad=True)


def run_torch(module, x, states, lengths):
    """Return y (N, T, D·H), zero past the lengths, and the final states."""
    start = tuple(states.values()) if len(states) == 2 else states["h0"]
    if lengths is None:
        y, end = module(x, start)
    else:
        packed = torch.nn.utils.rnn.pack_padded_sequence(
            x, torch.tensor(lengths), batch_first=True, enforce_sorted=False
        )
        y, end = module(packed, start)
        y, _ = torch.nn.utils.rnn.pad_packed_sequence(y, batch_first=True, total_length=T)
    return y, end if isinstance(end, tuple) else (end,)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["equal", "ragged"])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("n_layers", [1, 2, 3])
@pytest.mark.parametrize(
    "cell, options",
    [
        ("rnn", {}),
        ("rnn", {"nonlinearity": "relu"}),
        ("lstm", {}),
        ("lstm", {"bias": False}),
        ("gru", {}),
        ("gru", {"bias": False}),
    ],
)
def test_outputs_and_gradients(cell, options, n_layers, bidirectional, lengths, backend):
    rng = np.random.RandomState(0)
    module = MODULES[cell](
        N_INPUTS, H, n_layers, batch_first=True, bidirectional=bidirectional, **options
    ).double()
    for parameter in module.parameters():
        parameter.data = torch.tensor(rng.normal(size=parameter.shape) * 0.5)
    D = 1 + bidirectional
    state_names = ("h", "c") if cell == "lstm" else ("h",)
    states = {f"{name}0": draw((n_layers * D, N, H), rng) for name in state_names}
    x = draw((N, T, N_INPUTS), rng)
    y, ends = run_torch(module, x, states, lengths)
    dy = rng.normal(size=y.shape)
    dends = {f"d{name}_n": rng.normal(size=ends[0].shape) for name in state_names}
    loss = (y * torch.tensor(dy)).sum()
    for end, dend in zip(ends, dends.values()):
        loss = loss + (end * torch.tensor(dend)).sum()
    loss.backward()

    result = recurrent(
        x.detach().numpy(),
        {name: parameter.detach().numpy() for name, parameter in module.named_parameters()},
        cell,
        lengths=lengths,
        n_layers=n_layers,
        bidirectional=bidirectional,
        activation=options.get("nonlinearity", "tanh"),
        backend=backend,
        **{name: state.detach().numpy() for name, state in states.items()},
    )
    gradients = result.backward(dy, **dends)

    accumulations = n_layers * D * N * T * (N_INPUTS + H)
    outputs = {"y": (result.y, y), "h_n": (result.h_n, ends[0])}
    if cell == "lstm":
        outputs["c_n"] = (result.c_n, ends[1])
    for got, want in outputs.values():
        assert_close(got, want.detach().numpy(), np.float64, accumulations)
    expected = {"x": x, **states, **dict(module.named_parameters())}
    assert set(gradients) == set(expected)
    for name, tensor in expected.items():
        assert_close(gradients[name], tensor.grad.numpy(), np.float64, accumulations)
