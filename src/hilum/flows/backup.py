"""What an installation keeps -> a folder with a list of hashes, while a server goes on writing; and back again.

Copied in such an order that whatever is named is in the copy: the noted checkpoints before the records that they saw,
the records before the images and packages that they name. The list is written last: without it there is no backup.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from hilum import __version__
from hilum.durable import DRAFT, draft_beside, sync_folder, write_whole
from hilum.errors import StorageError, UsageError
from hilum.flows.backed_up import FORMAT, IMAGES, LIST, RECORDS, hash_of, listed
from hilum.flows.copying import copy_database, copy_file, inside
from hilum.flows.progress import Listener, Silent
from hilum.flows.restoring import check_free, check_restored, noted, take_back
from hilum.flows.verify import Lying, Verified, verify_as_it_lies
from hilum.secret import read_secret
from hilum.settings import Settings
from hilum.storage.images import folder_of

SECRET, HEADS = "secret.key", "journal.heads"  # in the backup
AFTER = ("training", "works", "models", "pins.jsonl")  # one pinned by hand lies there before it is pinned
HALVES = (".new", ".gone")  # behind a name: a file that is being written or erased
TRIES = 5
NEEDED = """
    INSERT OR IGNORE INTO needed SELECT image FROM other.records AS made WHERE kind = 'prediction' AND image IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM other.records AS said WHERE said.subject = made.id AND said.kind = 'erasure')
"""
ERASED = """
    SELECT image FROM records AS made WHERE kind = 'prediction' AND image IS NOT NULL GROUP BY image
    HAVING min(EXISTS (SELECT 1 FROM records AS said WHERE said.subject = made.id AND said.kind = 'erasure')) = 1
