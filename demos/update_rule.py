"""The update rule θ ← θ - η ∇L(θ): its sign, its rate, and what momentum and weight decay make of it.

    g ← ∇L(θ) + λ θ        weight decay, as the gradient of (λ/2) |θ|²
    v ← μ v + g            momentum; v starts at 0
    θ ← θ - η v            all parameters at once, from gradients at the old ones

This is the form of torch.optim.SGD. A network with gradients by hand walks by it beside torch's SGD and autograd.
Then each part is changed: the sign, the point where gradients are taken, the factor before the loss, the place of
η, the clearing of gradients.

Sources: Goodfellow, Bengio & Courville (2016), Deep Learning, section 4.3; documentation of torch.optim.SGD.
"""

from collections.abc import Iterator
from typing import Annotated, Literal

import numpy as np
import torch
from torch.optim.sgd import sgd  # the function behind torch.optim.SGD; the class costs a second at its first step

from quizcli.lab.evidence import Claim, Evidence, Measure, Plot, Range, Table, Text, main

claims = {
    "plain-matches-torch": {
        "says": "20 plain steps by hand, gradients included, land where torch's SGD lands (relative 1e-6)",
        "false_when": {"mistake": "one-after-another"},
    },
    "decay-matches-torch": {
        "says": "adding λ θ to the gradient is torch's weight decay, for three λ",
        "false_when": {"mistake": "penalty-not-halved"},
    },
    "momentum-matches-torch": {
        "says": "v ← μ v + g, then θ ← θ - η v, is torch's momentum, for three μ",
        "false_when": {"mistake": "averaged"},
    },
    "steepest": {
        "says": "of short moves of one length, none that was tried lowers the loss as much as the negative gradient",
        "false_when": {"direction": "signs"},
    },
    "falls-by-rate-times-square": {
        "says": "at a small rate one step lowers the loss by η |∇L|², to 1%",
        "false_when": {"small": 1.0},
    },
    "flipped-sign-climbs": {
        "says": "with a plus in place of the minus the loss rises at every one of 20 steps",
        "false_when": {"sign": "minus"},
    },
    "line-step-matches-autograd": {
        "says": "one step of a line's two weights, both from one error, is a step along autograd's gradients",
        "false_when": {"mistake": "fresh-error"},
    },
    "fresh-error-still-fits": {
        "says": "a line whose error is taken anew between its two weights still ends at the least-squares fit",
        "false_when": {"mistake": "unscaled"},
    },
    "loss-factor-is-rate-factor": {
        "says": "in torch ten times the loss at a tenth of the rate is at the same place after 1, 5 and 20 steps",
        "false_when": {"decay": 0.1},
    },
    "loss-factor-weakens-decay": {
        "says": "in torch ten times the loss at a tenth of the rate acts as a tenth of the weight decay, for two λ",
        "false_when": {"as_if": 1.0},
    },
    "misses-the-minimum": {
        "says": "on a quadratic of curvatures 1 and 20 the step points over 20 degrees past the minimum, on average",
        "false_when": {"condition": 1.0},
    },
    "constant-gradient-adds-up": {
        "says": "under a constant gradient momentum's steps, torch's too, grow to 1/(1 - μ) plain ones, for three μ",
        "false_when": {"mistake": "averaged"},
    },
    "cut-acts-at-once": {
        "says": "under a long constant gradient a tenth of the rate makes the next step a tenth as long, in torch too",
        "false_when": {"form": "rate-inside"},
    },
    "inside-form-coasts": {
        "says": "in the form v ← μ v + η g with μ = 0.9 the step after the same cut is still 0.91 of the one before",
        "false_when": {"momentum": 0.0},
    },
    "uncleared-is-momentum-one": {
        "says": "plain SGD on gradients that are never cleared is SGD with momentum 1",
        "false_when": {"clear": True},
    },
    "uncleared-never-settles": {
        "says": "on a quadratic, uncleared gradients swing at least 99% as widely after 1,000 steps as at the start",
        "false_when": {"clear": True},
    },
}
measures = {
    "w-after": "w after one step on ½ (u w - y)²",
    "w-uphill": "the same with the gradient added",
    "w-one-after-another": "the same if u was updated first and the new u taken into w's gradient",
    "w-unscaled-by-input": "the same with the error alone taken for the gradient",
    "momentum-step": "a momentum step over a plain one, after 200 steps of constant gradient",
    "averaged-step": "the same for v ← μ v + (1 - μ) g",
    "cut-step": "the first step after the rate was cut over the last before it, rate outside the velocity",
    "cut-step-inside": "the same with the rate inside the velocity",
}
predict = {
    "ask": "Momentum 0.9, the same gradient at each step. The 200th step, over a plain step of the same rate, is:",
    "measure": "momentum-step",
    "choices": {"0.9 times as long": [0.8, 0.95], "as long": [0.95, 1.05], "10 times as long": [5.0, 20.0]},
}
Net = list[np.ndarray]


