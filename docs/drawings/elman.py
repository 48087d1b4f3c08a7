"""One step of an Elman network."""

from canvas import Canvas

c = Canvas(11, 6.5)
c.frame(2.2, 1.4, 8.8, 5.2)
c.wire((0.9, 3.3), (4.2, 3.3))
c.wire((3.5, 0.6), (3.5, 2.7), (4.2, 2.7))
c.box(5, 3, r"$\phi$", height=1.4)
c.wire((5.7, 3), (7.4, 3), (10.2, 3))
c.dot(7.4, 3)
c.wire((7.4, 3), (7.4, 5.9))
c.text(0.5, 3.3, "$h_{t-1}$")
c.text(3.5, 0.3, "$x_t$")
c.text(10.6, 3, "$h_t$")
c.text(7.4, 6.2, "output")
c.text(5, 4.6, "Elman cell", color="#777777")
