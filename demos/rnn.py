"""A recurrent network reads a sequence with one rule, again and again, and carries what it has seen in its state.

    h_t = tanh(W x_t + b + U h_{t-1} + c)        h_0 = 0; the same W, U, b, c at each step t

Unrolled over T steps this is a feed-forward network of T layers that share their weights: the "earlier layers" of an
RNN are earlier time steps. So its parameters do not grow with the length, its state at t has seen x_1 to x_t and no
more, and order counts. In the end RNNs and bags of symbols, which sum their inputs, are trained to tell which of two
symbols came first.

Sources: Elman (1990), Finding Structure in Time; Goodfellow, Bengio & Courville (2016), sections 10.1 to 10.3;
Weiss, Goldberg & Yahav (2018) on counting.
"""

from collections.abc import Iterator
from itertools import product
from typing import Annotated, Literal

import numpy as np
import torch
from torch.nn.functional import one_hot, softplus

from quizcli.lab.evidence import Claim, Evidence, Image, Measure, Plot, Progress, Range, main

claims = {
    "matches-torch": {"says": "the loop by hand gives torch's states", "false_when": {"mistake": "one-bias"}},
    "unrolled-is-a-deep-net": {
        "says": "a feed-forward net with one layer a time step, all of equal weights, gives the RNN's last state",
        "false_when": {"layers": "untied"},
    },
    "length-costs-no-parameters": {
        "says": "over 2, 50 or 300 steps, in four sizes, the net has the parameters of one step: H · (I + H + 1)",
        "false_when": {"layers": "untied"},
    },
    "state-is-all": {
        "says": "read in two pieces, the state handed on, a sequence ends in the state of reading it at once",
        "false_when": {"mistake": "fresh-state"},
    },
    "blind-to-the-future": {
        "says": "changing the last input leaves the states of all earlier steps as they were",
        "false_when": {"direction": "both"},
    },
    "sequences-stay-apart": {
        "says": "changing one sequence of a batch changes the states of no other",
        "false_when": {"mistake": "batch-as-time"},
    },
    "state-counts": {
        "says": "one ReLU unit with recurrent weight 1 counts the ones among 1000 inputs exactly",
        "false_when": {"counter": "tanh"},
    },
    "leak-forgets": {
        "says": "with recurrent weight 0.9 in place of 1 the count of 100 to 1000 ones stays near 10",
        "false_when": {"weight": 1.0},
    },
    "latch-holds": {
        "says": "one tanh unit with recurrent weight 2 holds the sign of a pulse, small or large, for 100 steps",
        "false_when": {"latch": 0.9},
    },
    "rnn-learns-order": {
        "says": "trained to tell which of two symbols came first, RNNs are right on over 90% of new sequences",
        "false_when": {"reader": "bag"},
    },
    "longer-is-another-task": {
        "says": "trained on ten steps, they run on thirty as well, but are right on less than 90% of those",
        "false_when": {"stretch": 1},
    },
    "bag-only-guesses": {
        "says": "bags of symbols, trained the same way, are right on half of the sequences and their twins",
        "false_when": {"control": "rnn"},
    },
}
measures = {
    "parameters": "of an RNN layer with `inputs`, `hidden` and one bias vector",
    "no-recurrent": "the same without the recurrent matrix",
    "at-each-step": "the same, counted anew for each of `steps` steps",
    "third-state": "of the linear unit h_t = weight · h_{t-1} + x_t after the inputs `first`, `second`, `third`",
    "third-state-reversed": "the same if the last input is taken for the one that is multiplied most often",
    "count": "state of the unit h_t = weight · h_{t-1} + 1 after 100 steps",
    "accuracy": "of the reader, mean of five nets, on new sequences of the length seen in training",
    "accuracy-longer": "of the reader, mean of five nets, on sequences `stretch` times as long",
}
predict = {
    "ask": "Trained on sequences of 10, an RNN tells nearly always which symbol came first. On sequences of 30?",
    "measure": "accuracy-longer",
    "choices": {"nearly always": [0.9, 1.0], "less often": [0.75, 0.9], "hardly more than half": [0.0, 0.75]},
}
SYMBOLS, LENGTH, UNITS, NETS = 6, 10, 12, 5


def rnn(x: np.ndarray, net: tuple[np.ndarray, ...], h: np.ndarray, mistake: str = "none") -> np.ndarray:
    """States (B, T, H) of sequences x (B, T, I) from the state h (B, H)."""
    w, u, b, c = net  # (H, I), (H, H), (H,), (H,)
    states = []
    for t in range(x.shape[1]):
        h = np.tanh(x[:, t] @ w.T + b + h @ u.T + (0 if mistake == "one-bias" else c))
        states.append(h)
    return np.stack(states, axis=1)


