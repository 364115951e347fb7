"""The shipped units and rules: they parse, they deny by default, and they keep the hardening that their description promises."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

DEPLOY = Path(__file__).parents[2] / "deploy"
UNITS = ("holdfast-gate.service", "holdfast-agent@.service")


def settings(unit: str) -> dict[str, list[str]]:
    """Values by "Section.Key", each as often as it stands there."""
    found: dict[str, list[str]] = {}
    section = ""
    for line in (DEPLOY / unit).read_text().splitlines():
        if match := re.fullmatch(r"\[(\w+)\]", line):
            section = match[1]
        elif line and not line.startswith("#"):
            key, equals, value = line.partition("=")
            assert equals, f"{unit}: {line!r} is no setting"
            found.setdefault(f"{section}.{key}", []).append(value)
    return found


@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_has_no_rights_to_spare(unit: str) -> None:
    found = settings(unit)
    wanted = {
        "NoNewPrivileges": "yes", "CapabilityBoundingSet": "", "ProtectSystem": "strict", "ProtectHome": "yes", "PrivateTmp": "yes",
        "PrivateDevices": "yes", "RestrictNamespaces": "yes", "RestrictSUIDSGID": "yes", "IPAddressDeny": "any", "LimitCORE": "0",
        "ProtectKernelTunables": "yes", "ProtectProc": "invisible",
    }  # fmt: skip
    assert {key: found.get(f"Service.{key}") for key in wanted} == {key: [value] for key, value in wanted.items()}
    assert "root" not in found.get("Service.User", ["root" if "Service.DynamicUser" not in found else ""])


def test_the_gate_reaches_single_addresses_only_and_the_agent_none() -> None:
    gate, agent = settings(UNITS[0]), settings(UNITS[1])
    (allowed,) = gate["Service.IPAddressAllow"]
    assert all(re.fullmatch(r"[0-9.]+/32", address) for address in allowed.split())
    assert gate["Service.RestrictAddressFamilies"] == ["AF_UNIX AF_INET AF_INET6"]
    assert agent["Service.PrivateNetwork"] == ["yes"]
    assert agent["Service.RestrictAddressFamilies"] == ["AF_UNIX"]
    assert "Service.IPAddressAllow" not in agent
    assert "/var/lib/holdfast/gate" in agent["Service.InaccessiblePaths"][0].split()


def test_the_units_start_modules_that_are_there_with_arguments_that_they_take() -> None:
    for unit, module, file in zip(UNITS, ("holdfast.gate", "holdfast.agent.process"), ("gate", "agent"), strict=True):
        (command,) = settings(unit)["Service.ExecStart"]
        source = (DEPLOY.parent / "src" / "holdfast" / file / "process.py").read_text()
        assert f"-m {module} " in command
        for argument in re.findall(r" (--[a-z-]+)", command):
            assert f'"{argument}"' in source, f"{module} takes no {argument}"


@pytest.mark.parametrize("unit", UNITS)
def test_systemd_accepts_the_unit(unit: str, tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed here")
    for name in UNITS:  # a program that is there, so that only the unit itself is judged
        (tmp_path / name).write_text((DEPLOY / name).read_text().replace("/opt/holdfast/bin/python", "/bin/true"))
    ran = subprocess.run([program, "verify", "--man=no", str(tmp_path / unit)], capture_output=True, text=True, timeout=30)
    said = [line for line in ran.stderr.splitlines() if "holdfast" in line and "Documentation" not in line]
    assert (ran.returncode, said) == (0, []), ran.stderr


def test_the_rules_refuse_what_is_not_listed_and_touch_nobody_elses() -> None:
    text = re.sub(r"#[^\n]*", "", (DEPLOY / "holdfast.nft").read_text())
    assert text.count("{") == text.count("}")
    assert re.findall(r"^table (\w+ \w+)", text, re.MULTILINE) == ["inet holdfast", "inet holdfast"]
    assert "flush ruleset" not in text
    chain = [line.strip() for line in text[text.index("chain egress") :].splitlines()[1:] if line.strip(" }\t")]
    assert chain[0].startswith("type filter hook output")
    assert chain[1] == 'meta skuid != "holdfast-gate" accept'
    assert [line for line in chain if line.endswith("accept")][1:] == ["ip daddr . tcp dport @plant accept", "ct state established accept"]
    assert chain[-1].startswith("counter reject")
    assert all(re.fullmatch(r"[0-9.]+ \. \d+", e.strip()) for e in text.split("elements = {")[1].split("}")[0].split(",") if e.strip())


def test_nft_accepts_the_rules() -> None:
    program = shutil.which("nft")
    if program is None:
        pytest.skip("nft is not installed here")
    ran = subprocess.run([program, "-c", "-f", str(DEPLOY / "holdfast.nft")], capture_output=True, text=True, timeout=30)
    if "Operation not permitted" in ran.stderr:
        pytest.skip("nft needs rights that this machine does not give")
    assert "syntax error" not in ran.stderr, ran.stderr


def test_the_description_names_every_setting_that_it_explains_and_none_that_is_gone() -> None:
    explained = set(re.findall(r"`([A-Z][A-Za-z]+)=?[^`]*`", (DEPLOY / "README.md").read_text()))
    here = {key.partition(".")[2] for unit in UNITS for key in settings(unit)} | {"ReadWritePaths"}
    assert explained <= here, explained - here
