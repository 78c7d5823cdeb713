"""Draw every bundled clip, to be looked at: ``python tools/sample_motion/picture.py docs/images/clips.png``."""

import sys
from pathlib import Path

from skelaug import plot, sample_motion, skeletons
from skelaug.motion import clip_names

if __name__ == "__main__":
    clips = sample_motion()
    cells = [plot.Cell(name, clips[i], clips[i]) for i, name in enumerate(clip_names())]
    figure = plot.gallery(cells, skeletons["humanoid15"], title="The bundled clips; time runs to the right")
    plot.save(figure, Path(sys.argv[1]))
