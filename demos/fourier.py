"""The Fourier transform turns convolution into multiplication, and a wave into one number whatever its phase.

    X[k] = Σₙ x[n] exp(−2πi kn/N)      bin k stands for k·fs/N hertz, fs: samples a second
    circular convolution:  DFT(x ∗ w) = X · W          what CNN layers compute:  X · conj(W)

A fast transform by hand, its multiplications counted; convolution by way of it, with and without zero padding; tones
under noise, aliases, and what decides whether two tones are told apart. Then one small network learns to name tones,
from samples and from magnitudes, which know nothing of phase or direction.

Sources: Cooley & Tukey (1965); Oppenheim & Schafer, Discrete-Time Signal Processing (sampling, the discrete Fourier
transform); Mathieu, Henaff & LeCun (2014), Fast Training of Convolutional Networks through FFTs.
"""

from collections.abc import Iterator
from typing import Annotated, Literal

import numpy as np

from quizcli.lab.evidence import Claim, Evidence, Measure, Plot, Range, Table, Text, main

claims = {
    "fft-is-the-dft": {
        "says": "split into even and odd samples again and again, the transform equals the sum and NumPy's",
        "false_when": {"mistake": "no-twiddle"},
    },
    "n-log-n": {
        "says": "for every N from 2 to 1024 that is a power of two, it takes N/2 · log₂ N complex multiplications",
        "false_when": {"mistake": "direct"},
    },
    "product-is-circular": {
        "says": "the product of two spectra belongs to the circular convolution, summed directly (four lengths)",
        "false_when": {"mistake": "conjugate"},
    },
    "padding-gives-linear": {
        "says": "padded with zeros to N + M - 1, it belongs to the linear convolution (four lengths)",
        "false_when": {"mistake": "no-padding"},
    },
    "wrap-hits-the-start": {
        "says": "without padding the first M - 1 outputs are wrong and the others are right: outputs that break this",
        "false_when": {"tail": "silent"},
    },
    "conjugate-gives-correlation": {
        "says": "with the kernel's spectrum conjugated it belongs to cross-correlation, the kernel not flipped",
        "false_when": {"mistake": "no-conjugate"},
    },
    "long-kernels-pay": {
        "says": "for 1024 samples and a kernel of 1024, the FFT way saves over two thirds of the multiplications",
        "false_when": {"long": 5},
    },
    "short-kernels-do-not": {
        "says": "for 1024 samples and a kernel of 5, the FFT way takes over ten times the multiplications",
        "false_when": {"short": 1024},
    },
    "tones-found": {
        "says": "two tones of amplitude 0.5 under noise of deviation 1 own the two highest of 513 bins",
        "false_when": {"samples": 32},
    },
    "peak-grows-with-length": {
        "says": "a tone on a bin stands 1 + N A²/4 times as high in power as unit white noise, at five N and A",
        "false_when": {"window": "hann"},
    },
    "tones-fold": {
        "says": "a sampled tone shows at its distance from the nearest multiple of the sampling rate, at three rates",
        "false_when": {"mistake": "modulo"},
    },
    "long-record-separates": {
        "says": "a record of 1 s shows two tones 5 Hz apart as two peaks with a deep dip between",
        "false_when": {"seconds": 0.1},
    },
    "zero-padding-does-not": {
        "says": "0.1 s padded with zeros to 1.6 s shows the same two tones as one peak, without a dip",
        "false_when": {"short_seconds": 1.0},
    },
    "shift-keeps-magnitude": {
        "says": "a circular shift leaves the spectrum's magnitudes as they were: a chirp, 20 random signals",
        "false_when": {"keep": "complex"},
    },
    "reversal-keeps-magnitude": {
        "says": "a real signal played backwards has the same magnitudes: a rising chirp, 20 random signals",
        "false_when": {"keep": "complex"},
    },
    "gradient-is-right": {
        "says": "the network's gradients by hand agree with central differences",
        "false_when": {"mistake": "no-relu-mask"},
    },
    "spectrum-beats-raw": {
        "says": "from 150 noisy tones of random phase, magnitudes give 25 points more test accuracy than samples",
        "false_when": {"phase": "fixed"},
    },
    "raw-wins-when-aligned": {
        "says": "when all tones have one phase, samples give over 2 points more test accuracy than magnitudes",
        "false_when": {"aligned": "random"},
    },
}
measures = {
    "samples-for-spacing": "samples for bins `spacing` Hz apart",
    "samples-half": "half of that: half the rate was divided by the spacing",
    "alias": "frequency at which the tone shows, in Hz",
    "alias-modulo": "the tone's frequency modulo the sampling rate, not folded back",
    "peak-over-floor": "mean power in a tone's bin over the mean power of noise bins",
    "peak-over-floor-amplitude": "its square root, the ratio of amplitudes",
    "raw-accuracy": "percent of test tones named rightly from samples, median of five networks",
    "spectrum-accuracy": "percent of test tones named rightly from magnitudes, median of five networks",
}
predict = {
    "ask": "Four tones, unknown phase, much noise, 150 examples: from raw samples, a small network names rightly:",
    "measure": "raw-accuracy",
    "choices": {"a quarter to a half": [0, 50], "half to four fifths": [50, 80], "nearly all": [80, 100]},
}
TRAIN, TEST, COPIES, HIDDEN, NOISE = 150, 1000, 5, 16, 1.8


