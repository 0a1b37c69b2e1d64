"""An image and a predicting function -> which regions carried the answer, by the LIME library; knows no network.

LIME (Ribeiro et al. 2016, arXiv 1602.04938): regions of like pixels are greyed out at random and a weighted linear
model tells what each gave to the class. Needs the extra `learn`, so it lives here and not beside the other two ways.
"""

from __future__ import annotations

import io
from contextlib import redirect_stderr
from dataclasses import dataclass

import cv2
import numpy as np
from lime.lime_image import LimeImageExplainer
from lime.wrappers.scikit_image import SegmentationAlgorithm
from numpy.typing import NDArray

from hilum.image.image import Image
from hilum.image.prepare import Preparation, prepare
from hilum.model.explain import LIME, Heatmap, Predict, in_frame


@dataclass(frozen=True, eq=False, slots=True)
class Regions:
    """What LIME found on one image.

    heat: in the image's frame; 1 = the region that gave the class most, 0 = none or against it.
    edges: (H, W) bool in the image's frame, the boundaries of the regions that speak for the class.
    """

    heat: Heatmap
    edges: NDArray[np.bool_]


@dataclass(frozen=True, eq=False, slots=True)
class Lime:
    """How one package's answers are explained.

    predict: (N, 1, S, S) uint8 -> probabilities. preparation: that of the package.
    regions, samples: how many pieces and how many coverings of an image.
    share: least weight, of the greatest, of a region that is drawn.
    """

    predict: Predict
    preparation: Preparation
    regions: int = 60
    samples: int = 400
    share: float = 0.3
    seed: int = 0

    def explain(self, image: Image, label: int) -> Regions:
        """Explain one class of one image; takes about `samples` passes of the network."""
        pixels = prepare(image, self.preparation)[0]
        cut = SegmentationAlgorithm("slic", n_segments=self.regions, compactness=10, start_label=0)
        with redirect_stderr(io.StringIO()):  # the library draws a progress bar that it does not offer to leave out
            found = LimeImageExplainer(random_state=self.seed).explain_instance(
                pixels,
                self._of_colour,
                labels=(label,),
                hide_color=int(pixels.mean()),
                top_labels=None,
                num_samples=self.samples,
                batch_size=32,
                segmentation_fn=cut,
                random_seed=self.seed,
            )
        pieces = found.segments
        weights = np.zeros(int(pieces.max()) + 1)
        for piece, weight in found.local_exp[label]:
            weights[piece] = max(float(weight), 0.0)
        weights /= max(float(weights.max()), 1e-12)
        drawn = in_frame((weights >= self.share)[pieces].astype(np.float32), image, self.preparation) > 0.5
        heat = Heatmap(in_frame(weights[pieces], image, self.preparation), label, LIME)
        inner = cv2.erode(
            drawn.astype(np.uint8), np.ones((3, 3), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0
        )
        return Regions(heat, drawn & (inner == 0))

    def _of_colour(self, pictures: NDArray[np.uint8]) -> NDArray[np.float64]:
        """LIME works on (N, S, S, 3); the three channels are alike."""
        return self.predict(np.ascontiguousarray(pictures[..., 0])[:, None].astype(np.uint8))
