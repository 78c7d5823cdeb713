"""Pictures and films of skeletons: one body, film strips, views of a policy beside each other, what a transform did.

Two lines from an array to a picture or a film::

    import skelaug
    skelaug.plot.skeleton(x, "ntu25")                       # one moment; returns matplotlib's axes
    skelaug.plot.animate(x, policy).save("ladder.gif")      # .gif, .mp4 or .html

Left limbs are blue, right limbs orange, which colour-blind people tell apart, the rest dark; the figure before the
transform stands behind in light grey. Whoever is absent is not drawn. The camera is the same in all pictures: from a
little to the side and from above, without perspective. Data are ``(N, C, T, V, M)``, a SkeletonBatch, a tensor or a
NumPy array; one clip may come as ``(C, T, V, M)``; C = 2 is drawn flat. The axis that points up is the skeleton's.

Functions that draw on axes take ``ax=`` and return it. Without it they make a figure: one of pyplot's where pyplot is
in use, so that a notebook or ``plt.show()`` shows it; else one without a window, ``returned.figure``.
Needs the extra ``viz``, but for :func:`view`, which makes a page of moving figures and needs nothing.
Where IPython runs, a notebook shows a policy or a transform as such a page.
"""

from skelaug.plot import notebook
from skelaug.plot.films import Film, animate
from skelaug.plot.moved import difference
from skelaug.plot.pages import view
from skelaug.plot.paper import save
from skelaug.plot.sheets import Cell, gallery, ladder
from skelaug.plot.stills import skeleton, strip

__all__ = ["Cell", "Film", "animate", "difference", "gallery", "ladder", "save", "skeleton", "strip", "view"]

notebook.register()
