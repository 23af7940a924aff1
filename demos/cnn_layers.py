"""The layers of a CNN: what each makes of the shape, of the parameters, of the work, and how far a unit sees.

    convolution, pooling:  out = ⌊(n + 2p − k) / s⌋ + 1     n: input size, k: window, s: stride, p: padding
    receptive field:       r grows by (k − 1) · jump at each layer, then jump grows by the factor s

Convolution mixes channels and learns; ReLU and pooling have nothing to learn, and pooling treats each channel alone.
Expect most parameters in the dense layer behind the flattening but most multiplications in the convolutions, and a
receptive field that is far wider than what the unit mostly listens to.

Sources: Goodfellow, Bengio & Courville (2016), sections 9.3 and 9.5; Dumoulin & Visin (2016), A guide to convolution
arithmetic; Lin, Chen & Yan (2014), Network In Network; Luo et al. (2016) on the effective receptive field.
"""

from collections.abc import Callable, Iterator
from itertools import product
from typing import Annotated, Literal

import numpy as np
import torch
from torch import nn
from torch.nn.functional import avg_pool1d, avg_pool2d, conv1d, conv2d, max_pool2d

from quizcli.lab.evidence import Claim, Evidence, Image, Measure, Plot, Range, Table, main

claims = {
    "size-formula": {
        "says": "⌊(n + 2p − k) / s⌋ + 1 is the size that torch's convolution gives, in 360 settings",
        "false_when": {"mistake": "padding-once"},
    },
    "receptive-field-formula": {
        "says": "behind 1 to 3 blocks of convolutions and pooling as many pixels reach a unit as r says",
        "false_when": {"mistake": "no-jump"},
    },
    "matches-torch": {
        "says": "convolution, ReLU, 2×2 max pooling, flattening and dense layer by hand give torch's output",
        "false_when": {"mistake": "pool-rows"},
    },
    "pool-keeps-channels": {
        "says": "max and mean pooling treat each channel alone: as many come out, and one changed changes no other",
        "false_when": {"mistake": "pool-channels"},
    },
    "winner-takes-gradient": {
        "says": "max pooling, 2×2 or 3×3, hands each window's whole gradient to its largest input (against autograd)",
        "false_when": {"mistake": "spread-gradient"},
    },
    "nothing-to-learn": {
        "says": "ReLU and max pooling hold no parameters",
        "false_when": {"shrink": "strided-convolution"},
    },
    "pool-forgives-some": {
        "says": "2×2 max pooling: half of the one-pixel shifts of a single spot leave the pooled map as it was",
        "false_when": {"pool": 1},
    },
    "one-by-one-mixes-channels": {
        "says": "a 1×1 convolution is one dense layer over the channels, applied at each pixel",
        "false_when": {"mistake": "per-channel"},
    },
    "dense-holds-parameters": {
        "says": "over 90% of this CNN's parameters are in its dense layers",
        "false_when": {"head": "global-average"},
    },
    "convolution-does-the-work": {
        "says": "over 75% of this CNN's multiplications are in its convolutions",
        "false_when": {"kernel": 1},
    },
    "center-dominates": {
        "says": "ten random 3×3 layers: the central 11×11 of 21×21 pixels have over 80% of the squared gradient",
        "false_when": {"stack": "one-wide"},
    },
}
measures = {
    "output-size": "height and width of the map, with `size`, `kernel`, `stride` and `padding`",
    "padding-once": "the same with the padding added on one side only",
    "fence-without-post": "the same without the + 1: the steps are counted, not the places",
    "receptive-field": "pixels across that a unit sees after `blocks` of `convs` convolutions and a 2×2 pooling",
    "kernels-added": "the same if k − 1 is added at each layer and the strides are forgotten",
    "unmoved-share": "share of one-pixel shifts of a single spot that leave the pooled map as it was",
    "unmoved-by-area": "the same if one cell of the window, not one column, lets the spot out",
    "dense-share": "share of the CNN's parameters that sits in its dense layers",
    "center-share": "share of the squared gradient that falls on the central 11×11 of the field's 21×21 pixels",
}
predict = {
    "ask": "A single bright spot moves by one pixel. How often is its 2×2 max-pooled map exactly the same as before?",
    "measure": "unmoved-share",
    "choices": {"never": [0.0, 0.1], "for about half of the places": [0.4, 0.6], "always": [0.9, 1.0]},
}
FILTERS = {"upright edge": [[-1, 0, 1]] * 3, "lying edge": [[-1] * 3, [0] * 3, [1] * 3], "mean": [[1 / 9] * 3] * 3}


