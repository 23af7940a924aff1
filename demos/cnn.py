"""A convolutional layer is a dense layer that is local and uses one kernel everywhere: move the input, the map moves.

    y[f, i, j] = b[f] + Σ_c Σ_u Σ_v w[f, c, u, v] · x[c, i·s + u − p, j·s + v − p]     s: stride, p: padding

The sum runs over all channels, and the kernel is not flipped: what libraries call convolution is cross-correlation.
One kernel at every place makes the layer translation equivariant, by whole strides and away from the border; `local`
layers look at the same patches with separate weights at each place and lose that. In the end both, and a dense net,
learn to tell upright from lying bars in the left half of a picture and are asked about the right half.

Source: Goodfellow, Bengio & Courville (2016), Deep Learning, sections 9.1 to 9.5.
"""

from collections.abc import Iterator
from itertools import product
from typing import Annotated, Literal

import numpy as np
import torch
from torch.nn.functional import conv2d, softplus, unfold

from quizcli.lab.evidence import Claim, Evidence, Image, Measure, Plot, Progress, Range, Text, main

claims = {
    "counts-match": {
        "says": "torch counts (k·k·C + 1)·F weights and biases; with separate ones at m × m places, m² as many",
        "false_when": {"mistake": "one-slice"},
    },
    "matches-torch": {
        "says": "summed over channels, kernel unflipped, this is torch's conv2d at strides 1 to 3: cross-correlation",
        "false_when": {"mistake": "flip"},
    },
    "gradient-is-a-sum": {
        "says": "a shared weight's gradient sums incoming gradient times input over all places",
        "false_when": {"mistake": "mean-gradient"},
    },
    "few-weights": {
        "says": "as a matrix from one channel to one map, under 1% as many distinct weights as entries",
        "false_when": {"layer": "local"},
    },
    "work-grows": {
        "says": "on pictures twice as high and wide each weight does about four times the multiplications",
        "false_when": {"layer": "local"},
    },
    "shift-moves-map": {
        "says": "shift the input by the stride, 1, 2 or 3, and the map shifts by one, away from the border",
        "false_when": {"layer": "local"},
    },
    "border-breaks": {
        "says": "at every place by the zero padding, the map of the shifted input differs from the shifted map",
        "false_when": {"border": "circular"},
    },
    "part-stride-breaks": {
        "says": "after a shift by one pixel, less than the stride, no shift of the old map gives the new one",
        "false_when": {"stride": 1},
    },
    "rotation-breaks": {
        "says": "turning the input does not just turn the map: mostly its maximum changes, too, by over 5%",
        "false_when": {"form": "symmetric"},
    },
    "symmetric-turns-along": {
        "says": "a kernel that all quarter turns leave as it is makes a map that turns with the input",
        "false_when": {"mistake": "half-turns"},
    },
    "pool-forgets-place": {
        "says": "a pattern moved by whole strides of 1 to 3, clear of the border, leaves the map's maximum as it was",
        "false_when": {"layer": "local"},
    },
    "unseen-places": {
        "says": "trained on bars in the left half, shared weights name over 90% of bars in the right half",
        "false_when": {"layer": "local"},
    },
    "dense-gap": {
        "says": "a dense net trained on the left half names bars there far better than in the right half",
        "false_when": {"train_on": "both-halves"},
    },
}
measures = {
    "parameters": "weights and biases of the convolutional layer",
    "one-slice": "the same, forgetting that a filter has a slice of weights for every input channel",
    "every-place": "the same, counted anew for each place of the map",
    "unseen-accuracy": "share of bars in the right half named rightly by the chosen layer",
}
predict = {
    "ask": "Trained on bars in the left half, how many bars in the right half will a small CNN name rightly?",
    "measure": "unseen-accuracy",
    "choices": {"about half, as by guessing": [0.0, 0.65], "most": [0.65, 0.9], "nearly all": [0.9, 1.0]},
}