def which_first(count: int, length: int, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Sequences (T, 2·count, SYMBOLS) with one 0 and one 1 among other symbols; the label is 1 if the 0 comes first.

    Each comes with its twin, in which the two have changed places: equal bags, opposite labels.
    """
    rows = rng.integers(2, SYMBOLS, (count, length))
    places = np.argsort(rng.random((count, length)), axis=1)[:, :2]
    rows[np.arange(count), places[:, 0]], rows[np.arange(count), places[:, 1]] = 0, 1
    twins = np.where(rows < 2, 1 - rows, rows)
    zero_first = places[:, 0] < places[:, 1]
    symbols = one_hot(torch.tensor(np.concatenate([rows, twins])), SYMBOLS).float().transpose(0, 1)
    return symbols, torch.tensor(np.concatenate([zero_first, ~zero_first])).float()


def logits(x: torch.Tensor, net: list[torch.Tensor], reader: str) -> torch.Tensor:
    """One logit a sequence for each of several nets (NETS, B), from the last state or from the sum of the inputs."""
    w, u, b, v, c = net
    if reader == "bag":
        return (torch.tanh(x.sum(0) @ w + b) @ v + c)[..., 0]
    h = torch.zeros(len(w), x.shape[1], UNITS)  # (NETS, B, UNITS)
    for step in x:
        h = torch.tanh(step @ w + b + h @ u)
    return (h @ v + c)[..., 0]


def trained(x: torch.Tensor, y: torch.Tensor, reader: str, seed: int) -> list[torch.Tensor]:
    """NETS nets after 120 steps of Adam, written out."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int, scale: float) -> torch.Tensor:
        return torch.randn(NETS, *shape, generator=generator) * scale

    net = [draw(SYMBOLS, UNITS, scale=0.5), 0.9 * torch.eye(UNITS) + draw(UNITS, UNITS, scale=0.05)]
    net += [draw(1, UNITS, scale=0.1), draw(UNITS, 1, scale=0.3), draw(1, 1, scale=0.0)]
    mean, square = ([torch.zeros_like(part) for part in net] for _ in range(2))
    for step in range(1, 121):
        net = [part.detach().requires_grad_() for part in net]
        z = logits(x, net, reader)
        loss = (softplus(z) - y * z).mean(1).sum()  # cross-entropy; the nets do not touch each other
        slopes = torch.autograd.grad(loss, net, allow_unused=True)
        with torch.no_grad():
            for part, slope, m, s in zip(net, slopes, mean, square, strict=True):
                if slope is not None:
                    m.mul_(0.9).add_(0.1 * slope)
                    s.mul_(0.99).add_(0.01 * slope**2)
                    part -= 0.02 * (m / (1 - 0.9**step)) / ((s / (1 - 0.99**step)).sqrt() + 1e-8)
    return net


def run(
    *,
    inputs: Annotated[int, Range(1, 300), "inputs a step, I"] = 3,
    hidden: Annotated[int, Range(1, 300), "hidden units, H"] = 4,
    steps: Annotated[int, Range(2, 1000), "length of the sequence, in the number of parameters"] = 10,
    weight: Annotated[float, Range(0.0, 1.0), "recurrent weight of the linear unit"] = 0.9,
    first: Annotated[float, Range(-10.0, 10.0), "x_1 of the linear unit"] = 4.0,
    second: Annotated[float, Range(-10.0, 10.0), "x_2"] = 2.0,
    third: Annotated[float, Range(-10.0, 10.0), "x_3"] = 1.0,
    layers: Literal["tied", "untied"] = "tied",
    direction: Literal["forward", "both"] = "forward",
    counter: Literal["relu", "tanh"] = "relu",
    latch: Annotated[float, Range(0.0, 10.0), "recurrent weight of the tanh unit that is to hold a sign"] = 2.0,
    reader: Literal["rnn", "bag"] = "rnn",
    control: Literal["rnn", "bag"] = "bag",
    stretch: Annotated[int, Range(1, 5), "length of the longer sequences, in lengths seen in training"] = 3,
    mistake: Literal["none", "one-bias", "fresh-state", "batch-as-time"] = "none",
    seed: int = 0,
) -> Iterator[Evidence]:
    # 1. Counts, and units small enough to follow by hand.
    parameters = hidden * (inputs + hidden + 1)
    yield Measure("parameters", parameters)
    yield Measure("no-recurrent", hidden * (inputs + 1))
    yield Measure("at-each-step", steps * parameters)
    yield Measure("third-state", weight * (weight * first + second) + third)
    yield Measure("third-state-reversed", weight * (weight * third + second) + first)

    h, leaky = 0.0, []
    for _ in range(1000):
        h = weight * h + 1.0
        leaky.append(h)
    yield Measure("count", leaky[99])
    counts = {"weight 1": (range(1, 41), range(1, 41)), f"weight {weight:g}": (range(1, 41), leaky[:40])}
    yield Plot("count-of-a-run-of-ones", counts, x_label="ones so far", y_label="state")
    yield Claim("leak-forgets", measured=max(leaky[99:], key=lambda h: abs(h - 10)), near=(10.0, 0.1))

    rng = np.random.default_rng(seed)
    ones = rng.integers(0, 2, 1000)
    h, worst = 0.0, 0.0
    for so_far, one in zip(np.cumsum(ones), ones, strict=True):
        h = max(0.0, h + one) if counter == "relu" else np.tanh(h + one)
        worst = max(worst, abs(h - so_far))
    yield Claim("state-counts", measured=worst, at_most=1e-9)

    held = []
    for pulse in (-4.0, -1.0, -0.1, 0.1, 1.0, 4.0):
        h = np.tanh(pulse)
        for _ in range(100):
            h = np.tanh(latch * h)  # no more input, no bias
        held.append(np.sign(pulse) * h)
    yield Claim("latch-holds", measured=min(held), at_least=0.9)

    # 2. The loop, against torch.
    torch.manual_seed(seed)
    there = torch.nn.RNN(inputs, hidden, batch_first=True, dtype=torch.float64)
    net = tuple(part.detach().numpy() for part in there.parameters())  # W (H, I), U (H, H), b (H,), c (H,)
    x = rng.normal(size=(5, 7, inputs))  # (B, T, I)
    start = np.zeros((5, hidden))
    states = rnn(x, net, start, mistake)  # (5, 7, H)
    expected = there(torch.tensor(x))[0].detach().numpy()
    yield Claim("matches-torch", measured=np.abs(states - expected).max(), at_most=1e-9)
    yield Image("states", {"inputs (a row each)": x[0].T, "states": expected[0].T})

    def unrolled(length: int, i: int, n: int) -> list[torch.nn.Linear]:
        """A dense layer for each time step, from [x_t, h_{t-1}] to h_t: one object in all places, or many."""
        count = 1 if layers == "tied" else length
        made = [torch.nn.Linear(i + n, n, dtype=torch.float64) for _ in range(count)]
        return made * (length // count)

    deep = unrolled(7, inputs, hidden)
    with torch.no_grad():
        deep[0].weight.copy_(torch.cat([there.weight_ih_l0, there.weight_hh_l0], dim=1))
        deep[0].bias.copy_(there.bias_ih_l0 + there.bias_hh_l0)
        signal = torch.zeros(5, hidden, dtype=torch.float64)
        for t, layer in enumerate(deep):
            signal = torch.tanh(layer(torch.cat([torch.tensor(x[:, t]), signal], dim=1)))
    yield Claim("unrolled-is-a-deep-net", measured=np.abs(signal.numpy() - expected[:, -1]).max(), at_most=1e-9)
    gap = 0
    for length, (i, n) in product((2, 50, 300), ((inputs, hidden), (1, 1), (1, 10), (20, 5))):
        distinct = sum(part.numel() for layer in set(unrolled(length, i, n)) for part in layer.parameters())
        gap = max(gap, abs(distinct - n * (i + n + 1)))
    yield Claim("length-costs-no-parameters", measured=gap, at_most=0)

    # 3. What the state knows.
    early = rnn(x[:, :3], net, start)
    late = rnn(x[:, 3:], net, start if mistake == "fresh-state" else early[:, -1])
    yield Claim("state-is-all", measured=np.abs(late[:, -1] - expected[:, -1]).max(), at_most=1e-9)

    reading = torch.nn.RNN(inputs, hidden, bidirectional=direction == "both", batch_first=True, dtype=torch.float64)
    changed = x.copy()
    changed[:, -1] += 1.0
    with torch.no_grad():
        before, after = (reading(torch.tensor(z))[0] for z in (x, changed))
    yield Claim("blind-to-the-future", measured=(after - before)[:, :-1].abs().max(), at_most=1e-9)

    changed = x.copy()
    changed[0] += 1.0
    reading = torch.nn.RNN(inputs, hidden, batch_first=mistake != "batch-as-time", dtype=torch.float64)
    with torch.no_grad():
        before, after = (reading(torch.tensor(z))[0] for z in (x, changed))
    yield Claim("sequences-stay-apart", measured=(after - before)[1:].abs().max(), at_most=1e-9)

    # 4. Which of two symbols came first? A sequence and its twin are one bag: a bag answers both alike.
    data, tests = which_first(80, LENGTH, rng), which_first(200, LENGTH, rng)
    longer = which_first(200, stretch * LENGTH, rng)
    accuracy = {}
    for done, (role, kind) in enumerate({"reader": reader, "control": control}.items(), start=1):
        nets = trained(*data, kind, seed)
        for name, (z, label) in {"new": tests, "longer": longer}.items():
            right = (logits(z, nets, kind) > 0) == (label > 0)  # (NETS, B)
            accuracy[role, name] = float(right.float().mean())
        yield Progress(done, 2)
    names = [f"length {LENGTH}", f"length {stretch * LENGTH}"]
    bars = {role: (names, [accuracy[role, name] for name in ("new", "longer")]) for role in ("reader", "control")}
    yield Plot("accuracy", bars, y_label=f"reader: {reader}, control: {control}", style="bars")
    yield Measure("accuracy", accuracy["reader", "new"])
    yield Claim("rnn-learns-order", measured=accuracy["reader", "new"], at_least=0.9)
    yield Claim("bag-only-guesses", measured=accuracy["control", "new"], near=(0.5, 0.01))
    yield Measure("accuracy-longer", accuracy["reader", "longer"])
    yield Claim("longer-is-another-task", measured=accuracy["reader", "longer"], at_most=0.9)


if __name__ == "__main__":
    main(run)