def output_size(n: int, k: int, s: int, p: int, mistake: str = "none") -> int:
    return (n + (1 if mistake == "padding-once" else 2) * p - k) // s + 1


def receptive_field(layers: list[tuple[int, int]], mistake: str = "none") -> int:
    """Pixels in a row that one unit sees through layers of (window, stride)."""
    r = jump = 1  # jump: pixels between the centers of two neighboring units
    for k, s in layers:
        r += (k - 1) * jump
        jump *= 1 if mistake == "no-jump" else s
    return r


def convolve(x: np.ndarray, w: np.ndarray, b: np.ndarray, stride: int, padding: int) -> np.ndarray:
    """Maps (B, F, H', W') of x (B, C, H, W) under kernels w (F, C, K, K) and biases b (F,)."""
    k, (height, width) = w.shape[-1], x.shape[2:]
    x = np.pad(x, [(0, 0), (0, 0), (padding, padding), (padding, padding)])
    y = np.empty((len(x), len(w), *(output_size(n, k, stride, padding) for n in (height, width))))
    for i, j in np.ndindex(*y.shape[2:]):
        patch = x[:, :, i * stride : i * stride + k, j * stride : j * stride + k]  # (B, C, K, K)
        y[:, :, i, j] = np.tensordot(patch, w, axes=([1, 2, 3], [1, 2, 3])) + b  # (B, F)
    return y


def windows(x: np.ndarray, k: int, mistake: str = "none") -> np.ndarray:
    """The k×k windows of x (B, C, H, W), which do not overlap: (B, C, H // k, W // k, k·k)."""
    batch, channels, height, width = x.shape[0], x.shape[1], x.shape[2] // k, x.shape[3] // k
    x = x[:, :, : height * k, : width * k]  # an incomplete window at the far border is dropped
    if mistake == "pool-rows":  # the right shape, but each group is k·k neighbors of one row
        return x.reshape(batch, channels, height, width, k * k)
    x = x.reshape(batch, channels, height, k, width, k).swapaxes(3, 4)
    return x.reshape(batch, channels, height, width, k * k)


