"""Does a model fit this box: the memory that it needs beside what there is, and how many tokens a second it can't exceed.

    needs = weights + cache of keys and values at the context + what a runtime takes beside
    cache = 2 · layers · kv_heads · head_size · context · bytes of one number           (keys and values, grouped attention)
    tokens a second ≤ bandwidth / (weights + cache)          every token reads each weight and the whole cache once

The last is a bound, not a forecast: of a dense model and one request at a time. A mixture of experts reads fewer weights a token.
"""

from collections.abc import Sequence
from pathlib import Path

from holdfast.agent.models.bundles.bundle import Bundle
from holdfast.agent.models.bundles.gguf import shape_of
from holdfast.agent.models.bundles.hardware.device import Device, Probed
from holdfast.site.modelcard import BundleError, Shape
from holdfast.site.modelroles import Fitting
from holdfast.terms import Word

BESIDE = 0.10  # of weights and cache, for activations and the runtime's own buffers …
BESIDE_MIB = 64  # … and this at least
COMFORT, MOST = 0.80, 0.95  # of what is free: up to here it fits, up to there it is tight
ORDER: tuple[Fitting, ...] = ("fits", "tight", "no", "unknown")  # from the best
CACHE_BYTES = 2  # of one number: float16
CONTEXT_MAX = 10_000_000
MIB = 1 << 20


class DeviceFit(Word):
    """On one device. `tokens_per_s_max` is None where the bandwidth isn't known or the model doesn't generate."""

    kind: str
    device: str
    fits: Fitting
    has_mib: int
    share: float  # of what is free
    tokens_per_s_max: float | None
    tested: bool  # whether the probe was checked on such a device


class Fit(Word):
    """`context` in tokens; 0 for a model that doesn't generate. `fits` is the best device's."""

    model: str
    digest: str
    context: int
    weights_mib: float
    cache_mib: float
    beside_mib: float
    needs_mib: int
    fits: Fitting
    devices: tuple[DeviceFit, ...]
    absent: tuple[tuple[str, str], ...]  # (kind, why there is none)


def fit(bundle: Bundle, probed: Sequence[Probed], *, context: int = 0) -> Fit:
    """At a context of so many tokens; 0 is what the model was trained for. Raises BundleError."""
    weights = bundle.layout.vouched.statement.files[0].bytes
    shape = bundle.card.shape or (shape_of(bundle.weights) if bundle.card.format == "gguf" else None)
    if shape is None and context:
        raise BundleError("model.no_shape", f"{bundle.name} {bundle.version} keeps no context that is known of: leave --context out")
    tokens = context or (shape.context if shape else 0)
    if not 0 <= tokens <= CONTEXT_MAX:
        raise BundleError("model.context", f"a context of {tokens} tokens; from 1 to {CONTEXT_MAX}")
    cache = cache_bytes(shape, tokens) if shape else 0
    beside = max(BESIDE * (weights + cache), BESIDE_MIB * MIB)
    # What the maker measured counts where it is more than the sum says; it is of the context that the model was trained for.
    told = bundle.card.memory_mib if not shape or tokens >= shape.context else 0
    needs_mib = max(-(-(weights + cache + int(beside)) // MIB), told)
    on = tuple(_on(device, one, needs_mib, weights + cache if shape else 0) for one in probed for device in one.devices)
    answers: list[Fitting] = [one.fits for one in on]
    return Fit(
        model=f"{bundle.name} {bundle.version}",
        digest=bundle.digest,
        context=tokens,
        weights_mib=round(weights / MIB, 1),
        cache_mib=round(cache / MIB, 1),
        beside_mib=round(beside / MIB, 1),
        needs_mib=needs_mib,
        fits=min(answers, key=ORDER.index) if answers else "unknown",
        devices=on,
        absent=tuple((one.kind, one.absent) for one in probed if one.absent),
    )


def cache_bytes(shape: Shape, tokens: int) -> int:
    """Of keys and values, at so many tokens."""
    return 2 * shape.layers * shape.kv_heads * shape.head_size * tokens * CACHE_BYTES


def shape_in(path: Path) -> Shape | None:
    """Of a file that is to be packed; None where it says none. Raises BundleError."""
    with path.open("rb") as file:
        return shape_of(path) if file.read(4) == b"GGUF" else None


def _on(device: Device, of: Probed, needs_mib: int, read_bytes: int) -> DeviceFit:
    share = needs_mib / device.free_mib if device.free_mib else float("inf")
    known = read_bytes > 0 and device.bandwidth_gb_s > 0 and share <= MOST
    answer: Fitting = "fits" if share <= COMFORT else "tight" if share <= MOST else "no"
    return DeviceFit(
        kind=device.kind,
        device=device.name,
        fits=answer,
        has_mib=device.free_mib,
        share=round(min(share, 9999.0), 3),
        tokens_per_s_max=round(device.bandwidth_gb_s * 1e9 / read_bytes, 1) if known else None,
        tested=of.tested,
    )
