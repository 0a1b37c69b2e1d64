"""Settings -> the wired parts of the server: records, kept images, cache, access, desks and the waiting line."""

from __future__ import annotations

import functools
import json
import logging
import shutil
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from hilum import bootstrap
from hilum.access.access import Access, Spans, open_access
from hilum.access.deed import Deed, Tell
from hilum.errors import HilumError, PackageError, RecordsError, StorageError, UnknownModel, UsageError
from hilum.flows import erase
from hilum.flows.answer import Clerk, Places
from hilum.flows.backed_up import check_openable
from hilum.flows.desks import Desks
from hilum.flows.here import Here
from hilum.flows.line import Length, Line
from hilum.flows.predict import Desk
from hilum.flows.retention import Retention
from hilum.flows.workers import Workers
from hilum.image.decode import is_dicom
from hilum.image.remarks import without_remarks
from hilum.jobs.batches import Batches
from hilum.jobs.batches import Desk as BatchDesk
from hilum.jobs.erasing import INBOX, WORKS, elsewhere
from hilum.jobs.inbox import Inbox
from hilum.jobs.works import Work, Works
from hilum.monitor.meters import Meters
from hilum.records.entry import Entry
from hilum.records.store import Records, is_noted, open_records
from hilum.registry.history import chosen
from hilum.secret import read_or_draw
from hilum.settings import Settings
from hilum.storage.cache import Cache, open_cache
from hilum.storage.images import Images, open_images

WATCH_SECONDS = 5.0
WAIT_SECONDS = 25.0  # for those who wait when the server stops, unless the database is silent: then nobody is answered
SPARE = 1024**2  # bytes of the disk without which nothing can be put on record

log = logging.getLogger("hilum.parts")


@dataclass(frozen=True, eq=False, slots=True)
class Parts:
    """Everything an endpoint may need."""

    settings: Settings
    secret: bytes
    records: Records
    images: Images
    cache: Cache
    meters: Meters
    desks: Desks
    clerk: Clerk
    line: Line
    finder: Here | Workers
    crew: bootstrap.Crew
    batches: Batches
    fetch: Callable[[str], Awaitable[bytes]] | None = None
    access: Access | None = None  # None: authentication is off, everybody on this machine may ask
    works: Works | None = None
    retention: Retention | None = None
    faults: list[str] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)
    switching: threading.Lock = field(default_factory=threading.Lock)

    def lacking(self) -> list[str]:
        """What keeps the server from answering now, in words; [] when nothing does."""
        found = list(self.faults)
        if not self.line.is_open:
            found.append("shutting down")
        if not self.records.ready() or not _has_room(self.settings.home):
            found.append("the record cannot be written")
        if self.settings.keep_images != "no" and not self.images.ready():
            found.append("images cannot be kept")
        try:
            self.desks.desk()
        except (UnknownModel, PackageError) as error:
            found.append(str(error))
        return found

    def switch(self) -> bool:
        """Let whoever was promoted on record, or is the latest, speak from now on; returns whether anything changed.

        One at a time: who looks every few seconds may have read the record before it was changed, and whoever changed
        it is told when the new one speaks.
        """
        with self.switching:
            return self._switched()

    def _switched(self) -> bool:
        found = chosen(self.records)
        if found == self.crew.chosen and not self.desks.moved():
            return False
        before, self.crew.chosen, done = self.crew.chosen, found, False
        try:
            self.desks.switch()
            done = True
        finally:
            if not done:  # whatever it was: who spoke goes on, and is asked again at the next look
                self.crew.chosen = before
        return True

    def tell(self, deed: Deed) -> None:
        """Put an act on record."""
        _written(self.records)(deed)

    def close(self) -> bool:
        """Answer who waits, commit, then let go; True when nobody was left without an answer."""
        self.closing.set()
        if self.works is not None:
            self.works.close()  # first: whatever holds up the rest, no training is left behind that was not told to end
        self.batches.close()
        if self.retention is not None:
            self.retention.close()
        served = self.line.close(WAIT_SECONDS if self.records.ready() else 1.0)
        self.finder.close()
        self.images.close()
        if self.access is not None:
            self.access.close()
        self.records.close()
        return served


