"""What a deep learning framework does for you, layer by layer: the same training written three ways.

    by hand (NumPy)        forward, backward, update: each formula derived and typed
    autograd               forward and update typed; `backward` follows the operations that ran (define-by-run)
    modules + optimizer    the model declared once; parameters, update and train/eval mode are kept for you

The losses are equal, and so are the matrix products that run; what shrinks is what one writes, counted as lines of a
training step that hold code (by Python's line table, without `def` and setup). A count of lines is crude: autograd
saves few of them, and all derivatives. Then what comes with each layer: gradients that add up, two switches that do
not replace each other, and graphs that freeze a branch.

Sources: Paszke et al. (2019), PyTorch, sections 3 and 4; Baydin et al. (2018), Automatic Differentiation in Machine
Learning, section 3.2; PyTorch documentation, notes on autograd mechanics.
"""

from collections.abc import Callable, Iterator
from typing import Annotated, Any, Literal

import numpy as np
import torch
from torch.nn.functional import mse_loss
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from quizcli.lab.evidence import Claim, Evidence, Measure, Plot, Range, Table, Text, main

claims = {
    "hand-equals-autograd": {
        "says": "100 steps with gradients by hand have the losses of autograd's (to 1e-9)",
        "false_when": {"mistake": "no-derivative"},
    },
    "modules-equal-autograd": {
        "says": "100 steps with modules and torch.optim.SGD have the losses of autograd with updates by hand",
        "false_when": {"mistake": "no-zero-grad"},
    },
    "each-layer-writes-less": {
        "says": "each layer of the framework leaves fewer lines of a training step to write",
        "false_when": {"count": "executed"},
    },
    "same-work": {
        "says": "all three ways run the same number of matrix products in a step",
        "false_when": {"input_grad": True},
    },
    "backward-products": {
        "says": "in an MLP of L layers autograd's backward runs 2L - 1 matrix products, the forward pass L: so for "
        "L = 2, 3, 5 and 8",
        "false_when": {"input_grad": True},
    },
    "gradients-add": {
        "says": "a second backward adds to .grad: it then holds the sum of both batches' gradients",
        "false_when": {"clear": "each"},
    },
    "micro-batches-add-up": {
        "says": "four backward calls on quarter batches, each mean loss divided by 4, give the batch's gradient",
        "false_when": {"mistake": "undivided"},
    },
    "uncleared-climbs": {
        "says": "without clearing the full-batch loss goes up at over a quarter of 300 steps, with it at none",
        "false_when": {"clear": "each"},
    },
    "no-grad-keeps-dropout": {
        "says": "under no_grad alone, dropout goes on: two passes of one input differ",
        "false_when": {"mode": "eval"},
    },
    "eval-keeps-gradients": {
        "says": "in eval mode gradients still flow: backward gives the weights a gradient",
        "false_when": {"mode": "no-grad"},
    },
    "forward-moves-statistics": {
        "says": "a pass in training mode moves batch norm's running mean, even under no_grad",
        "false_when": {"mode": "eval"},
    },
    "eval-stays-on": {
        "says": "after one eval(), all later training passes run without dropout; after train() it is back",
        "false_when": {"back": True},
    },
    "trace-freezes-branch": {
        "says": "operations recorded on one input and replayed take that input's branch on all inputs, and so "
        "are wrong on 30% to 70%",
        "false_when": {"branch": "where"},
    },
    "run-follows-branch": {
        "says": "define-by-run gradients are right on either side of an if (against finite differences)",
        "false_when": {"graph": "recorded"},
    },
    "none-is-skipped": {
        "says": "after zero_grad() with its defaults, a parameter that gets no gradient in a step stays where it is, "
        "without momentum and with 0.9, under SGD and Adam",
        "false_when": {"set_to_none": False},
    },
}
measures = {
    "w-uncleared": "w after two SGD steps on w²/2 at rate `step`, from `weight`, with gradients never cleared",
    "w-cleared": "the same with gradients cleared before each backward",
    "products-backward": "matrix products in autograd's backward pass of an MLP of `layers` layers",
    "products-two-each": "two for each layer, that of the input among them",
    "products-forward": "matrix products in the forward pass",
    "lines-hand": "lines of code in a training step by hand",
    "lines-autograd": "the same with autograd",
    "lines-modules": "the same with modules and optimizer",
    "wrong-share": "share of inputs on which the recorded operations differ from the function",
}
predict = {
    "ask": "Operations of f are recorded on one input and replayed; f has an `if` on the input. It is wrong on:",
    "measure": "wrong-share",
    "choices": {"none": [0.0, 0.02], "half of the inputs": [0.3, 0.7], "all other inputs": [0.98, 1.0]},
}
RATE = 0.1


