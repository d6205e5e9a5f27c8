"""A hook of MkDocs: what GitHub shows and MkDocs does not.

Links from docs/ to other files of the repository (`../deploy/p1-forward.service`) lead to GitHub, since the site has
no such files. The names of blocks (```toml influxdb) go, by which tests find them: superfences takes no such block.
"""

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError

_NAME = re.compile(r"^( *```\w+) [\w-]+$", re.MULTILINE)
_LINK = re.compile(r"\]\((\.\./[^)#\s]+)")


def on_page_markdown(markdown: str, page: Any, config: Any, **_more: Any) -> str:
    """Give the page as MkDocs takes it; raise PluginError when a link leads to a file that is not there."""
    root = Path(config.config_file_path).parent

    def address(link: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join("docs", posixpath.dirname(page.file.src_path), link[1]))
        if path.startswith("docs/"):
            return link[0]
        if not (root / path).exists():
            raise PluginError(f"{page.file.src_path}: there is no {path}")
        return f"]({config.repo_url}/blob/main/{path}"

    return _NAME.sub(r"\1", _LINK.sub(address, markdown))