def run(
    *,
    size: Annotated[int, Range(16, 256), "height and width of the picture"] = 28,
    kernel: Annotated[int, Range(1, 11), "height and width of the kernels"] = 3,
    stride: Annotated[int, Range(1, 4), "stride, in the output size"] = 1,
    padding: Annotated[int, Range(0, 5), "padding on each side, in the output size"] = 1,
    blocks: Annotated[int, Range(1, 4), "blocks, in the receptive field"] = 2,
    convs: Annotated[int, Range(1, 4), "convolutions a block, in the receptive field"] = 2,
    pool: Annotated[int, Range(1, 8), "height and width of the pooling window"] = 2,
    head: Literal["dense", "global-average"] = "dense",
    shrink: Literal["max-pooling", "strided-convolution"] = "max-pooling",
    stack: Literal["deep", "one-wide"] = "deep",
    mistake: Literal[
        "none", "padding-once", "no-jump", "pool-rows", "pool-channels", "spread-gradient", "per-channel"
    ] = "none",
    seed: int = 0,
) -> Iterator[Evidence]:
    # 1. Arithmetic of shapes.
    yield Measure("output-size", output_size(size, kernel, stride, padding))
    yield Measure("padding-once", output_size(size, kernel, stride, padding, "padding-once"))
    yield Measure("fence-without-post", output_size(size, kernel, stride, padding) - 1)
    layers = ([(kernel, 1)] * convs + [(2, 2)]) * blocks  # (window, stride) of each
    yield Measure("receptive-field", receptive_field(layers))
    yield Measure("kernels-added", receptive_field(layers, "no-jump"))

    # A spot at (row 0, column c) against the same spot one pixel on: does the pooled map notice?
    spots = np.eye(6 * pool)[:, None, None, :].repeat(pool, axis=2)  # (starts, 1, pool, 6·pool)
    pooled = windows(spots, pool).max(-1)
    starts = 5 * pool  # a whole number of windows, so that each place in a window counts alike
    unmoved = np.all(pooled[:starts] == pooled[1 : starts + 1], axis=(1, 2, 3)).mean()
    yield Measure("unmoved-share", unmoved)
    yield Measure("unmoved-by-area", 1 - 1 / pool**2)
    yield Claim("pool-forgives-some", measured=unmoved, near=(0.5, 0.01))

    wrong = 0
    for i, j, u, p in np.ndindex(8, 5, 3, 3):
        n = (5, 6, 7, 8, 11, 12, 28, 224)[i]
        k, s = j + 1, u + 1  # kernels of 1 to 5, strides of 1 to 3, padding of 0 to 2
        there = conv1d(torch.zeros(1, 1, n), torch.zeros(1, 1, k), stride=s, padding=p).shape[-1]
        wrong += there != output_size(n, k, s, p, mistake)
    yield Claim("size-formula", measured=wrong, at_most=0)

    # With weights of 1 and means in place of maxima, a pixel reaches the unit just if its gradient is not 0.
    gaps = []
    for stages, depth, k in ((blocks, convs, kernel), *product((1, 2, 3), (1, 2), (3, 5))):
        tower = ([(k, 1)] * depth + [(2, 2)]) * stages
        jump = 2**stages
        pixels = torch.zeros(1, 1, -(-3 * receptive_field(tower) // jump) * jump, requires_grad=True)
        signal = pixels
        for _ in range(stages):
            for _ in range(depth):
                signal = conv1d(signal, torch.ones(1, 1, k) / k, padding=k // 2)
            signal = avg_pool1d(signal, 2)
        signal[0, 0, signal.shape[-1] // 2].backward()
        gaps.append(abs(receptive_field(tower, mistake) - int((pixels.grad != 0).sum())))
    yield Claim("receptive-field-formula", measured=max(gaps), at_most=0)

    # 2. The layers by hand on pictures that are not square, against torch.
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(2, 3, 21, 27))
    w, b = rng.normal(size=(4, 3, 3, 3)), rng.normal(size=4)
    maps = np.maximum(convolve(x, w, b, stride=2, padding=1), 0.0)  # (2, 4, 11, 14)
    small = windows(maps, 2, mistake).max(-1)  # (2, 4, 5, 7)
    v, c = rng.normal(size=(5, small[0].size)), rng.normal(size=5)
    out = small.reshape(2, -1) @ v.T + c  # (2, 5)
    there = conv2d(torch.tensor(x), torch.tensor(w), torch.tensor(b), stride=2, padding=1).relu()
    there = max_pool2d(there, 2).flatten(1) @ torch.tensor(v).T + torch.tensor(c)
    yield Claim("matches-torch", measured=np.abs(out - there.numpy()).max(), at_most=1e-9)

    def shrunk(y: np.ndarray, pooling: Callable[[torch.Tensor, int], torch.Tensor], k: int) -> np.ndarray:
        return y.max(axis=1, keepdims=True) if mistake == "pool-channels" else pooling(torch.tensor(y), k).numpy()

    others = 0.0
    for pooling, k, channel in product((max_pool2d, avg_pool2d), (2, 3), range(4)):
        changed = maps.copy()
        changed[:, channel] += 1.0
        before, after = shrunk(maps, pooling, k), shrunk(changed, pooling, k)
        kept = before.shape[1] == maps.shape[1]
        others = max(others, np.delete(np.abs(after - before), channel, axis=1).max() if kept else 1.0)
    yield Claim("pool-keeps-channels", measured=others, at_most=0.0)

    x = rng.normal(size=(2, 3, 6, 10))
    gaps = []
    for k in (2, 3):
        groups = windows(x, k)  # (2, 3, 6 // k, 10 // k, k·k)
        incoming = rng.normal(size=groups.shape[:-1])  # ∂loss/∂pooled
        share = groups == groups.max(-1, keepdims=True)
        share = np.full(groups.shape, 1 / k**2) if mistake == "spread-gradient" else share
        pixels = torch.tensor(x, requires_grad=True)
        (max_pool2d(pixels, k) * torch.tensor(incoming)).sum().backward()
        gaps.append(np.abs(incoming[..., None] * share - windows(pixels.grad.numpy(), k)).max())
    yield Claim("winner-takes-gradient", measured=max(gaps), at_most=1e-9)

    mixer, bias = rng.normal(size=(5, 3)), rng.normal(size=5)
    if mistake == "per-channel":  # a factor for each map, as if a 1×1 kernel saw one channel
        mixed = np.stack([mixer[f, f % 3] * x[:, f % 3] for f in range(5)], axis=1)
    else:
        mixed = np.einsum("fc,bchw->bfhw", mixer, x)
    there = conv2d(torch.tensor(x), torch.tensor(mixer)[:, :, None, None], torch.tensor(bias)).numpy()
    yield Claim("one-by-one-mixes-channels", measured=np.abs(mixed + bias[:, None, None] - there).max(), at_most=1e-9)

    # 3. Filters and maps to look at: a bright window frame.
    frame = rng.normal(0.0, 0.05, (12, 12))
    frame[1:11, 1:11] += 1.0
    frame[4:8, 4:8] -= 1.0
    kernels = np.array(list(FILTERS.values()))  # (3, 3, 3)
    edges = convolve(frame[None, None], kernels[:, None], np.zeros(3), stride=1, padding=1)  # (1, 3, 12, 12)
    rectified = np.maximum(edges, 0.0)
    small = windows(rectified, 2).max(-1)  # (1, 3, 6, 6)
    yield Image("filters", FILTERS)
    maps = {"map": edges[0, 0], "ReLU": rectified[0, 0], "pooled": small[0, 0]}
    yield Image("upright-edges", {"picture": frame, **maps})

    # 4. Where the parameters are, and where the work is: torch's own layers, one after the other.
    def halving(channels: int) -> nn.Module:
        return nn.MaxPool2d(2) if shrink == "max-pooling" else nn.Conv2d(channels, channels, 2, stride=2)

    layers = [nn.Conv2d(1, 8, kernel, padding=kernel // 2), nn.ReLU(), halving(8)]
    layers += [nn.Conv2d(8, 16, kernel, padding=kernel // 2), nn.ReLU(), halving(16)]
    if head == "dense":
        features = nn.Sequential(*layers)(torch.zeros(1, 1, size, size)).numel()
        layers += [nn.Flatten(), nn.Linear(features, 64), nn.ReLU(), nn.Linear(64, 10)]
    else:
        layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10)]
    signal, rows = torch.zeros(1, 1, size, size), []  # rows of (layer, output, parameters, multiplications)
    for layer in layers:
        signal = layer(signal)
        weights = layer.weight.numel() if hasattr(layer, "weight") else 0
        uses = signal[0, 0].numel()  # each weight of a convolution once a place; of a dense layer, once
        shape = "×".join(str(n) for n in signal.shape[1:])
        rows.append([type(layer).__name__, shape, sum(part.numel() for part in layer.parameters()), weights * uses])
    yield Table("layers of a small CNN", ["layer", "output", "parameters", "multiplications"], rows)
    yield Claim("nothing-to-learn", measured=sum(rows[place][2] for place in (1, 2, 4, 5)), at_most=0)
    dense, convolution = ([row for row in rows if row[0] == kind] for kind in ("Linear", "Conv2d"))
    dense_share = sum(row[2] for row in dense) / sum(row[2] for row in rows)
    yield Measure("dense-share", dense_share)
    yield Claim("dense-holds-parameters", measured=dense_share, at_least=0.9)
    work_share = sum(row[3] for row in convolution) / sum(row[3] for row in rows)
    yield Claim("convolution-does-the-work", measured=work_share, at_least=0.75)

    # 5. Seeing is not listening: the gradient of one unit over its field of 21×21 pixels.
    generator = torch.Generator().manual_seed(seed)
    depth, k = (10, 3) if stack == "deep" else (1, 21)
    field = torch.zeros(1, 1, 21, 21, requires_grad=True)
    signal = field
    for _ in range(depth):
        signal = conv2d(signal, torch.randn(16, signal.shape[1], k, k, generator=generator) / (3 * k))
    slopes = [torch.autograd.grad(unit, field, retain_graph=True)[0][0, 0] ** 2 for unit in signal.flatten()]
    mean = torch.stack(slopes).mean(0)  # (21, 21), over the 16 units
    center = float(mean[5:16, 5:16].sum() / mean.sum())
    rows = mean.sum(1) / mean.sum()
    yield Plot("gradient-over-rows", {"squared gradient": (range(-10, 11), rows)}, x_label="pixels from the center")
    yield Measure("center-share", center)
    yield Claim("center-dominates", measured=center, at_least=0.8)


if __name__ == "__main__":
    main(run)
