"""What the release ships is a bundle like any other: verified, small, with a licence and with what it was and was not tried on."""

from pathlib import Path

import pytest

import holdfast
from holdfast.agent.models.bundles.bundle import SHIPPED_BYTES_MAX, open_bundle
from holdfast.site.modelcard import keys_in
from holdfast.site.modelroles import SUITES, shortfall

SHIPPED = Path(holdfast.__file__).parent / "agent" / "models" / "shipped"
FOLDERS = sorted(path.parent for path in SHIPPED.glob("*/oci-layout"))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_a_shipped_model_is_whole_small_and_honest(folder: Path) -> None:
    bundle = open_bundle(folder, keys_in(SHIPPED))
    assert (bundle.name, bundle.vouching, bundle.signer) == (folder.name, "trusted", f"holdfast-{folder.name}")
    assert bundle.bytes <= SHIPPED_BYTES_MAX
    assert bundle.card.tried_on
    assert bundle.card.not_tried_on
    assert bundle.card.licence == "Apache-2.0"
    assert any(profile.state == "supported" for profile in bundle.card.profiles)
    files = {file.digest for file in bundle.layout.vouched.statement.files}
    assert {path.name for path in folder.rglob("*") if path.is_file()} == {"oci-layout", "index.json", *files, *bundle.layout.documents}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_a_shipped_model_was_put_through_the_suites_of_its_role(folder: Path) -> None:
    card = open_bundle(folder, keys_in(SHIPPED)).card
    assert card.skills == (folder.name,)
    assert folder.name in SUITES
    assert shortfall(folder.name, card.evaluations, card.evaluations) is None
