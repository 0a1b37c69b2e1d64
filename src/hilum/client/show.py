"""Answers -> small HTML for a notebook: the picture, the class, a bar of the probability, what to know about it."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from PIL import Image, UnidentifiedImageError

SIDE = 128  # pixels of the small picture
ROWS = 50  # rows of a shown table
NOTICE = "Research software, not a medical device."


def card(said: Any, picture: bytes | Path | None) -> str:
    """One prediction."""
    shown = thumbnail(picture)
    image = f'<img alt="" src="{shown}" style="background:#000;max-width:{SIDE}px;border-radius:4px">' if shown else ""
    model = "" if said.model is None else f"{said.model.name}@{said.model.version}"
    small = " · ".join(escape(word) for word in (said.task or "no task", model, said.operating_point, said.id) if word)
    return (
        f'<div style="display:flex;gap:16px;align-items:flex-start;font-family:system-ui">{image}<div>'
        f"{_said(said)}"
        f'<div style="opacity:.7;font-size:85%;margin-top:6px">{small}<br>{NOTICE}</div></div></div>'
    )


def table(found: Sequence[Any]) -> str:
    """Several answers, the first of them drawn."""
    rows = [
        f"<tr><td>{_picture(one.picture)}</td><td>{escape(one.file or '')}</td><td>{_line(one)}</td></tr>"
        for one in found[:ROWS]
    ]
    more = f"<p>… and {len(found) - ROWS} more</p>" if len(found) > ROWS else ""
    head = "<thead><tr><th></th><th>file</th><th>answer</th></tr></thead>"
    return f"<table>{head}<tbody>{''.join(rows)}</tbody></table>{more}<p>{NOTICE}</p>"


def thumbnail(picture: bytes | Path | None, side: int = SIDE) -> str:
    """A data: address of the picture made small; "" where it cannot be read here (DICOM, say)."""
    if picture is None:
        return ""
    try:
        with Image.open(io.BytesIO(picture) if isinstance(picture, bytes) else picture) as image:
            image.draft("L", (side, side))
            small = image.convert("L") if image.mode != "I;16" else image.point(lambda v: v / 256).convert("L")
        small.thumbnail((side, side))
        out = io.BytesIO()
        small.save(out, "PNG")
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return ""
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()


def bar(share: float) -> str:
    """A probability as a length, with the number beside it."""
    return (
        '<span style="display:inline-block;width:140px;height:8px;background:#8884;border-radius:4px;'
        f'vertical-align:middle"><span style="display:block;width:{share:.0%};height:8px;background:#0b7285;'
        f'border-radius:4px"></span></span> {share:.1%}'
    )


def _said(said: Any) -> str:
    if said.label is None:
        why = "<br>".join(escape(message) for message in said.messages or said.reasons)
        return f"<b>Not answered</b><div>{why}</div>"
    others = "".join(
        f'<div style="opacity:.8">{escape(name)} {bar(p)}</div>'
        for name, p in sorted(said.probabilities.items(), key=lambda item: -item[1])
        if name != said.label
    )
    return f"<b>{escape(said.label)}</b> {bar(said.probability)}{others}"


def _line(one: Any) -> str:
    if hasattr(one, "error"):
        return f"cannot be read: {escape(one.error)}"
    if one.label is None:
        return f"not answered: {escape(', '.join(one.reasons))}"
    return f"{escape(one.label)} {bar(one.probability)}"


def _picture(picture: bytes | Path | None) -> str:
    shown = thumbnail(picture, 48)
    return f'<img alt="" src="{shown}">' if shown else ""