def step_by_hand(x: Any, y: Any, w: list, b: list, mistake: str, matmul: Callable = np.matmul) -> float:
    h = [x]  # (N, width) each
    for i in range(len(w)):
        z = matmul(h[-1], w[i]) + b[i]
        h.append(np.tanh(z) if i < len(w) - 1 else z)
    error = h[-1] - y
    d = 2 * error / error.size
    for i in reversed(range(len(w))):
        d_w, d_b = matmul(h[i].T, d), d.sum(0)
        if i > 0:
            d = matmul(d, w[i].T) * (1.0 if mistake == "no-derivative" else 1 - h[i] ** 2)
        w[i] -= RATE * d_w  # only now: d went back through the old weights
        b[i] -= RATE * d_b
    return float((error**2).mean())


def step_with_autograd(x: torch.Tensor, y: torch.Tensor, w: list, b: list) -> float:
    h = x
    for i in range(len(w)):
        z = h @ w[i] + b[i]
        h = torch.tanh(z) if i < len(w) - 1 else z
    loss = ((h - y) ** 2).mean()
    loss.backward()
    with torch.no_grad():
        for p in [*w, *b]:
            p -= RATE * p.grad
            p.grad = None
    return loss.item()


def step_with_modules(x: torch.Tensor, y: torch.Tensor, model: Any, optimizer: Any) -> float:
    optimizer.zero_grad()
    loss = mse_loss(model(x), y)
    loss.backward()
    optimizer.step()
    return loss.item()


def lines_of_code(function: Callable) -> int:
    """Lines that hold code, by Python's line table, without the `def`."""
    start = function.__code__.co_firstlineno
    return len({line for *_, line in function.__code__.co_lines() if line and line > start})


class Products(TorchDispatchMode):
    """Counts the matrix products that run inside it, whoever asked for them."""

    count = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += function in (torch.ops.aten.mm.default, torch.ops.aten.addmm.default)
        return function(*args, **(kwargs or {}))


class Tape(TorchFunctionMode):
    """Graph capture in small: notes the tensor operations of one run, to replay them on another input."""

    def __init__(self, function: Callable, x: torch.Tensor) -> None:
        super().__init__()
        self.x, self.notes = x, []
        with self:
            function(x)

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = function(*args, **(kwargs or {}))
        if isinstance(out, torch.Tensor):  # what an `if` asks is a bool and leaves no trace
            self.notes.append((function, args, out))
        return out

    def replay(self, x: torch.Tensor) -> torch.Tensor:
        known = {id(self.x): x}
        for function, args, out in self.notes:
            known[id(out)] = result = function(*[known.get(id(a), a) for a in args])
        return result


def kinked(x: torch.Tensor) -> torch.Tensor:
    """x (4,) to a number, by one of two branches."""
    y = 3 * x if x.sum() > 0 else -x
    return (y * y).sum()


def kinked_where(x: torch.Tensor) -> torch.Tensor:
    """The same with the choice as an operation on tensors."""
    y = torch.where(x.sum() > 0, 3 * x, -x)
    return (y * y).sum()


def slope(f: Callable, x: torch.Tensor, eps: float = 1e-6) -> torch.Tensor:
    """Gradient of f: R^n -> R at x (n,) by central differences."""
    return torch.stack([(f(x + e) - f(x - e)) / (2 * eps) for e in eps * torch.eye(len(x), dtype=x.dtype)])


