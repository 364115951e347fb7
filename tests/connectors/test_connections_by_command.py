"""`holdfast connections`: a server's certificate is kept only once its thumbprint was confirmed, and never replaced in silence."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from connectors.opcua_plant import Plant

HOLDFAST = (sys.executable, "-c", "from holdfast.cli.main import main; main()")
SITE = """\
holdfast: 1
site: {{name: small, language: en, timezone: UTC}}
connections:
  plc: {{type: opcua, url: "{url}", security: Basic256Sha256, server: file:plc.der, namespace: "urn:test:mill"}}
  cooling: {{type: modbus, host: 127.0.0.1, port: 1502, unit_id: 1}}
equipment:
  pump:
    tags:
      vibration: {{on: plc, address: Stand4.Tension.PV, unit: kN}}
"""


async def call(*words: object) -> tuple[int, dict[str, Any]]:
    process = await asyncio.create_subprocess_exec(*HOLDFAST, *map(str, words), "--json", stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    return process.returncode or 0, json.loads(out)


async def test_a_certificate_is_kept_once_its_thumbprint_is_confirmed(tmp_path: Path) -> None:
    async with Plant(secure=tmp_path) as plant:
        site = tmp_path / "site.yaml"
        site.write_text(SITE.format(url=plant.url), encoding="utf-8")
        served = x509.load_der_x509_certificate(plant.certificate.read_bytes())
        sha1, sha256 = served.fingerprint(hashes.SHA1()).hex(), served.fingerprint(hashes.SHA256()).hex()

        code, shown = await call("connections", "trust", site, "plc")
        assert (code, shown["trusted"], shown["thumbprint"], shown["sha256"]) == (1, False, sha1, sha256)
        assert not (tmp_path / "plc.der").exists()

        code, shown = await call("connections", "trust", site, "plc", "--thumbprint", "00" * 20)
        assert (code, shown["trusted"]) == (1, False)
        assert not (tmp_path / "plc.der").exists()

        code, shown = await call("connections", "trust", site, "plc", "--thumbprint", sha256.upper())
        assert (code, shown["trusted"]) == (0, True)
        assert x509.load_der_x509_certificate((tmp_path / "plc.der").read_bytes()) == served

        code, shown = await call("connections", "trust", site, "plc")
        assert (code, shown["trusted"]) == (0, True)


async def test_another_certificate_is_not_replaced_in_silence(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    async with Plant(secure=tmp_path / "old") as other:
        before = other.certificate.read_bytes()
    async with Plant(secure=tmp_path) as plant:
        site = tmp_path / "site.yaml"
        site.write_text(SITE.format(url=plant.url), encoding="utf-8")
        (tmp_path / "plc.der").write_bytes(before)
        _, shown = await call("connections", "trust", site, "plc")
        code, _ = await call("connections", "trust", site, "plc", "--thumbprint", shown["thumbprint"])
        assert code == 1
        assert (tmp_path / "plc.der").read_bytes() == before
        code, _ = await call("connections", "trust", site, "plc", "--thumbprint", shown["thumbprint"], "--replace")
        assert code == 0
        assert (tmp_path / "plc.der").read_bytes() == plant.certificate.read_bytes()


async def test_connections_are_listed_with_address_security_and_tags(tmp_path: Path) -> None:
    (tmp_path / "plc.der").write_bytes(b"")
    site = tmp_path / "site.yaml"
    site.write_text(SITE.format(url="opc.tcp://10.1.4.10:4840"), encoding="utf-8")
    code, found = await call("connections", "list", site)
    plc, cooling = found["connections"]
    assert code == 0
    assert (plc["address"], plc["security"], plc["tags"]) == ("opc.tcp://10.1.4.10:4840", "Basic256Sha256", 1)
    assert (cooling["address"], cooling["tags"]) == ("127.0.0.1:1502", 0)
