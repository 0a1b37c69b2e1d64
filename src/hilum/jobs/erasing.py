"""What is to be erased -> files of batches that wait, uploads of audits and evaluations gone; what stays, in words.

Predictions themselves are erased in flows/erase.py, which asks here for what is none (yet). Knows no database.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from hilum.durable import sweep_untaken
from hilum.errors import NotFound, UsageError, printable
from hilum.flows.erase import Elsewhere, Found, Wanted
from hilum.jobs.downloaded import Downloaded
from hilum.jobs.inbox import OPEN, ORDER, Inbox, Order
from hilum.jobs.learnt import Fetched, Trained, files_in
from hilum.jobs.works import REPORT, STATE, Work, read_work
from hilum.secret import content_names
from hilum.storage.images import Images

INBOX, WORKS = "inbox", "works"  # below HILUM_HOME


def elsewhere(home: Path, secret: bytes, images: Images) -> tuple[Elsewhere, ...]:
    """Everything of an installation that holds images or names beside its records and kept images."""
    content = content_names(secret)
    waiting, uploads = Batches(Inbox(home / INBOX, secret), content), Uploads(home / WORKS, content)
    return waiting, uploads, Fetched(home, content), Downloaded(home, content), Trained(home, images)


class Batches:
    """Files that wait to be answered, and the names of those that could not be read."""

    def __init__(self, inbox: Inbox, content: Callable[[bytes], str]) -> None:
        """`content`: what a received file is known by in the records."""
        self._inbox, self._content = inbox, content

    def erase(self, wanted: Wanted) -> Found:
        """A batch of the caller or time goes whole; of others, the files of the contents."""
        files, blind = 0, []
        for order in self._inbox.all():
            with suppress(NotFound):  # it was forgotten in the meantime
                files += self._erased(order, wanted)
            if wanted.caller is not None and not order.caller:
                blind.append(f"the batch {order.id}: its {ORDER} is damaged, so that nobody can tell whose it was")
        return Found(files, unsearched=tuple(blind))

    def _erased(self, order: Order, wanted: Wanted) -> int:
        if _chosen(wanted, order.caller, order.made):
            return self._end(order)
        if wanted.contents and order.has_files:
            return self._inbox.erase(order.id, lambda data: self._content(data) in wanted.contents)
        return 0

    def sweep(self, older_than: float) -> int:
        """Remove batches that were never taken whole; what has been over for long is forgotten, too."""
        self._inbox.forget_old()
        return self._inbox.sweep(older_than)

    def _end(self, order: Order) -> int:
        if order.state not in OPEN:
            self._inbox.forget(order.id)
            return 0
        self._inbox.end(order, "cancelled", fault="its files were erased")
        return len(order.keys)


class Uploads:
    """Data sets that were sent for an audit or an evaluation, and reports of those that were not sent."""

    def __init__(self, folder: Path, content: Callable[[bytes], str]) -> None:
        """`content`: what a received file is known by in the records."""
        self._folder, self._content = folder, content

    def erase(self, wanted: Wanted) -> Found:
        """A work of the caller or time goes whole; one that merely holds such a picture, or may, is told of."""
        files, still, blind = 0, [], []
        for work, zips in self._all():
            if _chosen(wanted, work.caller, int(work.at * 1e6)):
                if work.over:
                    shutil.rmtree(self._folder / work.id, ignore_errors=True)
                    files += len(zips)
                else:
                    still.append(f"{self._named(work)} is not over: stop it, then erase again")
            elif wanted.caller is not None and not work.caller:
                blind.append(f"{self._named(work)}; whose it was, neither: `hilum erase --work {work.id}` removes it")
            elif wanted.contents and any(self._holds(path, wanted.contents) for path in zips):
                still.append(f"{self._named(work)} holds the picture: `hilum erase --work {work.id}` removes it whole")
            elif wanted.contents and not zips:
                blind.append(
                    f"{self._named(work)} has a report with pictures: `hilum erase --work {work.id}` removes it"
                )
        return Found(files, tuple(still), tuple(blind))

    def sweep(self, older_than: float) -> int:
        """Remove what a crash or a full disk left of works that were never taken on, uploads too; how many."""
        return sweep_untaken(self._folder, STATE, older_than)

    def remove(self, identity: str) -> int:
        """Remove one work that is over: upload, report, result; returns how many uploads there were.

        Raises:
            NotFound: there is none of this id, or it holds neither. UsageError: it is not over.
        """
        found = next(((work, zips) for work, zips in self._all() if work.id == identity), None)
        if found is None:
            raise NotFound(f"no upload or report of a work {identity[:64]!r}")
        work, zips = found
        if not work.over:
            raise UsageError(f"{self._named(work)} is not over: stop it first")
        shutil.rmtree(self._folder / work.id)
        return len(zips)

    def _all(self) -> Iterator[tuple[Work, list[Path]]]:
        for path in sorted(self._folder.glob(f"*/{STATE}")):
            zips = sorted(path.parent.glob("*.zip"))
            if zips or (path.parent / REPORT).is_dir():
                yield read_work(path.parent), zips

    def _holds(self, path: Path, contents: frozenset[str]) -> bool:
        return any(self._content(data) in contents for data in files_in(path))

    def _named(self, work: Work) -> str:
        day = datetime.fromtimestamp(work.at, UTC).date()
        return f"{self._folder / work.id}: {printable(work.title)!r} ({work.kind}, {day})"


def _chosen(wanted: Wanted, caller: str, at: int) -> bool:
    by_caller = wanted.caller is not None and caller == wanted.caller
    return by_caller or (wanted.before is not None and at < wanted.before)