def fft(x: np.ndarray, mistake: str = "none") -> tuple[np.ndarray, int]:
    """Spectrum (N,) of x (N,), N a power of two, and the complex multiplications that it took."""
    n = len(x)
    if mistake == "direct":
        return np.exp(-2j * np.pi * np.outer(np.arange(n), np.arange(n)) / n) @ x, n * n
    if n == 1:
        return x.astype(complex), 0
    even, cost_even = fft(x[::2], mistake)
    odd, cost_odd = fft(x[1::2], mistake)
    twiddle = np.exp(-2j * np.pi * np.arange(n // 2) / n)
    turned = odd if mistake == "no-twiddle" else odd * twiddle
    return np.concatenate([even + turned, even - turned]), cost_even + cost_odd + n // 2


def cost_ratio(n: int, m: int) -> float:
    """Real multiplications of a direct linear convolution, N·M, over those by way of three padded transforms."""
    size = 2 ** int(np.ceil(np.log2(n + m - 1)))
    return n * m / (4 * (3 * fft(np.zeros(size))[1] + size))  # counted; a complex multiplication is four real ones


def alias(tone: np.ndarray | float, rate: float, mistake: str = "none") -> np.ndarray | float:
    """Where a tone shows after sampling, between 0 and rate / 2."""
    return tone % rate if mistake == "modulo" else np.abs(tone - rate * np.round(tone / rate))


def dip(seconds: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, float]:
    """Frequencies, mean power spectrum of two tones of 100 and 105 Hz, and its middle over the tones."""
    t = np.arange(round(1000 * seconds)) / 1000
    phases = rng.uniform(0, 2 * np.pi, (400, 2, 1))
    x = np.sin(2 * np.pi * np.array([[100], [105]]) * t + phases).sum(1)  # (records, N)
    size = 1600 if len(t) < 1600 else 16 * len(t)
    power = (np.abs(np.fft.rfft(x, size)) ** 2).mean(0)
    low, middle, high = (power[round(f * size / 1000)] for f in (100, 102.5, 105))
    return np.fft.rfftfreq(size, 1 / 1000), power / power.max(), 2 * middle / (low + high)


def forward(net: list[np.ndarray], x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Hidden activations (R, N, HIDDEN) and class probabilities (R, N, 4) of R networks."""
    hidden = np.maximum(x @ net[0] + net[1], 0)
    scores = np.exp(np.clip(hidden @ net[2] + net[3], -50, 50))
    return hidden, scores / scores.sum(-1, keepdims=True)


def loss(net: list[np.ndarray], x: np.ndarray, y: np.ndarray) -> float:
    """Cross-entropy, averaged over examples and summed over networks."""
    return -(y * np.log(forward(net, x)[1])).sum() / x.shape[1]


def gradients(net: list[np.ndarray], x: np.ndarray, y: np.ndarray, mistake: str = "none") -> list[np.ndarray]:
    """Gradients of the loss by hand, in the order of the network's parts."""
    hidden, shares = forward(net, x)
    out = (shares - y) / x.shape[1]  # (R, N, 4)
    back = out @ net[2].swapaxes(1, 2)  # (R, N, HIDDEN)
    if mistake != "no-relu-mask":
        back = back * (hidden > 0)
    d_w, d_v = x.swapaxes(1, 2) @ back, hidden.swapaxes(1, 2) @ out
    return [d_w, back.sum(1, keepdims=True), d_v, out.sum(1, keepdims=True)]


def start(width: int, rng: np.random.Generator) -> list[np.ndarray]:
    """COPIES networks of one hidden layer with ReLU."""
    w, v = rng.normal(0, np.sqrt(2 / width), (COPIES, width, HIDDEN)), rng.normal(0, 0.25, (COPIES, HIDDEN, 4))
    return [w, np.zeros((COPIES, 1, HIDDEN)), v, np.zeros((COPIES, 1, 4))]


def accuracy(x: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> float:
    """Median test accuracy in percent after training on the first TRAIN rows of x (R, TRAIN + TEST, width)."""
    x = x / x[:, :TRAIN].std()
    y = np.eye(4)[labels]  # (R, TRAIN + TEST, 4)
    net = start(x.shape[-1], rng)
    speed = [np.zeros_like(part) for part in net]
    for _ in range(150):
        for part, pace, slope in zip(net, speed, gradients(net, x[:, :TRAIN], y[:, :TRAIN]), strict=True):
            pace *= 0.9
            pace -= 0.05 * slope
            part += pace
    named = forward(net, x[:, TRAIN:])[1].argmax(-1) == labels[:, TRAIN:]
    return 100 * float(np.median(named.mean(1)))


def run(
    *,
    rate: Annotated[int, Range(10, 100_000), "samples a second"] = 1000,
    spacing: Annotated[float, Range(0.1, 1000.0), "Hz from bin to bin that is wanted"] = 4.0,
    tone: Annotated[float, Range(0.0, 200_000.0), "frequency of a sampled tone, Hz"] = 700.0,
    taps: Annotated[int, Range(2, 64), "length M of the first kernel"] = 9,
    long: Annotated[int, Range(2, 4096), "a long kernel"] = 1024,
    short: Annotated[int, Range(2, 4096), "a short kernel"] = 5,
    samples: Annotated[int, Range(32, 4096), "samples N of a noisy record"] = 1024,
    amplitude: Annotated[float, Range(0.0, 2.0), "of each tone, under noise of deviation 1"] = 0.5,
    seconds: Annotated[float, Range(0.1, 2.0), "length of the long record"] = 1.0,
    short_seconds: Annotated[float, Range(0.1, 2.0), "length of the short record, zero-padded"] = 0.1,
    tail: Annotated[Literal["signal", "silent"], "the last M - 1 samples"] = "signal",
    window: Annotated[Literal["none", "hann"], "taken to the noisy record"] = "none",
    keep: Annotated[Literal["magnitude", "complex"], "what is compared after a shift or a reversal"] = "magnitude",
    phase: Annotated[Literal["random", "fixed"], "of the tones to be named"] = "random",
    aligned: Annotated[Literal["fixed", "random"], "phase of the aligned tones"] = "fixed",
    mistake: Literal[
        "none", "no-twiddle", "direct", "conjugate", "no-padding", "no-conjugate", "modulo", "no-relu-mask"
    ] = "none",
    seed: int = 0,
) -> Iterator[Evidence]:
    yield Measure("samples-for-spacing", rate / spacing)
    yield Measure("samples-half", rate / (2 * spacing))
    yield Measure("alias", alias(tone, rate))
    yield Measure("alias-modulo", alias(tone, rate, "modulo"))

    # 1. The transform, and its price.
    rng = np.random.default_rng(seed)
    x = rng.normal(size=256)
    by_hand, _ = fft(x, mistake)
    wrong = max(np.abs(by_hand - fft(x, "direct")[0]).max(), np.abs(by_hand - np.fft.fft(x)).max())
    yield Claim("fft-is-the-dft", measured=wrong, at_most=1e-9)
    powers = 2 ** np.arange(1, 11)
    costs = [fft(rng.normal(size=n), mistake)[1] / (n / 2 * np.log2(n)) for n in powers]
    yield Claim("n-log-n", measured=max(costs, key=lambda cost: abs(cost - 1)), near=(1, 1e-9))

    # 2. Convolution by way of spectra.
    off_circular, off_linear, off_correlated, broken = [], [], [], 0
    for n, m in ((256, taps), (100, 3), (37, 12), (64, 64)):
        x, w = rng.normal(size=n), rng.normal(size=m)
        if tail == "silent":
            x[n - m + 1 :] = 0
        spectrum, kernel = np.fft.fft(x), np.fft.fft(w, n)  # the kernel is filled up with zeros to N
        circular = sum(w[j] * np.roll(x, j) for j in range(m))  # Σⱼ w[j] x[i − j]
        correlated = sum(w[j] * np.roll(x, -j) for j in range(m))  # Σⱼ w[j] x[i + j]
        linear = np.convolve(x, w)  # (N + M − 1,)
        convolved = np.fft.ifft(spectrum * (kernel.conj() if mistake == "conjugate" else kernel)).real
        off_circular.append(np.abs(convolved - circular).max())
        size = n if mistake == "no-padding" else n + m - 1
        padded = np.fft.irfft(np.fft.rfft(x, size) * np.fft.rfft(w, size), size)
        off_linear.append(np.abs(padded - linear[:size]).max())
        wrong = np.abs(convolved - linear[:n]) > 1e-9
        broken += int((wrong != (np.arange(n) < m - 1)).sum())  # right at the start, or wrong after it
        layer = np.fft.ifft(spectrum * (kernel if mistake == "no-conjugate" else kernel.conj())).real
        off_correlated.append(np.abs(layer - correlated).max())
    yield Claim("product-is-circular", measured=max(off_circular), at_most=1e-9)
    yield Claim("padding-gives-linear", measured=max(off_linear), at_most=1e-9)
    yield Claim("wrap-hits-the-start", measured=broken, at_most=0)
    yield Claim("conjugate-gives-correlation", measured=max(off_correlated), at_most=1e-9)
    sizes = 2 ** np.arange(1, 11)
    curve = {"direct over FFT": (sizes, [cost_ratio(1024, m) for m in sizes])}
    yield Plot("multiplications for 1024 samples", curve, x_label="kernel length", log_x=True, log_y=True)
    yield Claim("long-kernels-pay", measured=cost_ratio(1024, long), at_least=3)
    yield Claim("short-kernels-do-not", measured=cost_ratio(1024, short), at_most=0.1)

    # 3. Tones under noise: a tone adds up in its bin, noise spreads over all.
    ratios = []
    for n, a in ((256, 0.5), (512, 1.0), (2048, 0.25), (1024, 2.0), (samples, amplitude)):
        bins = [n // 8, 5 * n // 16]
        angles = 2 * np.pi * np.array(bins)[:, None] * np.arange(n) / n + rng.uniform(0, 2 * np.pi, (100, 2, 1))
        noisy = a * np.sin(angles).sum(1) + rng.normal(size=(100, n))  # (records, N)
        if window == "hann":
            noisy = noisy * np.hanning(n)
        power = np.abs(np.fft.rfft(noisy)) ** 2  # (records, N/2 + 1)
        quiet = np.ones(power.shape[1], dtype=bool)
        quiet[[0, -1, *(b + d for b in bins for d in (-2, -1, 0, 1, 2))]] = False
        ratio = power[:, bins].mean() / power[:, quiet].mean()
        ratios.append(ratio / (1 + n * a**2 / 4))
    hertz = np.fft.rfftfreq(samples, 1 / rate)
    yield Plot("spectrum of a noisy record", {"power / N": (hertz, power[0] / samples)}, x_label="Hz")
    highest = np.sort(power.argsort(1)[:, -2:], axis=1)
    yield Claim("tones-found", measured=(highest == bins).all(1).mean(), at_least=0.95)
    yield Measure("peak-over-floor", ratio)
    yield Measure("peak-over-floor-amplitude", np.sqrt(ratio))
    yield Claim("peak-grows-with-length", measured=max(ratios, key=lambda r: abs(r - 1)), between=(0.85, 1.15))

    # 4. What sampling and length decide.
    off = []
    for fs in (rate, 100, 44_100):
        tones = rng.uniform(0, 5 * fs, 40)
        sampled = np.cos(2 * np.pi * tones[:, None] * np.arange(2000) / fs)  # (tones, N)
        shown = np.abs(np.fft.rfft(sampled * np.hanning(2000))).argmax(1) * fs / 2000
        off.append(np.abs(shown - alias(tones, fs, mistake)).max() * 2000 / fs)  # in bins
    yield Claim("tones-fold", measured=max(off), at_most=3)
    frequencies, separated, depth = dip(seconds, rng)
    yield Claim("long-record-separates", measured=depth, at_most=0.3)
    padded_frequencies, merged, depth = dip(short_seconds, rng)
    yield Claim("zero-padding-does-not", measured=depth, at_least=1)
    curves = {"long record": (frequencies, separated), "short, zero-padded": (padded_frequencies, merged)}
    around = {name: (f[abs(f - 102.5) < 15], height[abs(f - 102.5) < 15]) for name, (f, height) in curves.items()}
    yield Plot("two tones", around, x_label="Hz", y_label="power")

    # 5. What the magnitudes do not know.
    t = np.arange(256) / 256
    chirp = np.sin(2 * np.pi * (10 * t + 40 * t**2)) + rng.normal(0, 0.1, 256)
    off_shifted, off_backwards = [], []
    for signal in [chirp, *(rng.normal(size=n) for n in rng.integers(10, 400, 20))]:
        of, shifted, backwards = np.fft.rfft([signal, np.roll(signal, rng.integers(1, len(signal))), signal[::-1]])
        if keep == "magnitude":
            of, shifted, backwards = np.abs([of, shifted, backwards])
        off_shifted.append(np.abs(of - shifted).max())
        off_backwards.append(np.abs(of - backwards).max())
    yield Claim("shift-keeps-magnitude", measured=max(off_shifted), at_most=1e-9)
    yield Claim("reversal-keeps-magnitude", measured=max(off_backwards), at_most=1e-9)

    # 6. One small network, two representations.
    labels = rng.integers(0, 4, (COPIES, TRAIN + TEST))
    time = 2 * np.pi * (5 + 2 * labels[..., None]) * np.arange(64) / 64  # 5, 7, 9 or 11 cycles in 64 samples
    offset = rng.uniform(0, 2 * np.pi, (*labels.shape, 1))
    noise = rng.normal(0, NOISE, (*labels.shape, 64))
    heard = np.sin(time + (offset if phase == "random" else 1)) + noise  # (R, N, 64)
    # The gradient against central differences: four random directions, relative to what a random direction gives.
    net, y, some = start(64, rng), np.eye(4)[labels[:, :50]], heard[:, :50]
    slopes = gradients(net, some, y, mistake)
    wrong = []
    for _ in range(4):
        ways = [rng.normal(0, 1e-6, part.shape) for part in net]
        ahead, behind = ([part + sign * way for part, way in zip(net, ways, strict=True)] for sign in (1, -1))
        found = (loss(ahead, some, y) - loss(behind, some, y)) / 2
        wrong.append(abs(sum((slope * way).sum() for slope, way in zip(slopes, ways, strict=True)) - found))
    scale = 1e-6 * np.sqrt(sum((slope**2).sum() for slope in slopes))
    yield Claim("gradient-is-right", measured=max(wrong) / scale, at_most=0.01)
    raw = accuracy(heard, labels, rng)
    magnitudes = accuracy(np.abs(np.fft.rfft(heard)), labels, rng)
    lined_up = np.sin(time + (offset if aligned == "random" else 1)) + noise
    raw_lined_up, magnitudes_lined_up = (
        accuracy(lined_up, labels, rng),
        accuracy(np.abs(np.fft.rfft(lined_up)), labels, rng),
    )
    rows = [["random", raw, magnitudes], ["the same", raw_lined_up, magnitudes_lined_up]]
    yield Table("test accuracy (%) of the same network", ["phase of the tones", "samples", "magnitudes"], rows)
    yield Text("Chance is 25%. Samples of a tone average out over phases; its magnitude does not know the phase.")
    yield Measure("raw-accuracy", raw)
    yield Measure("spectrum-accuracy", magnitudes)
    yield Claim("spectrum-beats-raw", measured=magnitudes - raw, at_least=25)
    yield Claim("raw-wins-when-aligned", measured=raw_lined_up - magnitudes_lined_up, at_least=2)


if __name__ == "__main__":
    main(run)
