"""How Sphinx builds the site: ``make docs``. Nothing here needs a network."""

from __future__ import annotations

import sys
from pathlib import Path

import skelaug

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))

project = "skelaug"
author = "The skelaug authors"
copyright = "the skelaug authors"
version = release = skelaug.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "typeset",
    "public_names",
    "concept_pictures",
    "transform_pages",
    "preview_page",
]
exclude_patterns = ["_ext", "tutorials"]
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

# --- the reference ---------------------------------------------------------------------------------------------------
autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_inherit_docstrings = False
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 100
# An example is a heading with code below it, not a box.
napoleon_numpy_docstring = False
napoleon_use_admonition_for_examples = False
napoleon_use_rtype = False
napoleon_use_ivar = True
napoleon_preprocess_types = False
toc_object_entries_show_parents = "hide"

# --- the tutorials: run by the build, shown with their output, and offered as notebooks ---------------------------
sphinx_gallery_conf = {
    "examples_dirs": "tutorials",
    "gallery_dirs": "auto_tutorials",
    "filename_pattern": "/plot_",
    "within_subsection_order": "FileNameSortKey",
    "download_all_examples": False,
    "show_signature": False,
    "min_reported_time": 600,
    "write_computation_times": False,
    "abort_on_example_error": True,
    "first_notebook_cell": "%matplotlib inline",
}
# Its copy of the configuration has a sort key that cannot be stored.
suppress_warnings = ["config.cache"]

# --- how it looks ----------------------------------------------------------------------------------------------------
html_theme = "pydata_sphinx_theme"
html_title = "skelaug"
html_static_path = ["_static"]
html_css_files = ["skelaug.css"]
html_theme_options = {
    "navbar_align": "left",
    "header_links_before_dropdown": 7,
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
html_show_sourcelink = False
html_copy_source = False
highlight_language = "default"
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