def assemble(settings: Settings) -> Parts:
    """Open everything; first start makes the folder, the secret and the database.

    Raises:
        UsageError: a setting does not fit, or something it names cannot be opened.
    """
    settings.home.mkdir(parents=True, mode=0o700, exist_ok=True)
    secret, records = records_with_secret(settings)
    images = open_images(settings.images_url, secret)
    erasures = settings.home / erase.ERASURES
    cache, meters = open_cache(settings.cache_url, settings.cache_bytes, erasures), Meters()
    others = elsewhere(settings.home, secret, images)
    stores = erase.Places(records, images, cache, settings.home / erase.COPIES, erasures, others)
    crew = bootstrap.Crew(settings, chosen=chosen(records))
    finder: Here | Workers = Workers(settings.serve_workers) if settings.serve_workers else Here()
    desks = Desks(functools.partial(_desk, settings, crew), finder.open)
    clean = functools.partial(_clean, secret=secret)
    clerk = Clerk(Places(records, images, cache, meters, secret, clean), finder)
    length = Length(settings.queue, settings.deadline_ms / 1000, settings.serve_workers or settings.serve_threads)
    line = Line(clerk, length, meters)
    desk = BatchDesk(Inbox(settings.home / INBOX, secret), records, line, desks)
    retention = Retention(stores, settings.retention_days, functools.partial(log.warning, "not erased: %s"))
    parts = Parts(
        settings, secret, records, images, cache, meters, desks, clerk, line, finder, crew,
        Batches(desk, _engine_database(settings)),
        access=open_doors(settings, secret, records) if settings.auth == "on" else None,
        works=Works(settings.home / WORKS, _environment(settings), functools.partial(_begun, records)),
        retention=retention,
    )  # fmt: skip
    retention.start()
    threading.Thread(target=_watch, args=(parts,), daemon=True, name="champions").start()
    threading.Thread(target=_resume, args=(parts,), daemon=True, name="batches").start()
    return parts


def records_with_secret(settings: Settings) -> tuple[bytes, Records]:
    """The secret, drawn at the first start, and the records; one that was drawn and does not fit them is taken back.

    Where the records cannot be reached it stays: another process may have read it, and seal with it by now.

    Raises:
        UsageError: a setting does not fit; the records were made with another secret; a restore is not finished; this
            is a backup.
        RecordsError: they cannot be opened, or are gone.
    """
    check_openable(settings.home)
    noted = is_noted(settings.heads)  # before the secret: then there were records of another one
    secret, drawn = read_or_draw(settings.secret_file)
    try:
        return secret, open_records(settings.database_url, secret, settings.heads)
    except (UsageError, RecordsError) as error:
        if drawn and (
            noted or isinstance(error, UsageError)
        ):  # else whoever started together with us may go on with it
            settings.secret_file.unlink(missing_ok=True)
        raise


def _engine_database(settings: Settings) -> str:
    """Where durable work remembers its steps: a file beside the records, or the same PostgreSQL."""
    url = settings.database_url
    return url if url.startswith("postgresql") else f"sqlite:///{settings.home / 'jobs.db'}"


def _environment(settings: Settings) -> dict[str, str]:
    """What a work is told of this installation: it runs in a folder of its own, where a relative path leads nowhere."""
    key = {"HILUM_SIGNING_KEY": str(settings.signing_key)} if settings.signing_key else {}
    return {"HILUM_HOME": str(settings.home), "HILUM_MODELS": str(settings.models), **key}


def _resume(parts: Parts) -> None:
    """Batches that were not finished when the last process ended."""
    while not parts.closing.is_set():
        try:
            parts.batches.resume()
            return
        except HilumError as error:
            log.warning("batches not resumed: %s", error)
            if not isinstance(error, StorageError):
                return
        parts.closing.wait(WATCH_SECONDS)


def _watch(parts: Parts) -> None:
    """Another process may promote a package: whoever speaks on record speaks here a moment later."""
    while not parts.closing.wait(WATCH_SECONDS):
        try:
            parts.switch()
        except (HilumError, OSError, RuntimeError, SQLAlchemyError) as error:  # RuntimeError: a fault in a worker
            log.warning("champions not switched, the next look may succeed: %s", error)


def open_doors(settings: Settings, secret: bytes, records: Records) -> Access:
    """Users, keys and sessions in the database of the records, where every act of theirs is written down."""
    spans = Spans(settings.session_minutes * 60, settings.session_hours * 3600)
    return open_access(settings.database_url, secret, tell=_written(records), spans=spans)


def _written(records: Records) -> Tell:
    def tell(deed: Deed) -> None:
        body = json.dumps(deed.body(), separators=(",", ":")).encode()
        entry = Entry("act", body, deed.caller, personal=deed.personal, id=deed.id, at=deed.at)
        records.append([entry]).result()

    return tell


def _begun(records: Records, work: Work) -> None:
    _written(records)(Deed("work_begun", work.caller, work.id, {"kind": work.kind}))


def _desk(settings: Settings, crew: bootstrap.Crew, task: str, model: str | None) -> Desk:
    return bootstrap.desk(settings, task=task, model=model, crew=crew)


def _clean(data: bytes, secret: bytes) -> bytes:
    """What of a received file may be kept: DICOM only de-identified, a picture without what is written beside it."""
    if not is_dicom(data):
        return without_remarks(data)
    cleaned: bytes = import_module("hilum.image.deidentify").deidentify(data, secret)  # pydicom, for DICOM only
    return cleaned


def _has_room(folder: Path) -> bool:
    try:
        return shutil.disk_usage(folder).free >= SPARE
    except OSError:
        return False
