"""A package -> the wired parts that answer with it, each opened when first asked for."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from threading import Thread

import numpy as np
from numpy.typing import NDArray

from hilum.errors import PackageError
from hilum.flows.prediction import ModelName
from hilum.gate.admission import Admission
from hilum.gate.novelty import Novelty
from hilum.model.engine import Engine
from hilum.model.package import ADMISSION, GRAPH, NOVELTY, Package, read_arrays
from hilum.model.unfolded import Shelf


class Speaker:
    """One package ready to answer; opening it costs nothing until it is asked."""

    def __init__(
        self, package: Package | Callable[[], Package], *, threads: int = 1, shelf: Shelf | None = None
    ) -> None:
        """Wrap a package, or what opens one when it is first asked; its graphs run with `threads` threads a pass.

        shelf: where its network is kept unfolded.
        """
        self._package = package
        self._threads = threads
        self.shelf = shelf
        self._ahead: Thread | None = None
        self._opened: Engine | None = None

    @cached_property
    def package(self) -> Package:
        """The sealed model.

        Raises:
            PackageError: it must not be used.
        """
        return self._package if isinstance(self._package, Package) else self._package()

    @property
    def name(self) -> ModelName:
        """What an answer says about who gave it."""
        return ModelName(self.package.name, self.package.version, self.package.digest)

    @cached_property
    def engine(self) -> Engine:
        """The network."""
        if self._ahead is not None:
            self._ahead.join()
        return self._opened or self._open()

    def open_ahead(self) -> None:
        """Open the network in a thread of its own while an image is read and looked at by the gate.

        Raises:
            PackageError: the package must not be used. What is wrong with the network alone is raised by `engine`.
        """
        _ = self.package  # what is wrong with it is raised here
        if self._ahead is None and "engine" not in self.__dict__:
            self._ahead = Thread(target=self._open_aside, name="network")
            self._ahead.start()

    def _open_aside(self) -> None:
        with suppress(PackageError):  # raised to who asks for the network
            self._opened = self._open()

    def _open(self) -> Engine:
        graph, digest = self.package.read(GRAPH), self.package.manifest["files"][GRAPH]  # read has checked it
        size = self.package.preparation.size
        return Engine(graph, size=size, threads=self._threads, shelf=self.shelf, digest=digest)

    def probabilities(self, pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Prepared pixels (N, 1, S, S) uint8 -> (N, C) calibrated probabilities, which explanations ask often."""
        return self.package.calibration.probabilities(self.engine.run(pixels).logits)

    @cached_property
    def admission(self) -> Admission | None:
        """The small network that says whether this is the kind of image the package knows."""
        if not self.package.has(ADMISSION):
            return None
        return Admission(self.package.read(ADMISSION))

    @cached_property
    def novelty(self) -> Novelty | None:
        """The reference that features are compared with."""
        if not self.package.has(NOVELTY):
            return None
        return Novelty.from_arrays(read_arrays(self.package.read(NOVELTY), NOVELTY))
