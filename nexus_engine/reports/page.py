"""A report as one self-contained HTML page: no script, no font, no network."""

from __future__ import annotations

from html import escape

from nexus_engine.reports.charts import COLOURS
from nexus_engine.reports.parts import Document, Section, Table

__all__ = ["page", "page_style"]

# People with a colour vision deficiency can tell these colours apart (Okabe and Ito, 2008). The
# shades of the heat map go from light to dark in one hue, and each cell shows its number.
STYLE = """
:root{color-scheme:light dark;--bg:#fff;--fg:#1c2126;--soft:#5d6771;--line:#dfe3e7;--wash:#f5f7f8;
--good:#00725a;--bad:#b34700;--c0:#0072b2;--c1:#d55e00;--c2:#009e73;--c3:#a8578a;--c4:#8a6d00;
--c5:#3d9bd1;--c6:#4b4f54;--h0:#e6f0f7;--h1:#b8d6ea;--h2:#7fb5d9;--h3:#3d8bbf;--h4:#08518f}
@media(prefers-color-scheme:dark){:root{--bg:#14181c;--fg:#e4e8eb;--soft:#9aa5af;--line:#2e363d;
--wash:#1b2126;--good:#3ec6a0;--bad:#f0914a;--c0:#5ab4e5;--c1:#f0914a;--c2:#3ec6a0;--c3:#d990bd;
--c4:#e0c04c;--c5:#9bd3f2;--c6:#b8bec4}}
*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--fg);
font:16px/1.55 system-ui,-apple-system,"Segoe UI",sans-serif}
main{max-width:62rem;margin:0 auto;padding:2rem 1.25rem 4rem}
h1{font-size:1.6rem;line-height:1.25;margin:0 0 .25rem;overflow-wrap:anywhere}
h2{font-size:1.15rem;margin:2.5rem 0 .5rem;overflow-wrap:anywhere}
p{max-width:46rem;margin:.5rem 0;color:var(--soft)}
.scroll{overflow-x:auto;margin:1rem 0}table{border-collapse:collapse;font-size:.875rem;width:100%}
th,td{padding:.4rem .75rem;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}
th{color:var(--soft);font-weight:600;white-space:nowrap}
td.r,th.r{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
tbody tr:hover{background:var(--wash)}
figure{margin:1.25rem 0}figcaption{font-weight:600;font-size:.9rem;margin-bottom:.25rem}
svg{width:100%;height:auto;max-width:47rem;display:block}
svg text{font-size:12px;fill:var(--soft)}svg .name{font-weight:600}
svg .kept{fill:var(--good)}svg .dropped{fill:var(--bad)}
.grid{stroke:var(--line)}.axis,.tick{stroke:var(--soft);fill:none}
.line{fill:none;stroke-width:2;stroke-linejoin:round}.dashed{stroke-dasharray:5 4}
.mark{stroke-width:1.5;stroke-dasharray:2 3}path.kept{stroke:var(--good)}
path.dropped{stroke:var(--bad)}path.plain{stroke:var(--soft)}
.cell{stroke:none}.cell.best{stroke:var(--fg);stroke-width:2.5}
.h0{fill:var(--h0)}.h1{fill:var(--h1)}.h2{fill:var(--h2)}.h3{fill:var(--h3)}.h4{fill:var(--h4)}
.empty{fill:var(--wash)}svg text.on{font-variant-numeric:tabular-nums}
svg text.on.h0,svg text.on.h1,svg text.on.h2{fill:#10212e}
svg text.on.h3,svg text.on.h4{fill:#fff}svg text.on.empty{fill:var(--soft)}
footer{margin-top:3rem;font-size:.85rem;color:var(--soft)}
@media print{body{font-size:11pt}h2,figure{break-inside:avoid}}
"""


def page_style() -> str:
    """The page's style, with a stroke and a fill for each colour of a chart."""
    return STYLE + "".join(
        f"path.c{i}{{stroke:var(--c{i})}}circle.c{i}{{fill:var(--c{i})}}" for i in range(COLOURS)
    )


def page(document: Document, footer: str) -> str:
    """The page as HTML; `footer` says which version made it and when."""
    body = "".join(_section(section) for section in document.sections)
    title = escape(document.title)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        # Makes the browser enforce that nothing is loaded from anywhere.
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{title}, NEXUS report</title><style>{page_style()}</style></head>"
        f"<body><main><h1>{title}</h1>{body}<footer>{escape(footer)}</footer></main></body></html>\n"
    )


def _section(section: Section) -> str:
    paragraphs = "".join(f"<p>{escape(text)}</p>" for text in section.paragraphs)
    charts = "".join(_chart(svg) for svg in section.charts)
    tables = "".join(_table(table) for table in section.tables)
    return f"<section><h2>{escape(section.title)}</h2>{paragraphs}{charts}{tables}</section>"


def _chart(svg: str) -> str:
    """A chart with its title as the caption."""
    caption = svg.split("<title>", 1)[1].split("</title>", 1)[0]
    return f"<figure><figcaption>{caption}</figcaption>{svg}</figure>"


def _table(table: Table) -> str:
    classes = [' class="r"' if right else "" for right in table.right]

    def row(cells: tuple[str, ...], tag: str) -> str:
        elements = [
            f"<{tag}{css_class}>{escape(cell)}</{tag}>"
            for cell, css_class in zip(cells, classes, strict=True)
        ]
        return f"<tr>{''.join(elements)}</tr>"

    body = "".join(row(cells, "td") for cells in table.rows)
    head = row(table.header, "th")
    return f'<div class="scroll"><table><thead>{head}</thead><tbody>{body}</tbody></table></div>'
