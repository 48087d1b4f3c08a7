"""A recurrent network unrolled over time, its gradients, and where truncation cuts them."""

from canvas import STATE, Canvas

c = Canvas(17, 8.2)
red = "#c0392b"
for t in range(6):
    x = 2 + 2.6 * t
    c.box(x, 4, f"$h_{t + 1}$", color=STATE)
    c.wire((x, 1.3), (x, 3.5))
    c.text(x, 1.0, f"$x_{t + 1}$")
    c.wire((x, 4.5), (x, 6.5))
    c.box(x, 7, f"$L_{t + 1}$", color="#d9ead3")
    c.wire((x + 0.25, 6.5), (x + 0.25, 4.5), color=red, dashed=True)
    if t < 5:
        c.wire((x + 0.7, 4.15), (x + 1.9, 4.15))
        if t != 2:
            c.wire((x + 1.9, 3.8), (x + 0.7, 3.8), color=red, dashed=True)
x = 2 + 2.6 * 2 + 1.3
c.wire((x, 0.5), (x, 7.6), arrow=False, color="#888888", dashed=True)
c.text(x, 7.9, "cut of truncated BPTT", color="#666666", fontsize=9)
c.text(15.2, 0.4, "black: values, red: gradients", fontsize=9, color="#666666")
