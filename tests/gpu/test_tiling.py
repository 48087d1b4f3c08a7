"""How layers are spread over GPUs that are not here: what fits, and what is chosen, by counts."""

from itertools import product
from math import ceil

import pytest

from rnnkit.backends.cuda.costs import Layer, step_nanoseconds
from rnnkit.backends.cuda.device import Device
from rnnkit.backends.cuda.tiling import ALGORITHMS, choose_tiling

DEVICES = {  # multiprocessors, compute capability, shared bytes of a block
    "T4": Device(40, 75, 65536),
    "V100": Device(80, 70, 98304),
    "A100": Device(108, 80, 166912),
    "RTX 3090": Device(82, 86, 101376),
    "RTX 4090": Device(128, 89, 101376),
    "H100": Device(132, 90, 232448),
    "B200": Device(148, 100, 232448),
    "RTX 5090": Device(170, 120, 101376),
}


SHAPES = list(
    product(
        [1, 3, 4],  # gates
        [1, 7, 64, 128, 192, 256, 512, 1024, 1536, 4096],  # hidden units
        [1, 16, 64, 256, 1000],  # sequences
    )
)


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("itemsize", [4, 8])
@pytest.mark.parametrize("device", DEVICES.values(), ids=DEVICES)
def test_every_tiling_fits_its_device(device, itemsize, backward):
    sizes = (1, 2, 4, 8) if device.compute_capability >= 90 else (1,)
    for n_gates, hidden_size, n_sequences in SHAPES:
        layer = Layer(n_sequences, hidden_size, n_gates, itemsize, backward)
        for name, fitting in ALGORITHMS.items():
            tilings = list(fitting(device, layer))
            assert tilings or name in ("cluster", "grid")
            for tiling in tilings:
                assert tiling.algorithm == name
                assert tiling.shared_bytes <= device.shared_bytes
                if name == "products":
                    continue
                assert tiling.n_threads == 256
                assert tiling.team_size * tiling.units >= hidden_size
                assert tiling.cluster_size in sizes
                if name == "grid":
                    assert tiling.n_blocks <= device.n_multiprocessors
        arguments = (device, n_sequences, hidden_size, n_gates, itemsize)
        for cublas in (False, True):
            assert choose_tiling(*arguments, backward=backward, cublas=cublas)


def test_a_forced_algorithm_that_does_not_fit_is_refused():
    with pytest.raises(RuntimeError, match="RNNKIT_CUDA_ALGO='grid' does not fit hidden_size=4096"):
        choose_tiling(DEVICES["H100"], 64, 4096, 4, 4, backward=False, algorithm="grid")


def n_series(device, layer, tiling):
    """Return how many tiles a block takes one after the other in a step, or clusters do in turn."""
    if tiling.algorithm == "cluster":
        return ceil(tiling.n_teams / device.n_places(tiling.cluster_size))
    return ceil(layer.n_row_tiles(tiling.rows) / tiling.n_teams)


# Of an LSTM in float32, forward and backward: the algorithm, blocks of a team x teams, and tiles in
# series. By counts:
# - One block's shared memory holds H = 64 everywhere (65 KB of weights); eight blocks of a cluster
#   hold 256 where they have 227 KB (H100), 128 where they have 99 KB (RTX 5090). They wait for each
#   other in .3 us and not in 1.2, and 16 of 16 clusters have their place among 132 multiprocessors.
# - Without clusters a grid holds what is more, as long as every block takes one tile a step: at
#   H = 512 and B = 64 four teams of 32 blocks do, forward, on an H100. Back, a tile loads four
#   times as many factors, two lie in series, and a product is faster.
# - Where teams are fewer than tiles by far (H = 1024: one team of 128 blocks, 64 sequences are four
#   tiles) cuBLAS reads every weight once a step for all sequences, for two launches of 1.5 us.
# - One sequence is one tile: the grid loads its states alone, a product all weights.
CHOICES = {
    ("A100", 64, 64): ("cluster 1x16 1", "cluster 1x16 1"),
    ("A100", 64, 128): ("grid 4x16 1", "grid 4x16 1"),
    ("A100", 64, 256): ("grid 8x8 1", "grid 8x13 2"),
    ("A100", 64, 512): ("products", "products"),
    ("A100", 1, 512): ("grid 64x1 1", "grid 64x1 1"),
    ("A100", 1, 1024): ("products", "products"),  # 128 blocks are not there
    ("RTX 3090", 64, 64): ("cluster 1x16 1", "cluster 1x16 1"),
    ("RTX 3090", 64, 128): ("grid 4x16 1", "grid 4x16 1"),
    ("RTX 3090", 64, 256): ("grid 16x5 2", "products"),
    ("RTX 3090", 64, 512): ("products", "products"),
    ("RTX 4090", 64, 64): ("cluster 1x16 1", "cluster 1x16 1"),
    ("RTX 4090", 64, 128): ("grid 8x16 1", "grid 8x16 1"),
    ("RTX 4090", 64, 256): ("grid 16x8 1", "grid 16x8 2"),
    ("RTX 4090", 64, 512): ("products", "products"),
    ("H100", 64, 64): ("cluster 8x16 1", "cluster 8x16 1"),
    ("H100", 64, 128): ("cluster 8x16 1", "cluster 8x16 1"),
    ("H100", 64, 256): ("cluster 8x16 1", "cluster 8x16 1"),
    ("H100", 256, 256): ("cluster 8x16 1", "cluster 8x16 1"),  # of 16 sequences, not 4: no turns
    ("H100", 64, 384): ("grid 12x8 1", "products"),
    ("H100", 64, 512): ("grid 32x4 1", "products"),
    ("H100", 256, 512): ("products", "products"),
    ("H100", 64, 1024): ("products", "products"),
    ("H100", 1, 1024): ("grid 128x1 1", "grid 128x1 1"),
    ("H100", 64, 4096): ("products", "products"),
    ("RTX 5090", 64, 64): ("cluster 8x16 1", "cluster 8x16 1"),
    ("RTX 5090", 64, 128): ("cluster 8x16 1", "cluster 8x16 1"),
    ("RTX 5090", 64, 256): ("grid 16x8 1", "grid 16x10 2"),
    ("RTX 5090", 64, 512): ("products", "products"),
}


