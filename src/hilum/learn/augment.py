"""A batch of prepared pixels -> the same batch as other machines and other days would have shown it.

Knows no label: every change is made to all classes alike. Works on whole batches, on the device the batch lies on.
"""

from __future__ import annotations

import math
from itertools import accumulate

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from hilum.learn.policy import AugmentPolicy


class Augment:
    """Applies a policy; all chance comes from the generator, so a seed gives the same batch again."""

    def __init__(self, policy: AugmentPolicy, generator: torch.Generator) -> None:
        self.policy, self.generator = policy, generator

    def __call__(self, batch: Tensor, size: int | None = None) -> Tensor:
        """(N, 1, S, S) uint8 or float in 0..255 -> (N, 1, size, size) float32 in 0..255; size None keeps S."""
        policy = self.policy
        x = self._tones(batch)
        x = self._move(x, size or batch.shape[-1])
        if policy.bias:
            x = self._bias(x)
        if policy.spectrum:
            x = self._spectrum(x)
        if policy.shrink:
            x = self._shrink(x)
        if policy.soften:
            x = self._soften(x)
        if policy.jpeg or policy.equalise:
            x = self._recode(x)
        if policy.frame:
            x = self._frame(x)
        if policy.erase:
            x = self._erase(x)
        if policy.noise:
            level = self._uniform(len(x), 0.0, policy.noise)[:, None, None, None]
            x = x + level * torch.randn(x.shape, generator=self.generator, device=x.device)
        return x.clamp(0.0, 255.0)

    def _uniform(self, count: int, low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(count, generator=self.generator, device=self.generator.device)

    def _chance(self, count: int, chance: float) -> Tensor:
        return torch.rand(count, generator=self.generator, device=self.generator.device) < chance

    def _tones(self, batch: Tensor) -> Tensor:
        """Match, curve, gamma and gain as one table of 256 grey values per image."""
        policy, count = self.policy, len(batch)
        index = batch.round().long().flatten(1) if batch.is_floating_point() else batch.long().flatten(1)
        table = torch.linspace(0.0, 1.0, 256, device=batch.device).repeat(count, 1)
        if policy.match:
            blend = self._uniform(count, 0.0, 1.0) * self._chance(count, policy.match)
            table = table + blend[:, None] * (self._matched(index) - table)
        if policy.curve:
            chosen = self._chance(count, policy.curve)[:, None]
            table = torch.where(chosen, _through(self._curves(count), table), table)
        if policy.gamma:
            table = table.clamp(min=0.0) ** torch.exp(self._uniform(count, -policy.gamma, policy.gamma))[:, None]
        if policy.contrast:
            gain = torch.exp(self._uniform(count, -policy.contrast, policy.contrast))[:, None]
            table = (table - 0.5) * gain + 0.5 + self._uniform(count, -0.5, 0.5)[:, None] * policy.contrast * 0.5
            table[:, 0] = torch.where(table[:, 0] < 0.15, torch.zeros(()), table[:, 0])  # background stays background
        return torch.gather(table.clamp(0.0, 1.0) * 255.0, 1, index).view(batch.shape)

    def _matched(self, index: Tensor) -> Tensor:
        """(N, 256) table in 0..1 that gives each image the grey values of a random other one, rank for rank."""
        count = len(index)
        flat = index + 256 * torch.arange(count, device=index.device)[:, None]
        histogram = torch.bincount(flat.flatten(), minlength=256 * count).view(count, 256)
        ranks = histogram.cumsum(1).float() / index.shape[1]
        other = ranks[torch.randperm(count, generator=self.generator, device=self.generator.device)]
        return torch.searchsorted(other.contiguous(), ranks.contiguous()).clamp(max=255).float() / 255.0

    def _curves(self, count: int) -> Tensor:
        """(N, 6) knots of monotone curves from 0 to 1."""
        steps = self._uniform(count * 5, 0.2, 1.8).view(count, 5)
        sums = torch.stack(
            list(accumulate(steps.unbind(1))), 1
        )  # cumsum of floats: none on a GPU in deterministic mode
        knots = functional.pad(sums, (1, 0))
        return knots / knots[:, -1:]

    def _move(self, x: Tensor, size: int) -> Tensor:
        """Rotate, zoom, stretch, shift, flip and resize in one sampling."""
        policy, count = self.policy, len(x)
        angle = self._uniform(count, -policy.rotate, policy.rotate) * (math.pi / 180.0)
        zoom = torch.exp(self._uniform(count, -1.0, 1.0) * math.log(policy.scale))
        stretch = torch.exp(self._uniform(count, -0.5, 0.5) * math.log(policy.stretch))
        turn_x = 1.0 - 2.0 * self._chance(count, policy.flip).float()
        turn_y = 1.0 - 2.0 * self._chance(count, policy.flip_vertical).float()
        moves = self._uniform(2 * count, -2.0 * policy.shift, 2.0 * policy.shift).view(2, count)
        theta = torch.stack(
            [
                torch.stack([angle.cos() * zoom * stretch * turn_x, -angle.sin() * zoom * turn_y, moves[0]], 1),
                torch.stack([angle.sin() * zoom * turn_x, angle.cos() * zoom / stretch * turn_y, moves[1]], 1),
            ],
            1,
        )
        if x.device.type == "cpu":
            return _warped(x, theta.numpy(), size, policy.fill)
        grid = functional.affine_grid(theta, [count, 1, size, size], align_corners=False)
        return functional.grid_sample(x, grid, mode="bilinear", padding_mode=policy.fill, align_corners=False)

    def _bias(self, x: Tensor) -> Tensor:
        coarse = 0.35 * torch.randn(len(x), 1, 4, 4, generator=self.generator, device=x.device)
        field = functional.interpolate(coarse, size=x.shape[-2:], mode="bilinear", align_corners=True)
        return x * torch.exp(field * self._chance(len(x), self.policy.bias).float()[:, None, None, None])

    def _spectrum(self, x: Tensor, reach: float = 0.015, most: float = 0.5) -> Tensor:
        """Blend the amplitudes of the lowest frequencies with another image's (Yang & Soatto 2020, kept small)."""
        chosen = torch.nonzero(self._chance(len(x), self.policy.spectrum)).flatten()
        if not len(chosen):
            return x
        waves = torch.fft.rfft2(x[chosen])
        donors = torch.randint(len(x), (len(chosen),), generator=self.generator, device=self.generator.device)
        foreign = torch.fft.rfft2(x[donors]).abs()
        weight = self._uniform(len(chosen), 0.0, most)[:, None, None, None]
        band = max(1, round(reach * x.shape[-1]))
        for rows in (slice(0, band + 1), slice(-band, None)):
            own = waves[:, :, rows, : band + 1]
            ratio = (foreign[:, :, rows, : band + 1] / own.abs().clamp(min=1e-3)).clamp(0.2, 5.0)
            waves[:, :, rows, : band + 1] = own * (1.0 + weight * (ratio - 1.0))
        x = x.clone()
        x[chosen] = torch.fft.irfft2(waves, s=x.shape[-2:])
        return x

    def _shrink(self, x: Tensor) -> Tensor:
        side = x.shape[-1]
        small = max(8, round(side * float(self._uniform(1, 0.4, 0.95))))
        chosen = self._chance(len(x), self.policy.shrink)
        if not bool(chosen.any()):
            return x
        less = functional.interpolate(x[chosen], size=small, mode="bilinear", antialias=True, align_corners=False)
        x = x.clone()
        x[chosen] = functional.interpolate(less, size=side, mode="bilinear", align_corners=False)
        return x

    def _soften(self, x: Tensor) -> Tensor:
        """Towards (blur) or away from (sharpen) a 5x5 binomial mean."""
        blurred = _binomial(_binomial(x, 3), 2)
        amount = self._uniform(len(x), -1.5, 1.0) * self._chance(len(x), self.policy.soften)
        return x + amount[:, None, None, None] * (blurred - x)

    def _recode(self, x: Tensor) -> Tensor:
        """JPEG compression and local equalisation of some images, through 8 bits on the CPU."""
        code = self._chance(len(x), self.policy.jpeg).cpu().numpy()
        local = self._chance(len(x), self.policy.equalise).cpu().numpy()
        quality = self._uniform(len(x), 25.0, 90.0).cpu().numpy()
        rows = np.flatnonzero(code | local)
        if not rows.size:
            return x
        pixels = x[torch.from_numpy(rows).to(x.device), 0].clamp(0, 255).round().to(torch.uint8).cpu().numpy()
        equaliser = cv2.createCLAHE(clipLimit=2.0, tileGridSize=(6, 6))
        for place, row in enumerate(rows):
            if local[row]:
                pixels[place] = equaliser.apply(pixels[place])
            if code[row]:
                stream = cv2.imencode(".jpg", pixels[place], [cv2.IMWRITE_JPEG_QUALITY, int(quality[row])])[1]
                pixels[place] = cv2.imdecode(stream, cv2.IMREAD_GRAYSCALE)
        x = x.clone()
        x[torch.from_numpy(rows).to(x.device), 0] = torch.from_numpy(pixels).to(x.device).float()
        return x

    def _frame(self, x: Tensor) -> Tensor:
        """Fill up to a tenth at each side with one grey value: collimation, padding, cropped letters."""
        side = x.shape[-1]
        widths = (self._uniform(4 * len(x), 0.0, 0.1) * side).view(4, len(x), 1, 1, 1)
        widths = widths * self._chance(4 * len(x), 0.6).view(4, len(x), 1, 1, 1)
        place = torch.arange(side, device=x.device, dtype=torch.float32)
        across, down = place.view(1, 1, 1, -1), place.view(1, 1, -1, 1)
        outside = (across < widths[0]) | (across >= side - widths[1]) | (down < widths[2]) | (down >= side - widths[3])
        chosen = self._chance(len(x), self.policy.frame)[:, None, None, None]
        grey = self._uniform(len(x), 0.0, 200.0)[:, None, None, None]
        return torch.where(outside & chosen, grey, x)

    def _erase(self, x: Tensor) -> Tensor:
        """Fill one rectangle of at most a tenth of the area with one grey value."""
        side = x.shape[-1]
        high = self._uniform(len(x), 0.1, 0.32)[:, None, None, None] * side
        wide = self._uniform(len(x), 0.1, 0.32)[:, None, None, None] * side
        top = self._uniform(len(x), 0.0, 1.0)[:, None, None, None] * (side - high)
        left = self._uniform(len(x), 0.0, 1.0)[:, None, None, None] * (side - wide)
        place = torch.arange(side, device=x.device, dtype=torch.float32)
        across, down = place.view(1, 1, 1, -1), place.view(1, 1, -1, 1)
        inside = (across >= left) & (across < left + wide) & (down >= top) & (down < top + high)
        chosen = self._chance(len(x), self.policy.erase)[:, None, None, None]
        grey = self._uniform(len(x), 0.0, 160.0)[:, None, None, None]
        return torch.where(inside & chosen, grey, x)


def _warped(x: Tensor, theta: NDArray[np.float32], size: int, fill: str) -> Tensor:
    """What affine_grid and grid_sample would give, four times faster on a CPU; x (N, 1, S, S), theta (N, 2, 3)."""
    side, ratio = x.shape[-1], x.shape[-1] / size
    border = cv2.BORDER_REPLICATE if fill == "border" else cv2.BORDER_CONSTANT
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    start = 1.0 / size - 1.0  # the first output pixel's centre, from -1 to 1
    matrices = theta.astype(np.float64)
    matrices[:, :, 2] = (((theta[:, :, :2].sum(axis=2) * start + theta[:, :, 2]) + 1.0) * side - 1.0) / 2.0
    matrices[:, :, :2] *= ratio
    source = x[:, 0].contiguous().numpy()
    moved = np.empty((len(source), 1, size, size), np.float32)
    for place, matrix in enumerate(matrices):
        cv2.warpAffine(source[place], matrix, (size, size), moved[place, 0], flags, border)
    return torch.from_numpy(moved)


def _binomial(x: Tensor, dim: int) -> Tensor:
    """(1, 4, 6, 4, 1) / 16 along one axis, the edge repeated: sums of shifted views beat a one-channel convolution."""
    side = x.shape[dim]
    pad = (2, 2, 0, 0) if dim == 3 else (0, 0, 2, 2)
    padded = functional.pad(x, pad, mode="replicate")
    far = padded.narrow(dim, 0, side) + padded.narrow(dim, 4, side)
    near = padded.narrow(dim, 1, side) + padded.narrow(dim, 3, side)
    return far.mul_(1 / 16).add_(near, alpha=4 / 16).add_(x, alpha=6 / 16)


def _through(knots: Tensor, table: Tensor) -> Tensor:
    """Monotone curve by linear interpolation of (N, 6) knots at the values (N, 256) in 0..1."""
    place = table.clamp(0.0, 1.0) * (knots.shape[1] - 1)
    below = place.floor().long().clamp(max=knots.shape[1] - 2)
    low, high = torch.gather(knots, 1, below), torch.gather(knots, 1, below + 1)
    return low + (place - below) * (high - low)
