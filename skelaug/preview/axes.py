"""Which axes of the data go to the right, upwards and towards the reader."""

__all__ = ["SEEN"]

#: What of the data, as (sign, axis), goes to the right, upwards and towards the reader, by the axis that points up.
SEEN = {
    "y": ((1, 0), (1, 1), (1, 2)),
    "-y": ((1, 0), (-1, 1), (-1, 2)),
    "z": ((1, 0), (1, 2), (-1, 1)),
    "-z": ((1, 0), (-1, 2), (1, 1)),
    "x": ((-1, 1), (1, 0), (1, 2)),
    "-x": ((1, 1), (-1, 0), (1, 2)),
}
