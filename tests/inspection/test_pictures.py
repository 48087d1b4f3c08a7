"""Every display against its stored picture."""

import numpy as np
import pytest
from inspection.drawn import FOLDER, PICTURES, TOLERANCE, write

import rnnkit.inspection

matplotlib = pytest.importorskip("matplotlib")


def pixels(path):
    from matplotlib.image import imread

    return 255.0 * imread(path)[..., :3]


def difference(one, other):
    """The root of the mean square of the differences, of 255."""
    a, b = pixels(one), pixels(other)
    assert abs(a.shape[0] - b.shape[0]) <= 4, (a.shape, b.shape)
    assert abs(a.shape[1] - b.shape[1]) <= 4, (a.shape, b.shape)
    rows, columns = min(a.shape[0], b.shape[0]), min(a.shape[1], b.shape[1])
    return float(np.sqrt(np.mean((a[:rows, :columns] - b[:rows, :columns]) ** 2)))


@pytest.mark.parametrize("name", PICTURES)
def test_picture(name, tmp_path):
    write(name, tmp_path / "drawn.png")
    found = difference(FOLDER / f"{name}.png", tmp_path / "drawn.png")
    assert found <= TOLERANCE, f"{name} differs by {found:.1f} of 255"


def test_pictures_that_differ_are_told_apart(tmp_path, monkeypatch):
    """Half as many bands, or the other half of a map, is seen."""
    from rnnkit.inspection import ForecastDisplay, SaliencyDisplay

    monkeypatch.setattr(
        ForecastDisplay, "_draw_bands", lambda self, q: (self.predictions[:, 2], "")
    )
    plot = SaliencyDisplay.plot

    def mirrored(self, *args, **options):
        self.saliency = self.saliency[::-1]
        return plot(self, *args, **options)

    monkeypatch.setattr(SaliencyDisplay, "plot", mirrored)
    for name in ("forecast", "saliency"):
        write(name, tmp_path / "drawn.png")
        assert difference(FOLDER / f"{name}.png", tmp_path / "drawn.png") > TOLERANCE


def test_every_display_has_a_picture_and_no_picture_is_left_over():
    drawn = {type(draw()).__name__ for draw in PICTURES.values()}
    matplotlib.pyplot.close("all")
    assert drawn == {name for name in rnnkit.inspection.__all__ if name.endswith("Display")}
    assert {path.stem for path in FOLDER.glob("*.png")} == set(PICTURES)


def test_pictures_are_small():
    assert sum(path.stat().st_size for path in FOLDER.glob("*.png")) < 300_000
