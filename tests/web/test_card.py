"""The card of a package as a page shows it: headings below those of the page, tables, and no HTML of its own."""

from __future__ import annotations

from types import SimpleNamespace

from hilum.interfaces.web.models_shown import card_of

CARD = b"""---
license: apache-2.0
---

# spot 1.0

<script>alert(1)</script> and [a link](javascript:alert(1)) ![p](https://elsewhere.test/p.png)

| Figure | All |
|---|---|
| AUROC | 0.9 |
"""


def test_a_card_is_a_page_and_runs_nothing() -> None:
    said = card_of(SimpleNamespace(read=lambda _: CARD))  # type: ignore[arg-type]
    assert said.startswith("<h3>spot 1.0</h3>")
    assert "<td>AUROC</td>" in said
    assert "license" not in said
    assert "<script" not in said
    assert 'href="javascript' not in said
    assert "<img" not in said
