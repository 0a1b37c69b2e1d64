"""POST /predict: files in, recorded answers out. A plain ASGI endpoint, because every request's cost starts here."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Scope, Send

from hilum.errors import Full, HilumError, InputError, UsageError
from hilum.flows.answer import Ask, Reply
from hilum.flows.line import Line
from hilum.flows.predict import Desk, Options, check_options
from hilum.interfaces.http import problems
from hilum.interfaces.http.again import Again
from hilum.interfaces.http.asked import caller_of, unpacked
from hilum.interfaces.http.batch import TOGETHER, Sending, taken, wants_no_waiting
from hilum.interfaces.http.body import JSON_BYTES, Body, Upload, clean_name, read_body
from hilum.interfaces.http.names import check_near
from hilum.interfaces.http.packed import is_zip
from hilum.interfaces.http.problems import Problem
from hilum.model.calibration import read_prevalence
from hilum.parts import Parts

YES, NO = ("1", "true", "yes", "on"), ("0", "false", "no", "off")
JSON_TYPE = b"application/json"
FIELDS = ("task", "model", "operating_point", "prevalence", "keep")
Sent = tuple[int, list[tuple[bytes, bytes]], bytes]  # status, headers, body


class Predict:
    """The endpoint; one for each application."""

    route = "/predict"

    images_in_json = False

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._again = Again(parts)
        self._options: dict[tuple[str, str | None, str, str | None], tuple[Desk, Options]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; every failure is a problem."""
        since = time.perf_counter()
        try:
            status, headers, body = await self._answer(scope, receive, since)
        except Exception as error:
            response = problems.from_error(error)
            self._parts.meters.request(self.route, response.status_code, time.perf_counter() - since)
            await response(scope, receive, send)
            return
        raw = [(b"content-type", JSON_TYPE), (b"content-length", b"%d" % len(body)), *headers]
        await send({"type": "http.response.start", "status": status, "headers": raw})
        await send({"type": "http.response.body", "body": body})
        self._parts.meters.request(self.route, status, time.perf_counter() - since)

    async def _answer(self, scope: Scope, receive: Receive, since: float) -> Sent:
        headers = dict(scope["headers"])
        if self._parts.line.full:
            self._parts.meters.away("full")
            raise Full("too many requests wait already: try again in a moment")
        most = self._parts.settings.upload_bytes
        body = await read_body(receive, headers, most, most if self.images_in_json else JSON_BYTES)
        given = {**dict(parse_qsl(scope["query_string"].decode("latin-1"))), **body.fields}
        check_near(given, FIELDS)
        files, key = await self.files(body, given), headers.get(b"idempotency-key")
        if not body.files:  # fetched, or out of JSON: beside the body
            unpacked(scope, sum(len(one.data) for one in files))
        if wants_no_waiting(headers) or len(files) > TOGETHER or any(is_zip(file.data) for file in files):
            sending = await run_in_threadpool(self._sending, files)
            if sending.large or wants_no_waiting(headers):
                (like,) = await self._asks([Upload("", b"")], given, caller_of(scope), since)
                return await taken(self._parts, like, given.get("model") or None, sending.files(), key)
            unpacked(scope, sending.size)
            files = await run_in_threadpool(list, sending.files())
        asks = await self._asks(files, given, caller_of(scope), since)
        if key is None:
            replies = await replies_of(self._parts.line, asks)
            again = False
        else:
            replies, again = await self._again.answer(asks, key, partial(replies_of, self._parts.line))
        if isinstance(replies[0], Reply):
            scope.setdefault("state", {})["stages"] = replies[0].timings  # for traces
        return _response(files, replies, again=again)

    def _sending(self, files: Sequence[Upload]) -> Sending:
        settings = self._parts.settings
        return Sending(files, settings.max_bytes, settings.upload_bytes)

    async def files(self, body: Body, given: dict[str, str]) -> Sequence[Upload]:
        """The images of a request; a JSON body also adds to the fields that were given."""
        return body.files or (await self._fetched(body, given),)

    async def _asks(self, files: Sequence[Upload], given: Mapping[str, str], caller: str, since: float) -> list[Ask]:
        task, model = given.get("task") or "auto", given.get("model") or None
        desks = self._parts.desks
        desk = desks.opened(task, model)
        if desk is None:
            desk = await run_in_threadpool(desks.desk, task, model)
        known = (task, model, given.get("operating_point") or "balanced", given.get("prevalence") or None)
        checked, options = self._options.get(known, (None, Options()))
        if checked is not desk:  # who speaks may have changed since
            options = Options(known[2], read_prevalence(known[3]))
            check_options(options, desk)
            if checked is not None:
                self._options.clear()  # nothing keeps open who spoke before
            if len(self._options) < 256:
                self._options[known] = desk, options
        keep = keeps(self._parts.settings.keep_images, given.get("keep"))
        named = task if model is None else f"{task} {model}"
        return [Ask(one.data, one.name, desk, named, options, caller, keep, None, since) for one in files]

    async def _fetched(self, body: Body, given: dict[str, str]) -> Upload:
        """The image a JSON body points at; other members of the object are read as fields."""
        said = body.said
        if not isinstance(said, dict) or not isinstance(said.get("image_url"), str):
            raise Problem(
                400, "no_image", "send a file in the field 'file', an image as the body, or {\"image_url\": …}"
            )
        check_near(said, (*FIELDS, "image_url"))
        given.update(fields_of(said))
        if self._parts.fetch is None:
            raise Problem(
                403, "image_url_off", "image_url is off here: the operator allows hosts in HILUM_IMAGE_URL_HOSTS"
            )
        url = said["image_url"]
        data = await self._parts.fetch(url)
        return Upload(clean_name(urlsplit(url).path), data)  # what stands behind the ? may be a key


