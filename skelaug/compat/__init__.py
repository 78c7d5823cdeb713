"""Drop-ins for other people's pipelines: one module a project, imported by name; none needs that project installed."""
