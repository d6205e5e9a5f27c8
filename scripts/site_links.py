"""A hook of MkDocs: links from docs/ to other files of the repository lead to them on the site, too.

On GitHub they are relative (`../deploy/p1-forward.service`), and the site has no such files.
"""

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError

_LINK = re.compile(r"\]\((\.\./[^)#\s]+)")


def on_page_markdown(markdown: str, page: Any, config: Any, **_more: Any) -> str:
    """Give the page with links out of docs/ as addresses; raise PluginError when there is no such file."""
    root = Path(config.config_file_path).parent

    def address(link: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join("docs", posixpath.dirname(page.file.src_path), link[1]))
        if path.startswith("docs/"):
            return link[0]
        if not (root / path).exists():
            raise PluginError(f"{page.file.src_path}: there is no {path}")
        return f"]({config.repo_url}/blob/main/{path}"

    return _LINK.sub(address, markdown)
