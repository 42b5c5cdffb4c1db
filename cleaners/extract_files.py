"""The text of what is no HTML: plain text, PDF and DOCX, line by line, table rows joined by `` | ``."""

from __future__ import annotations

import io
import re
import zipfile
from typing import Any

from fanwen.cleaners.extract import Extracted, ExtractError
from fanwen.cleaners.html_tree import HAN, INDENT

_MOST_UNPACKED = 200 * 1024 * 1024
_SPACES = re.compile(r"[ \t\r\n\xa0]+")


def extract_text(text: str) -> Extracted:
    """A text file as it is: its lines are the document."""
    return Extracted(text.replace("\r\n", "\n").replace("\r", "\n"), "text")


def extract_pdf(body: bytes) -> Extracted:
    """The text of a PDF, pages separated by a form feed, first-line indents kept.

    Raises :class:`ExtractError` for a file that is damaged or locked by a password.
    """
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(body)
    except (pypdfium2.PdfiumError, ValueError, TypeError) as error:
        raise ExtractError(f"the PDF cannot be opened: {error}") from None
    pages: list[str] = []
    try:
        for page in document:
            text_page = page.get_textpage()
            pages.append(_pdf_page(text_page))
            text_page.close()
            page.close()
        info = document.get_metadata_dict(skip_empty=True)
    except (pypdfium2.PdfiumError, ValueError, TypeError) as error:
        raise ExtractError(f"a page of the PDF cannot be read: {error}") from None
    finally:
        document.close()
    title = _SPACES.sub(" ", info.get("Title", "")).strip()
    return Extracted("\n\f\n".join(pages), "pdf", (title,) if HAN.search(title) else ())


def _pdf_page(page: Any) -> str:
    """Lines of one PDF page; a line set further in than the page's margin gets an indent."""
    raw = page.get_text_range()
    lines: list[tuple[float, str]] = []
    at = 0
    for line in raw.split("\r\n"):
        if line.strip():
            lead = len(line) - len(line.lstrip())
            try:
                left, bottom, _, top = page.get_charbox(at + lead, loose=True)
                size = max(top - bottom, 1.0)
            except Exception:  # pdfium has no box for some generated characters
                left, size = 0.0, 1.0
            lines.append((left / size if size else left, line.strip()))
        at += len(line) + 2
    return _indented(lines)


def _indented(lines: list[tuple[float, str]]) -> str:
    if not lines:
        return ""
    edges = sorted(left for left, _ in lines)
    margin = edges[len(edges) // 10]
    return "\n".join((INDENT if 1.4 <= left - margin <= 4.5 else "") + text for left, text in lines)


def extract_docx(body: bytes) -> Extracted:
    """Paragraphs and tables of a DOCX in their order, page headers and footers left out.

    Raises :class:`ExtractError` for a file that is no DOCX, is damaged or unpacks to too much.
    """
    import docx
    from docx.table import Table

    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            if sum(item.file_size for item in archive.infolist()) > _MOST_UNPACKED:
                raise ExtractError("the DOCX unpacks to more than 200 MiB")
        document = docx.Document(io.BytesIO(body))
        lines: list[str] = []
        strong: list[str] = []
        for block in document.iter_inner_content():
            if isinstance(block, Table):
                lines += _docx_table(block)
                continue
            lines.extend(part for part in block.text.replace("\r", "\n").split("\n"))
            style = (block.style.name or "") if block.style is not None else ""
            runs = [run for run in block.runs if run.text.strip()]
            if block.text.strip() and (
                style.lower().startswith(("heading", "标题", "title")) or (runs and all(r.bold for r in runs))
            ):
                strong.append(block.text.strip())
        title = (document.core_properties.title or "").strip()
    except ExtractError:
        raise
    except Exception as error:
        raise ExtractError(f"the DOCX cannot be read: {type(error).__name__}") from None
    titles = (title,) if HAN.search(title) else ()
    return Extracted("\n".join(lines), "docx", titles, frozenset(strong))


def _docx_table(table: Any) -> list[str]:
    rows: list[str] = []
    for row in table.rows:
        cells: list[str] = []
        seen: set[int] = set()
        for cell in row.cells:
            # a merged cell is given once for each column it spans
            if id(cell._tc) in seen:
                continue
            seen.add(id(cell._tc))
            cells.append(" ".join(cell.text.split()))
        if any(cells):
            rows.append(" | ".join(cells))
    return rows
