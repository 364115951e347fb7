"""The record at the people's door: pages, proofs, checkpoints that a witness signs, export and verification."""

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from people_door import Served
from small_plant import ASKING, PASSWORD, site

from holdfast.gate.ledger.checkpoint import parse, read_public
from holdfast.gate.ledger.merkle import included, leaf_hash
from holdfast.gate.ledger.witness import Growth, WitnessFolder
from holdfast.terms import Finding

VERIFIER = Path(__file__).parents[2] / "verifier" / "verify_holdfast_ledger.py"


@pytest_asyncio.fixture
async def served() -> AsyncIterator[Served]:
    with tempfile.TemporaryDirectory(prefix="hf") as folder:  # a socket's path is short
        world = Served(Path(folder) / "gate", site(rules=ASKING))
        world.gate.people.add("ann", ["operator"], PASSWORD)
        world.open_doors()
        await world.run(3)
        world.gate.checkpoint()
        yield world
        await world.close_doors()
        world.gate.close()


async def test_records_come_as_their_exact_bytes_by_any_filter(served: Served) -> None:
    served.propose(103.0)
    all_of_them = (await served.ask("GET", "/v1/records?limit=1000")).body
    assert [r["seq"] for r in all_of_them] == list(range(1, served.gate.log.size + 1))
    by_kind = (await served.ask("GET", "/v1/records?kind=decision,ask&order=desc")).body
    assert [r["kind"] for r in by_kind] == ["ask", "decision"]
    assert [r["kind"] for r in (await served.ask("GET", "/v1/records?proposal=p1")).body] == ["decision", "ask"]
    assert [r["kind"] for r in (await served.ask("GET", "/v1/records?agent=ann-agent")).body] == ["agent", "decision", "ask"]
    one = await served.ask("GET", "/v1/records/1")
    assert one.body == json.loads(served.gate.log.leaf(1) or b"")
    assert (await served.ask("GET", "/v1/records/99999")).status == 404


async def test_a_query_that_makes_no_sense_is_refused(served: Served) -> None:
    for query in ("order=up", "limit=x", "from_ns=1e9", f"after={10**30}", "kind=" + ",".join(map(str, range(40)))):
        assert (await served.ask("GET", f"/v1/records?{query}")).status == 400, query


async def test_a_proof_leads_from_a_record_to_the_signed_root(served: Served) -> None:
    told = (await served.ask("GET", "/v1/ledger/2/proof")).body
    assert told["proved"] is True
    leaf, path, root = leaf_hash(told["leaf"].encode()), [bytes.fromhex(h) for h in told["path"]], parse(told["checkpoint"]).root
    assert included(told["index"], told["size"], leaf, path, root)
    assert not included(told["index"] + 1, told["size"], leaf, path, root)
    served.propose(103.0)
    assert (await served.ask("GET", f"/v1/ledger/{served.gate.log.size}/proof")).body["proved"] is False
    assert (await served.ask("GET", "/v1/ledger/99999/proof")).status == 404


async def test_a_witness_co_signs_over_the_door_and_its_signature_is_shown(served: Served, tmp_path: Path) -> None:
    public = read_public(served.folder / "ledger.pub")
    witness = WitnessFolder.open(tmp_path, public, os.urandom)
    told = (await served.ask("GET", "/v1/checkpoints?from=0")).body
    seen = witness.see(Growth(note=told["checkpoint"], old=told["from"]), at_s=1_700_000_000)

    unknown = await served.ask("POST", "/v1/checkpoints/cosign", {"note": seen.note})
    assert (unknown.status, "witness.keys" in unknown.body["error"]) == (403, True)
    (served.folder / "witness.keys").write_text(witness.key.text() + "\n")
    answer = await served.ask("POST", "/v1/checkpoints/cosign", {"note": seen.note})
    assert (answer.status, answer.body) == (200, {"witness": witness.key.name, "size": seen.size, "at_s": 1_700_000_000})
    shown = (await served.ask("GET", "/v1/checkpoints")).body
    assert [c["size"] for c in shown["checkpoints"]] == [seen.size]
    assert [(c["witness"], c["size"]) for c in shown["cosigned"]] == [(witness.key.name, seen.size)]

    served.propose(103.0)
    served.gate.checkpoint()
    growth = (await served.ask("GET", f"/v1/checkpoints?from={seen.size}")).body
    path = tuple(map(bytes.fromhex, growth["path"]))
    later = witness.see(Growth(note=growth["checkpoint"], old=growth["from"], path=path), at_s=1_700_000_060)
    assert (await served.ask("POST", "/v1/checkpoints/cosign", {"note": later.note})).status == 200
    assert (await served.ask("POST", "/v1/checkpoints/cosign", {"note": seen.note})).status == 200  # an older one again
    shown = (await served.ask("GET", "/v1/checkpoints")).body
    assert [c["size"] for c in shown["cosigned"]] == [later.size]


