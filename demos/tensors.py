"""A tensor is a row of numbers in memory plus a shape and strides; permute and expand rewrite only shape and strides.

    element (i, j, k, …) lies at i·s₀ + j·s₁ + k·s₂ + …      strides s, counted in elements

`read` knows this formula and nothing else, and is compared with torch: on a batch of pictures (N, C, H, W) whose axes
are reordered rightly and wrongly, and on a sum with broadcasting, which is reading with a stride of 0. The text batch
(B, T) holds ids, which are names and no quantities, and padding, which has to be masked out and costs memory. At the
end, a matrix with two axes has rank 1.

Sources: Paszke et al. (2019), PyTorch; Harris et al. (2020), Array programming with NumPy (strides, broadcasting).
"""

from collections.abc import Iterator, Sequence
from itertools import permutations
from math import prod
from typing import Annotated, Literal

import numpy as np
import torch

from quizcli.lab.evidence import Claim, Evidence, Image, Measure, Plot, Range, Table, Text, main

claims = {
    "strides-find-elements": {
        "says": "strides that multiply the sizes to the right are torch's and find each element, for many shapes; "
        "torch's strides of transposed and permuted tensors find theirs in the original's flat storage",
        "false_when": {"mistake": "column-major"},
    },
    "bytes-by-shape": {
        "says": "a float32 tensor fills the product of its sizes times 4 bytes, for many shapes",
        "false_when": {"mistake": "byte-each"},
    },
    "permute-keeps-pixels": {
        "says": "one storage, read with permuted strides, is torch's permute in all 24 orders: pixels keep channels",
        "false_when": {"mistake": "reshape"},
    },
    "reshape-scrambles": {
        "says": "reshaping several channels from NCHW to NHWC sizes leaves under 5% of the pixels their values",
        "false_when": {"channels": 1},
    },
    "permute-shares-storage": {
        "says": "what is written into a permuted tensor (24 orders of axes) shows up in the original",
        "false_when": {"mistake": "copy"},
    },
    "view-refuses": {
        "says": "flattening the permuted pictures with `view` raises an error",
        "false_when": {"layout": "contiguous"},
    },
    "reshape-copies": {
        "says": "flattening the permuted pictures with `reshape` copies: writing there leaves the original alone",
        "false_when": {"layout": "contiguous"},
    },
    "slice-keeps-batch": {
        "says": "one picture sliced from a batch holds on to the storage of the whole batch",
        "false_when": {"mistake": "copy"},
    },
    "expand-stores-once": {
        "says": "expanded to the whole batch, a value per channel still fills one place per channel",
        "false_when": {"mistake": "repeat"},
    },
    "aligned-from-the-right": {
        "says": "with five pairs of shapes aligned at their last axes, stride 0 where a size is 1, sums are torch's",
        "false_when": {"mistake": "align-left"},
    },
    "keepdim-divides-rows": {
        "says": "square scores (2 to 50 rows) divided by row sums, kept as a column, have rows that sum to 1",
        "false_when": {"mistake": "no-keepdim"},
    },
    "ids-are-names": {
        "says": "renumber the vocabulary and move the table's rows along: every token keeps its vector",
        "false_when": {"mistake": "ids-as-numbers"},
    },
    "mask-ignores-padding": {
        "says": "the masked mean of a padded sentence is the mean of its own tokens",
        "false_when": {"mistake": "mean-over-padding"},
    },
    "random-batches-pad": {
        "says": "in random batches of 32 sentences of 1 to 40 tokens, 44 to 52% of the places are padding",
        "false_when": {"order": "sorted"},
    },
    "sorting-saves-padding": {
        "says": "cut from sentences sorted by length, batches have under a fifth of the padding of random ones",
        "false_when": {"order": "sorted"},
    },
    "two-axes-rank-one": {
        "says": "outer products of two random vectors have two axes and matrix rank 1 (share of those that do)",
        "false_when": {"terms": 2},
    },
}
measures = {
    "kept-mb": "MB (10⁶ bytes) alive after `batches` batches of which the slice `batch[0]` was kept",
    "kept-mb-copies": "the same if the slice is cloned",
    "channel-stride": "stride of the last axis of a contiguous NCHW batch after permute(0, 2, 3, 1)",
    "channel-stride-copied": "the same after .contiguous()",
    "width-stride": "the stride of the third axis there, W",
    "padding-share": "percent of the places in random batches of sentences that are padding",
    "padding-share-sorted": "the same after sorting by length",
}
predict = {
    "ask": "Sentences of 1 to 40 tokens in random batches of 32, padded to the longest: how much is padding?",
    "measure": "padding-share",
    "choices": {"about a tenth": [0, 20], "about a quarter": [20, 35], "about half": [35, 60], "most": [60, 100]},
}
LONGEST, SENTENCES = 40, 2048
SHAPES = [(7,), (5, 3), (3, 50), (4, 2, 6), (2, 3, 4, 5), (3, 2, 2, 4, 3)]
BROADCAST = [((6, 6, 4), (6, 1)), ((5, 5), (5,)), ((3, 3, 3), (3,)), ((4, 4, 4), (4, 4)), ((7, 7, 2), (1, 7, 1))]


