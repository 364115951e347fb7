"""A bundle opens only where every byte of it is what was packed, and says who vouches for it."""

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from packed import card, key_file, keys, packed  # pyright: ignore[reportMissingImports]

from holdfast.agent.models.bundles.archive import BLOCK, extract, write
from holdfast.agent.models.bundles.bundle import Bundle, open_bundle, pack, ship
from holdfast.site.modelcard import BundleError, keys_in, pae
from holdfast.site.modellayout import read_layout


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return key_file(tmp_path)


def refused(do: Callable[[], object]) -> BundleError:
    with pytest.raises(BundleError) as told:
        do()
    assert str(told.value)
    return told.value


def test_a_packed_model_opens_with_its_card_and_the_name_of_who_signed(tmp_path: Path, key: Path) -> None:
    made = packed(tmp_path, key=key)
    bundle = open_bundle(made.path, keys(key))
    assert (bundle.name, bundle.version, bundle.digest) == ("registers", "1", made.digest)
    assert (bundle.vouching, bundle.signer) == ("trusted", "mill")
    assert bundle.card == card()
    assert bundle.weights.read_bytes() == b"\x08weights"
    assert bundle.file("names.json").read_text() == "[]"
    assert refused(lambda: bundle.file("other.json")).code == "model.no_file"


def test_the_folder_is_an_image_layout_of_modelpacks_form(tmp_path: Path, key: Path) -> None:
    made = packed(tmp_path, key=key)
    assert json.loads((made.path / "oci-layout").read_bytes()) == {"imageLayoutVersion": "1.0.0"}
    (of,) = json.loads((made.path / "index.json").read_bytes())["manifests"]
    blob = (made.path / "blobs/sha256" / of["digest"].removeprefix("sha256:")).read_bytes()
    assert of["digest"] == f"sha256:{hashlib.sha256(blob).hexdigest()}" == f"sha256:{made.digest}"
    manifest = json.loads(blob)
    assert manifest["artifactType"] == "application/vnd.cncf.model.manifest.v1+json"
    assert manifest["config"]["mediaType"] == "application/vnd.cncf.model.config.v1+json"
    assert manifest["layers"][0]["mediaType"] == "application/vnd.cncf.model.weight.v1.raw"
    assert manifest["layers"][0]["annotations"] == {"org.cncf.model.filepath": "tagger.onnx"}
    config = json.loads((made.path / "blobs/sha256" / manifest["config"]["digest"].removeprefix("sha256:")).read_bytes())
    assert config["modelfs"] == {"type": "layers", "diffIds": [layer["digest"] for layer in manifest["layers"][:2]]}
    assert config["config"]["paramSize"] == "1.2m"


def test_a_curve_key_signs_as_well(tmp_path: Path) -> None:
    key = key_file(tmp_path, curve=True)
    assert open_bundle(packed(tmp_path, key=key).path, keys(key)).vouching == "trusted"


def test_the_signature_covers_what_the_specification_of_dsse_says() -> None:
    kind = b"application/vnd.holdfast.model.card.v1+json"
    assert pae(b"hello") == b"DSSEv1 43 " + kind + b" 5 hello"


