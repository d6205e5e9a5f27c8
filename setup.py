"""The README for a package index, where a relative link leads nowhere. Everything else is in pyproject.toml."""

import re
from pathlib import Path

from setuptools import setup

ROOT = Path(__file__).parent
REPOSITORY = "metertrekker/telegraf_p1"
RELATIVE_LINK = re.compile(r"(?P<image>!?)\[(?P<text>[^\]]*)\]\((?!https?:)(?P<path>[^)]+)\)")


def long_description() -> str:
    """Give the README with addresses of this version's files and pictures in place of its relative links."""
    [version] = re.findall(r'^__version__ = "(.+)"$', (ROOT / "telegraf_p1" / "__init__.py").read_text(), re.MULTILINE)
    file = f"https://github.com/{REPOSITORY}/blob/v{version}"
    picture = f"https://raw.githubusercontent.com/{REPOSITORY}/v{version}"

    def absolute(link: re.Match[str]) -> str:
        return f"{link['image']}[{link['text']}]({picture if link['image'] else file}/{link['path']})"

    return RELATIVE_LINK.sub(absolute, (ROOT / "README.md").read_text())


if __name__ == "__main__":
    setup(long_description=long_description(), long_description_content_type="text/markdown")
