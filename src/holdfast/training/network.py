"""The one file that reaches PyTorch: a dilated character network, its training on one thread, and its weights as numpy.

Each layer sees a character and those `dilation` before and after, adds what it made of them, and leaves the rest as it was
(Strubell et al. 2017, Iterated Dilated Convolutions for sequence labelling). The layer is written as one matrix product, so
that int8 needs no convolution kernel.
"""

import importlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from holdfast.agent.models.spans import VOCABULARY
from holdfast.terms import Word
from holdfast.training import TrainingError

Weights = Mapping[str, NDArray[np.float32]]
IGNORED = -100  # a target that counts for nothing


class Shape(Word):
    """Of a network: characters as `width` numbers, a layer a dilation, `labels` a character, `classes` a text (0: none)."""

    width: int = 96
    dilations: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 1)
    labels: int
    classes: int = 0


class Batch(Word, eq=False):
    ids: NDArray[np.int64]  # (texts, characters), 0 where a text has ended
    labels: NDArray[np.int64]  # the same shape, IGNORED where nothing is wanted
    classes: NDArray[np.int64]  # (texts,), IGNORED where the text has none


def _torch() -> Any:
    try:
        torch: Any = importlib.import_module("torch")
    except ModuleNotFoundError as error:
        raise TrainingError("PyTorch is not there; install the extra: holdfast[train]") from error
    torch.set_num_threads(1)  # one thread adds in one order: the same seed gives the same weights
    torch.use_deterministic_algorithms(True)
    return torch


def fit(shape: Shape, batches: Iterator[Batch], *, steps: int, rate: float, seed: int, told: Callable[[float, float], None]) -> Weights:
    """Weights after `steps` batches. `told(share done, loss)` now and then. Raises TrainingError without PyTorch."""
    torch = _torch()
    torch.manual_seed(seed)
    weights = _begin(torch, shape)
    optimiser = torch.optim.AdamW(list(weights.values()), lr=rate, weight_decay=1e-4)
    smooth = 0.0
    for step in range(steps):
        batch = next(batches)
        for group in optimiser.param_groups:
            warm = min(1.0, (step + 1) / 100)
            group["lr"] = rate * warm * max(0.02, 1.0 - step / steps)
        tags, classes = _forward(torch, shape, weights, torch.from_numpy(batch.ids))
        loss = torch.nn.functional.cross_entropy(tags.flatten(0, 1), torch.from_numpy(batch.labels).flatten(), ignore_index=IGNORED)
        if shape.classes and (batch.classes != IGNORED).any():
            wanted = torch.from_numpy(batch.classes)
            loss = loss + torch.nn.functional.cross_entropy(classes, wanted, ignore_index=IGNORED)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(list(weights.values()), 1.0)
        optimiser.step()
        now = float(loss.item())
        smooth = now if step == 0 else 0.98 * smooth + 0.02 * now
        if step % 20 == 0 or step == steps - 1:
            told((step + 1) / steps, smooth)
    return {name: value.detach().numpy().astype(np.float32) for name, value in weights.items()}


def _begin(torch: Any, shape: Shape) -> dict[str, Any]:
    width = shape.width
    sizes: dict[str, tuple[int, ...]] = {"embed": (VOCABULARY, width)}
    for layer in range(len(shape.dilations)):
        sizes |= {f"look{layer}": (3 * width, width), f"look_b{layer}": (width,), f"mix{layer}": (width, width), f"mix_b{layer}": (width,)}
    sizes |= {"tags": (width, shape.labels), "tags_b": (shape.labels,)}
    sizes |= {"classes": (width, max(shape.classes, 1)), "classes_b": (max(shape.classes, 1),)}
    found: dict[str, Any] = {}
    for name, size in sizes.items():
        spread = 0.0 if len(size) == 1 else 0.5 if name == "embed" else (1.0 / size[0]) ** 0.5
        found[name] = (torch.randn(*size) * spread * (0.3 if name.startswith("mix") else 1.0)).requires_grad_()
    return found


def _forward(torch: Any, shape: Shape, weights: Mapping[str, Any], ids: Any) -> tuple[Any, Any]:
    """(texts, characters, labels) and (texts, classes); `graph.py` writes the same sums as ONNX."""
    there = (ids > 0).float().unsqueeze(-1)
    hidden = weights["embed"][ids] * there
    length = ids.shape[1]
    for layer, dilation in enumerate(shape.dilations):
        padded = torch.nn.functional.pad(hidden, (0, 0, dilation, dilation))
        seen = torch.cat([padded[:, :length], hidden, padded[:, 2 * dilation :]], dim=-1)
        made = torch.relu(seen @ weights[f"look{layer}"] + weights[f"look_b{layer}"])
        hidden = (hidden + made @ weights[f"mix{layer}"] + weights[f"mix_b{layer}"]) * there
    tags = hidden @ weights["tags"] + weights["tags_b"]
    classes = hidden.amax(dim=1) @ weights["classes"] + weights["classes_b"]
    return tags, classes