"""


@dataclass(frozen=True, slots=True)
class BackedUp:
    """How much is in the backup; apart: in words, what lies elsewhere and needs a copy of its own."""

    files: int
    bytes: int
    apart: tuple[str, ...]


def back_up(settings: Settings, to: Path, listener: Listener | None = None) -> BackedUp:
    """Copy all that is kept here into a folder that is new or empty; it is there whole or not at all.

    What a kill leaves lies in a folder of its own, beside a new one or in one that was there, and goes with the next
    backup that is made there: it takes room, and holds images.

    listener: hears how far it is.

    Raises:
        UsageError: there is nothing to back up, or the folder is not empty.
        StorageError: a database cannot be read, or the records are gone.
    """
    _check_empty(to)
    if not settings.home.is_dir():
        raise UsageError(f"{settings.home}: nothing to back up (HILUM_HOME says where the state is)")
    if settings.home.resolve() in (to.resolve(), *to.resolve().parents):
        raise UsageError(f"{to}: lies in what is to be backed up")
    check_restored(settings.home)
    _check_not_gone(settings)
    fresh = [folder for folder in to.parents if not folder.exists()]
    done: dict[str, str] = {}
    try:
        with draft_beside(to / LIST if to.exists() else to) as draft:  # the folder may be a disk of its own
            made = draft / "new"
            made.mkdir(mode=0o700)
            found = _written(settings, made, listener or Silent())
            _put_in_place(made, to)
            done = found
    finally:
        for empty in () if done else fresh:
            with suppress(OSError):  # somebody uses it
                empty.rmdir()
    return BackedUp(len(done), sum((to / name).stat().st_size for name in done), _apart(settings))


def _check_empty(to: Path) -> None:
    if to.exists() and any(not path.name.startswith(DRAFT) for path in to.iterdir()):
        raise UsageError(f"{to}: is not empty; name a folder of its own for each backup")


def _put_in_place(made: Path, to: Path) -> None:
    """At once where the folder is new; into one that was there one by one, and last the list that makes it a backup.

    Raises:
        UsageError: something was put there meanwhile.
    """
    if not to.exists():
        made.rename(to)
        sync_folder(to.parent)
        return
    _check_empty(to)
    for path in sorted(made.iterdir(), key=lambda path: path.name == LIST):
        path.rename(to / path.name)
    sync_folder(to)


def _check_not_gone(settings: Settings) -> None:
    """Raises StorageError where checkpoints of records are noted, and the file of the records holds none of them."""
    records, heads = _database(settings), settings.heads
    if records is None or not heads.is_file() or not heads.stat().st_size:
        return
    if records.exists() and _holds_checkpoints(records):
        return
    raise StorageError(
        f"the records are gone: {heads} notes checkpoints of them, and {records} is not there or holds none. A backup "
        "without them would pass for a whole one: put it back, or restore an earlier backup"
    )


def _holds_checkpoints(records: Path) -> bool:
    """Raises StorageError where it cannot be read: that is not to be gone."""
    try:
        with closing(_read_only(records)) as reading:
            if not reading.execute("SELECT 1 FROM sqlite_master WHERE name = 'checkpoints'").fetchone():
                return False
            return reading.execute("SELECT 1 FROM checkpoints LIMIT 1").fetchone() is not None
    except sqlite3.Error as error:
        raise StorageError(f"{records}: cannot be read ({error})") from error


def _read_only(database: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True, timeout=30)


def _written(settings: Settings, to: Path, listener: Listener) -> dict[str, str]:
    """Name -> hash of all that is in the backup by now."""
    done = _records_and_images(settings, to, listener)
    listener.stage("copying training copies, works and packages")
    done |= _copied(_afterwards(settings), to, listener)
    if RECORDS in done:
        done = _without_copies_of_erased(done, to)
    made = {
        "format": FORMAT,
        "hilum": __version__,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "files": done,
    }
    write_whole(to / LIST, json.dumps(made, indent=1).encode())
    (to / LIST).chmod(0o600)
    return done


def restore(
    source: Path, settings: Settings, *, with_faults: bool = False, listener: Listener | None = None
) -> Verified | None:
    """Check a backup, then copy it to where the settings say; None where it holds no records.

    with_faults: restore records that do not verify, too. What faults there are is in what is returned; without
    `with_faults` nothing is restored then. listener: hears how far it is.

    Raises:
        UsageError: no backup, or something is there already. StorageError: a file of the backup is damaged.
    """
    said, listener = listed(source), listener or Silent()
    places = {name: _place(name, settings) for name in said}
    take_back(settings.home)
    check_free(settings.home, places.values(), [places[name] for name in (RECORDS, IMAGES) if name in places])
    _check_whole(source, said, listener)
    found = None
    if RECORDS in said:
        secret = read_secret(_secret_for(source, said, settings))
        images = str(source / "images") if IMAGES in said else None
        found = verify_as_it_lies(Lying(source / RECORDS, source / HEADS, images), secret, listener)
        if found.faults and not with_faults:
            return found
    with noted(settings.home, places.values()):
        _put_back(source, said, places, listener)
    return found


def _check_whole(source: Path, said: dict[str, str], listener: Listener) -> None:
    """Raises StorageError where a file of the backup is not the one that was written."""
    listener.stage("looking at the files of the backup", len(said))
    for looked, (name, digest) in enumerate(said.items(), 1):
        if not (source / name).is_file() or hash_of(source / name) != digest:
            raise StorageError(f"{source / name}: is missing or not as it was backed up; nothing was restored")
        listener.done(looked, len(said))


def _records_and_images(settings: Settings, to: Path, listener: Listener) -> dict[str, str]:
    """What is erased while it is copied is taken out by copying again: else its record would name a lost image.

    Raises:
        StorageError: something was erased every time.
    """
    for _ in range(TRIES):
        listener.stage("copying records and images")
        done = _copied(_kept(settings), to, listener)
        records = _database(settings)
        both = records is not None and RECORDS in done and IMAGES in done
        if records is None or not both or _erasures(records) == _erasures(to / RECORDS):
            left = _without_unnamed(done, to) if both else list(done)
            return {name: done[name] or hash_of(to / name) for name in left}
        for name in done:
            (to / name).unlink()
    raise StorageError(f"images were erased each of the {TRIES} times they were copied; back up when that is over")


def _copied(files: Iterable[tuple[str, Path]], to: Path, listener: Listener) -> dict[str, str]:
    """Name -> hash; "" for a database, from whose copy something may still be taken."""
    done: dict[str, str] = {}
    for name, source in files:
        if name in (RECORDS, IMAGES):
            copy_database(source, to / name)
            done[name] = ""
        elif (digest := copy_file(source, to / name)) is not None:
            done[name] = digest
        listener.done(len(done))
    return done


def _erasures(database: Path) -> int:
    """How many are on record; each is before its image goes."""
    try:
        with closing(_read_only(database)) as reading:
            return int(reading.execute("SELECT count(*) FROM records WHERE kind = 'erasure'").fetchone()[0])
    except sqlite3.Error as error:
        raise StorageError(f"{database}: cannot be read ({error})") from error


def _without_unnamed(done: dict[str, str], to: Path) -> list[str]:
    """Names without the images that no copied record needs: erased on record and yet to go, or left over by a crash."""
    try:
        with closing(sqlite3.connect(to / IMAGES, isolation_level=None)) as copy:
            copy.execute("PRAGMA journal_mode=MEMORY").fetchall()  # nothing of them in a file that is then removed
            copy.execute("PRAGMA secure_delete=ON").fetchall()
            copy.execute("ATTACH ? AS other", (str(to / RECORDS),))
            copy.execute("CREATE TEMP TABLE needed (key TEXT PRIMARY KEY)")
            copy.execute(NEEDED)
            copy.execute("DELETE FROM images WHERE key NOT IN (SELECT key FROM needed)")
            large = [name for name in done if name.startswith("images/large/")]
            asked = "SELECT count(*) FROM needed WHERE key = ?"
            unnamed = [name for name in large if not copy.execute(asked, (Path(name).name,)).fetchone()[0]]
    except sqlite3.Error as error:
        raise StorageError(f"{to / IMAGES}: cannot be read ({error})") from error
    for name in unnamed:
        (to / name).unlink()
    return [name for name in done if name not in unnamed]


def _without_copies_of_erased(done: dict[str, str], to: Path) -> dict[str, str]:
    """Without training copies of images whose erasure is in these records: it had yet to reach the copies."""
    try:
        with closing(sqlite3.connect(to / RECORDS)) as records:
            erased = {str(row[0]) for row in records.execute(ERASED)}
    except sqlite3.Error as error:
        raise StorageError(f"{to / RECORDS}: cannot be read ({error})") from error
    going = {name for name in done if name.startswith("training/") and Path(name).name.partition(".")[0] in erased}
    for name in going:
        (to / name).unlink()
    return {name: digest for name, digest in done.items() if name not in going}


def _put_back(source: Path, said: dict[str, str], places: dict[str, Path], listener: Listener) -> None:
    """All or nothing; every file is one that was not there before."""
    done: list[Path] = []
    listener.stage("copying it back", len(places))
    try:
        for name, place in places.items():
            done.append(place)
            if copy_file(source / name, place) != said[name]:
                raise StorageError(f"{source / name}: changed while it was read; nothing was restored")
            listener.done(len(done), len(places))
        done.clear()  # of what is to be taken away
    except FileExistsError:  # it was free a moment ago: whose it is, it is not ours
        done.pop()
        raise
    finally:  # Ctrl+C and SIGTERM too
        for path in done:
            path.unlink(missing_ok=True)


def _kept(settings: Settings) -> Iterator[tuple[str, Path]]:
    """Name in the backup and file, in the order of copying."""
    records, images = _database(settings), _images(settings)
    first = {HEADS: settings.heads, RECORDS: records, IMAGES: images and images / "images.sqlite"}
    if settings.home in settings.secret_file.parents:
        first = {SECRET: settings.secret_file, **first}
    for name, file in first.items():
        if file is not None and file.is_file():
            yield name, file
    if images is not None:
        yield from _below(images / "large", "images/large")


def _afterwards(settings: Settings) -> Iterator[tuple[str, Path]]:
    for name in AFTER:
        file = settings.home / name
        if file.is_file():
            yield name, file
        yield from _below(file, name)


def _below(folder: Path, name: str) -> Iterator[tuple[str, Path]]:
    for path in sorted(inside(folder)):
        parts = path.relative_to(folder)
        if path.is_file() and path.suffix not in HALVES and not any(part.startswith(".") for part in parts.parts):
            yield f"{name}/{parts.as_posix()}", path


def _place(name: str, settings: Settings) -> Path:
    """Where a file of a backup belongs.

    Raises:
        UsageError: the settings name a server or a bucket for it, or it is none of ours.
    """
    if name.startswith("/") or ".." in Path(name).parts:
        raise UsageError(f"{LIST}: names {name!r}, which lies outside the backup")
    whole, images = {SECRET: settings.secret_file, RECORDS: _database(settings)}, _images(settings)
    place = whole.get(name, settings.home / name)
    if name.startswith("images/"):
        place = images / name.removeprefix("images/") if images else None
    if place is None:
        what = "HILUM_IMAGES_URL" if name.startswith("images/") else "HILUM_DATABASE_URL"
        raise UsageError(f"the backup holds {name}, and {what} names a place that is none of files: leave it out")
    return place


def _secret_for(source: Path, said: dict[str, str], settings: Settings) -> Path:
    file = source / SECRET if SECRET in said else settings.secret_file
    if not file.is_file():
        raise UsageError(f"{file}: the secret is not in the backup; put it there, or name it with HILUM_SECRET_FILE")
    return file


def _apart(settings: Settings) -> tuple[str, ...]:
    """What a backup of this machine cannot hold."""
    found = []
    if _database(settings) is None:
        found.append("the records, users and keys are in PostgreSQL: pg_dump, now (after this backup)")
    if _images(settings) is None:
        found.append("the images are in a bucket: copy it with its own tool, after the database")
    if settings.home not in settings.secret_file.parents:
        found.append(f"the secret, {settings.secret_file}: without it no row can be proven")
    links = sorted(place for place in inside(settings.home / "models") if place.is_symlink())
    return (*found, *(f"the package behind {place}, which is a link" for place in links))


def _database(settings: Settings) -> Path | None:
    file = settings.database_url.removeprefix("sqlite:///")
    return Path(file) if file != settings.database_url else None


def _images(settings: Settings) -> Path | None:
    return folder_of(settings.images_url)
