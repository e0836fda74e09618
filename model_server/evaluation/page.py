"""An evaluation as a folder: pictures, and one page of HTML that needs nothing but itself."""

import base64
import io
import json
from html import escape
from pathlib import Path
from typing import Any, Final

from rich.table import Table

from model_server.evaluation.plots import figures_of, style
from model_server.evaluation.report import Report, caption, json_of, tables_of

_CAPTIONS: Final = {
    "quality": "Means over all cases; whiskers: 95% intervals, bootstrap over users.",
    "history": "By how much is known of the user.",
    "popularity": "Which items are recommended: the further right, the less known.",
    "staleness": "What a late state costs. Band: 95% intervals, bootstrap over users.",
}
_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1f2328; --dim: #656d76; --line: #d1d9e0; --paper: #fff; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --dim: #9198a1; --line: #3d444d; --paper: #0d1117; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 60rem;
  margin: 2.5rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; margin-bottom: 0; }
h2 { font-size: 1.05rem; margin: 2.2rem 0 .5rem; }
p, figcaption { color: var(--dim); margin: .25rem 0; font-size: .9rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .87rem; }
th, td { text-align: right; padding: .3rem .7rem; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
div { overflow-x: auto; }
figure { margin: 1.5rem 0; }
img { max-width: 100%; }
pre { font-size: .75rem; overflow-x: auto; max-height: 20rem; border: 1px solid var(--line); padding: .7rem; }
"""


def write_page(report: Report, folder: Path) -> Path:
    """Write `report.html`, and a .png and an .svg of each picture; what is there already is written over.

    Raises:
        OSError: the folder cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pictures: dict[str, bytes] = {}
    with style():
        for name, figure in figures_of(report).items():
            pictures[name] = _saved(figure, "svg")
            (folder / f"{name}.svg").write_bytes(pictures[name])
            (folder / f"{name}.png").write_bytes(_saved(figure, "png"))
    page = folder / "report.html"
    page.write_text(_html(report, pictures), encoding="utf-8")
    return page


def _saved(figure: Any, kind: str) -> bytes:
    buffer = io.BytesIO()
    # A PNG is looked at on white; the SVG takes the page's ground.
    how: dict[str, Any] = {"transparent": True, "metadata": {"Date": None}} if kind == "svg" else {"dpi": 150}
    figure.savefig(buffer, format=kind, **how)
    return buffer.getvalue()


def _html(report: Report, pictures: dict[str, bytes]) -> str:
    figures = "".join(_figure(name, picture) for name, picture in pictures.items())
    main, *others = tables_of(report)
    line = escape(json.dumps(json_of(report), indent=1))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{escape(report.title)}</title>'
        f"<style>{_STYLE}</style></head><body>\n<h1>{escape(report.title)}</h1>\n<p>{escape(caption(report))}</p>\n"
        f"{_table(main)}\n{figures}\n"
        + "\n".join(f"<h2>{escape(str(table.title))}</h2>\n{_table(table)}" for table in others)
        + f"\n<h2>As JSON</h2>\n<pre>{line}</pre>\n</body></html>\n"
    )


def _figure(name: str, svg: bytes) -> str:
    """As a data address: styles of one picture do not reach another."""
    address = f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"
    text = escape(_CAPTIONS[name])
    return f'<figure><img src="{address}" alt="{name}: {text}"><figcaption>{text}</figcaption></figure>\n'


def _table(table: Table) -> str:
    """The same table that a terminal shows."""
    head = "".join(f'<th scope="col">{escape(str(column.header))}</th>' for column in table.columns)
    rows = zip(*(column.cells for column in table.columns), strict=True)
    body = "".join("<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<div><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
