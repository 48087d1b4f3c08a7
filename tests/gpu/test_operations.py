"""The GPU's other operations, run on the host, against the reference; and what they refuse."""

import contextlib
import inspect
import threading
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from gpu.arrays import assert_waits
from gpu.conftest import require_compiler
from gpu.cupy_stand_in import CUPY, CUDARuntimeError, MemoryPool, standing_in
from gpu.host_kernels import needs_compiler
from tolerances import assert_close

from rnnkit.backends import get_backend
from rnnkit.backends.cuda import CudaBackend, products
from rnnkit.backends.cuda.kernels.sources import defined_number, kernel_parameters, kernel_source
from rnnkit.backends.cuda.launching import general_kernels
from rnnkit.backends.reference import UPDATES
from rnnkit.backends.rules import UPDATE_RULES

REFERENCE = get_backend("reference")
every_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])


def normal(*shape, dtype=np.float64, seed=0):
    return np.random.RandomState(seed).standard_normal(shape).astype(dtype)


@pytest.fixture(
    params=[
        ("kernel", "host"),
        ("cublas", "host"),
        pytest.param(("kernel", "nvidia"), marks=pytest.mark.gpu),
        pytest.param(("cublas", "nvidia"), marks=pytest.mark.gpu),
    ],
    ids="-".join,
)
def multiplying(request):
    """A backend that multiplies matrices by its own kernel, and one that does so by cuBLAS."""
    product, machine = request.param
    if machine == "nvidia":
        request.getfixturevalue("nvidia")
        backend = CudaBackend(cublas=product == "cublas")
        assert (backend.products.cublas is not None) == (product == "cublas")
        yield backend
        return
    library = request.getfixturevalue("cublas")
    require_compiler()
    with standing_in():
        yield CudaBackend(cublas=product == "cublas")
    assert (library.n_products > 0) == (product == "cublas")


@every_dtype
@pytest.mark.parametrize("transpose_a", [False, True])
@pytest.mark.parametrize("transpose_b", [False, True])
@pytest.mark.parametrize("m, k, n", [(1, 1, 1), (1, 70, 2), (67, 17, 130), (130, 3, 64)])
def test_product(m, k, n, transpose_b, transpose_a, dtype, multiplying):
    a, b = normal(m, k, dtype=dtype), normal(k, n, dtype=dtype, seed=1)
    bias, out = normal(n, dtype=dtype, seed=2), normal(m, n, dtype=dtype, seed=3)
    xp = multiplying.xp
    arrays = [xp.asarray((x.T if t else x).copy()) for x, t in ((a, transpose_a), (b, transpose_b))]
    transposed = {"transpose_a": transpose_a, "transpose_b": transpose_b}
    found = xp.asarray(out)
    multiplying.products.multiply(*arrays, found, accumulate=True, **transposed)
    expected = a.astype(np.float64) @ b
    assert_close(multiplying.download(found), expected + out, dtype, k + 1)
    multiplying.products.multiply(*arrays, found, bias=xp.asarray(bias), **transposed)
    assert_close(multiplying.download(found), expected + bias, dtype, k + 1)
    multiplying.products.multiply(*arrays, found, **transposed)
    assert_close(multiplying.download(found), expected, dtype, k)


def test_product_of_part_of_the_columns(multiplying):
    a, b = normal(9, 12, dtype=np.float32), normal(9, 5, dtype=np.float32, seed=1)
    out = multiplying.xp.empty((8, 5), np.float32)
    part = multiplying.xp.asarray(a)[:, :8]
    multiplying.products.multiply(part, multiplying.xp.asarray(b), out, transpose_a=True)
    assert_close(multiplying.download(out), a[:, :8].astype(np.float64).T @ b, np.float32, 9)


