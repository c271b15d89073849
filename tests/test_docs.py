"""Links and code paths in the docs lead somewhere, and the index names every page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT

LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)
CODE_PATH = re.compile(r"`([\w./-]+/[\w.-]+\.py)`")
ROOMS = ("", "nexus_engine", "nexus_engine/training", "nexus_tui")
"""The folders from which a code path in the docs may start."""


def pages(root: Path) -> list[Path]:
    return [root / "README.md", root / "CONTRIBUTING.md", *sorted((root / "docs").glob("*.md"))]


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, made as GitHub makes them."""
    headings = HEADING.findall(page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


def dead_links(root: Path) -> Iterator[str]:
    for page in pages(root):
        for link in LINK.findall(page.read_text(encoding="utf-8")):
            if "://" in link:
                continue
            path, _, anchor = link.partition("#")
            target = page.parent / path if path else page
            if not target.exists() or (anchor and anchor not in anchors(target)):
                yield f"{page.relative_to(root)}: {link}"


def missing_code(root: Path) -> Iterator[str]:
    for page in pages(root):
        for path in CODE_PATH.findall(page.read_text(encoding="utf-8")):
            if not any((root / room / path).is_file() for room in ROOMS):
                yield f"{page.relative_to(root)}: {path}"


def missing_pages(root: Path) -> list[str]:
    index = root / "docs/README.md"
    linked = LINK.findall(index.read_text(encoding="utf-8"))
    return [p.name for p in index.parent.glob("*.md") if p != index and p.name not in linked]


def test_every_link_leads_somewhere() -> None:
    assert list(dead_links(ROOT)) == []


def test_every_code_path_exists() -> None:
    assert list(missing_code(ROOT)) == []


def test_a_code_path_that_is_gone_is_seen(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "README.md").write_text("`runs/here.py` and `runs/gone.py`")
    (tmp_path / "CONTRIBUTING.md").write_text("")
    (tmp_path / "nexus_engine/runs").mkdir(parents=True)
    (tmp_path / "nexus_engine/runs/here.py").write_text("")
    assert list(missing_code(tmp_path)) == ["README.md: runs/gone.py"]


def test_the_index_names_every_page() -> None:
    assert missing_pages(ROOT) == []


@pytest.mark.parametrize("link", ["gone.md", "docs/a.md#gone", "#gone", "docs/gone.svg"])
def test_a_dead_link_and_a_page_that_is_not_listed_are_seen(tmp_path: Path, link: str) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "README.md").write_text(f"# A name\n[x]({link}) [y](#a-name) [z](docs/a.md#b-c)")
    (tmp_path / "CONTRIBUTING.md").write_text("")
    (tmp_path / "docs/README.md").write_text("")
    (tmp_path / "docs/a.md").write_text("## B, c")
    assert list(dead_links(tmp_path)) == [f"README.md: {link}"]
    assert missing_pages(tmp_path) == ["a.md"]


def test_the_readme_stays_an_entrance() -> None:
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 150
    assert max(map(len, lines[:30])) <= 80
