"""A template and its values -> one self-contained HTML page; pixels -> a data URI. Knows no finding and no figure."""

from __future__ import annotations

import base64
from pathlib import Path

import cv2
import jinja2
import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

_PAGES = Path(__file__).parent / "pages"


def render_page(folder: Path, template: str, values: dict[str, object]) -> str:
    """Render `template` of `folder`; it may extend "base.html" and import the macros of "figures.html" from here.

    Every value is escaped unless it is `Markup`; a name the template uses and `values` lacks raises
    `jinja2.UndefinedError`.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([folder, _PAGES]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    stylesheet = Markup((_PAGES / "style.css").read_text(encoding="utf-8"))  # noqa: S704  our own file
    return environment.get_template(template).render(stylesheet=stylesheet, **values)


def picture_uri(pixels: NDArray[np.float32], side: int = 160, quality: int = 85) -> str:
    """A JPEG data URI of (H, W) grey or (H, W, 3) RGB pixels in [0, 1], its longer side at most `side` pixels."""
    height, width = pixels.shape[:2]
    scale = min(1.0, side / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = pixels if scale == 1 else cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    grey = np.rint(np.clip(small, 0, 1) * 255).astype(np.uint8)
    stored = grey[..., ::-1] if grey.ndim == 3 else grey
    done, encoded = cv2.imencode(".jpg", stored, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:  # an encoder built into the library: only a programming error gets here
        raise ValueError(f"no JPEG of an array of shape {pixels.shape}")
    return "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode("ascii")
