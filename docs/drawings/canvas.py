"""Boxes, circles and wires on an empty axes: what the drawings of cells are made of."""

import matplotlib.pyplot as plt
from matplotlib.patches import Circle, FancyBboxPatch

GATE, STATE, OPERATION, WIRE = "#cfe2f3", "#fff2cc", "#f4cccc", "#444444"


class Canvas:
    """A drawing of so many units width and height, one unit to a centimetre or so."""

    def __init__(self, width, height):
        self.figure, self.axes = plt.subplots(figsize=(width * 0.5, height * 0.5))
        self.axes.set(xlim=(0, width), ylim=(0, height), aspect="equal")
        self.axes.axis("off")

    def box(self, x, y, label, width=1.4, height=0.9, color=GATE):
        """Draw a layer of units: weights, a bias and an activation."""
        corner = (x - width / 2, y - height / 2)
        style = "round,pad=0,rounding_size=0.12"
        patch = FancyBboxPatch(corner, width, height, style, fc=color, ec=WIRE, zorder=2)
        self.axes.add_patch(patch)
        self.text(x, y, label)

    def frame(self, x0, y0, x1, y1):
        """Draw the border of a cell."""
        style = "round,pad=0,rounding_size=0.3"
        self.axes.add_patch(
            FancyBboxPatch((x0, y0), x1 - x0, y1 - y0, style, fc="#f7f7f7", ec="#999999", zorder=0)
        )

    def operation(self, x, y, symbol):
        """Draw an operation unit by unit."""
        self.axes.add_patch(Circle((x, y), 0.34, fc=OPERATION, ec=WIRE, zorder=2))
        self.text(x, y, symbol)

    def wire(self, *points, arrow=True, dashed=False, color=WIRE):
        """Draw a line through points, with an arrowhead at the last."""
        style = "--" if dashed else "-"
        xs, ys = zip(*points, strict=True)
        self.axes.plot(xs, ys, style, color=color, lw=1.3, zorder=1)
        if arrow:
            head = {"arrowstyle": "-|>", "color": color, "lw": 0, "shrinkA": 0, "shrinkB": 0}
            (x0, y0), (x1, y1) = points[-2], points[-1]
            length = max(abs(x1 - x0), abs(y1 - y0))
            near = (x1 - 0.3 * (x1 - x0) / length, y1 - 0.3 * (y1 - y0) / length)
            self.axes.annotate("", (x1, y1), near, arrowprops=head, zorder=3)

    def dot(self, x, y):
        """Mark where a wire branches."""
        self.axes.plot([x], [y], "o", color=WIRE, ms=3.5, zorder=3)

    def text(self, x, y, label, **options):
        """Write at a point, centred."""
        self.axes.text(x, y, label, ha="center", va="center", **({"zorder": 4} | options))
