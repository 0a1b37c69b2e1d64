"""The body of a request -> uploaded files and fields, within limits that are checked before anything is kept."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import numpy as np
from multipart import MultipartError, ParserLimitReached, PushMultipartParser, parse_options_header
from pydantic import BaseModel, ConfigDict, model_validator
from starlette.concurrency import run_in_threadpool
from starlette.types import Receive

from hilum.errors import UsageError
from hilum.interfaces.http.names import check_known
from hilum.interfaces.http.problems import Problem

FILES, FIELDS, FIELD_BYTES = 256, 64, 64 * 1024
NAME_LENGTH = 255
TEXT = r"^[^\x00]*$"  # of a field that is put on record: PostgreSQL keeps no zero byte
VALUES, OBJECTS, STRINGS, BLOCK = 4096, 4096, 16384, 64 * 1024  # of JSON; block: bytes looked at together
JSON_BYTES = 1024**2  # of JSON that carries no image
LARGE = 4 * 1024**2  # bytes of a body that takes long enough to read for others to wait
WIDE_BYTES = 16 * 1024**2  # of JSON with letters that take 2 or 4 bytes each in memory, and then all others do, too
EXTENDED = re.compile(r";\s*filename\*\s*=\s*\"?(utf-8|iso-8859-1)'[\w-]*'([^\s;\"]+)", re.IGNORECASE)  # RFC 8187
_APPLICATIONS = ("dicom", "octet-stream", "x-image", "zip", "x-zip")  # x-image: what SageMaker's clients send
IMAGE_TYPES = ("image/", *(f"application/{name}" for name in _APPLICATIONS))


@dataclass(frozen=True, slots=True)
class Upload:
    """One received file; its name is for people, never for the disk."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Body:
    """What a request brought."""

    files: tuple[Upload, ...] = ()
    fields: Mapping[str, str] = field(default_factory=dict)
    said: Any = None  # the JSON value, where that is what was sent

    def only_file(self) -> Upload | None:
        """The file of a request that takes one, if one was sent.

        Raises:
            UsageError: there are several, or the form names a source beside it: what is left out would not be seen.
        """
        if len(self.files) > 1:
            raise UsageError(f"{len(self.files)} files were sent, and one is read: put all images into one zip")
        if self.files and self.fields.get("source"):
            raise UsageError("send a zip or name a 'source', not both")
        return self.files[0] if self.files else None