def test_the_same_input_gives_the_same_bytes(tmp_path: Path, key: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert packed(tmp_path / "a", key=key).digest == packed(tmp_path / "b", key=key).digest


def test_a_key_that_this_site_does_not_know_vouches_for_nothing(tmp_path: Path, key: Path) -> None:
    assert open_bundle(packed(tmp_path, key=key).path, {}).vouching == "unknown"


def test_a_bundle_that_nobody_signed_says_so(tmp_path: Path, key: Path) -> None:
    assert open_bundle(packed(tmp_path, key=None).path, keys(key)).vouching == "unsigned"


def test_any_changed_byte_of_any_file_is_found(tmp_path: Path, key: Path) -> None:
    made = packed(tmp_path, key=key)
    known = keys(key)
    blobs = list((made.path / "blobs" / "sha256").iterdir())
    assert len(blobs) == 5  # manifest, configuration, card, weights, names
    for path in blobs:
        was = path.read_bytes()
        for place in {0, len(was) // 2, len(was) - 1}:
            path.write_bytes(was[:place] + bytes([was[place] ^ 1]) + was[place + 1 :])
            assert refused(lambda: open_bundle(made.path, known)).code == "model.changed"
        path.write_bytes(was)
    assert open_bundle(made.path, known).digest == made.digest


def test_a_card_that_was_changed_after_it_was_signed_is_refused(tmp_path: Path, key: Path) -> None:
    """Packed anew in all but the signature, so that every digest is right."""
    from holdfast.site import modelcard

    mine, theirs = packed(tmp_path, key=key), key_file(tmp_path, "other")
    known = keys(key)
    statement = open_bundle(mine.path, known).layout.vouched.statement
    forged = json.loads(modelcard.sealed(statement, modelcard.private_key(theirs)))
    forged["signatures"][0]["keyid"] = modelcard.key_id(known["mill"])
    assert refused(lambda: modelcard.unsealed(json.dumps(forged).encode(), known)).code == "model.signature"


def test_a_model_without_licence_is_refused(tmp_path: Path, key: Path) -> None:
    assert refused(lambda: packed(tmp_path, key=key, of=card(licence=" "))).code == "model.licence"


def test_a_file_of_another_format_is_refused(tmp_path: Path, key: Path) -> None:
    (tmp_path / "w.onnx").write_bytes(b"GGUF")
    assert (
        refused(lambda: pack(name="a", version="1", weights=tmp_path / "w.onnx", card=card(), key=key, out=tmp_path / "o")).code
        == "model.format"
    )


def test_a_bundle_reaches_nothing_outside_its_folder(tmp_path: Path, key: Path) -> None:
    made = packed(tmp_path, key=key)
    weights = open_bundle(made.path, keys(key)).weights
    weights.rename(tmp_path / "elsewhere")
    weights.symlink_to(tmp_path / "elsewhere")
    assert refused(lambda: open_bundle(made.path, keys(key))).code == "model.changed"
    weights.unlink()
    (tmp_path / "elsewhere").rename(weights)
    (made.path / "blobs").rename(tmp_path / "blobs")
    (made.path / "blobs").symlink_to(tmp_path / "blobs")
    assert refused(lambda: open_bundle(made.path, keys(key))).code == "model.path"


def test_a_path_in_the_manifest_that_leads_out_is_refused(tmp_path: Path, key: Path) -> None:
    made = packed(tmp_path, key=key)
    index = json.loads((made.path / "index.json").read_bytes())
    manifest = json.loads((made.path / "blobs/sha256" / made.digest).read_bytes())
    manifest["layers"][0]["annotations"]["org.cncf.model.filepath"] = "../../etc/passwd"
    forged = json.dumps(manifest).encode()
    of = hashlib.sha256(forged).hexdigest()
    (made.path / "blobs/sha256" / of).write_bytes(forged)
    index["manifests"][0] |= {"digest": f"sha256:{of}", "size": len(forged)}
    (made.path / "index.json").write_text(json.dumps(index))
    assert refused(lambda: read_layout(made.path, keys(key))).code == "model.path"


def test_another_file_than_the_signed_one_is_refused(tmp_path: Path, key: Path) -> None:
    """The manifest is not signed itself; the card names every file, so the manifest can't name others."""
    made = packed(tmp_path, key=key)
    index = json.loads((made.path / "index.json").read_bytes())
    manifest = json.loads((made.path / "blobs/sha256" / made.digest).read_bytes())
    (made.path / "blobs/sha256" / (of := hashlib.sha256(b"\x08other").hexdigest())).write_bytes(b"\x08other")
    manifest["layers"][0] |= {"digest": f"sha256:{of}", "size": 6}
    forged = json.dumps(manifest).encode()
    (made.path / "blobs/sha256" / (of := hashlib.sha256(forged).hexdigest())).write_bytes(forged)
    index["manifests"][0] |= {"digest": f"sha256:{of}", "size": len(forged)}
    (made.path / "index.json").write_text(json.dumps(index))
    assert refused(lambda: open_bundle(made.path, keys(key))).code == "model.files"


def test_a_shipped_model_has_its_public_key_beside_it_and_at_most_five_mib(tmp_path: Path) -> None:
    (tmp_path / "w.onnx").write_bytes(b"\x08w")
    shipped = tmp_path / "shipped"
    shipped.mkdir()
    ship(name="registers", version="0", weights=tmp_path / "w.onnx", card=card(), folder=shipped)
    made = ship(name="registers", version="1", weights=tmp_path / "w.onnx", card=card(), folder=shipped)  # in place of the former
    opened = open_bundle(made.path, keys_in(shipped))
    assert (opened.vouching, opened.signer) == ("trusted", "holdfast-registers")
    (tmp_path / "w.onnx").write_bytes(b"\x08" + bytes(5 << 20))
    assert (
        refused(lambda: ship(name="registers", version="2", weights=tmp_path / "w.onnx", card=card(), folder=shipped)).code == "model.large"
    )
    assert open_bundle(made.path, keys_in(shipped)).digest == made.digest  # the former is still there


# ---- as one file ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def bundle(tmp_path: Path, key: Path) -> Bundle:
    return open_bundle(packed(tmp_path, key=key).path, keys(key))


def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir(exist_ok=True)
    return folder


def test_one_file_carries_the_whole_bundle(tmp_path: Path, key: Path, bundle: Bundle) -> None:
    archive = tmp_path / "registers.tar"
    assert write(bundle, archive) == archive.stat().st_size
    extract(archive, out(tmp_path))
    assert open_bundle(out(tmp_path), keys(key)).digest == bundle.digest


def test_another_programs_tar_of_a_layout_is_read(tmp_path: Path, key: Path, bundle: Bundle) -> None:
    archive = tmp_path / "a.tar"
    with tarfile.open(archive, "w", format=tarfile.USTAR_FORMAT) as tar:
        tar.add(bundle.layout.folder, arcname=".")
    extract(archive, out(tmp_path))
    assert open_bundle(out(tmp_path), keys(key)).digest == bundle.digest


def test_a_file_that_was_not_copied_whole_is_told_wherever_it_ends(tmp_path: Path, bundle: Bundle) -> None:
    archive = tmp_path / "registers.tar"
    write(bundle, archive)
    whole = archive.read_bytes()
    last = max(place for place in range(0, len(whole), BLOCK) if whole[place : place + BLOCK] != bytes(BLOCK))
    for end in (0, 1, BLOCK - 1, BLOCK, BLOCK + 1, last, last + 1):
        archive.write_bytes(whole[:end])
        folder = tmp_path / f"out{end}"
        folder.mkdir()
        error = refused(lambda folder=folder: extract(archive, folder))  # pyright: ignore[reportUnknownLambdaType]
        assert error.code == "model.truncated", end
        assert "copied whole" in str(error)


def member(name: str, content: bytes = b"", **more: object) -> Callable[[tarfile.TarFile], None]:
    def put(tar: tarfile.TarFile) -> None:
        told = tarfile.TarInfo(name)
        told.size = len(content)
        for field, value in more.items():
            setattr(told, field, value)
        tar.addfile(told, io.BytesIO(content))

    return put


HOSTILE = {
    "a path that leads out": member("../outside", b"x"),
    "an absolute path": member("/tmp/outside", b"x"),
    "a layout's name that leads out": member("blobs/sha256/../../../outside", b"x"),
    "a link": member("index.json", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
    "a hard link": member("index.json", type=tarfile.LNKTYPE, linkname="oci-layout"),
    "a device": member("index.json", type=tarfile.CHRTYPE),
    "a pipe": member("index.json", type=tarfile.FIFOTYPE),
    "a sparse file": member("index.json", type=tarfile.GNUTYPE_SPARSE),
    "a file of no bundle": member("run-me.sh", b"x"),
    "a long name": member("blobs/" + "a" * 200, b"x"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_an_archive_that_says_more_than_a_bundle_is_refused_and_nothing_lies_outside(tmp_path: Path, what: str) -> None:
    archive = tmp_path / "a.tar"
    with tarfile.open(archive, "w", format=tarfile.GNU_FORMAT) as tar:
        HOSTILE[what](tar)
    before = {*tmp_path.rglob("*"), out(tmp_path)}
    assert refused(lambda: extract(archive, out(tmp_path))).code == "model.path"
    assert set(tmp_path.rglob("*")) == before


def test_a_file_named_twice_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "a.tar"
    with tarfile.open(archive, "w", format=tarfile.GNU_FORMAT) as tar:
        member("index.json", b"1")(tar)
        member("index.json", b"2")(tar)
    assert refused(lambda: extract(archive, out(tmp_path))).code == "model.archive"


def test_a_size_that_no_disk_has_is_refused_before_a_byte_is_written(tmp_path: Path) -> None:
    archive = tmp_path / "a.tar"
    told = tarfile.TarInfo("blobs/sha256/" + "a" * 64)
    told.size = 1 << 50
    archive.write_bytes(told.tobuf(tarfile.GNU_FORMAT))
    assert refused(lambda: extract(archive, out(tmp_path))).code == "model.large"
    assert not any(out(tmp_path).iterdir())


def test_too_many_files_are_refused(tmp_path: Path) -> None:
    archive = tmp_path / "a.tar"
    with tarfile.open(archive, "w", format=tarfile.GNU_FORMAT) as tar:
        for place in range(100):
            member(f"blobs/sha256/{place:064x}", b"x")(tar)
    assert refused(lambda: extract(archive, out(tmp_path))).code == "model.large"


@pytest.mark.parametrize("what", [b"", b"PK\x03\x04" + bytes(600), os.urandom(2048), b"\x1f\x8b" + bytes(1000)])
def test_what_is_no_archive_is_said_to_be_none(tmp_path: Path, what: bytes) -> None:
    archive = tmp_path / "a.tar"
    archive.write_bytes(what)
    assert refused(lambda: extract(archive, out(tmp_path))).code in ("model.archive", "model.truncated")


def test_an_index_that_is_a_link_is_refused(tmp_path: Path, key: Path) -> None:
    made = packed(tmp_path, key=key)
    (made.path / "index.json").rename(tmp_path / "index.json")
    (made.path / "index.json").symlink_to(tmp_path / "index.json")
    assert refused(lambda: open_bundle(made.path, keys(key))).code == "model.missing"


@pytest.mark.parametrize("memory_mib", [-1, 1 << 53])
def test_a_number_out_of_any_bounds_is_refused(tmp_path: Path, key: Path, memory_mib: int) -> None:
    assert refused(lambda: packed(tmp_path, key=key, of=replace(card(), memory_mib=memory_mib))).code == "model.card"