def slide(x: np.ndarray, w: np.ndarray, stride: int) -> np.ndarray:
    """Maps (B, F, M, M) of padded inputs x (B, C, N, N) under w (M, M, F, C, K, K): the kernels at each place."""
    m, k = w.shape[0], w.shape[-1]
    y = np.empty((len(x), w.shape[2], m, m))
    for i, j in np.ndindex(m, m):
        patch = x[:, :, i * stride : i * stride + k, j * stride : j * stride + k]  # (B, C, K, K)
        y[:, :, i, j] = np.tensordot(patch, w[i, j], axes=([1, 2, 3], [1, 2, 3]))  # (B, F)
    return y


def bars(halves: str, count: int, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Noisy pictures (B, 1, 8, 12), each with a bar of three pixels in one half; the label is 1 if it is upright."""
    x = rng.normal(0.0, 0.2, (count, 1, 8, 12))
    upright, right = rng.integers(0, 2, (2, count))
    if halves != "both-halves":
        right[:] = halves == "right-half"
    top, left = rng.integers(0, 6, count), rng.integers(0, 4, count)
    left += 6 * right
    for n in range(count):
        height, width = (3, 1) if upright[n] else (1, 3)
        x[n, 0, top[n] : top[n] + height, left[n] : left[n] + width] += 1.0
    return torch.tensor(x, dtype=torch.float32), torch.tensor(upright, dtype=torch.float32)


def view(pictures: torch.Tensor, kind: str) -> torch.Tensor:
    """What a layer multiplies with its weights: all pixels (B, 96), or the patches at 60 places (60, B, 9)."""
    return pictures.flatten(1) if kind == "dense" else unfold(pictures, 3).permute(2, 0, 1).contiguous()


def logits(x: torch.Tensor, w: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """One logit a picture: features by w, ReLU, their maximum over the places if there are places, a readout v."""
    features = (x @ w).relu()  # (60, B, 9) @ (9, 8) shared, or @ (60, 9, 8) separate; (B, 96) @ (96, 32) dense
    return (features.amax(0) if x.dim() == 3 else features) @ v  # (B,)


def run(
    *,
    size: Annotated[int, Range(12, 28), "height and width of the input"] = 16,
    inputs: Annotated[int, Range(1, 16), "input channels C"] = 2,
    filters: Annotated[int, Range(1, 32), "output channels F"] = 4,
    kernel: Annotated[int, Range(1, 7), "height and width of the kernel"] = 3,
    stride: Annotated[int, Range(1, 3), "pixels from one place to the next"] = 2,
    padding: Annotated[int, Range(0, 3), "rows and columns added on each side"] = 1,
    border: Literal["zeros", "circular"] = "zeros",
    form: Literal["random", "symmetric"] = "random",
    layer: Literal["convolutional", "local"] = "convolutional",
    train_on: Literal["left-half", "both-halves"] = "left-half",
    mistake: Literal["none", "one-slice", "flip", "mean-gradient", "half-turns"] = "none",
    seed: int = 0,
) -> Iterator[Evidence]:
    m = (size + 2 * padding - kernel) // stride + 1
    parameters = filters * (inputs * kernel**2 + 1)
    one_slice = filters * (kernel**2 + 1)
    yield Measure("parameters", parameters)
    yield Measure("one-slice", one_slice)
    every_place = m**2 * parameters
    yield Measure("every-place", every_place)

    def pad(images: np.ndarray) -> np.ndarray:
        widths = [(0, 0), (0, 0), (padding, padding), (padding, padding)]
        return np.pad(images, widths, mode="wrap" if border == "circular" else "constant")

    # 1. Forward and backward by hand, against torch. A bias adds a constant to each map and is left out from here on.
    rng = np.random.default_rng(seed)
    w = rng.normal(size=(filters, inputs, kernel, kernel))
    turns = (0, 2) if mistake == "half-turns" else (0, 1, 2, 3)
    symmetric = np.mean([np.rot90(w, quarter, axes=(2, 3)) for quarter in turns], axis=0)
    w = symmetric if form == "symmetric" else w
    places = np.broadcast_to(w, (m, m, *w.shape))  # the same kernels everywhere: this is the whole of weight sharing
    if layer == "local":
        places = rng.normal(size=places.shape)
    x = rng.normal(size=(1, inputs, size, size))
    padded = pad(x)  # (1, C, N + 2p, N + 2p)
    y = slide(padded, places[..., ::-1, ::-1] if mistake == "flip" else places, stride)  # (1, F, M, M)
    kernels = torch.tensor(w, requires_grad=True)
    expected = conv2d(torch.tensor(padded), kernels, stride=stride)
    gaps = [every_place - places.size - y.size]  # a kernel for each place, a bias for each entry of the map
    for c, f, k in product((inputs, 1, 3, 16), (filters, 1, 10), (kernel, 1, 5)):
        theirs = sum(value.numel() for value in torch.nn.Conv2d(c, f, k).parameters())
        gaps.append(f * (k**2 * (1 if mistake == "one-slice" else c) + 1) - theirs)
    yield Claim("counts-match", measured=max(abs(gap) for gap in gaps), at_most=0)
    misfits = [np.abs(y - expected.detach().numpy()).max()]
    for s in (1, 2, 3):
        there = conv2d(torch.tensor(padded), kernels.detach(), stride=s).numpy()
        here = np.broadcast_to(w, (*there.shape[2:], *w.shape))
        here = slide(padded, here[..., ::-1, ::-1] if mistake == "flip" else here, s)
        misfits.append(np.abs(here - there).max())
    yield Claim("matches-torch", measured=max(misfits), at_most=1e-9)

    incoming = rng.normal(size=(filters, m, m))  # ∂loss/∂y, as a next layer would send it
    expected.backward(torch.tensor(incoming)[None])
    gradient = np.zeros_like(w)
    for i, j in np.ndindex(m, m):
        patch = padded[0, :, i * stride : i * stride + kernel, j * stride : j * stride + kernel]  # (C, K, K)
        gradient += np.multiply.outer(incoming[:, i, j], patch)  # (F, C, K, K)
    if mistake == "mean-gradient":
        gradient /= m * m
    yield Claim("gradient-is-a-sum", measured=np.abs(gradient - kernels.grad.numpy()).max(), at_most=1e-9)

    # 2. The matrix that the layer is, from channel 0 to map 0: what it makes of each single pixel.
    pixels = np.eye(size * size).reshape(-1, 1, size, size)
    matrix = slide(pad(pixels), places[:, :, :1, :1], stride).reshape(size * size, m * m)
    yield Claim("few-weights", measured=len(np.unique(matrix[matrix != 0])) / matrix.size, at_most=0.01)

    growths = []  # of the number of units, each with the same C·K·K multiplications
    for n, k, s in product((4 * size, 8 * size, 14 * size), (1, 3, 5), (1, 2, 3)):
        pictures, weights = [torch.zeros(1, 1, z, z) for z in (n, 2 * n)], torch.zeros(1, 1, k, k)
        units = [conv2d(z, weights, stride=s, padding=k // 2).numel() for z in pictures]
        growth = units[1] / units[0]
        growths.append(1.0 if layer == "local" else growth)  # separate kernels are as many as the units
    yield Claim("work-grows", measured=max(growths, key=lambda growth: abs(growth - 4)), between=(3.5, 4.5))

    def misfit(moved: np.ndarray, shift: int | tuple[int, ...]) -> np.ndarray:
        """How far a map is from the first one shifted, at each place (M, M)."""
        return np.abs(moved - np.roll(y, shift, (2, 3)))[0].max(0)

    # 3. Move the input. Places whose patch meets padding, or pixels that came in at the edge, are not `inside`.
    moved = slide(pad(np.roll(x, stride, (2, 3))), places, stride)
    difference = misfit(moved, 1)
    first = np.arange(m) * stride - padding  # the first row (or column) of the input under each place
    clear = (first >= stride) & (first <= size - kernel)
    inside = np.outer(clear, clear)  # (M, M)
    yield Text(f"Input moved by {stride}, the stride. The last picture: how far its map is from the moved map.")
    yield Image("shifted-by-the-stride", {"map": y[0, 0], "input moved": moved[0, 0], "difference": difference})
    grids, shifted, separate = {}, [], np.random.default_rng(seed)
    for s in (1, 2, 3):
        n = (size + 2 * padding - kernel) // s + 1
        shape = (n, n, *w.shape)  # the kernels at the places that this stride visits
        grids[s] = separate.normal(size=shape) if layer == "local" else np.broadcast_to(w, shape)
        maps = [slide(pad(z), grids[s], s)[0] for z in (x, np.roll(x, s, (2, 3)))]
        first = np.arange(n) * s - padding
        at = (first >= s) & (first <= size - kernel)
        shifted.append(np.abs(maps[1] - np.roll(maps[0], 1, (1, 2)))[:, np.outer(at, at)].max())
    yield Claim("shift-moves-map", measured=max(shifted), at_most=1e-9)
    yield Claim("border-breaks", measured=(difference[~inside] > 1e-9).mean(), near=(1.0, 1e-9))

    moved = slide(pad(np.roll(x, 1, (2, 3))), places, stride)
    misfits = [np.median(misfit(moved, shift)[inside]) for shift in np.ndindex(m, m)]
    yield Claim("part-stride-breaks", measured=min(misfits), at_least=1.0)

    noise = np.random.default_rng([seed, 1]).normal(size=(60, inputs, size, size))
    gaps, changes = [], []
    for like in (w, symmetric):
        maps = [conv2d(torch.tensor(z.copy()), torch.tensor(like)) for z in (noise, np.rot90(noise, 1, (2, 3)))]
        gaps.append((maps[1] - maps[0].rot90(1, (2, 3))).abs().max())
        before, after = (z.amax((2, 3)) for z in maps)  # (60, F)
        changes.append((after / before - 1).abs().median())  # maps that are just turned keep their maximum
    yield Claim("rotation-breaks", measured=changes[0], at_least=0.05)
    yield Claim("symmetric-turns-along", measured=gaps[1], at_most=1e-9)

    blank = np.zeros((1, inputs, size, size))
    blank[:, :, size // 2 - 1 : size // 2 + 2, size // 2 - 1 : size // 2 + 2] = rng.normal(size=(inputs, 3, 3))
    changes = []
    for s, down, across in product(grids, (-1, 0, 1), (-1, 0, 1)):
        before, after = (slide(pad(z), grids[s], s) for z in (blank, np.roll(blank, (down * s, across * s), (2, 3))))
        changes.append(np.abs(before.max((2, 3)) - after.max((2, 3))).max() / np.abs(before).max())
    yield Claim("pool-forgets-place", measured=max(changes), at_most=1e-9)

    # 4. Does sharing pay? Three nets with one hidden layer learn the same pictures.
    pictures, upright = bars(train_on, 400, rng)
    tests = {half: bars(f"{half}-half", 400, rng) for half in ("left", "right")}
    yield Image("bars", {"a training picture": pictures[0, 0], "right half": tests["right"][0][0, 0]})
    generator = torch.Generator().manual_seed(seed)
    nets = {"convolutional": (9, 8), "local": (60, 9, 8), "dense": (96, 32)}
    accuracy: dict[tuple[str, str], float] = {}
    for done, (kind, shape) in enumerate(nets.items(), start=1):
        weights = [torch.empty(shape).normal_(0.0, 0.2, generator=generator)]
        weights += [torch.empty(shape[-1]).normal_(0.0, 0.5, generator=generator)]
        seen = view(pictures, kind)
        for _ in range(400 if kind == "dense" else 150):
            weights = [weight.detach().requires_grad_() for weight in weights]
            z = logits(seen, *weights)
            loss = (softplus(z) - upright * z).mean()  # cross-entropy of a sigmoid, from logits
            slopes = torch.autograd.grad(loss, weights)
            weights = [weight - slope for weight, slope in zip(weights, slopes, strict=True)]
        for half, (z, label) in tests.items():
            accuracy[kind, half] = float(((logits(view(z, kind), *weights) > 0) == (label > 0)).float().mean())
        yield Progress(done, len(nets))
    yield Plot(
        "accuracy",
        {f"{half} half": (list(nets), [accuracy[kind, half] for kind in nets]) for half in tests},
        y_label="share named rightly",
        style="bars",
    )
    yield Measure("unseen-accuracy", accuracy[layer, "right"])
    yield Claim("unseen-places", measured=accuracy[layer, "right"], at_least=0.9)
    yield Claim("dense-gap", measured=accuracy["dense", "left"] - accuracy["dense", "right"], between=(0.15, 0.65))


if __name__ == "__main__":
    main(run)
