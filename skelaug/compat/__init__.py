"""Adapters to other people's pipelines, one module a project; none is imported by skelaug itself."""
