"""Every kernel compiled for the GPUs of today, with bounds on registers and spilled bytes."""

import re
import shutil
import subprocess

import numpy as np
import pytest

from rnnkit.backends.cuda.device import Device
from rnnkit.backends.cuda.kernels.sources import (
    general_source,
    layer_options,
    real_option,
    recurrent_source,
    resets_before,
    visit_source,
)
from rnnkit.backends.cuda.tiling import ALGORITHMS, Layer
from rnnkit.cells import CELLS, LayerSpec

ARCHITECTURES = {80: 166912, 90: 232448, 100: 232448, 120: 101376}  # shared bytes of a block
DTYPES = ("float32", "float64")
EVERY_OPTION = {"lstm": {"peephole": True, "coupled_gates": True}}
AS_CUPY_COMPILES = ("-std=c++17", "-ftz=true")
REGISTERS = 65536  # of a multiprocessor, for 256 threads of each block it holds
SIZES = (7, 64, 256, 512, 1024)  # hidden units

NVCC = shutil.which("nvcc")


def has_nvrtc():
    """Whether NVRTC can be called: the packages cuda-bindings and nvidia-cuda-nvrtc."""
    try:
        from cuda.bindings import nvrtc

        nvrtc.nvrtcVersion()
    except (ImportError, RuntimeError):
        return False
    return True


def compile_with_nvcc(source, architecture, options, folder):
    """Compile to a cubin and return what ptxas says."""
    path = folder / "kernels.cu"
    path.write_text(source, encoding="utf-8")
    command = [NVCC, f"-arch=sm_{architecture}", "-cubin", "-Xptxas=-v", "-Werror=all-warnings"]
    done = subprocess.run(
        [*command, *AS_CUPY_COMPILES, *options, "-o", str(folder / "kernels.cubin"), str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def compile_with_nvrtc(source, architecture, options, folder):
    """Compile to a cubin and return what ptxas says."""
    from cuda.bindings import nvrtc

    def call(name, *arguments):
        status, *results = getattr(nvrtc, name)(*arguments)
        return status, results

    _, (program,) = call("nvrtcCreateProgram", source.encode(), b"kernels", 0, [], [])
    flags = [f"-arch=sm_{architecture}", "--ptxas-options=-v", *AS_CUPY_COMPILES, *options]
    status, _ = call("nvrtcCompileProgram", program, len(flags), [f.encode() for f in flags])
    _, (size,) = call("nvrtcGetProgramLogSize", program)
    log = b" " * size
    call("nvrtcGetProgramLog", program, log)
    assert status == nvrtc.nvrtcResult.NVRTC_SUCCESS, log.decode()
    return log.decode()


@pytest.fixture(scope="module")
def compile_for():
    """The compiler there is: NVRTC, which users have, or nvcc."""
    if has_nvrtc():
        return compile_with_nvrtc
    if NVCC is not None:
        return compile_with_nvcc
    return pytest.skip("neither nvcc nor the packages cuda-bindings and nvidia-cuda-nvrtc are here")


def usage(log):
    """Return registers and spilled bytes of each kernel that ptxas reports."""
    names = re.findall(r"entry function '(\w+)'", log)
    registers = [int(n) for n in re.findall(r"Used (\d+) registers", log)]
    spilled = [
        int(stores) + int(loads)
        for stores, loads in re.findall(r"(\d+) bytes spill stores, (\d+) bytes spill loads", log)
    ]
    assert names
    assert len(names) == len(registers) == len(spilled)
    return dict(zip(names, zip(registers, spilled)))


def assert_within_bounds(log, n_blocks=1):
    """Assert that nothing is spilled and a multiprocessor has room for so many blocks."""
    for name, (registers, spilled) in usage(log).items():
        assert spilled == 0, f"{name} spills {spilled} bytes"
        assert n_blocks * 256 * registers <= REGISTERS, f"{name} takes {registers} registers"


def tilings(cell, architecture, dtype):
    """Return of every algorithm the largest tile that fits layers of SIZES, chosen or not."""
    device = Device(132, architecture, ARCHITECTURES[architecture])
    found = {}
    for hidden_size in SIZES:
        for backward in (False, True):
            n_gates, itemsize = len(CELLS[cell].gates), np.dtype(dtype).itemsize
            layer = Layer(256, hidden_size, n_gates, itemsize, backward)
            for algorithm, fitting in ALGORITHMS.items():
                for tiling in fitting(device, layer):
                    largest = found.setdefault(algorithm, tiling)
                    if tiling.rows * tiling.units > largest.rows * largest.units:
                        found[algorithm] = tiling
    return found


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_general_kernels(dtype, architecture, compile_for, tmp_path):
    source, options = general_source(), [real_option(dtype)]
    assert_within_bounds(compile_for(source, architecture, options, tmp_path), n_blocks=2)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("algorithm", ["cluster", "grid", "steps"])
def test_recurrent_kernels(algorithm, architecture, compile_for, tmp_path):
    """In float32, with every option at once, for every algorithm: LSTM is the largest cell."""
    spec = LayerSpec("lstm", 3, 5, cell_clip=1.0, **EVERY_OPTION["lstm"])
    tiling = tilings("lstm", architecture, "float32")[algorithm]
    flags = [*layer_options(spec, np.float32), *tiling.options()]
    for backward in (False, True):
        source = recurrent_source("lstm", backward=backward)
        assert_within_bounds(compile_for(source, architecture, flags, tmp_path))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize(
    "cell, options",
    [("rnn", {}), ("lstm", EVERY_OPTION["lstm"]), ("gru", {}), ("gru", {"reset": "before"})],
)
def test_single_visits(cell, options, architecture, compile_for, tmp_path):
    """In float64, which takes the most registers."""
    spec = LayerSpec(cell, 3, 5, cell_clip=1.0, **options)
    source = visit_source(cell, resets_before=resets_before(spec))
    log = compile_for(source, architecture, layer_options(spec, np.float64), tmp_path)
    assert_within_bounds(log, n_blocks=2)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("cell", CELLS)
def test_every_cell(cell, dtype, compile_for, tmp_path):
    tiling = tilings(cell, 90, dtype)["cluster"]
    spec = LayerSpec(cell, 3, 5, cell_clip=1.0, **EVERY_OPTION.get(cell, {}))
    flags = [*layer_options(spec, np.dtype(dtype)), *tiling.options()]
    for backward in (False, True):
        source = recurrent_source(cell, backward=backward)
        assert_within_bounds(compile_for(source, 90, flags, tmp_path))
