"""ResNet-50 and Xception with the heads of the field's tutorials -> networks; pretrained where weights are at hand.

With weights the trunk is frozen but for its last layers, which is what "transfer" means; without them everything
learns from a random start, and `origin` says so.
"""

from __future__ import annotations

from monai.networks.nets.resnet import resnet50
from torch import Tensor, nn

from hilum.errors import UsageError
from hilum.learn.networks.pretrained import find_weights
from hilum.learn.networks.published import Grey, PooledHead, Published
from hilum.learn.networks.xception import xception_trunk

IMAGENET = Grey(3, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALF = Grey(3, (0.5,) * 3, (0.5,) * 3)


def resnet50_transfer(classes: int, *, weights: str = "auto", dropout: float = 0.5, hidden: int = 128) -> Published:
    """ResNet-50 (arXiv 1512.03385); head: mean pool, BN, 128, BN, 256, BN, 128, dropout, C.

    Trained with weights: the last two bottlenecks, which are the last 20 layers as Keras counts them.
    """
    trunk = resnet50(spatial_dims=2, n_input_channels=3, conv1_t_stride=2, bias_downsample=False, feed_forward=False)
    found = find_weights(weights, "timm/resnet50.tv_in1k")
    if found:
        _load(trunk, found[0])
    stem = nn.Sequential(trunk.conv1, trunk.bn1, trunk.act, trunk.maxpool, trunk.layer1)
    network = Published(
        [stem, trunk.layer2, trunk.layer3, trunk.layer4],
        PooledHead("mean", _tutorial_head(classes, hidden, dropout)),
        IMAGENET,
        (256, 512, 1024, 2048),
    )
    if found:
        network.freeze([stem, trunk.layer2, trunk.layer3, trunk.layer4[0]])
        network.origin = found[1]
    return network


def xception_transfer(classes: int, *, weights: str = "auto", dropout: float = 0.3, hidden: int = 128) -> Published:
    """Xception (arXiv 1610.02357); head: max pool, dropout 0.3, dense 128, dropout 0.25, C.

    Trained with weights: the exit flow, which holds the last 20 layers as Keras counts them but for one convolution.
    """
    trunk = xception_trunk()
    found = find_weights(weights, "timm/legacy_xception.tf_in1k")
    if found:
        _load(trunk, found[0])
    dense = [nn.Dropout(dropout), nn.Linear(2048, hidden), nn.ReLU(), nn.Dropout(0.25), nn.Linear(hidden, classes)]
    network = Published(trunk.stages(), PooledHead("max", dense), HALF, (256, 728, 1024, 2048))
    if found:
        network.freeze(trunk.stages()[:2])
        network.origin = found[1]
    return network


def _tutorial_head(classes: int, hidden: int, dropout: float) -> list[nn.Module]:
    return [
        nn.BatchNorm1d(2048),
        *(nn.Linear(2048, hidden), nn.ReLU(), nn.BatchNorm1d(hidden)),
        *(nn.Linear(hidden, 256), nn.ReLU(), nn.BatchNorm1d(256)),
        *(nn.Linear(256, 128), nn.ReLU(), nn.Dropout(dropout)),
        nn.Linear(128, classes),
    ]


def _load(trunk: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Into a trunk without its classifier; every tensor of the trunk must be there."""
    kept = {name: value for name, value in tensors.items() if not name.startswith("fc.")}
    try:
        missing, unknown = trunk.load_state_dict(kept, strict=False)
    except RuntimeError as error:
        raise UsageError(f"these weights are of another network: {error}") from error
    missing = [name for name in missing if not name.endswith("num_batches_tracked")]
    if missing or unknown:
        raise UsageError(f"these weights are of another network: missing {missing[:3]}, unknown {unknown[:3]}")
