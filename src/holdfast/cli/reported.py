"""How a command gives out a report: the language and the format that were asked for, printed or as a file."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from holdfast.cli.render import Answer, fail, render

if TYPE_CHECKING:
    from holdfast.console.reports.document import Document

FORMATS = ("md", "html", "pdf")
LangOption = Annotated[str, typer.Option(help="en or zh; without it the site's own.")]
FormatOption = Annotated[str, typer.Option("--format", help="md, html or pdf.")]
OutOption = Annotated[Path | None, typer.Option(help="The file to write; needed for pdf. Without it the report is printed.")]
FontOption = Annotated[
    Path | None, typer.Option(help="A font file with Chinese characters, for pdf; without it the system's are looked for.")
]


def demand(format: str, out: Path | None, *, json: bool) -> None:
    """Before anything is asked of the gate."""
    if format not in FORMATS:
        fail(f"no format {format!r}; there are {', '.join(FORMATS)}", json=json)
    if format == "pdf" and out is None:
        fail("a PDF is no text to print: give the file to write with --out FILE.pdf", json=json)


def language(lang: str, site: str, *, json: bool) -> str:
    """What was asked for, else the site's."""
    chosen = lang or site
    if chosen not in ("en", "zh"):
        fail(f"no language {chosen!r}: give en or zh", json=json)
    return chosen


def give(document: "Document", told: dict[str, Any], format: str, out: Path | None, font: Path | None, *, json: bool) -> NoReturn:
    """Print it or write it, and leave. `told` is JSON beside what is said of every report."""
    content = _rendered(document, format, font, json=json)
    if out is not None:
        try:
            out.write_bytes(content)
        except OSError as error:
            fail(f"--out {out} can't be written: {error.strerror}; give a file in a folder that exists", json=json)
    data = {
        **told,
        "report": document.id,
        "language": document.language,
        "format": format,
        "bytes": len(content),
        "file": None if out is None else str(out),
        "aigc": document.aigc or None,
    }
    render(Answer(data=data, lines=(content.decode(),) if out is None else (f"{document.title}: {out}",)), json=json)


def _rendered(document: "Document", format: str, font: Path | None, *, json: bool) -> bytes:
    from holdfast.console.reports import html, markdown

    if format != "pdf":
        return (markdown.text(document) if format == "md" else html.page(document)).encode()
    try:
        from holdfast.console.reports import pdf
    except ImportError as error:
        fail(f"PDF needs what `pip install holdfast[pdf]` brings ({error.name} is missing); --format html can be printed too", json=json)
    try:
        return pdf.content(document, font)
    except pdf.FontError as error:
        fail(str(error), json=json)
