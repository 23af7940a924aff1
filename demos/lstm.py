"""An LSTM's cell carries gradients through time by its forget gates: open ones keep them, half-open ones do not.

    i, f, o = σ(x_t W + h_{t-1} U + b)    g = tanh(x_t W + h_{t-1} U + b)    each block with its own W, U, b
    c_t = f ⊙ c_{t-1} + i ⊙ g             h_t = o ⊙ tanh(c_t)

Along the cell alone, h held fixed, ∂c_T/∂c_0 is the product of the forget gates; a plain RNN multiplies by a whole
matrix at every step. Expect the LSTM's gradient to cross 50 steps with a forget bias of 4 and to vanish with a bias
of 0, and the two cells to part when both are trained to recall a number 50 steps later.

Sources: Hochreiter & Schmidhuber (1997); Gers, Schmidhuber & Cummins (2000), who added the forget gate;
Jozefowicz, Zaremba & Sutskever (2015) on its bias.
"""

from collections.abc import Iterator
from itertools import product
from typing import Annotated, Any, Literal

import torch
from torch.nn.functional import mse_loss, normalize, pad

from quizcli.lab.evidence import Claim, Evidence, Measure, Plot, Progress, Range, Text, main

claims = {
    "counts-match-torch": {
        "says": "in 9 sizes: an LSTM has four blocks of weights, a GRU three, an RNN one (torch's: 2 biases a block)",
        "false_when": {"mistake": "gates-only"},
    },
    "matches-torch": {"says": "the cell by hand gives torch's h and c", "false_when": {"mistake": "gate-order"}},
    "product-of-forget-gates": {
        "says": "along the cell alone (h held fixed), ∂c_T/∂c_0 is the product of the forget gates, at either bias",
        "false_when": {"path": "all"},
    },
    "gradient-survives": {
        "says": "forget bias 4: over 50 steps the gradient of the memory loses less than two powers of ten",
        "false_when": {"cell": "rnn"},
    },
    "rnn-gradient-vanishes": {
        "says": "tanh RNN, weights as torch's: the matrix and tanh slopes of 50 steps cost over six powers of ten",
        "false_when": {"lag": 3},
    },
    "half-open-vanishes": {
        "says": "forget bias 0: the LSTM's gradient too loses more than six powers of ten over 50 steps",
        "false_when": {"low_bias": 4.0},
    },
    "can-explode": {
        "says": "recurrent weights 8 times too large, no input: the LSTM's gradient gains over five powers of ten",
        "false_when": {"loud": 1.0},
    },
    "gates-hold-memory": {
        "says": "forget gate open, input gate shut: the cell keeps its content through 50 steps of noise",
        "false_when": {"write_bias": 0.0},
    },
    "sizes-match": {
        "says": "the RNN that is trained beside the LSTM has more parameters, but at most 15% more",
        "false_when": {"mistake": "equal-units"},
    },
    "lstm-recalls": {
        "says": "forget bias 4: in 50 updates the LSTM learns to recall a number 50 steps later",
        "false_when": {"forget_bias": 0.0},
    },
    "rnn-misses": {
        "says": "an RNN of a few more parameters, trained the same way, stays at the error of guessing the mean",
        "false_when": {"lag": 3},
    },
}
measures = {
    "parameters": "of an LSTM layer with one bias vector for each of its four blocks",
    "parameters-gates": "the same if only the three gates are counted",
    "parameters-rnn": "of a plain RNN layer with as many units",
    "forget-orders": "log10 of the gradient's change along the cell alone, over `lag` steps (median of 15 networks)",
    "open-orders": "the same over all paths",
    "half-open-orders": "the same with forget bias `low_bias`",
    "rnn-orders": "the same for an RNN",
    "lstm-error": "squared error of the trained LSTM over the variance of the number (median of 15 networks)",
    "rnn-error": "the same for the RNN",
}
predict = {
    "ask": "A tanh RNN with weights as torch draws them: over 50 steps back its gradient shrinks by a factor of",
    "measure": "rnn-orders",
    "choices": {"less than 10": [-1, 9], "10 to 100,000": [-5, -1], "more than that": [-300, -5]},
}