@every_dtype
@pytest.mark.parametrize("n_rows, n_inputs, n_outputs", [(0, 3, 2), (1, 1, 1), (70, 33, 5)])
def test_dense(n_rows, n_inputs, n_outputs, dtype, multiplying):
    x, dy = normal(n_rows, n_inputs, dtype=dtype), normal(n_rows, n_outputs, dtype=dtype, seed=1)
    weight, bias = normal(n_outputs, n_inputs, dtype=dtype, seed=2), normal(n_outputs, dtype=dtype)
    arrays = (x, dy, weight, bias, np.ones_like(weight), np.ones_like(bias))
    outputs = []
    for backend in (REFERENCE, multiplying):
        x, dy, weight, bias, dweight, dbias = (backend.xp.asarray(array.copy()) for array in arrays)
        dense = backend.dense(n_inputs, n_outputs, dtype)
        y = dense.forward(x, weight, bias)
        dx = dense.backward(x, dy, weight, dweight, dbias)
        outputs.append((y, dx, dweight, dbias))
    for want, got in zip(*outputs):
        assert_close(multiplying.download(got), want, dtype, n_rows + n_inputs + n_outputs)
    if n_rows == 0:  # the fixture wants to see a product
        multiplying.products.multiply(
            weight, weight, multiplying.xp.empty((2, 2), dtype), transpose_b=True
        )


@every_dtype
@pytest.mark.parametrize("n_rows, n_columns", [(0, 3), (1, 1), (256, 33), (257, 5), (3000, 40)])
def test_column_sums(n_rows, n_columns, dtype, gpu):
    """More than 256 rows are shared out; 3,000 become 12 shares."""
    a, sums = normal(n_rows, n_columns, dtype=dtype), normal(n_columns, dtype=dtype, seed=1)
    found = gpu.xp.asarray(sums)
    gpu.products.add_column_sums(gpu.xp.asarray(a), found)
    assert_close(gpu.download(found), a.astype(np.float64).sum(axis=0) + sums, dtype, n_rows + 1)


@needs_compiler
def test_column_sums_have_the_same_bits_in_every_order_of_the_threads():
    a, found = normal(700, 40, dtype=np.float32), []
    for seed in (1, 2, 3):
        with standing_in(seed):
            backend = CudaBackend(cublas=False)
            sums = backend.xp.zeros(40, np.float32)
            backend.products.add_column_sums(backend.xp.asarray(a), sums)
            found.append(backend.download(sums))
    np.testing.assert_array_equal(found[1], found[0])
    np.testing.assert_array_equal(found[2], found[0])


@every_dtype
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n, k", [(0, 3), (1, 2), (300, 7)])
def test_softmax_cross_entropy(n, k, weighted, smoothing, dtype, gpu):
    scores = 30 * normal(n, k, dtype=dtype)
    labels = np.random.RandomState(1).randint(k, size=n)
    weights = np.abs(normal(n, dtype=dtype, seed=2)) if weighted else None
    loss, dscores = REFERENCE.softmax_cross_entropy(scores, labels, weights, smoothing)
    upload = gpu.xp.asarray
    found, dfound = gpu.softmax_cross_entropy(
        upload(scores), upload(labels), None if weights is None else upload(weights), smoothing
    )
    assert_waits(gpu, 0)
    assert_close(float(found), loss, dtype, n * k)
    assert_close(gpu.download(dfound), dscores, dtype, k)
    assert_close(gpu.download(gpu.softmax(upload(scores))), REFERENCE.softmax(scores), dtype, k)


@every_dtype
@pytest.mark.parametrize("limit", [0.5, 1e9, np.inf])
@pytest.mark.parametrize("n", [1, 7, 5000, 70_000])
def test_clip_norm(n, limit, dtype, gpu):
    gradient = normal(n, dtype=dtype)
    clipped = gpu.xp.asarray(gradient)
    norm = gpu.clip_norm(clipped, limit)
    assert_waits(gpu, 0)
    assert_close(float(norm), REFERENCE.clip_norm(gradient, limit), dtype, n)
    assert_close(gpu.download(clipped), gradient, dtype, n)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_gradient_that_is_not_finite_is_left_alone(bad, gpu):
    gradient = gpu.xp.asarray(np.array([3.0, bad, 4.0]))
    assert not np.isfinite(float(gpu.clip_norm(gradient, 1.0)))
    np.testing.assert_array_equal(gpu.download(gradient), [3.0, bad, 4.0])


RULES = {
    "sgd": (("velocity",), {"momentum": 0.9, "nesterov": False}),
    "nesterov": (("velocity",), {"momentum": 0.9, "nesterov": True}),
    "rmsprop": (("square", "velocity"), {"decay": 0.9, "epsilon": 1e-8, "momentum": 0.5}),
    "adagrad": (("square",), {"epsilon": 1e-10}),
    "adadelta": (("square", "change"), {"decay": 0.9, "epsilon": 1e-6}),
    "adam": (
        ("mean", "square"),
        {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8, "weight_decay": 0.01},
    ),
}


