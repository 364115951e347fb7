"""A detector's learned numbers as bytes: named arrays and plain options, no code, checked when read back."""

import io
import json
import zipfile
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Option = str | float | bool
_BYTES_MAX = 1 << 30  # of one learned state


def pack(name: str, options: Mapping[str, Option | Sequence[float]], arrays: Mapping[str, Matrix]) -> bytes:
    """One npz archive: a JSON header (detector, options) and the arrays."""
    header = np.frombuffer(json.dumps({"detector": name, "options": dict(options)}, sort_keys=True).encode(), dtype=np.uint8)
    stream = io.BytesIO()
    np.savez(stream, header=header, **arrays)  # type: ignore[arg-type]
    return stream.getvalue()


def unpack(name: str, packed: bytes, wanted: Sequence[str]) -> tuple[dict[str, object], dict[str, Matrix]]:
    """(options, arrays); ValueError where the bytes are no learned state of detector `name`."""
    if len(packed) > _BYTES_MAX:
        raise ValueError(f"a learned state of {len(packed)} bytes is over the limit of {_BYTES_MAX}")
    try:
        with np.load(io.BytesIO(packed), allow_pickle=False) as archive:
            header = json.loads(bytes(archive["header"]).decode())
            detector, options = str(header["detector"]), dict(header["options"])
            if detector != name:
                raise ValueError(f"this is a learned state of {detector}, not of {name}: load it with that detector")
            arrays = {key: np.asarray(archive[key], dtype=np.float64) for key in wanted}
    except (OSError, KeyError, TypeError, EOFError, AttributeError, UnicodeDecodeError, json.JSONDecodeError, zipfile.BadZipFile) as error:
        raise ValueError(f"this is no learned state of {name}: it is damaged or another file ({error})") from error
    except ValueError as error:
        if "learned state" in str(error):
            raise
        raise ValueError(f"this is no learned state of {name}: it is damaged or another file ({error})") from error
    bad = [key for key, array in arrays.items() if not np.isfinite(array).all()]
    if bad:
        raise ValueError(f"the learned state of {name} holds values that are no numbers in {', '.join(bad)}: it is damaged")
    return options, arrays


def shares_of(weights: Matrix) -> Matrix:
    """Non-negative weights (tags,) as shares that sum to 1; all alike where there is nothing to tell them apart."""
    clean = np.nan_to_num(np.maximum(weights, 0.0), posinf=1e300)
    top = float(clean.max(initial=0.0))
    if top <= 0:
        return np.full(clean.shape, 1.0 / max(clean.size, 1))
    clean = clean / top
    return clean / clean.sum()
