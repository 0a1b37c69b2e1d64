"""What the routes of the Open Inference Protocol answer -> their schemas in /openapi.json; see shapes.py."""

from __future__ import annotations

from hilum.interfaces.http.shapes import Shape


class Server(Shape):
    """The server as the Open Inference Protocol asks for it."""

    name: str
    version: str
    extensions: list[str]


class Live(Shape):
    """The process answers."""

    live: bool


class Ready(Live):
    """Whether requests would be answered now."""

    ready: bool


class TensorOutline(Shape):
    """A tensor; -1: any length."""

    name: str
    datatype: str
    shape: list[int]


class ModelMetadata(Shape):
    """A model's tensors."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorOutline]
    outputs: list[TensorOutline]
    parameters: dict[str, str]


class ModelReady(Shape):
    """Whether a model can be asked."""

    name: str
    ready: bool


class Indexed(Shape):
    """A line of the repository's index."""

    name: str
    version: str
    state: str
    reason: str


class Nothing(Shape):
    """An empty object."""


class Tensor(TensorOutline):
    """A tensor of an answer; without `data` where it follows the JSON in binary."""

    data: list[float | str | bool | None] | None = None
    parameters: dict[str, int] | None = None


class Inferred(Shape):
    """The tensors of an answer."""

    model_name: str
    model_version: str
    id: str | None = None
    parameters: dict[str, str]
    outputs: list[Tensor]