@every_dtype
@pytest.mark.parametrize("rule", RULES)
def test_update(rule, dtype, gpu):
    names, options = RULES[rule]
    results = []
    for backend in (REFERENCE, gpu):
        parameters = backend.xp.asarray(normal(700, dtype=dtype))
        state = {name: backend.xp.zeros_like(parameters) for name in names}
        for step in (1, 2, 3):
            backend.update(
                rule.replace("nesterov", "sgd"),
                parameters,
                backend.xp.asarray(normal(700, dtype=dtype, seed=step)),
                state,
                SimpleNamespace(learning_rate=0.05, step=step),
                **options,
            )
        results.append((parameters, *state.values()))
    for want, got in zip(*results):
        assert_close(gpu.download(got), want, dtype, 16)


def test_the_kernels_have_the_rules_of_the_reference():
    kernels = kernel_parameters(kernel_source("updates"))
    assert list(kernels) == list(UPDATE_RULES)
    for rule, parameters in kernels.items():
        names = {parameter.name for parameter in parameters} - {"n"}
        assert names == set(inspect.signature(UPDATES[rule]).parameters), rule


def test_a_number_that_the_kernels_do_not_define():
    assert defined_number("#define RK_SIZE 12 /* threads */", "RK_SIZE") == 12
    with pytest.raises(ValueError, match="define no number RK_SIZE"):
        defined_number("#define RK_SIZES 12", "RK_SIZE")


def test_an_unknown_rule_is_refused(gpu):
    with pytest.raises(ValueError, match="unknown update rule 'newton'; allowed are sgd, "):
        gpu.update("newton", None, None, {}, None)


@pytest.mark.parametrize("n_rows", [0, 1, 400])
def test_rows_are_added_to_the_row_of_their_id(n_rows, gpu):
    ids = np.random.RandomState(0).randint(9, size=n_rows)
    rows, table = normal(n_rows, 5, dtype=np.float32), normal(9, 3, dtype=np.float32, seed=1)
    found = gpu.xp.asarray(table)
    gpu.add_rows(found, ids, gpu.xp.asarray(rows)[:, 1:4])
    REFERENCE.add_rows(table, ids, rows[:, 1:4])
    assert_close(gpu.download(found), table, np.float32, max(n_rows, 2))


def test_numbers_come_to_the_host_in_one_go(gpu):
    on_gpu = gpu.scalar(gpu.xp.asarray(np.array(2.5, np.float32)))
    assert_waits(gpu, 0)
    assert gpu.to_floats([1.5, on_gpu, on_gpu]) == [1.5, 2.5, 2.5]
    assert_waits(gpu, 1)


def test_an_array_comes_to_the_host(gpu):
    assert not gpu.on_host
    array, row = normal(3, 4), np.arange(3)
    on_gpu = gpu.upload(array)
    assert_waits(gpu, 0)
    np.testing.assert_array_equal(gpu.download(on_gpu), array)
    assert_waits(gpu, 1)
    np.testing.assert_array_equal(gpu.download(row), row)  # what was computed on the host


def test_an_array_of_another_dtype_is_refused(gpu):
    gradient = gpu.xp.asarray(np.ones(3, np.float32))
    with pytest.raises(TypeError, match="velocity must be of dtype float32, got float64"):
        gpu.update(
            "sgd",
            gradient,
            gradient,
            {"velocity": gpu.xp.asarray(np.ones(3))},
            SimpleNamespace(learning_rate=1.0, step=1),
            momentum=0.9,
            nesterov=False,
        )


@pytest.mark.parametrize("way", ["upload", "from_host"])
def test_an_array_of_the_host_comes_in_c_order(way, gpu):
    array = np.asfortranarray(normal(3, 4))
    found = gpu.upload(array) if way == "upload" else gpu.from_host(lambda: array)
    assert found.flags.c_contiguous
    np.testing.assert_array_equal(gpu.download(found), array)


def test_an_array_with_gaps_reaches_no_kernel(gpu):
    with pytest.raises(ValueError, match="x must lie in C order without gaps, got strides"):
        gpu.clip_norm(gpu.xp.ones(6, np.float32)[::2], 1.0)