class Strict(BaseModel):
    """What a request says; a name that nobody knows is refused, for what was meant by it would not be done."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _check_names(cls, said: Any) -> Any:
        """Sooner than pydantic, which does not say what there is."""
        if isinstance(said, Mapping):
            check_known(map(str, said), [one.alias or name for name, one in cls.model_fields.items()])
        return said


async def read_bytes(receive: Receive, headers: Mapping[bytes, bytes], most: int) -> bytes:
    """The whole body.

    Raises:
        Problem: more than `most` bytes are declared or sent (413); no length, or the sender went away (400).
    """
    declared = headers.get(b"content-length")
    if declared is not None and (not declared.isdigit() or len(declared) > 15):
        raise Problem(400, "bad_length", "Content-Length must be a number")
    if declared is not None and int(declared) > most:
        raise Problem(413, "too_large", f"{int(declared):,} bytes; the limit is {most:,}", {"Connection": "close"})
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Problem(400, "gone", "the sender went away before the body was complete")
        part = message.get("body", b"")
        size += len(part)
        if size > most:
            raise Problem(413, "too_large", f"more than {most:,} bytes", {"Connection": "close"})
        parts.append(part)
        if not message.get("more_body", False):
            return parts[0] if len(parts) == 1 else b"".join(parts)


async def read_body(receive: Receive, headers: Mapping[bytes, bytes], most: int, json_bytes: int = JSON_BYTES) -> Body:
    """What a request of at most `most` bytes brought; raises like `read_bytes` and `parse`, 415 where it is packed."""
    coding = headers.get(b"content-encoding", b"").decode("latin-1")
    if coding.lower() not in ("", "identity"):
        told = f"Content-Encoding {coding[:32]!r}: send the body as it is"
        raise Problem(415, "unsupported_encoding", told, {"Accept-Encoding": "identity"})
    data = await read_bytes(receive, headers, most)
    kind = headers.get(b"content-type", b"").decode("latin-1")
    if len(data) < LARGE:
        return parse(data, kind, json_bytes)
    return await run_in_threadpool(parse, data, kind, json_bytes)


def parse(data: bytes, content_type: str, json_bytes: int = JSON_BYTES) -> Body:
    """Files and fields of a multipart form, one raw image, or a JSON value of at most `json_bytes`.

    Raises:
        Problem: 400 where the body is not what its type says, 413 beyond the limits, 415 for any other type.
    """
    kind, options = parse_options_header(content_type)
    if kind == "multipart/form-data":
        with suppress(UnicodeDecodeError):
            return _multipart(data, options.get("boundary", ""), "utf-8")
        return _multipart(data, options.get("boundary", ""), "latin-1")  # names of older programs: it never fails
    if kind == "application/json" or kind.endswith("+json"):
        if len(data) > json_bytes:
            raise Problem(413, "too_large", f"{len(data):,} bytes of JSON; the limit is {json_bytes:,} here")
        return Body(said=read_json(data))
    if kind.startswith(IMAGE_TYPES) or not kind:
        if not data:
            raise Problem(400, "empty", "the body is empty: send an image")
        return Body(files=(Upload("body", data),))
    raise Problem(415, "unsupported_type", f"{kind[:100]!r}: send multipart/form-data, an image, DICOM or JSON")


def _multipart(data: bytes, boundary: str, letters: str) -> Body:
    """`letters`: of the names; UnicodeDecodeError where they are others."""
    if not boundary or len(boundary) > 200:
        raise Problem(400, "bad_multipart", "multipart/form-data without a usable boundary")
    files: list[Upload] = []
    fields: dict[str, str] = {}
    most = FILES + FIELDS
    segment: Any = None
    pieces: list[bytes | bytearray] = []
    try:
        with PushMultipartParser(boundary, max_segment_count=most, header_charset=letters) as parser:
            for event in parser.parse(data):
                if event is None:
                    _finished(segment, b"".join(pieces), files, fields)
                elif isinstance(event, bytes | bytearray):
                    pieces.append(event)
                else:
                    segment, pieces = event, []
    except ParserLimitReached as error:
        raise Problem(413, "bad_multipart", f"the form is beyond a limit: {error}") from error
    except (MultipartError, ValueError, LookupError) as error:
        if undecoded := next((one for one in error.args if isinstance(one, UnicodeDecodeError)), None):
            raise undecoded from None
        raise Problem(400, "bad_multipart", f"the form cannot be read: {error}") from error
    return Body(tuple(files), fields)


def _finished(segment: Any, data: bytes, files: list[Upload], fields: dict[str, str]) -> None:
    name = _file_name(segment)
    if name is not None:
        if len(files) >= FILES:
            raise Problem(413, "too_many_files", f"more than {FILES} files in one request: send a zip")
        if name or data:  # else a field of a page in which nothing was chosen
            files.append(Upload(clean_name(name), data))
        return
    if len(fields) >= FIELDS or len(data) > FIELD_BYTES:
        raise Problem(413, "bad_multipart", f"more than {FIELDS} fields, or one of more than {FIELD_BYTES:,} bytes")
    fields[segment.name] = data.decode("utf-8", "replace")


def _file_name(segment: Any) -> str | None:
    """What the sender calls the file of a part, "" where it says no name; None where the part is no file.

    .NET writes `filename*` (RFC 6266, 4.3) beside a `filename` of encoded words, older clients alone.
    """
    if extended := EXTENDED.search(segment.header("Content-Disposition", "")):
        return unquote(extended[2], extended[1], "replace")
    if segment.filename is None and (segment.content_type or "").startswith(IMAGE_TYPES):
        return ""
    return None if segment.filename is None else str(segment.filename)


def clean_name(name: str) -> str:
    """A file's name without folders and control characters; it is shown and stored, never opened."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(c if c.isprintable() else "�" for c in last)[:NAME_LENGTH] or "file"


def clean_path(name: str) -> str:
    """A member's name with its folders, which may tell it from others; only the last part of one that climbs out."""
    parts = [part for part in name.replace("\\", "/").split("/") if part != "."]
    if len(parts) < 2 or "" in parts or ".." in parts or ":" in parts[0]:
        return clean_name(name)
    whole = "".join(c if c.isprintable() else "�" for c in "/".join(parts))
    return whole if len(whole) <= NAME_LENGTH else clean_name(name)


def read_json(data: bytes, values: int = VALUES, lists: int = VALUES, instead: str = "") -> Any:
    """The JSON value of a body; what would take many times its length in memory is refused before it is read.

    instead: what to do rather, at the end of the message.

    Raises:
        Problem: 400 where it is no JSON in UTF-8 (RFC 8259, 8.1); 413 beyond `values`, `lists`, OBJECTS or STRINGS,
            each counted by its mark, and where it is larger than WIDE_BYTES with letters beyond U+00FF.
    """
    limits = {b",": ("values", values), b"[": ("lists", lists), b"{": ("objects", OBJECTS), b'"': ("strings", STRINGS)}
    for mark, (name, most) in limits.items():
        if _more_than(most * (2 if mark == b'"' else 1), mark, data):
            raise Problem(413, "too_many_values", f"the JSON holds more than {most:,} {name}{instead}")
    if len(data) > WIDE_BYTES and _is_wide(data):
        raise Problem(413, "too_large", f"JSON of more than {WIDE_BYTES:,} bytes must have no letter beyond U+00FF")
    try:
        return json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise Problem(400, "bad_json", f"the body is not JSON: {str(error)[:120]}") from error


def _is_wide(data: bytes) -> bool:
    """Whether a letter lies beyond U+00FF, in UTF-8 or escaped."""
    beyond = int(np.frombuffer(data, np.uint8).max()) >= 0xC4
    return beyond or data.count(b"\\u") != data.count(b"\\u00")


def _more_than(most: int, mark: bytes, data: bytes) -> bool:
    found = 0
    for start in range(0, len(data), BLOCK):
        found += data.count(mark, start, start + BLOCK)
        if found > most:
            return True
    return False