def loss(net: Net, x: np.ndarray, y: np.ndarray) -> float:
    """Half the squared error of a tanh network, summed over outputs and averaged over examples."""
    w1, b1, w2, b2 = net
    return float((((np.tanh(x @ w1 + b1) @ w2 + b2 - y) ** 2).sum(1) / 2).mean())


def gradients(net: Net, x: np.ndarray, y: np.ndarray, early: float = 0.0) -> Net:
    """Gradients of that loss; `early`, the mistake, goes back through w2 as updated at that rate."""
    w1, b1, w2, b2 = net
    h = np.tanh(x @ w1 + b1)  # (N, H)
    d_out = (h @ w2 + b2 - y) / len(x)  # (N, O)
    g_w2 = h.T @ d_out  # (H, O)
    d_z = d_out @ (w2 - early * g_w2).T * (1 - h**2)  # (N, H)
    return [x.T @ d_z, d_z.sum(0), g_w2, d_out.sum(0)]


def walk(
    net: Net,
    x: np.ndarray,
    y: np.ndarray,
    rate: float,
    steps: int = 20,
    *,
    decay: float = 0.0,
    momentum: float = 0.0,
    mistake: str = "none",
) -> tuple[Net, list[float]]:
    """The network after `steps` updates, and the loss before and after each of them."""
    net, velocity = [p.copy() for p in net], [np.zeros_like(p) for p in net]
    losses = [loss(net, x, y)]
    for _ in range(steps):
        slopes = gradients(net, x, y, rate if mistake == "one-after-another" else 0.0)
        for p, v, slope in zip(net, velocity, slopes, strict=True):
            g = slope + (2 if mistake == "penalty-not-halved" else 1) * decay * p
            v *= momentum
            v += (1 - momentum) * g if mistake == "averaged" else g
            p -= rate * v
        losses.append(loss(net, x, y))
    return net, losses


def torch_step(
    params: list[torch.Tensor],
    slopes: list[torch.Tensor | None],
    buffers: list[torch.Tensor | None],
    rate: float,
    decay: float,
    momentum: float,
) -> None:
    """One step of torch's SGD, in place; the buffers, None at first, hold its velocities."""
    with torch.no_grad():
        sgd(
            params,
            slopes,
            buffers,
            lr=rate,
            weight_decay=decay,
            momentum=momentum,
            dampening=0.0,
            nesterov=False,
            maximize=False,
            foreach=False,
        )