Weights = list[torch.Tensor]  # of R networks: W (R, x, k·n), U (R, n, k·n), b (R, 1, k·n); LSTM: k = 4, RNN: k = 1


def lstm_step(a: torch.Tensor, c: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The next h, the next c and the forget gates, each (R, B, n), from the four blocks in a (R, B, 4n)."""
    i, f, g, o = a.chunk(4, -1)
    f = f.sigmoid()
    c = f * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c, f


def unroll(weights: Weights, x: torch.Tensor, h: torch.Tensor, c: torch.Tensor, path: str = "all") -> list[Any]:
    """The last h, the last memory (c, or an RNN's h) and the forget gates, from x (T, R, B, x), h and c (R, B, n)."""
    w, u, b = weights
    forgets = []
    for from_input in x @ w + b:  # (R, B, k·n)
        a = torch.baddbmm(from_input, h.detach() if path == "cell" else h, u)  # detached, h carries no gradient
        if u.shape[2] == u.shape[1]:
            h = c = a.tanh()  # a plain RNN
        else:
            h, c, f = lstm_step(a, c)
            forgets.append(f.detach())
    return [h, c, forgets]


def uniform(generator: torch.Generator, bound: float, *shape: int) -> torch.Tensor:
    return torch.empty(shape).uniform_(-bound, bound, generator=generator)


def initialize(generator: torch.Generator, networks: int, inputs: int, units: int, blocks: int) -> Weights:
    """Weights uniform in ±1/√n, as torch draws them, and biases of zero."""
    width = blocks * units
    w, u = (uniform(generator, units**-0.5, networks, rows, width) for rows in (inputs, units))
    return [w, u, torch.zeros(networks, 1, width)]


def with_biases(weights: Weights, forget: float, write: float = 0.0) -> Weights:
    """The same LSTM with these biases of its forget and input gates."""
    w, u, b = weights
    n = u.shape[1]
    b = torch.zeros_like(b)
    b[..., :n], b[..., n : 2 * n] = write, forget
    return [w, u, b]


def gradient(weights: Weights, x: torch.Tensor, last: torch.Tensor, path: str = "all") -> torch.Tensor:
    """∂L/∂m_0 (R, 1, n) for L = last · m_T, where the memory m is c of an LSTM or h of an RNN."""
    first = torch.zeros_like(last, requires_grad=True)
    rnn = weights[1].shape[2] == weights[1].shape[1]
    _, memory, _ = unroll(weights, x, first if rnn else torch.zeros_like(last), first, path)
    return torch.autograd.grad((last * memory).sum(), first)[0]


def orders(gradient: torch.Tensor) -> float:
    """log10 of the gradient's change of length, from 1 at the last step, median over the networks."""
    return float(gradient.norm(dim=-1).clamp(min=1e-300).log10().median())


def recall(weights: Weights, generator: torch.Generator, lag: int, updates: int, rate: float) -> Iterator[float]:
    """Train R networks to give back x_0 after `lag` steps: the median error at each update and at the end.

    Each parameter moves by `rate` against its gradient's sign, whatever the size (Adam without its averages).
    Errors are mean squares over the variance of the number, so that knowing nothing scores 1.
    """
    networks, n, _ = weights[1].shape
    readout = uniform(generator, n**-0.5, networks, n, 1)
    parameters = [value.clone().requires_grad_() for value in (*weights, readout)]
    for update in range(1, updates + 2):
        batch = 32 if update <= updates else 200
        number = uniform(generator, 1.0, networks, batch, 1)
        x = pad(number[None], (0, 1, 0, 0, 0, 0, 0, lag))  # feature 0: the number, then `lag` steps without it
        x[..., 1].normal_(0.0, 0.1, generator=generator)  # feature 1: a distraction at every step
        zero = torch.zeros(networks, batch, n)
        h, _, _ = unroll(parameters[:3], x, zero, zero)
        errors = mse_loss(torch.bmm(h, parameters[3]), number, reduction="none").mean((1, 2))  # (R,)
        yield float((errors.detach() / (number**2).mean((1, 2))).median())
        gradients = torch.autograd.grad(errors.unbind(), parameters)  # each network has its own
        with torch.no_grad():
            for value, grad in zip(parameters, gradients, strict=True):
                value -= rate * grad.sign()


def run(
    *,
    cell: Annotated[Literal["lstm", "rnn"], "the cell that is held to the LSTM's claim on gradients"] = "lstm",
    inputs: Annotated[int, Range(1, 32), "input features"] = 4,
    hidden: Annotated[int, Range(2, 32), "units of the LSTM"] = 8,
    lag: Annotated[int, Range(2, 100), "time steps to cross"] = 50,
    forget_bias: Annotated[float, Range(-5.0, 10.0), "bias of the forget gates"] = 4.0,
    low_bias: Annotated[float, Range(-5.0, 10.0), "the bias to compare with"] = 0.0,
    write_bias: Annotated[float, Range(-20.0, 20.0), "input-gate bias where the memory is to be kept"] = -15.0,
    loud: Annotated[float, Range(0.1, 20.0), "factor on the recurrent weights in search of an explosion"] = 8.0,
    rate: Annotated[float, Range(0.001, 0.03), "learning rate of both cells"] = 0.005,
    updates: Annotated[int, Range(1, 200), "training steps"] = 50,
    path: Literal["cell", "all"] = "cell",
    mistake: Literal["none", "gate-order", "gates-only", "equal-units"] = "none",
    seed: int = 0,
) -> Iterator[Evidence]:
    block = hidden * (inputs + hidden + 1)  # W, U and b of one block
    yield Measure("parameters", 4 * block)
    yield Measure("parameters-gates", 3 * block)
    yield Measure("parameters-rnn", block)
    blocks = {torch.nn.LSTMCell: 3 if mistake == "gates-only" else 4, torch.nn.GRUCell: 3, torch.nn.RNNCell: 1}
    gap = 0
    for n, m in product((hidden, 2 * hidden, 3 * hidden + 1), (inputs, 1, 20)):  # units, inputs
        for kind, count in blocks.items():
            module = kind(m, n)
            theirs = sum(value.numel() for value in module.parameters()) - module.bias_hh.numel()
            gap = max(gap, abs(count * n * (m + n + 1) - theirs))
    yield Claim("counts-match-torch", measured=gap, at_most=0)

    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(lag, 1, 1, inputs, generator=generator).double()  # (T, 1, 1, x), the same for all networks
    last = normalize(torch.randn(15, hidden, generator=generator).double())[:, None]  # ∂L/∂c_T (R, 1, n)
    zero = torch.zeros_like(last)
    fresh = [value.double() for value in initialize(generator, 15, inputs, hidden, 4)]
    opened = with_biases(fresh, forget_bias)
    h, c, forgets = unroll(opened, x, zero, zero)

    module = torch.nn.LSTMCell(inputs, hidden).double()
    order = [0, 1, 3, 2] if mistake == "gate-order" else [0, 1, 2, 3]  # torch stacks i, f, g, o
    w, u, b = (torch.cat([value[0].chunk(4, -1)[k] for k in order], -1) for value in opened)
    state = (zero[0], zero[0])
    with torch.no_grad():
        for name, value in (("weight_ih", w.T), ("weight_hh", u.T), ("bias_ih", b[0]), ("bias_hh", 0 * b[0])):
            getattr(module, name).copy_(value)
        for step in x[:, 0]:
            state = module(step, state)
    worst = max((h[0] - state[0]).abs().max(), (c[0] - state[1]).abs().max())
    yield Claim("matches-torch", measured=worst, at_most=1e-9)

    # Along the cell each step multiplies by its forget gates, and by nothing else.
    closed = with_biases(fresh, low_bias)
    differences = []
    for weights, gates in ((closed, unroll(closed, x, zero, zero)[2]), (opened, forgets)):
        along = last * torch.stack(gates).prod(0)
        differences.append((gradient(weights, x, last, path) - along).norm() / along.norm())
    yield Measure("forget-orders", orders(along))
    yield Claim("product-of-forget-gates", measured=max(differences), at_most=1e-9)

    # Over all paths (gates and candidate depend on h, and h on c), and beside an RNN.
    units = hidden if mistake == "equal-units" else 2 * hidden + 2  # as many parameters, about
    rnn = [value.double() for value in initialize(generator, 15, inputs, units, 1)]
    last_rnn = normalize(torch.randn(15, units, generator=generator).double())[:, None]
    rnn_gradient = gradient(rnn, x, last_rnn)
    rnn_orders = orders(rnn_gradient)
    h, product_back = torch.zeros_like(last_rnn), last_rnn  # the same by hand: each step's tanh slopes and matrix
    states = [h := torch.tanh(from_input + h @ rnn[1]) for from_input in x @ rnn[0] + rnn[2]]
    for h in reversed(states):
        product_back = (product_back * (1 - h**2)) @ rnn[1].mT
    is_product = (rnn_gradient - product_back).norm() <= 1e-9 * product_back.norm()
    open_orders = orders(gradient(opened, x, last))
    low_orders = orders(gradient(closed, x, last))
    names = [f"LSTM, bias {forget_bias:g}", f"LSTM, bias {low_bias:g}", "RNN"]
    yield Plot(
        "gradient",
        {f"over {lag} steps": (names, [open_orders, low_orders, rnn_orders])},
        y_label="log10 of the gradient's change",
        style="bars",
    )
    yield Measure("open-orders", open_orders)
    yield Measure("half-open-orders", low_orders)
    yield Measure("rnn-orders", rnn_orders)
    yield Claim("gradient-survives", measured=open_orders if cell == "lstm" else rnn_orders, at_least=-2.0)
    yield Claim("rnn-gradient-vanishes", measured=rnn_orders if is_product else 0.0, at_most=-6.0)
    yield Claim("half-open-vanishes", measured=low_orders, at_most=-6.0)
    # Without inputs the state stays at zero, where neither tanh nor gates saturate.
    oversized = [opened[0], loud * opened[1], opened[2]]
    yield Claim("can-explode", measured=orders(gradient(oversized, 0 * x, last)), at_least=5.0)

    _, kept, _ = unroll(with_biases(fresh, 15.0, write_bias), x, zero, last)
    yield Claim("gates-hold-memory", measured=(kept - last).abs().max(), at_most=0.01)

    yield Text(f"Now both cells learn to recall a number after {lag} steps of noise, in {updates} updates each.")
    curves: dict[str, list[float]] = {"LSTM": [], "RNN": []}
    start = with_biases(initialize(generator, 15, 2, hidden, 4), forget_bias)
    starts = [start, initialize(generator, 15, 2, units, 1)]
    of_lstm, of_rnn = (sum(value[0].numel() for value in weights) for weights in starts)
    yield Claim("sizes-match", measured=of_rnn / of_lstm, between=(1.0, 1.15))
    for curve, weights in zip(curves.values(), starts, strict=True):
        for error in recall(weights, generator, lag, updates, rate):
            curve.append(error)
            if len(curve) % 10 == 0:
                yield Progress(sum(map(len, curves.values())), 2 * updates + 2)
    seen = range(updates + 1)
    yield Plot(
        "recall",
        {name: (seen, curve) for name, curve in curves.items()},
        x_label="updates",
        y_label="squared error over variance, median of 15 networks",
    )
    yield Measure("lstm-error", curves["LSTM"][-1])
    yield Measure("rnn-error", curves["RNN"][-1])
    yield Claim("lstm-recalls", measured=curves["LSTM"][-1], at_most=0.3)
    yield Claim("rnn-misses", measured=curves["RNN"][-1], at_least=0.95)


if __name__ == "__main__":
    main(run)
