"""One step of an LSTM, with its peepholes or without."""

from canvas import Canvas


def draw(peephole):
    c = Canvas(17, 9.4)
    c.frame(1.6, 1.3, 15.2, 8.4)
    xs = {"f": 4.0, "i": 6.3, "g": 8.6, "o": 11.4}
    # the line of the cell state
    c.wire((0.7, 7.2), (xs["f"] - 0.34, 7.2))
    c.operation(xs["f"], 7.2, "×")
    c.wire((xs["f"] + 0.34, 7.2), (7.45 - 0.34, 7.2))
    c.operation(7.45, 7.2, "+")
    c.wire((7.45 + 0.34, 7.2), (16.2, 7.2))
    # the four layers, all fed by the joined input
    c.wire((0.7, 1.9), (xs["o"], 1.9), arrow=False)
    c.wire((2.6, 0.6), (2.6, 1.9), arrow=False)
    c.dot(2.6, 1.9)
    labels = {"f": r"$\sigma$", "i": r"$\sigma$", "g": r"$\phi$", "o": r"$\sigma$"}
    for gate, label in labels.items():
        x = xs[gate]
        c.wire((x, 1.9), (x, 2.75))
        if gate != "o":
            c.dot(x, 1.9)
        c.box(x, 3.2, label)
        c.text(x - 0.35, 3.95, f"${gate}_t$", fontsize=9)
    c.wire((xs["f"], 3.65), (xs["f"], 7.2 - 0.34))
    c.operation(7.45, 5.2, "×")
    c.wire((xs["i"], 3.65), (xs["i"], 5.2), (7.45 - 0.34, 5.2))
    c.wire((xs["g"], 3.65), (xs["g"], 5.2), (7.45 + 0.34, 5.2))
    c.wire((7.45, 5.2 + 0.34), (7.45, 7.2 - 0.34))
    # out of the cell
    c.dot(13.2, 7.2)
    c.wire((13.2, 7.2), (13.2, 5.95))
    c.box(13.2, 5.5, r"$\phi$")
    c.wire((13.2, 5.05), (13.2, 4.34))
    c.operation(13.2, 4.0, "×")
    c.wire((xs["o"], 3.65), (xs["o"], 4.0), (13.2 - 0.34, 4.0))
    c.wire((13.2, 3.66), (13.2, 2.2), (16.2, 2.2))
    c.dot(14.4, 2.2)
    c.wire((14.4, 2.2), (14.4, 9.0))
    if peephole:
        purple = "#8e44ad"
        c.wire((2.4, 7.2), (2.4, 2.5), (5.6, 2.5), arrow=False, dashed=True, color=purple)
        for gate in "fi":
            c.wire((xs[gate] - 0.45, 2.5), (xs[gate] - 0.45, 2.75), dashed=True, color=purple)
        c.wire((10.3, 7.2), (10.3, 3.2), (xs["o"] - 0.7, 3.2), dashed=True, color=purple)
        c.text(10.75, 5.6, "$c_t$", color=purple, fontsize=9)
        c.text(2.95, 5.0, "$c_{t-1}$", color=purple, fontsize=9)
    c.text(0.3, 7.2, "$c_{t-1}$")
    c.text(0.3, 1.9, "$h_{t-1}$")
    c.text(2.6, 0.3, "$x_t$")
    c.text(16.6, 7.2, "$c_t$")
    c.text(16.6, 2.2, "$h_t$")
    c.text(14.4, 9.2, "output")
