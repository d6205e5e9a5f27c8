"""A hook of MkDocs for what GitHub supports in docs/, but MkDocs does not.

Links to other files of the repository are relative (`../deploy/p1-forward.service`), but the site has no such files.
After its language, a code block may have a name, for a test.
"""

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError

_LINK = re.compile(r"\]\((\.\./[^)#\s]+)")
_NAMED_BLOCK = re.compile(r"^( *```\w+) \S+$", re.MULTILINE)


def on_page_markdown(markdown: str, page: Any, config: Any, **_more: Any) -> str:
    """Return the page with links out of docs/ as URLs; raise PluginError if a file does not exist."""
    root = Path(config.config_file_path).parent

    def address(link: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join("docs", posixpath.dirname(page.file.src_path), link[1]))
        if path.startswith("docs/"):
            return link[0]
        if not (root / path).exists():
            raise PluginError(f"{page.file.src_path}: there is no {path}")
        return f"]({config.repo_url}/blob/main/{path}"

    return _LINK.sub(address, _NAMED_BLOCK.sub(r"\1", markdown))


def on_page_content(html: str, page: Any, **_more: Any) -> str:
    """Return the page as it is; raise PluginError if a code block was not recognised, so that its fence is visible."""
    if "```" in html:
        raise PluginError(f"{page.file.src_path}: a block begins with what MkDocs does not understand")
    return html
