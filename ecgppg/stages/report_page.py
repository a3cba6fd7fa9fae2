"""Pieces of HTML that the run's report is put together from; a page of them loads nothing from afar."""

import base64
import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

STYLE = """
:root { --ink: #1d2830; --soft: #5a6b76; --line: #dde4e8; --blue: #1f5f8b; --paper: #fff; }
* { box-sizing: border-box; }
body { font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; color: var(--ink); background: #f3f6f8;
  margin: 0; }
main, header > div { max-width: 66rem; margin: 0 auto; padding: 0 1.2rem; }
header { background: #17364d; color: #fff; padding: 1.6rem 0 1.3rem; }
header h1 { font-size: 1.55rem; margin: 0; font-weight: 650; overflow-wrap: anywhere; }
header p { margin: .2rem 0 0; color: #c4d4df; }
nav { display: flex; flex-wrap: wrap; gap: .3rem 1.1rem; margin-top: .9rem; font-size: .95rem; }
nav a { color: #dcebf5; text-decoration: none; border-bottom: 1px solid #5d7f97; }
section { background: var(--paper); border: 1px solid var(--line); border-radius: 10px; padding: .4rem 1.4rem 1.2rem;
  margin: 1.2rem 0; }
h2 { font-size: 1.25rem; margin: .8rem 0 .5rem; } h3 { font-size: 1.02rem; margin: 1.3rem 0 .3rem; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .7rem; margin: .8rem 0; }
.tiles div { border: 1px solid var(--line); border-radius: 8px; padding: .55rem .8rem; }
.tiles b { display: block; font-size: 1.2rem; font-weight: 650; white-space: nowrap; }
.tiles span { color: var(--soft); font-size: .87rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; margin: .5rem 0; font-size: .93rem; }
section a { color: var(--blue); }
th { text-align: left; color: var(--soft); font-weight: 600; border-bottom: 2px solid var(--line); }
td { border-bottom: 1px solid var(--line); } td, th { padding: .3rem 1.2rem .3rem 0; }
td.n, th.n { white-space: nowrap; } td:last-child, th:last-child { padding-right: 0; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
figure { margin: .7rem 0; } figure img { max-width: 100%; height: auto; display: block; }
figcaption, .note { color: var(--soft); font-size: .92rem; }
.warn, .good { border-left: 4px solid #d08a1d; background: #fff6e6; padding: .5rem .9rem; border-radius: 0 6px 6px 0; }
.good { border-color: #2f8f5b; background: #eaf6ef; }
code { background: #eef2f4; padding: .05rem .3rem; border-radius: 4px; font-size: .9em; overflow-wrap: anywhere; }
footer { color: var(--soft); font-size: .9rem; max-width: 66rem; margin: 0 auto 2rem; padding: 0 1.2rem; }
@media print { body { background: #fff; } section { break-inside: avoid; } nav { display: none; } }
"""


@dataclass(frozen=True)
class Section:
    """One part of the page: its title and its HTML."""

    title: str
    body: str

    @property
    def anchor(self) -> str:
        """Its place in an address."""
        return "".join(c if c.isalnum() else "-" for c in self.title.lower())


def page(title: str, subtitle: str, sections: Sequence[Section]) -> str:
    """The whole page."""
    links = "".join(f'<a href="#{section.anchor}">{escape(section.title)}</a>' for section in sections)
    parts = "".join(f'<section id="{s.anchor}"><h2>{escape(s.title)}</h2>{s.body}</section>' for s in sections)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head>'
        f"<body><header><div><h1>{escape(title)}</h1><p>{escape(subtitle)}</p><nav>{links}</nav></div></header>"
        f"<main>{parts}</main></body></html>\n"
    )


def escape(text: object) -> str:
    """Text as it may stand in HTML."""
    return html.escape(str(text))


def tiles(facts: Iterable[tuple[str, str]]) -> str:
    """Numbers that are read first: (words, value)."""
    cells = "".join(f"<div><b>{escape(value)}</b><span>{escape(words)}</span></div>" for words, value in facts)
    return f'<div class="tiles">{cells}</div>'


def table(head: Sequence[str], rows: Iterable[Sequence[object]], n_words: int = 1) -> str:
    """A table whose first `n_words` columns are words and whose others are numbers, set to the right."""
    kinds = ['class="n"' if i >= n_words else "" for i in range(len(head))]
    top = "".join(f"<th {kind}>{escape(name)}</th>" for kind, name in zip(kinds, head, strict=True))
    body = "".join(
        f"<tr>{''.join(f'<td {kind}>{escape(cell)}</td>' for kind, cell in zip(kinds, row, strict=True))}</tr>"
        for row in rows
    )
    return f'<div class="wide"><table><tr>{top}</tr>{body}</table></div>'


def note(text: str) -> str:
    """A remark."""
    return f'<p class="note">{escape(text)}</p>'


def verdict(text: str, good: bool) -> str:
    """A line that stands out."""
    return f'<p class="{"good" if good else "warn"}">{escape(text)}</p>'


def not_run(words: str = "This stage has not run.") -> str:
    """What stands where a stage has left nothing."""
    return note(words)


def link(path: str, words: str) -> str:
    """A link to a file beside the page."""
    return f'<p><a href="{escape(path)}">{escape(words)}</a></p>'


def figure(image: bytes, words: str, caption: str = "") -> str:
    """A PNG or SVG within the page.

    Parameters
    ----------
    image : bytes
        The file's content.
    words : str
        What it shows, for those who do not see it.
    caption : str
        Shown below it.
    """
    kind = "png" if image.startswith(b"\x89PNG") else "svg+xml"
    shown = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    data = base64.b64encode(image).decode()
    return f'<figure><img alt="{escape(words)}" src="data:image/{kind};base64,{data}">{shown}</figure>'


def figures(paths: Iterable[Path]) -> str:
    """Those of the files that are there."""
    return "".join(figure(path.read_bytes(), path.stem.replace("_", " ")) for path in paths if path.is_file())