async def test_what_the_gate_did_not_sign_is_not_kept(served: Served, tmp_path: Path) -> None:
    witness = WitnessFolder.open(tmp_path, read_public(served.folder / "ledger.pub"), os.urandom)
    (served.folder / "witness.keys").write_text(witness.key.text() + "\n")
    own = (await served.ask("GET", "/v1/checkpoints")).body["checkpoints"][0]["note"]
    seen = witness.see(Growth(note=own, old=0), at_s=1)
    size = parse(own).size
    others = {
        "not cosigned": own,
        "another size": seen.note.replace(f"\n{size}\n", f"\n{size + 1}\n", 1),
        "another root": seen.note.replace(own.split("\n")[2], "A" * 43 + "=", 1),
        "another time": seen.note[:-12] + "AAAAAAAAAA=\n",
    }
    for what, note in others.items():
        assert (await served.ask("POST", "/v1/checkpoints/cosign", {"note": note})).status == 403, what
    assert (await served.ask("POST", "/v1/checkpoints/cosign", {"note": "nothing"})).status == 400
    assert (await served.ask("GET", "/v1/checkpoints")).body["cosigned"] == []


async def test_an_export_is_a_persons_is_on_record_and_verifies_alone(served: Served, tmp_path: Path) -> None:
    assert (await served.ask("GET", "/v1/export?label=site")).status == 401
    served.propose(103.0)
    served.gate.checkpoint()
    token = await served.sign_in("ann")
    assert (await served.ask("GET", "/v1/export?label=secret", token=token)).status == 400
    answer = await served.ask("GET", "/v1/export?label=site&from=2&to=3", token=token)
    assert answer.status == 200
    lines = answer.body.decode().splitlines()
    assert [line[0] == "{" for line in lines[1:5]] == [False, True, True, False]
    file = tmp_path / "out.export"
    file.write_bytes(answer.body)
    argv = [sys.executable, str(VERIFIER), str(file), "--key", str(served.folder / "ledger.pub")]
    verified = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.DEVNULL)
    assert await verified.wait() == 0
    (record,) = served.records("export")
    assert (record["person"], record["from"], record["to"], record["label"]) == ("ann", 2, 3, "site")


async def test_verification_tells_its_progress_and_what_it_found(served: Served) -> None:
    answer = await served.ask("GET", "/v1/verify")
    events = [part.split("\n") for part in answer.body.decode().strip().split("\n\n")]
    assert events[0][0] == "event: progress"
    assert events[-1][0] == "event: result"
    result = json.loads(events[-1][1].removeprefix("data: "))
    assert (result["verdict"]["ok"], result["state"]["agrees"]) == (True, True), result
    served.gate.log.state.db.execute("UPDATE leaf SET bytes = CAST(replace(CAST(bytes AS TEXT), 'ann', 'bob') AS BLOB) WHERE seq = 1")
    again = (await served.ask("GET", "/v1/verify")).body.decode().strip().split("\n")[-1]
    assert json.loads(again.removeprefix("data: "))["verdict"]["first_bad"] == 1


async def test_incidents_are_listed_and_told_whole(served: Served) -> None:
    shares = (("stand/tension.pv", 1.0),)
    found = Finding(id="a/b 1", incident="i", detector="d@0", onset_ns=0, found_ns=1, confidence=1.0, score=1.0, shares=shares)
    served.gate.find("ann-agent", found)
    served.propose(103.0)
    (listed,) = (await served.ask("GET", "/v1/incidents")).body
    assert (listed["id"], listed["state"], listed["equipment"], listed["records"]) == ("a/b 1", "asked", ["stand"], 3)
    told = (await served.ask("GET", "/v1/incidents/a%2Fb%201")).body
    assert [record["kind"] for record in told["chain"]] == ["finding", "decision", "ask"]
    assert (await served.ask("GET", "/v1/incidents/nothing")).status == 404


async def test_agents_are_told_with_those_whose_token_ended(served: Served) -> None:
    served.gate.people.add("rosa", ["administrator"], PASSWORD)
    token = await served.sign_in("rosa")
    served.agents.add("old")
    served.agents.revoke("old")
    told = (await served.ask("GET", "/v1/agents", token=token)).body
    assert [(agent["name"], agent["revoked"], agent["added_ns"] > 0) for agent in told] == [("ann-agent", False, True), ("old", True, True)]