def test_a_matrix_with_gaps_in_its_rows_reaches_no_product(multiplying):
    a = multiplying.xp.asarray(normal(4, 4, dtype=np.float32))
    out = multiplying.xp.empty((4, 4), np.float32)
    multiplying.products.multiply(a, a, out)
    for factors in ((a.T, a), (a, a.T)):
        with pytest.raises(ValueError, match="a matrix's rows must have no gaps"):
            multiplying.products.multiply(*factors, out)


def test_a_thread_that_ends_gives_its_workspace_back(cublas):
    with standing_in():
        before = MemoryPool.n_given
        thread = threading.Thread(target=CudaBackend)
        thread.start()
        thread.join()
        assert MemoryPool.n_given == before + 1
        assert cublas.n_handles == 0
        first, second = CudaBackend(), CudaBackend()
        assert first.products.cublas is second.products.cublas
        assert cublas.n_handles == 1


@pytest.mark.parametrize("machine", ["host", pytest.param("nvidia", marks=pytest.mark.gpu)])
def test_factors_are_rounded_where_tf32_is_asked_for(machine, request, monkeypatch):
    a, b = normal(20, 30, dtype=np.float32), normal(30, 10, dtype=np.float32, seed=1)
    context = standing_in()
    if machine == "nvidia":
        request.getfixturevalue("nvidia")
        context = contextlib.nullcontext()
    else:
        request.getfixturevalue("cublas")
    with context:
        found = []
        for asked in "01":
            monkeypatch.setenv("RNNKIT_CUDA_TF32", asked)
            backend = CudaBackend()
            out = backend.xp.empty((20, 10), np.float32)
            backend.products.multiply(backend.xp.asarray(a), backend.xp.asarray(b), out)
            found.append(backend.download(out))
    exact = a.astype(np.float64) @ b
    assert_close(found[0], exact, np.float32, 30)
    assert 1e-5 < np.abs(found[1] - exact).max() < 30 * 2.0**-10


def test_another_value_of_the_variable_for_tf32_is_refused(cublas, monkeypatch):
    monkeypatch.setenv("RNNKIT_CUDA_TF32", "on")
    with (
        standing_in(),
        pytest.raises(ValueError, match="RNNKIT_CUDA_TF32 must be 0 or 1, got 'on'"),
    ):
        CudaBackend()


def test_a_missing_cublas_is_said_once(monkeypatch):
    monkeypatch.setattr(products, "load_cublas", lambda: None)
    products._warn_of_missing_cublas.cache_clear()
    with standing_in():
        with pytest.warns(UserWarning, match="cuBLAS was not found, so a kernel of rnnkit's own"):
            assert CudaBackend().products.cublas is None
        with warnings.catch_warnings(action="error"):
            CudaBackend()


@needs_compiler
def test_memory_that_does_not_suffice_is_named_in_bytes():
    def ask_for_too_much():
        backend = CudaBackend(cublas=False)
        with backend.active():
            backend.xp.empty(1000, np.float32)

    message = r"GPU 0 is out of memory \(.*4,000 bytes\); it has 1000 bytes"
    with standing_in(memory_bytes=1000), pytest.raises(MemoryError, match=message):
        ask_for_too_much()


def test_the_device_is_current_inside_active_alone():
    with standing_in(n_devices=3) as cupy:
        backend = CudaBackend(2, cublas=False)
        with backend.active():
            assert cupy.cuda.Device.active[-1] == 2
        assert cupy.cuda.Device.active[-1] == 0


def test_cupy_has_what_the_stand_in_has():
    cupy = pytest.importorskip("cupy")
    assert {name for name in vars(CUPY) if not name.startswith("_")} <= set(dir(cupy))
    assert set(vars(CUPY.cuda)) <= set(dir(cupy.cuda))
    assert set(vars(CUPY.cuda.runtime)) <= set(dir(cupy.cuda.runtime))
    assert set(vars(CUPY.cuda.driver)) <= set(dir(cupy.cuda.driver))
    assert {"begin_capture", "end_capture", "null"} <= set(dir(cupy.cuda.Stream))
    assert "launch" in dir(cupy.cuda.Graph)
    pool = {name for name in vars(CUPY.cuda.MemoryPool) if not name.startswith("_")}
    assert pool - {"limit", "n_freed", "n_given"} <= set(dir(cupy.cuda.MemoryPool))
    arrays = set(vars(CUPY.ndarray))
    assert {name for name in arrays if not name.startswith("_")} <= set(dir(cupy.ndarray))