async def replies_of(line: Line, asks: Sequence[Ask]) -> list[Reply | HilumError]:
    """All at once into the line; of several files one that cannot be read does not stop the others."""
    waiting = [asyncio.wrap_future(one) for one in line.enter_all(asks)]
    if len(waiting) == 1:
        return [await waiting[0]]
    found = await asyncio.gather(*waiting, return_exceptions=True)
    unexpected = next((one for one in found if not isinstance(one, Reply | InputError)), None)
    if unexpected is not None:
        raise unexpected
    return found  # type: ignore[return-value]


def fields_of(said: Mapping[str, Any]) -> dict[str, str]:
    """The fields among the members of a JSON object, as a form would bring them; several shares may be a list.

    Raises:
        UsageError: a field is neither a word nor a number: an answer that leaves it out would be one to less.
    """
    given = {name: said[name] for name in FIELDS if said.get(name) is not None}
    if isinstance(shares := given.get("prevalence"), list) and shares and all(map(_is_share, shares)):
        given["prevalence"] = ",".join(map(str, shares))
    for name, value in given.items():
        if not isinstance(value, str | int | float):
            raise UsageError(
                f"{name} must be {'numbers' if name == 'prevalence' else 'a word'}, not a list or an object"
            )
    return {name: str(value) for name, value in given.items()}


def _is_share(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def keeps(setting: str, said: str | None) -> bool:
    """Whether the image may be kept: what the operator set, and what the caller said.

    Raises:
        UsageError: neither yes nor no was said.
    """
    word = (said or "").lower()
    if word and word not in (*YES, *NO):
        raise UsageError(f"keep={said!r}: say true or false")
    return setting != "no" and (word in YES if setting == "ask" else word not in NO)


def _response(files: Sequence[Upload], replies: Sequence[Reply | HilumError], *, again: bool) -> Sent:
    answered = [reply for reply in replies if isinstance(reply, Reply)]
    hit = bool(answered) and all(reply.cached for reply in answered)
    headers = [(b"x-cache", b"hit" if hit else b"miss"), (b"cache-control", b"no-store")]
    if again:
        headers.append((b"idempotent-replayed", b"true"))
    if len(replies) == 1 and len(answered) == 1:
        headers.append((b"etag", b'"%s"' % answered[0].etag.encode()))
        if len(answered[0].bodies) == 1:
            return 200, headers, answered[0].bodies[0]
    parts: list[bytes] = []
    for file, reply in zip(files, replies, strict=True):
        parts.extend(reply.bodies if isinstance(reply, Reply) else [_unread(file, reply)])
    return 200, headers, b'{"predictions":[' + b",".join(parts) + b"]}"


def _unread(file: Upload, error: HilumError) -> bytes:
    said: dict[str, Any] = {"file": file.name, "error": getattr(error, "reason", str(error)), "code": error.code}
    return json.dumps(said).encode()
