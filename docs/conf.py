"""How Sphinx builds these pages: `sphinx-build -W docs docs/_build/html`."""

import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

import cloudfiles  # noqa: E402 -- found by the line above

project = "cloudfiles"
author = copyright = "cloudfiles developers"
version = release = cloudfiles.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
smartquotes_action = "qe"  # quotes and ellipses; "--" stays as it is, as in names of options
html_theme = "furo"
html_title = f"cloudfiles {release}"
html_copy_source = False
html_static_path = ["_static"]
html_css_files = ["site.css"]

myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the signatures name them; the text says what they mean
napoleon_use_rtype = False
napoleon_use_ivar = True


def quote_names(app, what, name, obj, options, lines):
    """Docstrings put names between single backticks; reStructuredText wants two."""
    lines[:] = re.sub(r"(?<!`)`([^`]+)`(?!`)", r"``\1``", "\n".join(lines)).split("\n")
    if what == "property":
        lines[:0] = ["..", ""]  # a comment: napoleon takes what precedes a colon in the first line for a type


def setup(app):
    app.connect("autodoc-process-docstring", quote_names, priority=0)  # before napoleon takes them apart
