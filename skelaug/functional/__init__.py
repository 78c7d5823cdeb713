"""Pure tensor functions: no randomness, no state; one file per axis they act on.

Tensors are ``(N, C, T, V, M)`` = sample, coordinate, frame, joint, person. A ``mask`` is bool ``(N, T, V, M)`` or, for
whole persons, ``(N, T, 1, M)``; ``None`` means that everything is present.
"""

from skelaug.functional import gaps, graph, joints, space, time, values

__all__ = ["gaps", "graph", "joints", "space", "time", "values"]