def run(
    *,
    layers: Annotated[int, Range(2, 20), "layers of the MLP"] = 3,
    weight: Annotated[float, Range(-100.0, 100.0), "w at the start, in the two steps on w²/2"] = 10.0,
    step: Annotated[float, Range(0.0, 1.0), "learning rate there"] = 0.1,
    input_grad: Annotated[bool, "ask autograd for the gradient of the input too"] = False,
    clear: Annotated[Literal["never", "each"], "clearing of gradients where it is left out"] = "never",
    mode: Annotated[Literal["one", "no-grad", "eval"], "one: no_grad or eval, as each claim says; else that"] = "one",
    back: Annotated[bool, "call train() again after each eval()"] = False,
    branch: Annotated[Literal["if", "where"], "how the recorded function chooses"] = "if",
    graph: Annotated[Literal["run", "recorded"], "which function is differentiated"] = "run",
    set_to_none: Annotated[bool, "zero_grad sets gradients to None"] = True,
    count: Annotated[Literal["written", "executed"], "lines written or products executed"] = "written",
    mistake: Literal["none", "no-derivative", "no-zero-grad", "undivided"] = "none",
    seed: int = 0,
) -> Iterator[Evidence]:
    for name, cleared in (("w-uncleared", False), ("w-cleared", True)):
        w = torch.tensor(weight, dtype=torch.float64, requires_grad=True)
        for _ in range(2):
            if cleared:
                w.grad = None
            (w**2 / 2).backward()
            w.data -= step * w.grad
        yield Measure(name, w.item())

    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    sizes = [*[5, *([8, 6] * layers)][:layers], 3]
    w0 = [rng.normal(0, 1 / np.sqrt(sizes[i]), (sizes[i], sizes[i + 1])) for i in range(layers)]
    b0 = [rng.normal(0, 0.5, n) for n in sizes[1:]]
    x, y = rng.normal(size=(32, 5)), rng.normal(size=(32, 3))
    tx, ty = torch.tensor(x, requires_grad=input_grad), torch.tensor(y)

    def parameters() -> tuple[list, list]:
        return [torch.tensor(p, requires_grad=True) for p in w0], [torch.tensor(p, requires_grad=True) for p in b0]

    def build() -> torch.nn.Sequential:
        """The same network, declared: Linear keeps its weight as (out, in)."""
        parts = []
        for p, q in zip(w0, b0, strict=True):
            linear = torch.nn.Linear(*p.shape, dtype=torch.float64)
            linear.weight.data, linear.bias.data = torch.tensor(p.T.copy()), torch.tensor(q)
            parts += [linear, torch.nn.Tanh()]
        return torch.nn.Sequential(*parts[:-1])

    model = build()
    with Products() as forward:
        loss = mse_loss(model(tx), ty)
    with Products() as backward:
        loss.backward()
    yield Measure("products-backward", backward.count)
    yield Measure("products-two-each", 2 * forward.count)
    yield Measure("products-forward", forward.count)
    off = [abs(forward.count - layers) + abs(backward.count - (2 * layers - 1))]
    for depth in (2, 5, 8):
        net = torch.nn.Sequential(*[part for _ in range(depth) for part in (torch.nn.Linear(4, 4), torch.nn.Tanh())])
        u = torch.randn(6, 4, requires_grad=input_grad)
        with Products() as there:
            out = net[:-1](u).square().mean()
        with Products() as back_again:
            out.backward()
        off.append(abs(there.count - depth) + abs(back_again.count - (2 * depth - 1)))
    yield Claim("backward-products", measured=max(off), near=(0.0, 0.0))

    # Layer 1, autograd, against gradients by hand.
    products = [0, 0, 0]

    def counting(a: np.ndarray, c: np.ndarray) -> np.ndarray:
        products[0] += 1
        return a @ c

    w, b = [p.copy() for p in w0], [p.copy() for p in b0]
    by_hand = [step_by_hand(x, y, w, b, mistake, counting)]
    by_hand += [step_by_hand(x, y, w, b, mistake) for _ in range(99)]
    w, b = parameters()
    with Products() as auto:
        by_autograd = [step_with_autograd(tx, ty, w, b)]
    by_autograd += [step_with_autograd(tx, ty, w, b) for _ in range(99)]
    yield Claim("hand-equals-autograd", measured=np.abs(np.subtract(by_hand, by_autograd)).max(), at_most=1e-9)

    # What backward does to .grad.
    def gradient(net: torch.nn.Module, rows: slice, share: float = 1.0) -> torch.Tensor:
        """Gradient of all parameters, in a row, as it stands after one more backward."""
        (mse_loss(net(tx[rows]), ty[rows]) * share).backward()
        return torch.cat([p.grad.ravel() for p in net.parameters()])

    def fresh(rows: slice) -> torch.Tensor:
        return gradient(build(), rows)

    net = build()
    gradient(net, slice(16))
    if clear == "each":
        net.zero_grad()
    both, total = gradient(net, slice(16, 32)), fresh(slice(16)) + fresh(slice(16, 32))
    yield Claim("gradients-add", measured=float((both - total).abs().max() / total.abs().max()), at_most=1e-9)
    net, whole = build(), fresh(slice(32))
    for start in range(0, 32, 8):
        summed = gradient(net, slice(start, start + 8), 1.0 if mistake == "undivided" else 0.25)
    apart = float((summed - whole).abs().max() / whole.abs().max())
    yield Claim("micro-batches-add-up", measured=apart, at_most=1e-9)

    # Layer 2, modules: train/eval is one switch, recording for backward is another.
    torch.manual_seed(seed)
    net = torch.nn.Sequential(torch.nn.Linear(5, 64), torch.nn.BatchNorm1d(64), torch.nn.Dropout(0.5)).double()
    net.train(mode != "eval")
    mean = net[1].running_mean.clone()
    with torch.no_grad():
        differ = (net(tx) - net(tx)).abs().mean()
    yield Claim("no-grad-keeps-dropout", measured=float(differ), at_least=0.2)
    moved = (net[1].running_mean - mean).norm()
    yield Claim("forward-moves-statistics", measured=float(moved), at_least=0.1)
    net.eval()
    with torch.set_grad_enabled(mode != "no-grad"):
        out = (net(tx) ** 2).mean()
    if out.requires_grad:
        out.backward()
    size = 0.0 if net[0].weight.grad is None else net[0].weight.grad.norm()
    yield Claim("eval-keeps-gradients", measured=float(size), at_least=0.01)
    net.train()
    idle = []
    for epoch in range(5):
        idle.append(torch.equal(net[2](tx), tx))
        if epoch == 0:
            net.eval()
            if back:
                net.train()
    net.train()
    awake = not torch.equal(net[2](tx), tx)
    yield Claim("eval-stays-on", measured=np.mean(idle[1:]) if awake else 0.0, at_least=1.0)

    # Define-by-run against a recorded graph.
    f = kinked if branch == "if" else kinked_where
    example = torch.full((4,), 0.5, dtype=torch.float64)
    tape = Tape(f, example)
    inputs = torch.tensor(rng.normal(size=(200, 4)))
    there, here = [tape.replay(u).item() for u in inputs], [f(u).item() for u in inputs]
    wrong = np.mean(np.abs(np.subtract(there, here)) > 1e-9)
    yield Plot(
        "recorded-against-run",
        {"function": (inputs.sum(1), here), "replayed": (inputs.sum(1), there)},
        x_label="sum of the input",
        y_label="value",
        style="points",
    )
    yield Measure("wrong-share", wrong)
    frozen = np.allclose(there, 9 * (inputs**2).sum(1))  # the example's branch, of 3x, whatever the input
    yield Claim("trace-freezes-branch", measured=wrong if frozen else 0.0, between=(0.3, 0.7))
    g, off = (f if graph == "run" else tape.replay), []
    for u in inputs[:40]:
        leaf = u.clone().requires_grad_()
        g(leaf).backward()
        off.append((leaf.grad - slope(f, u)).abs().max())
    yield Claim("run-follows-branch", measured=float(max(off)), at_most=1e-6)
    yield Text("Now modules with torch.optim.SGD; the first step of an optimizer imports a second of code.")

    # Layer 3, the optimizer. It is handed the parameters once and keeps what it knows about each.
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)  # `model` has taken no step yet
    with Products() as module:
        by_modules = [step_with_modules(tx, ty, model, optimizer)]
    if mistake == "no-zero-grad":
        optimizer.zero_grad = lambda: None
    by_modules += [step_with_modules(tx, ty, model, optimizer) for _ in range(99)]
    yield Claim("modules-equal-autograd", measured=np.abs(np.subtract(by_modules, by_autograd)).max(), at_most=1e-9)
    products[1:] = auto.count, module.count
    lines = [lines_of_code(way) for way in (step_by_hand, step_with_autograd, step_with_modules)]
    ways = zip(("by hand", "autograd", "modules + optimizer"), lines, products, strict=True)
    end = [by_hand[-1], by_autograd[-1], by_modules[-1]]
    yield Table(
        "one training, three ways",
        ["way", "lines of a step", "matrix products", "loss after 100 steps"],
        [[*way, loss] for way, loss in zip(ways, end, strict=True)],
    )
    for name, number in zip(("lines-hand", "lines-autograd", "lines-modules"), lines, strict=True):
        yield Measure(name, number)
    saved = -np.diff(lines if count == "written" else products).max()
    yield Claim("each-layer-writes-less", measured=saved, at_least=1.0)
    yield Claim("same-work", measured=max(products) - min(products), at_most=0.0)

    curves = {}
    for name, clears in (("cleared", True), ("not cleared", clear == "each")):
        net, losses = build(), []
        sgd = torch.optim.SGD(net.parameters(), lr=RATE)
        for _ in range(300):
            if clears:
                sgd.zero_grad()
            loss = mse_loss(net(tx), ty)
            loss.backward()
            sgd.step()
            losses.append(loss.item())
        curves[name] = (np.arange(300), losses)
    yield Plot("without-zero-grad", curves, x_label="step", y_label="loss", log_y=True)
    rises = [np.mean(np.diff(losses) > 0) for _, losses in curves.values()]
    yield Claim("uncleared-climbs", measured=rises[1] if rises[0] == 0 else 0.0, at_least=0.25)

    coasts = []
    for kind, options in ((torch.optim.SGD, {"momentum": 0.9}), (torch.optim.SGD, {}), (torch.optim.Adam, {})):
        heads = [torch.nn.Parameter(torch.ones(3)) for _ in range(2)]
        optimizer = kind(heads, lr=RATE, **options)
        for used in (heads, heads[:1]):  # the second step leaves one head out of the loss
            optimizer.zero_grad(**({} if set_to_none else {"set_to_none": False}))  # None is the default
            sum((head**2).sum() for head in used).backward()
            before = heads[1].detach().clone()
            optimizer.step()
        coasts.append(float((heads[1].detach() - before).abs().max()))
    yield Claim("none-is-skipped", measured=max(coasts), at_most=1e-9)


if __name__ == "__main__":
    main(run)
