"""How the documentation is built: `sphinx-build -W docs docs/_build`."""

import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "2")
here = Path(__file__).parent
sys.path.insert(0, str(here / "drawings"))

import rnnkit  # noqa: E402

project = "rnnkit"
author = "the rnnkit developers"
copyright = f"2026, {author}"
version = release = rnnkit.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.doctest",
    "sphinx.ext.intersphinx",
    "sphinx.ext.mathjax",
    "sphinx-mathjax-offline",
    "matplotlib.sphinxext.plot_directive",
    "numpydoc",
    "myst_parser",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "_templates", "gallery_source", "drawings"]
templates_path = ["_templates"]
suppress_warnings = ["myst.header", "myst.xref_missing", "config.cache"]
default_role = "literal"
nitpicky = False

autosummary_generate = True
autodoc_typehints = "none"
autodoc_member_order = "groupwise"
numpydoc_show_class_members = False  # the page of a class has each method in full
numpydoc_xref_param_type = False

# The site is built where nothing can be fetched, so links to other projects are written out.
intersphinx_mapping = {}

plot_include_source = False
plot_html_show_source_link = False
plot_html_show_formats = False
plot_formats = [("svg", 100)]
plot_basedir = "drawings"
plot_working_directory = str(here / "drawings")
plot_rcparams = {"font.size": 10, "svg.fonttype": "none", "figure.constrained_layout.use": True}
plot_apply_rcparams = True

sphinx_gallery_conf = {
    "examples_dirs": ["gallery_source"],
    "gallery_dirs": ["gallery"],
    "filename_pattern": r"/plot_",
    "subsection_order": [
        *(f"gallery_source/{name}" for name in ("tasks", "data", "memory", "training")),
        "*",
    ],
    "within_subsection_order": "FileNameSortKey",
    "ignore_pattern": r"__init__\.py",
    "abort_on_example_error": True,
    "remove_config_comments": True,
    "show_memory": False,
    "min_reported_time": 1,
    "image_scrapers": ("matplotlib",),
    "backreferences_dir": "gallery/backreferences",
    "doc_module": ("rnnkit",),
    "copyfile_regex": "",
}

html_theme = "pydata_sphinx_theme"
html_title = "rnnkit"
html_static_path = ["_static"]
html_css_files = ["rnnkit.css"]
html_show_sourcelink = False
# Pages without pages beneath them have nothing to list at the side.
flat = ("index", "install", "data", "tuning", "threads", "gpu")
flat += ("experiments", "performance", "versions", "design")
html_sidebars = {page: [] for page in flat}
html_theme_options = {
    "navbar_align": "left",
    "header_links_before_dropdown": 6,
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
    "pygments_light_style": "default",
    "footer_start": ["copyright"],
    "footer_end": [],
}


def of_scikit_learn(app, what, name, member, skip, options):
    """Leave out what estimators have from scikit-learn: its text refers to pages of that site."""
    home = getattr(member, "__module__", None) or ""
    return skip or home.startswith(("sklearn.utils", "sklearn.pipeline")) or None


def setup(app):
    """Connect the above."""
    app.connect("autodoc-skip-member", of_scikit_learn)
