"""Helpers of these tests, which hold none: --doctest-modules would import them a second time."""

collect_ignore = ["raw.py", "raw_base.py", "raw_images.py", "oracle_ntu.py"]
