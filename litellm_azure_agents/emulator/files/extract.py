"""Text extraction from uploaded files."""

from __future__ import annotations

import io
import re
import zipfile

_TEXT_TYPES = frozenset({
    "c", "cpp", "cs", "css", "go", "html", "java", "js", "json", "md", "php", "py", "rb", "sh",
    "tex", "ts", "txt",
})  # fmt: skip
_OFFICE_TYPES = frozenset({"docx", "pptx"})
_TAG = re.compile(r"<[^>]+>")
_PARAGRAPH = re.compile(r"</(?:w|a):p>")
MAX_TOKENS = 2_000_000  # the service's limit on a file in a vector store
CHARACTERS_PER_TOKEN = 4


class Unreadable(Exception):
    """A file without text: `code` is the error of the vector store's file."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def text_of(filename: str, data: bytes) -> str:
    """The text of a file. Raises Unreadable with server_error, invalid_file or unsupported_file.

    To try errors on purpose: a file name that contains `server_error`, `invalid_file` or
    `unsupported_file` fails with that code.
    """
    for code in ("server_error", "invalid_file", "unsupported_file"):
        if code in filename:
            raise Unreadable(code, f"The file name {filename!r} asks for this error.")
    suffix = filename.rpartition(".")[2].lower()
    if suffix in _TEXT_TYPES:
        text = _decoded(data)
    elif suffix in _OFFICE_TYPES:
        text = _office(data)
    elif suffix == "pdf":
        text = _pdf(data)
    else:
        raise Unreadable("unsupported_file", f"Files of type {suffix!r} can't be searched.")
    if not text.strip():
        raise Unreadable("invalid_file", "The file is empty or has no text.")
    if len(text) > MAX_TOKENS * CHARACTERS_PER_TOKEN:
        raise Unreadable("invalid_file", f"The file has more than {MAX_TOKENS} tokens.")
    return text


def _decoded(data: bytes) -> str:
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        message = "The file could not be parsed: it is not UTF-8, UTF-16 or ASCII text."
        raise Unreadable("invalid_file", message) from error


def _office(data: bytes) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = sorted(
                n
                for n in archive.namelist()
                if n == "word/document.xml" or re.fullmatch(r"ppt/slides/slide\d+\.xml", n)
            )
            pages = [archive.read(name).decode("utf-8", "replace") for name in names]
    except (zipfile.BadZipFile, OSError, RuntimeError) as error:
        raise Unreadable("invalid_file", f"The file could not be parsed: {error}") from error
    return "\n".join(_TAG.sub("", _PARAGRAPH.sub("\n", page)) for page in pages)


def _pdf(data: bytes) -> str:
    """The text of a PDF's pages. Plain text named .pdf is accepted too."""
    if not data.startswith(b"%PDF"):
        return _decoded(data)
    from pypdf import PdfReader

    try:
        return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(data)).pages)
    except Exception as error:  # pypdf documents no common base of what damaged files raise
        raise Unreadable("invalid_file", f"The file could not be parsed: {error}") from error
