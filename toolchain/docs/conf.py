"""Sphinx's configuration for `make docs`: the repository's Markdown as it stands, without a copy of its own.

Sphinx executes this file in the site's environment, which has nothing of tierstack but this repository's sources.
"""

# pyright: reportMissingModuleSource=false

import re
import sys
import tomllib
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from toolchain.docs import links, navigation  # noqa: E402

project = "tierstack"
version = release = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
html_title = f"tierstack {version}"

extensions = ["myst_parser"]
root_doc = navigation.HOME
include_patterns = ["*.md", "docs/*.md", "docs/*/*.md"]
exclude_patterns = [".*", "build", "dist", "rendered"]
nitpicky = True
suppress_warnings = ["misc.highlighting_failure"]  # examples leave things out by `…`, which is no Python

myst_heading_anchors = 4
myst_heading_slug_func = "toolchain.docs.links.slug"
myst_fence_as_directive = ["mermaid"]

highlight_language = "text"  # of a block that names none: output, and commands with a word on each

html_theme = "furo"
html_static_path = ["static", "../../build/docs-static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
html_theme_options = {"navigation_with_keys": True}

_FOLDER = re.compile(r"\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)#\s]+)\)")


class Mermaid(Directive):
    """A diagram that the reader's browser draws; its text stands there where no script runs."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        text = nodes.Text("\n".join(self.content)).astext()
        escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        return [nodes.raw("", f'<pre class="mermaid">\n{escaped}\n</pre>', format="html")]


def add_navigation(app: Any, page: str, source: list[str]) -> None:
    """The sidebar, which GitHub does not show, and links to folders, which a site does not have."""
    folder = (ROOT / page).parent
    fences = links.blanked(source[0], links._FENCE)

    def lead(match: re.Match[str]) -> str:
        target = folder / match[2]
        if fences[match.start()] == " " or "://" in match[2] or not target.is_dir():
            return match[0]
        first = target / "README.md"
        return f"[{match[1]}]({match[2].rstrip('/')}/README.md)" if first.exists() else match[1]

    text = _FOLDER.sub(lead, source[0])
    for caption, pages in navigation.below(page, sorted(app.env.found_docs)).items():
        named = f":caption: {caption}\n" if caption else ""
        entries = "\n".join(f"/{one}" for one in pages)
        hidden = "" if page in navigation.LISTED else ":hidden:\n"
        text += f"\n\n```{{toctree}}\n{hidden}:titlesonly:\n{named}\n{entries}\n```\n"
    source[0] = text


def add_diagrams(app: Any, page: str, template: str, context: dict[str, Any], tree: Any) -> None:
    """The library that draws is large, so only a page with a diagram loads it."""
    if 'class="mermaid"' in context.get("body", "") and (ROOT / "build/docs-static/mermaid.js").exists():
        app.add_js_file("mermaid.js")
        app.add_js_file("diagrams.js")


def setup(app: Any) -> None:
    app.add_directive("mermaid", Mermaid)
    app.connect("source-read", add_navigation)
    app.connect("html-page-context", add_diagrams)
