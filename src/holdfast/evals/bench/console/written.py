"""The console bench's site file: 200 tags, in three loops and ten pieces of equipment, each with a limit it never reaches."""

REGISTERS = 200
LOOPS, PIECES = 3, 10  # two tags a loop; the others are shared out among so many pieces of equipment
HEAD = """\
holdfast: 1
site: {{name: console-bench, language: en, timezone: UTC}}
connections: {{plant: {{type: modbus, host: 127.0.0.1, port: {port}, unit_id: 1}}}}
templates:
  heat:
    pv:     {{address: "{{pv_at}}:uint16", {common}}}
    sp_now: {{address: "{{sp_at}}:uint16", {common}}}
equipment:
"""
COMMON = "every: 200ms, unit: Cel, scale: {raw: [0, 10000], eng: [0, 100]}"


def site_text(port: int) -> str:
    """`port`: of the plant on 127.0.0.1."""
    addresses = iter(range(40_001, 40_001 + REGISTERS))
    single, rest = divmod(REGISTERS - 2 * LOOPS, PIECES)
    lines: list[str] = []
    for piece in range(PIECES):
        lines.append(f"  machine-{piece}:")
        if piece < LOOPS:
            lines += ["    loops:", f'      heat: {{template: heat, on: plant, pv_at: "{next(addresses)}", sp_at: "{next(addresses)}"}}']
        names = [f"t{n:02d}" for n in range(single + (piece < rest))]
        lines += ["    tags:", *(f'      {name}: {{on: plant, address: "{next(addresses)}:uint16", {COMMON}}}' for name in names)]
        lines += ["    alarms:", *(f"      {name}: {{hi: 90, hihi: 95, deadband: 1}}" for name in names)]
    return HEAD.format(port=port, common=COMMON) + "\n".join(lines) + "\ndefault_approvals: [operator]\n"
