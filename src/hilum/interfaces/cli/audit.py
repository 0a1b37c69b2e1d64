"""A data set -> what is wrong with it, as text, JSON and a report with pictures; exit 1 where it is bad."""

from __future__ import annotations

import argparse
import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from hilum import bootstrap
from hilum.data.audit import audit
from hilum.data.audit_words import CUES, many, strong_cues
from hilum.data.findings import Audit, Pair
from hilum.data.labels import with_task
from hilum.data.layouts.found import Columns
from hilum.data.shortcuts import WARN_ABOVE
from hilum.data.source import open_source
from hilum.errors import DataError, UnreadableSource, printable, printable_lines
from hilum.interfaces.cli.progress import Bars
from hilum.interfaces.cli.source import add_source_arguments, counted, open_labelled
from hilum.settings import Settings

DESCRIPTION = "Find copies, leaking splits, patients in two parts, conflicting labels, shortcuts and broken files."
EXAMPLES = """examples:
  hilum audit images/                                the findings in words
  hilum audit images/ --report audit/                with the offending pairs side by side: audit/index.html
  hilum audit new-test/ --against training/          is this test set copied from that training set?
  hilum audit images/ --json > audit.json            the audit object

exit code: 0 sound (copies inside one part are only told), 1 a split leaks or labels conflict, 2 wrong use,
3 the source cannot be read (files in it that cannot be are a finding)"""
SHOWN = 10  # pairs printed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_source_arguments(parser)
    parser.add_argument("--task", help="read labels and patients by this task's rules (name or .toml file)")
    parser.add_argument("--against", metavar="SOURCE", help="also look for copies of these images in another set")
    parser.add_argument("--report", type=Path, metavar="DIR", help="write the report with pictures into this folder")
    parser.add_argument("--json", action="store_true", help="the audit object on stdout")


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Audit the source; 1 where it is bad."""
    task = bootstrap.task_named(arguments.task, settings) if arguments.task else None
    if arguments.report:
        arguments.report.mkdir(parents=True, exist_ok=True)  # what keeps it from being written is said before the work
    with Bars(quiet=arguments.json and not arguments.report, file=settings.progress_file) as bars:
        dataset = open_labelled(arguments, settings, bars, task)
        other = None
        if arguments.against:
            other = open_source(arguments.against, columns=Columns(), cache=settings.home / "cache")
            other = replace(other, limits=dataset.limits)
            with suppress(DataError):  # it may hold other words, or none: copies are found all the same
                other = with_task(other, task) if task else other
        bars.stage("looking at every image", len(dataset))
        found = audit(dataset, against=other, progress=counted(bars))
        _check_some_read(found)
        if arguments.report:
            from hilum.data.audit_report import write_audit_report

            bars.stage("writing the report")
            bars.say(f"report: {write_audit_report(found, dataset, arguments.report)}")
    print(json.dumps(found.to_json()) if arguments.json else printable_lines(in_words(found)))
    return int(found.bad)


def _check_some_read(found: Audit) -> None:
    """Raises UnreadableSource where no image could be read: nothing was compared, which is not clean."""
    if found.paths and len(found.unreadable) == len(found.paths):
        why = next(iter(found.unreadable.values()))
        raise UnreadableSource(
            found.name, f"none of its {len(found.paths)} images can be read, the first because: {why}"
        )


def in_words(found: Audit) -> str:
    """The findings for a reader of the terminal."""
    rows = [
        ("verdict", found.verdict),
        ("images", f"{len(found.paths)} ({', '.join(f'{n} {name}' for name, n in found.counts.items())})"),
        ("copies", _copies(found)),
        ("conflicts", f"{many(len(found.conflicts), 'picture')} whose copies bear different labels"),
        ("patients", f"{len(found.patients_across_splits)} in more than one split"),
        ("unreadable", str(len(found.unreadable))),
        ("stray files", str(len(found.stray))),
        ("shortcuts", _cues(found)),
        ("nearest neighbour", _neighbour(found)),
    ]
    pairs = [_pair(pair) for pair in _worst(found)[:SHOWN]]
    more = [f"  … {len(found.pairs) - SHOWN} more pairs: --json or --report DIR"] if len(found.pairs) > SHOWN else []
    broken = [f"  unreadable: {printable(found.paths[i])}: {why}" for i, why in list(found.unreadable.items())[:SHOWN]]
    strays = [f"  stray: {printable(path)}" for path in found.stray[:SHOWN]]
    strays += [f"  … {len(found.stray) - SHOWN} more: --json or --report DIR"] if len(found.stray) > SHOWN else []
    notes = [f"note: {note}" for note in found.notes]
    return "\n".join([*(f"{name:<18} {value}" for name, value in rows), *pairs, *more, *broken, *strays, *notes])


def _pair(pair: Pair) -> str:
    return f"  {pair.kind:<8} {pair.similarity:.3f}  {printable(pair.a_path)}  =  {printable(pair.b_path)}"


def _copies(found: Audit) -> str:
    inside = sum(len(group) for group in found.copy_groups)
    across = sum(pair.across_splits for pair in found.inner)
    pairs, images, groups = (
        many(count, one)
        for count, one in ((len(found.inner), "pair"), (inside, "image"), (len(found.copy_groups), "group"))
    )
    foreign = f"; {many(len(found.pairs) - len(found.inner), 'pair')} with {found.against}" if found.against else ""
    return f"{pairs}; {images} in {groups}; {many(across, 'pair')} across splits{foreign}"


def _cues(found: Audit) -> str:
    worst = [f"{CUES.get(cue, cue)} {auroc:.2f}" for cue, auroc in strong_cues(found).items()]
    return f"AUROC of the class from {', '.join(worst)} alone" if worst else f"none with AUROC above {WARN_ABOVE}"


def _neighbour(found: Audit) -> str:
    """What 32 x 32 pixels and a memory are worth here."""
    right, clean = _share(found.baseline.with_copies), _share(found.baseline.without_copies)
    return f"{right} right on 32x32 pixels; {clean} without copies"


def _worst(found: Audit) -> list[Pair]:
    return sorted(
        found.pairs, key=lambda pair: (not pair.across_splits, pair.same_label is not False, -pair.similarity)
    )


def _share(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}%"
