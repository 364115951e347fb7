"""Whatever bytes come on a stick: a model that is what it was, or one clear sentence; never a traceback, never a file elsewhere."""

import base64
import contextlib
import hashlib
import json
import random
import shutil
from pathlib import Path

import pytest
from packed import key_file, keys, packed, trust  # pyright: ignore[reportMissingImports]

from holdfast.agent.models.bundles import archive
from holdfast.agent.models.bundles.bundle import open_bundle
from holdfast.agent.models.bundles.registry import Registry
from holdfast.site.modelcard import PAYLOAD_TYPE, BundleError, unsealed

ROUNDS = 150
ODD = (None, True, -1, 1.5, 1 << 70, "", "sha256:", "../x", [], {}, [[]], "x" * 5000, "\x00")


def test_a_stick_with_changed_bytes(tmp_path: Path) -> None:
    key, home = key_file(tmp_path), tmp_path / "home"
    trust(home, key)
    made = packed(tmp_path, key=key)
    whole = tmp_path / "whole.tar"
    archive.write(open_bundle(made.path, keys(key)), whole)
    bytes_of, rng, stick, taken = whole.read_bytes(), random.Random(5), tmp_path / "stick.tar", 0
    for _ in range(ROUNDS):
        changed = bytearray(bytes_of)
        for _ in range(rng.choice((1, 1, 2, 20))):
            changed[rng.randrange(len(changed))] = rng.randrange(256)
        stick.write_bytes(bytes(changed)[: rng.choice((len(changed), rng.randrange(len(changed))))])
        try:
            found = Registry(home).import_(stick)
        except BundleError:
            continue
        taken += 1
        assert found.weights.read_bytes() == b"\x08weights"
        assert found.digest == made.digest
    assert taken  # of changes where nothing is read: padding, times, the name in the index
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "home",
        "mill.key",
        "names.json",
        "registers-1",
        "stick.tar",
        "tagger.onnx",
        "whole.tar",
    ]
    assert {path.name for path in (home / "models").iterdir()} <= {"trusted", made.digest}


@pytest.mark.parametrize("document", ["index", "manifest", "config", "card"])
def test_a_document_with_odd_values_in_every_place(tmp_path: Path, document: str) -> None:
    """Each value of it replaced by others of every kind, with every digest above it made right again."""
    key = key_file(tmp_path)
    made = packed(tmp_path, key=key)
    manifest = json.loads((made.path / "blobs/sha256" / made.digest).read_bytes())
    config = json.loads((made.path / "blobs/sha256" / manifest["config"]["digest"][7:]).read_bytes())
    card = json.loads((made.path / "blobs/sha256" / manifest["layers"][-1]["digest"][7:]).read_bytes())
    index = json.loads((made.path / "index.json").read_bytes())
    which = {"index": index, "manifest": manifest, "config": config, "card": card}
    odd = tmp_path / "odd"
    for place in list(_places(which[document])):
        for value in ODD:
            told = {name: json.loads(json.dumps(of)) for name, of in which.items()}
            _set(told[document], place, value)
            _written(made.path, odd, told)
            with contextlib.suppress(BundleError):
                assert open_bundle(odd, keys(key)).card == open_bundle(made.path, keys(key)).card, (place, value)


def _places(of: object, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    found: list[tuple[str | int, ...]] = [at] if at else []
    items = of.items() if isinstance(of, dict) else enumerate(of) if isinstance(of, list) else ()
    for key, value in items:
        found += _places(value, (*at, key))
    return found


def _set(of: object, place: tuple[str | int, ...], value: object) -> None:
    for part in place[:-1]:
        of = of[part]  # type: ignore[index]
    of[place[-1]] = value  # type: ignore[index]


def _written(source: Path, odd: Path, told: dict[str, dict[str, object]]) -> None:
    """The bundle with other documents; digests and sizes that name them follow, unless it was just those that were changed."""
    shutil.rmtree(odd, ignore_errors=True)
    shutil.copytree(source, odd)

    def put(of: object, descriptor: object, former: str) -> None:
        data = json.dumps(of).encode()
        digest = hashlib.sha256(data).hexdigest()
        (odd / "blobs/sha256" / digest).write_bytes(data)
        if isinstance(descriptor, dict) and descriptor.get("digest") == former:
            descriptor |= {"digest": f"sha256:{digest}", "size": len(data)}

    was = json.loads((source / "index.json").read_bytes())["manifests"][0]["digest"]
    before = json.loads((source / "blobs/sha256" / was[7:]).read_bytes())
    manifest = told["manifest"]
    layers = manifest.get("layers")
    put(told["config"], manifest.get("config"), before["config"]["digest"])
    put(told["card"], layers[-1] if isinstance(layers, list) and layers else None, before["layers"][-1]["digest"])
    index = told["index"].get("manifests")
    put(manifest, index[0] if isinstance(index, list) and index else None, was)
    (odd / "index.json").write_text(json.dumps(told["index"]))


def test_a_card_that_nobody_signed_with_odd_values_in_every_place(tmp_path: Path) -> None:
    made = packed(tmp_path, key=None)
    manifest = json.loads((made.path / "blobs/sha256" / made.digest).read_bytes())
    card = json.loads((made.path / "blobs/sha256" / manifest["layers"][-1]["digest"][7:]).read_bytes())
    statement = json.loads(base64.b64decode(card["payload"]))
    refused = 0
    for place in list(_places(statement)):
        for value in ODD:
            told = json.loads(json.dumps(statement))
            _set(told, place, value)
            payload = base64.b64encode(json.dumps(told).encode()).decode()
            try:
                found = unsealed(json.dumps({"payloadType": PAYLOAD_TYPE, "payload": payload, "signatures": []}).encode(), {})
            except BundleError:
                refused += 1
            else:
                assert found.vouching == "unsigned"
    assert refused > 300