@needs_compiler
class TestStandIn:
    """What stands in for CuPy refuses what would go wrong there."""

    @pytest.fixture
    def gpu(self, host_gpu):
        return host_gpu

    @pytest.fixture
    def kernel(self, gpu):
        return general_kernels(np.dtype(np.float32)).column_sums.kernel

    def launch(self, kernel, *arguments):
        kernel((1,), (256,), arguments, shared_mem=1024)

    def test_a_missing_argument(self, kernel, gpu):
        with pytest.raises(TypeError, match="takes 5 arguments, got 1"):
            self.launch(kernel, gpu.xp.empty(3))

    @pytest.mark.parametrize(
        "matrix, rows, error",
        [
            (np.ones((2, 3), np.float64), np.int64(2), "must be ndarray of float32"),
            (np.ones((2, 3), np.float32), 2, "must be generic of int64"),
            (np.ones((2, 3), np.float32), np.int32(2), "must be generic of int64"),
        ],
    )
    def test_a_wrong_type(self, matrix, rows, error, kernel, gpu):
        sums = gpu.xp.zeros(3, np.float32)
        with pytest.raises(TypeError, match=error):
            self.launch(kernel, gpu.xp.asarray(matrix), rows, np.int64(3), np.int32(0), sums)

    def test_an_array_of_the_host(self, kernel, gpu):
        sums = gpu.xp.zeros(3, np.float32)
        with pytest.raises(TypeError, match="a must be ndarray"):
            self.launch(
                kernel, np.ones((2, 3), np.float32), np.int64(2), np.int64(3), np.int32(0), sums
            )

    def test_an_array_with_gaps(self, kernel, gpu):
        sums, matrix = gpu.xp.zeros(3, np.float32), gpu.xp.ones((2, 6), np.float32)[:, ::2]
        with pytest.raises(ValueError, match="a is not contiguous"):
            self.launch(kernel, matrix, np.int64(2), np.int64(3), np.int32(0), sums)

    def test_more_shared_memory_than_granted(self, kernel, gpu):
        with pytest.raises(ValueError, match="was granted less than 60000 bytes"):
            kernel((1,), (256,), (np.uint64(0),) * 5, shared_mem=60_000)

    def test_arrays_of_host_and_device_do_not_mix(self, gpu):
        array = gpu.xp.ones(3)
        with pytest.raises(TypeError, match="Unsupported type"):
            array + np.ones(3)
        with pytest.raises(TypeError):
            np.ones(3) + array
        with pytest.raises(TypeError, match="Implicit conversion"):
            np.asarray(array)

    def test_fresh_memory_holds_no_number(self, gpu):
        assert np.isnan(gpu.download(gpu.xp.empty((2, 2)))).all()

    def test_the_order_of_an_array_of_the_host_is_kept(self, gpu):
        array = np.asfortranarray(np.ones((2, 3)))
        assert not gpu.xp.asarray(array).flags.c_contiguous
        assert gpu.xp.asarray(array, order="C").flags.c_contiguous
        assert gpu.xp.asarray(array).copy().flags.c_contiguous

    def test_a_limit_is_that_of_all_kernels_of_the_same_text(self, kernel, gpu):
        general_kernels.cache_clear()
        other = general_kernels(np.dtype(np.float32)).column_sums.kernel
        other.max_dynamic_shared_size_bytes = 60_000
        assert kernel.max_dynamic_shared_size_bytes == 60_000
        with gpu.xp.cuda.Device(1):
            assert kernel.max_dynamic_shared_size_bytes == 48 * 1024

    def test_addresses_of_many_small_arrays_are_uploaded(self, gpu):
        few, many = [gpu.xp.ones(3)] * 8, [gpu.xp.ones(3)] * 9
        stream = gpu.xp.cuda.Stream(non_blocking=True)
        with stream:
            stream.begin_capture()
            gpu.xp.stack(few)
            with pytest.raises(CUDARuntimeError, match="addresses of arrays are uploaded"):
                gpu.xp.stack(many)
            stream.end_capture()
