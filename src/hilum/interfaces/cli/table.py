"""Answers -> a readable table on the terminal, row by row as they come; plain text where stdout is no terminal."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap

from hilum.errors import printable
from hilum.flows.bulk import Line, Unread
from hilum.flows.prediction import Prediction

WIDTHS = {"file": 38, "task": 26, "answer": 14, "sure": 7, "also possible": 22}
NARROWEST = {"also possible": 13, "task": 16, "file": 22}  # what gives way, in this order, where a terminal is narrow
TEXT = 100  # columns of the sentences below a row
NOTHING = "No image was found in what was named: PNG, JPEG, TIFF, BMP, WebP and DICOM files are read."
BOLD, DIM, YELLOW, RED, PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[33m", "\x1b[31m", "\x1b[0m"


class PredictionTable:
    """Prints one row an answer and a summary at the end."""

    def __init__(self) -> None:
        self.answered = self.refused = self.unread = 0
        self._colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        self._headed = False
        self._columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        self._widths = _fitting(self._columns)

    def add(self, line: Line) -> None:
        """Print one row."""
        if not self._headed:
            self._row(tuple(WIDTHS), BOLD)
            self._headed = True
        if isinstance(line, Unread):
            self.unread += 1
            self._spoken(printable(line.file), "unreadable", line.error, RED)
        elif line.refused:
            self.refused += 1
            self._spoken(_where(line), "refused", " ".join(reason.text for reason in line.reasons), YELLOW)
        else:
            self.answered += 1
            self._answer(line)

    def close(self) -> None:
        """Print the summary."""
        if not (self.answered or self.refused or self.unread):
            self._say(NOTHING, "")
        parts = [f"{self.answered} answered", f"{self.refused} refused", f"{self.unread} unreadable"]
        self._say("\n" + ", ".join(parts) + ". Research use only, not a medical device.", DIM)

    def _answer(self, answer: Prediction) -> None:
        others = ", ".join(name for name in answer.conformal_set if name != answer.label) or "–"
        sure = f"{100 * (answer.probability or 0):.1f}%"
        self._row((_where(answer), answer.task or "", answer.label or "", sure, others), "")

    def _spoken(self, where: str, what: str, why: str, colour: str) -> None:
        self._say(f"{_short(where, self._widths['file'])}  {what}", colour)
        width = min(TEXT, max(40, self._columns or TEXT))
        self._say(textwrap.fill(why, width, initial_indent="    ", subsequent_indent="    "), "")

    def _row(self, cells: tuple[str, ...], colour: str) -> None:
        padded = [
            f"{_short(cell, width):{'>' if name == 'sure' else '<'}{width}}"
            for cell, (name, width) in zip(cells, self._widths.items(), strict=True)
        ]
        self._say("  ".join(padded).rstrip(), colour)

    def _say(self, text: str, colour: str) -> None:
        print(f"{colour}{text}{PLAIN}" if self._colour and colour else text)


def _fitting(columns: int | None) -> dict[str, int]:
    """The widths that a terminal of so many columns has room for; None: no terminal."""
    widths = dict(WIDTHS)
    for name, least in NARROWEST.items():
        over = sum(widths.values()) + 2 * (len(widths) - 1) - (columns or sys.maxsize)
        widths[name] = max(least, widths[name] - max(0, over))
    return widths


def _where(answer: Prediction) -> str:
    frame = "" if answer.frame is None else f" [{answer.frame}]"
    return f"{printable(answer.file or '')}{frame}"


def _short(text: str, width: int) -> str:
    """The text in at most `width` characters; of a long one both ends, more of the last, which tells files apart."""
    if len(text) <= width:
        return text
    start = width // 3
    return f"{text[:start]}…{text[len(text) - (width - 1 - start) :]}"