def torch_walk(
    net: Net,
    x: np.ndarray,
    y: np.ndarray,
    rate: float,
    steps: int = 20,
    *,
    decay: float = 0.0,
    momentum: float = 0.0,
    factor: float = 1.0,
    clear: bool = True,
) -> Net:
    """The network after `steps` of torch's SGD on autograd's gradients of `factor` times the loss."""
    params = [torch.tensor(p, requires_grad=True) for p in net]
    buffers: list[torch.Tensor | None] = [None] * len(params)
    inputs, targets = torch.tensor(x), torch.tensor(y)
    for _ in range(steps):
        w1, b1, w2, b2 = params
        (factor * (((torch.tanh(inputs @ w1 + b1) @ w2 + b2 - targets) ** 2).sum(1) / 2).mean()).backward()
        torch_step(params, [p.grad for p in params], buffers, rate, decay, momentum)
        for p in params:
            p.grad = None if clear else p.grad  # left in place, backward() adds to it
    return [p.detach().numpy() for p in params]


def apart(one: Net, other: Net) -> float:
    """The largest relative distance between parameters of two networks."""
    return max(float(np.linalg.norm(a - b) / np.linalg.norm(b)) for a, b in zip(one, other, strict=True))


def line_step(w: float, b: float, x: np.ndarray, y: np.ndarray, rate: float, mistake: str) -> tuple[float, float]:
    """One step on half the mean squared error of w x + b; both gradients belong to the weights before it."""
    error = w * x + b - y  # (N,)
    w -= rate * (error if mistake == "unscaled" else error * x).mean()
    if mistake == "fresh-error":
        error = w * x + b - y
    return w, b - rate * error.mean()


def constant_gradient_steps(rates: np.ndarray, momentum: float, form: str, mistake: str = "none") -> np.ndarray:
    """Lengths of the steps that momentum takes at these rates when the gradient is 1 all the time."""
    velocity, steps = 0.0, []
    for rate in rates:
        g = (rate if form == "rate-inside" else 1.0) * (1 - momentum if mistake == "averaged" else 1.0)
        velocity = momentum * velocity + g
        steps.append(velocity if form == "rate-inside" else rate * velocity)
    return np.array(steps)


def torch_constant_gradient_steps(rates: np.ndarray, momentum: float) -> np.ndarray:
    """The same by torch's SGD, from the places that one parameter passes through."""
    theta, buffers, places = torch.zeros(1, dtype=torch.float64), [None], [0.0]
    for rate in rates:
        torch_step([theta], [torch.ones(1, dtype=torch.float64)], buffers, float(rate), 0.0, momentum)
        places.append(theta.item())
    return -np.diff(places)


