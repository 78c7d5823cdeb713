"""The page that shows clips and their views as moving skeletons: one HTML file that asks nobody for anything.

:func:`skelaug.plot.view` and ``skelaug preview`` make it. ``trace`` finds out what a policy did, ``scene`` chooses what
is shown, ``page`` packs it into HTML beside ``viewer.html``, ``viewer.css``, ``viewer.js`` and three.js (``vendor``).
"""

from skelaug.preview.page import Page
from skelaug.preview.scene import Scene, make_scene
from skelaug.preview.slider import Slider

__all__ = ["Page", "Scene", "Slider", "make_scene"]
