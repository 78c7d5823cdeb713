"""What ``skelaug bench`` measures: transforms, policies, views, the loss, the training step; rows of one table."""

from skelaug_contrib.bench.rows import Row, Setting, markdown, to_json

__all__ = ["Row", "Setting", "markdown", "to_json"]
