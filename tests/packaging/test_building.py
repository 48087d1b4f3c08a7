"""Building: the source distribution is whole and needs no network; wheels are configured."""

import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CONFIGURATION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
BUILT = {".so", ".o", ".pyc", ".pyd", ".html"}


@pytest.fixture(scope="module")
def sdist(tmp_path_factory):
    """The source distribution of what the checkout tracks, unpacked."""
    pytest.importorskip("setuptools")
    pytest.importorskip("Cython", reason="the build requirements are not installed")
    tracked = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if tracked.returncode:
        pytest.skip("this is no checkout")
    work = tmp_path_factory.mktemp("sdist")
    files = [name for name in tracked.stdout.decode().split("\0") if name]
    for name in files:
        if (ROOT / name).is_file():
            (work / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, work / "tree" / name)
    run("-c", "import setuptools.build_meta as b; b.build_sdist('..')", cwd=work / "tree")
    (archive,) = work.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        # the filter came with 3.11.4; what is unpacked is what was packed above
        packed.extractall(work, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
    return work / archive.name.removesuffix(".tar.gz"), files


def run(*command, cwd, **environment):
    """Python, with every index of packages out of reach."""
    offline = {"PIP_NO_INDEX": "1", "http_proxy": "http://0.0.0.0:9", "PYTHONPATH": ""}
    done = subprocess.run(
        [sys.executable, *command],
        cwd=cwd,
        env={**os.environ, **offline, **environment},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def test_the_source_distribution_is_whole(sdist):
    folder, tracked = sdist
    here = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    wanted = {name for name in tracked if name.split("/")[0] in ("rnnkit", "tests", "recipe")}
    assert wanted - here == set()
    assert {"LICENSE", "README.md", "CITATION.cff", "setup.py", "pyproject.toml"} <= here


def test_the_source_distribution_holds_nothing_that_was_built(sdist):
    folder, _ = sdist
    built = [path for path in folder.rglob("*") if path.suffix in BUILT]
    generated = list((folder / "rnnkit/_core").glob("*.c"))
    assert built + generated == []


@pytest.mark.slow
def test_a_wheel_is_built_from_it_without_a_network(sdist, tmp_path):
    folder, _ = sdist
    build = f"import setuptools.build_meta as b; b.build_wheel({str(tmp_path)!r})"
    # One instruction set: what is compiled is no matter here, and all take four times as long.
    run("-c", build, cwd=folder, RNNKIT_ISAS="scalar")
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    modules = [Path(name).name.split(".")[0] for name in names if name.endswith(".so")]
    assert sorted(modules) == sorted(path.stem for path in (ROOT / "rnnkit/_core").glob("*.pyx"))
    assert {f"rnnkit/_core/{module}.pyi" for module in modules} | {"rnnkit/py.typed"} <= set(names)
    assert not [name for name in names if Path(name).suffix in {".pyx", ".c", ".h", ".inl"}]
    assert {name.split("/")[0] for name in names} == {
        "rnnkit",
        wheel.name.split("-cp")[0] + ".dist-info",
    }


PYTHONS = ("cp311", "cp312", "cp313", "cp314", "cp314t")
PLATFORMS = {
    "linux:x86_64": ("manylinux_x86_64", "musllinux_x86_64"),
    "linux:aarch64": ("manylinux_aarch64", "musllinux_aarch64"),
    "macos:arm64": ("macosx_arm64",),
    "macos:x86_64": ("macosx_x86_64",),
}


@pytest.mark.parametrize("platform", PLATFORMS)
def test_wheels_are_configured_for_every_python(platform):
    pytest.importorskip("cibuildwheel", reason="needs cibuildwheel: pip install cibuildwheel")
    system, architecture = platform.split(":")
    command = ["-m", "cibuildwheel", "--platform", system, "--archs", architecture]
    printed = run(*command, "--print-build-identifiers", str(ROOT), cwd=ROOT)
    wanted = {f"{python}-{tag}" for python in PYTHONS for tag in PLATFORMS[platform]}
    assert set(printed.split()) == wanted


def test_wheels_are_configured_for_the_pythons_that_are_promised():
    promised = {
        "cp" + line.rsplit(" ")[-1].replace(".", "")
        for line in CONFIGURATION["project"]["classifiers"]
        if line.startswith("Programming Language :: Python :: 3.")
    }
    built = CONFIGURATION["tool"]["cibuildwheel"]["build"].split()
    assert {name.removesuffix("-*") for name in built} == promised | {"cp314t"} == set(PYTHONS)


def test_the_version_is_one():
    stated = CONFIGURATION["project"]["version"]
    assert f"\nversion: {stated}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f'version = "{stated}"' in (ROOT / "recipe/meta.yaml").read_text(encoding="utf-8")
    try:
        assert version("rnnkit") == stated
    except PackageNotFoundError:
        pytest.skip("rnnkit is not installed")


def test_the_recipe_asks_for_what_the_package_asks_for():
    recipe = (ROOT / "recipe/meta.yaml").read_text(encoding="utf-8")
    asked = CONFIGURATION["project"]["dependencies"] + CONFIGURATION["build-system"]["requires"]
    for requirement in asked:
        name, least = requirement.split(">=")
        assert f"- {name} >={least}\n" in recipe, requirement
