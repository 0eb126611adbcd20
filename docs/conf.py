"""The site: ``sphinx-build -W -n docs site``, after ``pip install '.[docs]'``."""

import builtins
import importlib
import re
import sys
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.nodes import make_refnode

import jobqueue
from jobqueue import errors

sys.path.insert(0, str(Path(__file__).parents[1]))  # for the tests, which write tables
from tests.docs.reference.api import MADE_BY_USERS, is_shown

PYTHON = "https://docs.python.org/3/library/"
IN_FUNCTIONS = {"bool", "complex", "float", "int", "object", "property", "type"}

project = "jobqueue"
version = release = jobqueue.__version__
copyright = "the authors of jobqueue, MIT license"  # noqa: A001 - Sphinx's name

extensions = ["myst_parser", "sphinx.ext.autodoc"]
source_suffix = {".md": "markdown"}
html_theme = "furo"
html_title = "jobqueue"
html_static_path = ["static"]
html_css_files = ["site.css"]
smartquotes = False  # they would make one dash of the two before an option
html_copy_source = False
html_show_sphinx = False

myst_heading_anchors = 4

autodoc_member_order = "bysource"
autodoc_docstring_signature = False  # no docstring begins with one
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
maximum_signature_line_length = 80
nitpicky = True

# Type variables, and types of jobqueue that no user names.
nitpick_ignore_regex = [
    ("py:.*", r"(jobqueue\..*\.|typing\.~)?(P|R|R_co|H|B)"),
    ("py:class", r"jobqueue\.(broker|job|operating|task)\..*"),
    ("py:class", r"(prometheus_client|starlette)\..*"),
]


def find_elsewhere(
    app: Sphinx, _env: object, node: nodes.Element, content: nodes.TextElement
) -> nodes.Element | None:
    """Link an error to its section, and a name of Python's library to docs.python.org.

    So a build needs no network, and no list of Python's names. A name that does not
    exist stays unresolved, which is an error.
    """
    if node.get("refdomain") != "py":
        return None
    name = node["reftarget"]
    short = name.removeprefix("jobqueue.errors.")
    if hasattr(errors, short):
        source, target = node["refdoc"], "reference/errors"
        return make_refnode(app.builder, source, target, short.lower(), content)
    if page := _page(name):
        return nodes.reference("", "", content, internal=False, refuri=PYTHON + page)
    return None


def _page(name: str) -> str | None:
    """Return the page of a name, without the address; None if there is no such name."""
    if isinstance(found := getattr(builtins, name, None), type):
        if issubclass(found, BaseException):
            return f"exceptions.html#{name}"
        return f"{'functions' if name in IN_FUNCTIONS else 'stdtypes'}.html#{name}"
    module, _, attribute = name.rpartition(".")
    if module.partition(".")[0] not in sys.stdlib_module_names:
        return None
    if not hasattr(importlib.import_module(module), attribute):
        return None
    return f"{module}.html#{name}"


def skip_member(
    _app: Sphinx, _kind: str, name: str, member: object, _skip: object, _options: object
) -> bool | None:
    """Leave out of a class what the page does not list, either."""
    return None if is_shown(name, member) else True


def hide_signature(
    _app: Sphinx,
    kind: str,
    name: str,
    _class: object,
    _options: object,
    signature: str | None,
    _returned: str | None,
) -> tuple[str, None] | None:
    """Hide how a class is called that only jobqueue itself calls."""
    is_hidden = kind == "class" and signature and name not in MADE_BY_USERS
    return ("", None) if is_hidden else None


def add_navigation(_app: Sphinx, name: str, source: list[str]) -> None:
    """Make the links of each section of the first page its part of the navigation."""
    if name == "index":
        for section in source[0].split("\n## ")[1:]:
            caption, _, links = section.partition("\n")
            pages = "\n".join(re.findall(r"\]\(([\w/-]+)\.md\)", links))
            toctree = f":hidden:\n:caption: {caption}\n\n{pages}"
            source[0] += f"\n```{{toctree}}\n{toctree}\n```\n"


def link_to_files(app: Sphinx, name: str, source: list[str]) -> None:
    """Make links to Markdown outside of docs, as README.md, downloads of the files."""

    def changed(link: re.Match[str]) -> str:
        text, path = link.groups()
        file = (Path(app.srcdir, name).parent / path).resolve()
        if file.is_relative_to(Path(app.srcdir).resolve()):
            return link[0]
        return f"{{download}}`{text.replace('`', '')} <{path}>`"

    source[0] = re.sub(r"\[([^]]+)\]\(([\w./-]+\.md)(?:#[\w-]+)?\)", changed, source[0])


def setup(app: Sphinx) -> None:
    """Add these rules to Sphinx."""
    app.connect("source-read", add_navigation)
    app.connect("source-read", link_to_files)
    app.connect("autodoc-skip-member", skip_member)
    app.connect("autodoc-process-signature", hide_signature)
    app.connect("missing-reference", find_elsewhere)
