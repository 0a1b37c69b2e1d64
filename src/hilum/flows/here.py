"""Files -> what is told of them or drawn, in the thread that asks: without a process of their own."""

from __future__ import annotations

from collections.abc import Sequence

from hilum.errors import InputError
from hilum.flows.evidence import Drawing, evidence
from hilum.flows.predict import Desk, File, Readable, predict_all
from hilum.flows.told import Found, found_of
from hilum.model.overlay import grey_png


class Here:
    """Whoever is asked in the same process; safe to ask from several threads."""

    def find(self, files: Sequence[File], desk: Desk, readable: Readable) -> list[Found | InputError]:
        """What is told of each file, in their order; `readable` as for `predict_all`.

        Raises:
            UsageError: an operating point or a prevalence does not fit. PackageError: a package must not be used.
        """
        found = predict_all(files, desk, readable)
        return [answers if isinstance(answers, InputError) else found_of(answers) for answers in found]

    def draw(self, data: bytes, desk: Desk, wanted: Drawing) -> bytes:
        """Where in an image the evidence lies, by the desk's one package: a grey PNG, white = strongest.

        Raises:
            InputError: the image cannot be read. PackageError: the package must not be used.
        """
        return grey_png(evidence(data, desk.speakers[0], wanted))

    def open(self, desks: Sequence[Desk]) -> None:
        """Open everything that a first question to these desks would have to wait for.

        Raises:
            PackageError: a package must not be used.
        """
        for desk in desks:
            for speaker in desk.speakers:
                _ = speaker.engine, speaker.admission, speaker.novelty

    def close(self) -> None:
        """Nothing is held."""
