"""A report as a list of blocks, written as Markdown or as one self-contained HTML file."""

import base64
import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Heading:
    """A heading of level 1 to 3."""

    text: str
    level: int = 2


@dataclass(frozen=True)
class Text:
    """A paragraph; `**bold**` is the only mark-up."""

    text: str


@dataclass(frozen=True)
class Warn:
    """A line nobody may overlook."""

    text: str


@dataclass(frozen=True)
class Table:
    """Cells of text; the first column is left aligned, the rest right."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Figure:
    """An image file of the report's folder."""

    name: str
    caption: str


Block = Heading | Text | Warn | Table | Figure

_STYLE = """
body { font: 16px/1.55 system-ui, sans-serif; color: #1c2530; background: #fff; max-width: 62rem; margin: 2.5rem auto;
       padding: 0 1.25rem; }
h1 { font-size: 1.7rem; line-height: 1.25; } 
h2 { margin-top: 2.6rem; border-bottom: 1px solid #d8dee6; padding-bottom: .3rem; }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; font-size: .92rem; }
.scroll { overflow-x: auto; }
th, td { padding: .35rem .8rem; border-bottom: 1px solid #e5e9ef; text-align: right; white-space: nowrap; }
th { background: #f4f6f9; } th:first-child, td:first-child { text-align: left; white-space: normal; }
figure { margin: 1.5rem 0; } img { max-width: 100%; height: auto; } figcaption { color: #566270; font-size: .9rem; }
.warning { border-left: 4px solid #b3261e; background: #fdf1f0; padding: .7rem 1rem; margin: 1rem 0; }
"""


def to_markdown(blocks: Sequence[Block]) -> str:
    """The blocks as Markdown, images by relative name."""
    parts = []
    for block in blocks:
        match block:
            case Heading(text, level):
                parts.append(f"{'#' * level} {text}")
            case Text(text):
                parts.append(text)
            case Warn(text):
                parts.append(f"> **{text}**")
            case Table(header, rows):
                lines = [header, ["---"] + ["---:"] * (len(header) - 1), *rows]
                parts.append(
                    "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
                )
            case Figure(name, caption):
                parts.append(f"![{caption}]({name})")
    return "\n\n".join(parts) + "\n"


def to_html(blocks: Sequence[Block], title: str, folder: Path) -> str:
    """The blocks as one HTML page with its style and images inside; it loads nothing.

    Parameters
    ----------
    blocks : sequence of Block
        The report.
    title : str
        Of the browser's tab.
    folder : Path
        Where the images lie.
    """
    parts = []
    for block in blocks:
        match block:
            case Heading(text, level):
                parts.append(f"<h{level}>{html.escape(text)}</h{level}>")
            case Text(text):
                parts.append(f"<p>{_inline(text)}</p>")
            case Warn(text):
                parts.append(f'<p class="warning" role="alert">{_inline(text)}</p>')
            case Table(header, rows):
                head = "".join(f'<th scope="col">{_inline(cell)}</th>' for cell in header)
                body = "\n".join(
                    "<tr>" + "".join(f"<td>{_inline(cell)}</td>" for cell in row) + "</tr>" for row in rows
                )
                parts.append(
                    f'<div class="scroll"><table><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table></div>'
                )
            case Figure(name, caption):
                image = base64.b64encode((folder / name).read_bytes()).decode()
                alt = html.escape(caption, quote=True)
                parts.append(
                    f'<figure><img alt="{alt}" src="data:image/png;base64,{image}">'
                    f"<figcaption>{html.escape(caption)}</figcaption></figure>"
                )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(parts)
        + "\n</body></html>\n"
    )


def _inline(text: str) -> str:
    return re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", html.escape(text))
