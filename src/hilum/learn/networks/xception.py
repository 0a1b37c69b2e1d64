"""The trunk of Xception (Chollet 2017, arXiv 1610.02357, figure 5) with the tensor names that its weights carry.

Three flows of separable convolutions with shortcuts; knows no head and no task.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn


class Separable(nn.Module):
    """A 3x3 convolution of each channel by itself, then a 1x1 convolution across channels."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs, bias=False)
        self.pointwise = nn.Conv2d(inputs, outputs, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.pointwise(self.conv1(x))
        return y


class Flow(nn.Module):
    """Separable convolutions through `channels` beside a shortcut; `stride` 2 ends in a max-pool."""

    def __init__(self, channels: Sequence[int], *, stride: int = 1, relu_first: bool = True) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in pairwise(channels):
            layers += [nn.ReLU(), Separable(before, after), nn.BatchNorm2d(after)]
        layers = layers if relu_first else layers[1:]
        self.rep = nn.Sequential(*layers, *([nn.MaxPool2d(3, stride, 1)] if stride > 1 else []))
        self.projects = stride > 1
        if self.projects:
            self.skip = nn.Conv2d(channels[0], channels[-1], 1, stride=stride, bias=False)
            self.skipbn = nn.BatchNorm2d(channels[-1])

    def forward(self, x: Tensor) -> Tensor:
        shortcut = self.skipbn(self.skip(x)) if self.projects else x
        y: Tensor = self.rep(x) + shortcut
        return y


class Trunk(nn.Module):
    """Entry, middle and exit flow; built once, handed out as four stages."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 32, 3, stride=2, bias=False)
        self.bn1 = nn.BatchNorm2d(32)
        self.conv2 = nn.Conv2d(32, 64, 3, bias=False)
        self.bn2 = nn.BatchNorm2d(64)
        self.block1 = Flow((64, 128, 128), stride=2, relu_first=False)
        self.block2 = Flow((128, 256, 256), stride=2)
        self.block3 = Flow((256, 728, 728), stride=2)
        for number in range(4, 12):
            self.add_module(f"block{number}", Flow((728, 728, 728, 728)))
        self.block12 = Flow((728, 728, 1024), stride=2)
        self.conv3 = Separable(1024, 1536)
        self.bn3 = nn.BatchNorm2d(1536)
        self.conv4 = Separable(1536, 2048)
        self.bn4 = nn.BatchNorm2d(2048)

    def stages(self) -> list[nn.Module]:
        """Four stages with 256, 728, 1024 and 2048 channels at 1/8, 1/16, 1/32 and 1/32 of the side."""
        stem = [self.conv1, self.bn1, nn.ReLU(), self.conv2, self.bn2, nn.ReLU(), self.block1, self.block2]
        middle = [self.block3, *(self.get_submodule(f"block{number}") for number in range(4, 12))]
        last = [self.conv3, self.bn3, nn.ReLU(), self.conv4, self.bn4, nn.ReLU()]
        return [nn.Sequential(*stem), nn.Sequential(*middle), self.block12, nn.Sequential(*last)]


def xception_trunk() -> Trunk:
    """A trunk at a random start (He initialisation)."""
    trunk = Trunk()
    for module in trunk.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return trunk