@pytest.mark.parametrize("shape", CHOICES, ids=str)
def test_what_is_chosen_follows_from_counts(shape):
    name, n_sequences, hidden_size = shape
    device, found = DEVICES[name], []
    for backward in (False, True):
        layer = Layer(n_sequences, hidden_size, 4, 4, backward)
        tiling = choose_tiling(device, n_sequences, hidden_size, 4, 4, backward=backward)
        found.append(tiling.algorithm)
        if tiling.algorithm != "products":
            series = n_series(device, layer, tiling)
            found[-1] += f" {tiling.team_size}x{tiling.n_teams} {series}"
    assert tuple(found) == CHOICES[shape]


@pytest.mark.parametrize("hidden_size", [256, 512, 1024])
def test_of_tilings_alike_but_for_tiles_in_series_the_fewest_cost_least(hidden_size):
    """Multiplications alone are the same for 4, 8 and 16 sequences a tile."""
    device, layer = DEVICES["H100"], Layer(64, hidden_size, 4, 4, False)
    tilings = [tiling for tiling in ALGORITHMS["grid"](device, layer) if tiling.units == 8]
    assert len(tilings) > 1
    series = [n_series(device, layer, tiling) for tiling in tilings]
    costs = [step_nanoseconds(device, layer, tiling, True) for tiling in tilings]
    assert sorted(costs, reverse=True) == costs
    assert sorted(series, reverse=True) == series


def test_more_clusters_than_places_take_turns():
    device = DEVICES["H100"]
    assert [device.n_places(size) for size in (1, 2, 4, 8)] == [132, 64, 32, 16]
    costs = []
    for n_sequences in (64, 128):  # 16 and 32 clusters of 8 blocks
        layer = Layer(n_sequences, 256, 4, 4, False)
        tilings = ALGORITHMS["cluster"](device, layer)
        tiling = next(t for t in tilings if (t.rows, t.units) == (4, 32))
        costs.append(step_nanoseconds(device, layer, tiling, True))
    assert costs[1] == 2 * costs[0]


def test_without_cublas_products_cost_more():
    arguments = (DEVICES["A100"], 64, 512, 4, 4)
    assert choose_tiling(*arguments, backward=False, cublas=True).algorithm == "products"
    layer = Layer(64, 512, 4, 4, False)
    (by_products,) = ALGORITHMS["products"](DEVICES["A100"], layer)
    with_it, without = (
        step_nanoseconds(DEVICES["A100"], layer, by_products, cublas) for cublas in (True, False)
    )
    assert without > 2 * with_it


def test_a_chunk_is_halved_until_it_fits():
    """An LSTM in float64: 128 factors take more than the 99 KB of many cards."""
    layer = Layer(8, 512, 4, 8, False)
    chunks = {}
    for name in ("T4", "RTX 3090", "A100", "H100"):
        first = next(ALGORITHMS["steps"](DEVICES[name], layer))
        chunks[name] = (first.rows, first.chunk)
    assert chunks == {"T4": (4, 16), "RTX 3090": (8, 32), "A100": (8, 64), "H100": (8, 128)}
