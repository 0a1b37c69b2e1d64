"""A kept picture is shown as it was judged, however large it was allowed to be, and not once it was erased."""

from __future__ import annotations

import json
from types import SimpleNamespace

import cv2
import pytest

from hilum import bootstrap
from hilum.errors import NotFound
from hilum.flows.answer import Ask
from hilum.flows.desks import Desks
from hilum.flows.here import Here
from hilum.flows.shown import heatmap_of, shown
from hilum.image.limits import DEFAULT_LIMITS
from hilum.records.entry import Entry
from tests.flows.recorded import FILMS, clerk, settings_for

SIDE = 5500  # pixels: an operator may let so many in, and a decoder that knows no settings does not


@pytest.fixture
def where(tmp_path):
    """Where pictures are shown; `ask` answers one and gives its id."""
    settings = settings_for(tmp_path / "home", MAX_PIXELS=str(SIDE * SIDE))
    desks = Desks(lambda task, model: bootstrap.desk(settings, task=task, model=model), Here().open)
    with clerk(settings) as who:

        def ask(data):
            (future,) = who.answer([Ask(data, "film.png", desks.desk("pneumonia-cxr"), "pneumonia-cxr")])
            return json.loads(future.result().bodies[0])["id"]

        records, images = who._places.records, who._places.images
        yield SimpleNamespace(ask=ask, records=records, images=images, desks=desks, finder=Here())


def test_a_picture_as_large_as_is_accepted_is_shown_and_drawn_on(where):
    film = cv2.resize(cv2.imread(str(FILMS[0]), cv2.IMREAD_GRAYSCALE), (SIDE, SIDE))
    assert film.size > DEFAULT_LIMITS.max_pixels
    record = where.records.get(where.ask(cv2.imencode(".png", film, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes()))
    assert shown(record, where).pixels.shape == film.shape
    assert heatmap_of(record, where, method="cam", label="pneumonia").startswith(b"\x89PNG")


def test_an_erased_picture_is_not_shown_though_another_prediction_keeps_it(where):
    first, second = where.ask(FILMS[0].read_bytes()), where.ask(FILMS[0].read_bytes())
    where.records.append([Entry("erasure", subject=first)]).result()
    assert shown(where.records.get(second), where).frames == 1
    assert heatmap_of(where.records.get(second), where, method="cam", label=None)
    gone = where.records.get(first)
    with pytest.raises(NotFound, match="was erased"):
        shown(gone, where)
    with pytest.raises(NotFound, match="was erased"):
        heatmap_of(gone, where, method="cam", label=None)