def run(
    *,
    u: Annotated[int, Range(-9, 9), "weight u of the hand-made example ½ (u w - y)²"] = 2,
    w: Annotated[int, Range(-9, 9), "its weight w"] = 3,
    target: Annotated[int, Range(-50, 50), "its target y"] = 4,
    step: Annotated[float, Range(0.001, 1.0), "its learning rate"] = 0.1,
    rate: Annotated[float, Range(0.0001, 0.5), "learning rate of the network"] = 0.2,
    small: Annotated[float, Range(1e-5, 1.0), "rate at which the fall of one step is measured"] = 0.001,
    momentum: Annotated[float, Range(0.0, 0.98), "μ under the constant gradient"] = 0.9,
    decay: Annotated[float, Range(0.0, 1.0), "λ where the loss gets a factor"] = 0.0,
    as_if: Annotated[float, Range(0.0, 1.0), "the share of λ = 0.1 that is left beside ten times the loss"] = 0.1,
    condition: Annotated[
        float, Range(1.0, 1000.0), "curvature of the steep direction over that of the flat one"
    ] = 20.0,
    sign: Literal["plus", "minus"] = "plus",
    direction: Literal["gradient", "signs"] = "gradient",
    form: Literal["rate-outside", "rate-inside"] = "rate-outside",
    clear: bool = False,
    mistake: Literal["none", "one-after-another", "penalty-not-halved", "averaged", "fresh-error", "unscaled"] = "none",
    seed: int = 0,
) -> Iterator[Evidence]:
    error = u * w - target
    new_u, new_w = u - step * error * w, w - step * error * u
    yield Measure("w-after", new_w)
    yield Measure("w-uphill", w + step * error * u)
    yield Measure("w-one-after-another", w - step * error * new_u)
    yield Measure("w-unscaled-by-input", w - step * error)
    yield Table(
        "one step on ½ (u w - y)²",
        ["", "before", "gradient", "after"],
        [["u", u, error * w, new_u], ["w", w, error * u, new_w]],
    )

    # Momentum where the gradient stays the same: the velocity is a geometric series. Then the rate falls to a tenth.
    rates = np.repeat([1.0, 0.1], [200, 40])
    outside, inside = (constant_gradient_steps(rates, momentum, f) for f in ("rate-outside", "rate-inside"))
    yield Measure("momentum-step", outside[199])
    yield Measure("averaged-step", constant_gradient_steps(rates, momentum, "rate-outside", "averaged")[199])
    yield Measure("cut-step", outside[200] / outside[199])
    yield Measure("cut-step-inside", inside[200] / inside[199])
    shown = slice(180, 240)
    yield Plot(
        "steps-around-a-rate-cut",
        {"θ - η v (torch)": (range(180, 240), outside[shown]), "η inside v": (range(180, 240), inside[shown])},
        x_label="step",
        y_label="length over η g",
    )
    grown, cut = [], []
    for mu in (0.5, 0.8, momentum):
        by_torch = torch_constant_gradient_steps(rates[:201], mu)
        for walked in (constant_gradient_steps(rates, mu, form, mistake), by_torch):
            grown.append(walked[199] * (1 - mu))
            cut.append(walked[200] / walked[199])
    yield Claim("constant-gradient-adds-up", measured=max(grown, key=lambda r: abs(r - 1)), near=(1.0, 0.02))
    yield Claim("cut-acts-at-once", measured=max(cut, key=lambda r: abs(r - 0.1)), near=(0.1, 1e-6))
    yield Claim("inside-form-coasts", measured=inside[200] / inside[199], near=(0.91, 0.001))

    # A network of 3 inputs, 4 hidden units and 2 outputs; its targets come from another one.
    rng = np.random.default_rng(seed)
    net, teacher = ([rng.normal(0.0, 0.7, shape) for shape in ((3, 4), (4,), (4, 2), (2,))] for _ in range(2))
    x = rng.normal(size=(16, 3))  # (N, D)
    y = np.tanh(x @ teacher[0] + teacher[1]) @ teacher[2] + teacher[3]  # (N, O)
    plain = apart(walk(net, x, y, rate, mistake=mistake)[0], torch_walk(net, x, y, rate))
    yield Claim("plain-matches-torch", measured=plain, at_most=1e-6)
    decayed = [
        apart(walk(net, x, y, rate, decay=share, mistake=mistake)[0], torch_walk(net, x, y, rate, decay=share))
        for share in (0.01, 0.1, 0.5)
    ]
    yield Claim("decay-matches-torch", measured=max(decayed), at_most=1e-6)
    heavy = [
        apart(walk(net, x, y, rate, momentum=mu, mistake=mistake)[0], torch_walk(net, x, y, rate, momentum=mu))
        for mu in (0.5, 0.8, 0.9)
    ]
    yield Claim("momentum-matches-torch", measured=max(heavy), at_most=1e-6)
    summed = apart(walk(net, x, y, rate, momentum=1.0)[0], torch_walk(net, x, y, rate, clear=clear))
    yield Claim("uncleared-is-momentum-one", measured=summed, at_most=1e-6)
    scaled, weaker = [], []
    for n in (1, 5, 20):
        tenfold = torch_walk(net, x, y, rate / 10, n, decay=decay, factor=10.0)
        scaled.append(apart(tenfold, torch_walk(net, x, y, rate, n, decay=decay)))
        for share in (0.01, 0.1):
            tenfold = torch_walk(net, x, y, rate / 10, n, decay=share, factor=10.0)
            weaker.append(apart(tenfold, torch_walk(net, x, y, rate, n, decay=share * as_if)))
    yield Claim("loss-factor-is-rate-factor", measured=max(scaled), at_most=1e-6)
    yield Claim("loss-factor-weakens-decay", measured=max(weaker), at_most=1e-6)

    # Why minus the gradient: of all short moves of one length it lowers the loss the most.
    before, slopes = loss(net, x, y), gradients(net, x, y)
    g = np.concatenate([slope.ravel() for slope in slopes])  # (P,)
    cuts = np.cumsum([slope.size for slope in slopes])[:-1]

    def drop(way: np.ndarray, length: float) -> float:
        """By how much a move of this length lowers the loss."""
        pieces = np.split(length * way / np.linalg.norm(way), cuts)
        return before - loss([p + piece.reshape(p.shape) for p, piece in zip(net, pieces, strict=True)], x, y)

    chosen, other = (-g, -np.sign(g)) if direction == "gradient" else (-np.sign(g), -g)
    rivals = [drop(way, 1e-4) for way in (other, *rng.normal(size=(500, g.size)))]
    yield Claim("steepest", measured=max(rivals) / drop(chosen, 1e-4), at_most=1.0)
    away = rng.normal(size=(500, 2))  # from the minimum of ½ (a² + condition b²), whose gradient is (a, condition b)
    slope = away * [1.0, condition]
    cosine = (away * slope).sum(1) / np.linalg.norm(away, axis=1) / np.linalg.norm(slope, axis=1)
    angle = np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))).mean()
    yield Claim("misses-the-minimum", measured=angle, at_least=20.0)
    fall = drop(-g, small * float(np.linalg.norm(g)))
    yield Claim("falls-by-rate-times-square", measured=fall / (small * g @ g), near=(1.0, 0.01))
    right, climb = walk(net, x, y, 0.01)[1], walk(net, x, y, 0.01 if sign == "minus" else -0.01)[1]
    yield Claim("flipped-sign-climbs", measured=(np.diff(climb) > 0).mean(), at_least=1.0)
    yield Plot(
        "loss-by-sign",
        {"minus": (range(21), right), sign + " (second walk)": (range(21), climb)},
        x_label="step",
        y_label="loss",
    )

    # A line: the error that moves w has to move b as well. Taken anew in between, it changes the path, not the end.
    inputs, targets = x[:, 0], y[:, 0]  # (N,)
    off = []
    for begin in ((0.0, 0.0), (1.0, -1.0), (-0.5, 2.0)):
        pair = [torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in begin]
        misses = pair[0] * torch.tensor(inputs) + pair[1] - torch.tensor(targets)
        slopes_of_torch = torch.autograd.grad((misses**2).mean() / 2, pair)
        step_of_torch = np.subtract(begin, [0.2 * float(g) for g in slopes_of_torch])
        off.append(np.abs(line_step(*begin, inputs, targets, 0.2, mistake) - step_of_torch).max())
    yield Claim("line-step-matches-autograd", measured=max(off), at_most=1e-6)
    line = (0.0, 0.0)
    for _ in range(500):
        line = line_step(*line, inputs, targets, 0.2, "fresh-error" if mistake == "none" else mistake)
    best = np.polyfit(inputs, targets, 1)
    yield Claim("fresh-error-still-fits", measured=np.linalg.norm(line - best) / np.linalg.norm(best), at_most=0.001)

    # On ½ θ² with η = 0.1, momentum 1 is a spring without friction.
    theta, total, path = float(rng.uniform(0.5, 1.5)), 0.0, []
    for _ in range(1000):
        path.append(theta)
        total = theta if clear else total + theta
        theta -= 0.1 * total
    yield Text("Gradients that nobody clears add up: the sum is a velocity that nothing slows down.")
    yield Plot("uncleared-gradients", {"θ": (range(100), path[:100])}, x_label="step", y_label="θ")
    yield Claim("uncleared-never-settles", measured=max(np.abs(path[900:])) / max(np.abs(path[:100])), at_least=0.99)


if __name__ == "__main__":
    main(run)