def row_major(shape: Sequence[int]) -> list[int]:
    """Strides of a contiguous tensor, in elements: the last axis is packed."""
    return [prod(shape[axis + 1 :]) for axis in range(len(shape))]


def read(storage: np.ndarray, shape: Sequence[int], strides: Sequence[int]) -> np.ndarray:
    """The tensor of this shape and these strides that lies in `storage`, element by element."""
    places = np.zeros((), dtype=int)
    for size, stride in zip(shape, strides, strict=True):
        places = places[..., None] + np.arange(size) * stride  # one axis more
    return storage[places]


def padding(lengths: np.ndarray, batch: int) -> float:
    """Percent of padding if each `batch` sentences in a row are padded to the longest of them."""
    groups = [lengths[start : start + batch] for start in range(0, len(lengths), batch)]
    return 100 * (1 - lengths.sum() / sum(len(group) * group.max() for group in groups))


def run(
    *,
    pictures: Annotated[int, Range(1, 64), "pictures in a batch, N"] = 4,
    channels: Annotated[int, Range(1, 8), "channels C"] = 3,
    height: Annotated[int, Range(2, 128), "height H"] = 12,
    width: Annotated[int, Range(2, 128), "width W"] = 16,
    batches: Annotated[int, Range(1, 1000), "batches of which one picture each is kept"] = 50,
    batch: Annotated[int, Range(2, 256), "sentences in a batch"] = 32,
    layout: Annotated[Literal["permuted", "contiguous"], "what is flattened"] = "permuted",
    order: Annotated[Literal["random", "sorted"], "how the sentences arrive"] = "random",
    terms: Annotated[int, Range(1, 10), "outer products that are added up"] = 1,
    mistake: Literal["none", "column-major", "byte-each", "reshape", "copy", "repeat", "align-left", "no-keepdim",
                     "ids-as-numbers", "mean-over-padding"] = "none",
    seed: int = 0,
) -> Iterator[Evidence]:  # fmt: skip
    picture_mb = channels * height * width * 4 / 1e6
    yield Measure("kept-mb", batches * pictures * picture_mb)
    yield Measure("kept-mb-copies", batches * picture_mb)
    yield Measure("channel-stride", row_major((pictures, channels, height, width))[1])
    yield Measure("channel-stride-copied", 1)
    yield Measure("width-stride", width)

    # 1. A batch of pictures: a bright disc on a ramp, with noise that differs between channels.
    rng = np.random.default_rng(seed)
    row, column = np.mgrid[0:height, 0:width]
    disc = (row / height - 0.5) ** 2 + (column / width - 0.5) ** 2 < 0.1
    noise = rng.normal(0, 0.1, (pictures, channels, height, width))
    x = torch.tensor(2 * disc + column / width + noise, dtype=torch.float32)  # (N, C, H, W)
    storage = x.flatten().numpy().copy()
    strides = row_major(x.shape)
    off, fills = [], []
    for one in [x, *(torch.tensor(rng.normal(size=shape), dtype=torch.float32) for shape in SHAPES)]:
        by_rule = row_major(one.shape[::-1])[::-1] if mistake == "column-major" else row_major(one.shape)
        off.append(np.abs(read(one.flatten().numpy(), one.shape, by_rule) - one.numpy()).max())
        off.append(np.abs(np.array(by_rule) - one.stride()).max())
        for turned in (one.permute(*reversed(range(one.ndim))), one.transpose(0, -1), one.movedim(0, -1)):
            off.append(np.abs(read(one.flatten().numpy(), turned.shape, turned.stride()) - turned.numpy()).max())
        fills.append(one.untyped_storage().nbytes() / (prod(one.shape) * (1 if mistake == "byte-each" else 4)))
    yield Claim("strides-find-elements", measured=max(off), at_most=1e-9)
    yield Claim("bytes-by-shape", measured=max(fills, key=lambda fill: abs(fill - 1)), near=(1, 1e-9))

    last = (0, 2, 3, 1)  # NCHW to NHWC
    nhwc = [x.shape[axis] for axis in last]
    moved = [strides[axis] for axis in last]
    yield Table(
        "one storage, three readings",
        ["tensor", "shape", "strides"],
        [
            ["x", str(tuple(x.shape)), str(tuple(strides))],
            ["x.permute(0, 2, 3, 1)", str(tuple(nhwc)), str(tuple(moved))],
            ["x.reshape(N, H, W, C)", str(tuple(nhwc)), str(tuple(row_major(nhwc)))],
        ],
    )
    off = []
    for order_of_axes in permutations(range(4)):
        turned = x.permute(order_of_axes)
        shape, turned_strides = ([part[axis] for axis in order_of_axes] for part in (x.shape, strides))
        by_hand = read(storage, shape, row_major(shape) if mistake == "reshape" else turned_strides)
        off += [np.abs(by_hand - turned.numpy()).max(), float(turned.data_ptr() != x.data_ptr())]
    permuted, reshaped = x.permute(last), x.reshape(nhwc)
    yield Image("channel 0", {"x": x[0, 0], "permuted": permuted[0, :, :, 0], "reshaped": reshaped[0, :, :, 0]})
    yield Claim("permute-keeps-pixels", measured=max(off), at_most=1e-9)
    same = ((reshaped - permuted).abs() < 1e-6).all(dim=-1).double().mean()  # pixels with all channels in place
    yield Claim("reshape-scrambles", measured=same, at_most=0.05)

    # 2. View or copy: write through one name and look through the other.
    gains = []
    for order_of_axes in permutations(range(4)):
        before, other = x.clone(), x.permute(order_of_axes)
        other = other.clone() if mistake == "copy" else other
        other += 1
        gains.append(float((x - before).min()))
    yield Claim("permute-shares-storage", measured=min(gains), near=(1, 1e-4))
    before, source = x.clone(), permuted if layout == "permuted" else x
    try:
        source.view(pictures, -1)
        refused = 0.0
    except RuntimeError:
        refused = 1.0
    yield Claim("view-refuses", measured=refused, at_least=1)
    flat = source.reshape(pictures, -1)
    flat += 1
    yield Claim("reshape-copies", measured=(x - before).abs().max(), at_most=1e-9)
    kept = x[0].clone() if mistake == "copy" else x[0]
    alive = kept.untyped_storage().nbytes() / (kept.numel() * 4)
    yield Claim("slice-keeps-batch", measured=alive, near=(pictures, 1e-9))

    # 3. Broadcasting: an axis of size 1, or none at all, is read with stride 0.
    mean = x.mean(dim=(0, 2, 3))[:, None, None]  # (C, 1, 1)
    full = mean.repeat(pictures, 1, height, width) if mistake == "repeat" else mean.expand(x.shape)  # (N, C, H, W)
    yield Claim("expand-stores-once", measured=full.untyped_storage().nbytes() / (4 * channels), near=(1, 1e-9))
    off = []
    for large, small in BROADCAST:
        a, b = rng.normal(size=large), rng.normal(size=small)
        own = [0 if size == 1 else stride for size, stride in zip(small, row_major(small), strict=True)]
        missing = [0] * (len(large) - len(small))
        aligned = own + missing if mistake == "align-left" else missing + own  # from the right: (6, 1) is (1, 6, 1)
        off.append(np.abs(a + read(b.ravel(), large, aligned) - (torch.tensor(a) + torch.tensor(b)).numpy()).max())
    yield Claim("aligned-from-the-right", measured=max(off), at_most=1e-9)
    off = []
    for size in (2, 8, 50):
        scores = torch.tensor(rng.normal(size=(size, size))).exp()  # (T, T), queries by keys
        shares = scores / scores.sum(-1, keepdim=mistake != "no-keepdim")  # (T, 1) divides rows, (T,) columns
        off.append(float((shares.sum(-1) - 1).abs().max()))
    yield Claim("keepdim-divides-rows", measured=max(off), at_most=1e-9)

    # 4. A text batch: ids of shape (B, T), shorter sentences filled up with the id 0.
    lengths = rng.integers(1, LONGEST + 1, SENTENCES)
    sentences = [rng.integers(1, 50, length) for length in lengths[:8]]
    ids = np.zeros((8, max(lengths[:8])), dtype=np.int64)  # (B, T)
    for place, sentence in zip(ids, sentences, strict=True):
        place[: len(sentence)] = sentence
    table, renumbered = rng.normal(size=(50, 6)), rng.permutation(50)  # (vocabulary, D)
    table_moved = np.empty_like(table)
    table_moved[renumbered] = table
    vectors, vectors_moved = table[ids], table_moved[renumbered[ids]]  # (B, T, D)
    if mistake == "ids-as-numbers":
        vectors, vectors_moved = ids[..., None] * table[1], renumbered[ids][..., None] * table[1]
    yield Claim("ids-are-names", measured=np.abs(vectors - vectors_moved).max(), at_most=1e-9)
    real = np.ones_like(ids) if mistake == "mean-over-padding" else ids > 0  # (B, T)
    pooled = (table[ids] * real[..., None]).sum(1) / real.sum(1, keepdims=True)  # (B, D)
    alone = np.array([table[sentence].mean(0) for sentence in sentences])
    yield Claim("mask-ignores-padding", measured=np.abs(pooled - alone).max(), at_most=1e-9)

    if order == "sorted":
        lengths = np.sort(lengths)
    share, sorted_share = padding(lengths, batch), padding(np.sort(lengths), batch)
    sizes = [2, 4, 8, 16, 32, 64, 128]
    curves = {
        name: (sizes, [padding(row, size) for size in sizes])
        for name, row in (("as they arrive", lengths), ("sorted", np.sort(lengths)))
    }
    yield Plot("padding", curves, x_label="sentences in a batch", y_label="% padding", log_x=True)
    yield Measure("padding-share", share)
    yield Measure("padding-share-sorted", sorted_share)
    yield Claim("random-batches-pad", measured=share, between=(44, 52))
    yield Claim("sorting-saves-padding", measured=sorted_share / max(share, 1e-9), at_most=0.2)

    # 5. Two meanings of rank.
    as_said = []
    for rows, columns in ((20, 20), (3, 8), (30, 12), (100, 50)):
        left, right = rng.normal(size=(terms, rows)), rng.normal(size=(terms, columns))
        matrix = sum(u[:, None] * v[None, :] for u, v in zip(left, right, strict=True))  # (rows, columns)
        rank = np.linalg.matrix_rank(matrix)
        as_said.append(matrix.ndim == 2 and rank == 1)
    yield Text(f"A matrix made of {terms} outer product(s): {matrix.ndim} axes, matrix rank {rank}.")
    yield Claim("two-axes-rank-one", measured=np.mean(as_said), at_least=1)


if __name__ == "__main__":
    main(run)
