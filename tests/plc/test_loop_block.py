"""One table of cases, two ways to run it: the Structured Text as written, and the twin that the demo plant runs."""

import random
from pathlib import Path

import blark
import pytest
from loop_cases import CASES, Case, Inputs
from st_interpreter import StructuredText

from holdfast.sim.loop_block import LoopBlock

SOURCE = Path(__file__).parents[2] / "plc" / "HF_Loop.st"
USUAL: Inputs = {
    "Mode": 1,
    "SP_Op": 100.0,
    "SP_Ext": 100.0,
    "Cycle": 1.0,
    "SP_Min": 80.0,
    "SP_Max": 120.0,
    "SP_Rate": 2.0,
    "HB_Timeout": 3.0,
}
TWIN = {
    "Mode": "mode",
    "SP_Op": "sp_op",
    "SP_Ext": "sp_ext",
    "SP_Min": "sp_min",
    "SP_Max": "sp_max",
    "SP_Rate": "sp_rate_per_s",
    "HB_Timeout": "hb_timeout_s",
    "Loss_Ramp": "loss_ramp",
    "SP_Fallback": "sp_fallback",
    "Ext_Permit": "ext_permit",
    "Ext_HB": "ext_hb",
    "SP_Active": "sp_active",
    "Ext_Selected": "ext_selected",
    "HB_Fresh": "hb_fresh",
    "Param_OK": "param_ok",
}


class Text:
    def __init__(self) -> None:
        self.block = StructuredText(SOURCE.read_text(encoding="utf-8"))

    def scan(self, inputs: Inputs) -> dict[str, float | bool]:
        for name, value in inputs.items():
            self.block.set(name, value)
        self.block.scan()
        return dict(self.block.values)


class Twin:
    def __init__(self) -> None:
        self.block = LoopBlock(sp_op=0.0, sp_min=0.0, sp_max=0.0, sp_rate_per_s=0.0)
        self.cycle_s = 0.0

    def scan(self, inputs: Inputs) -> dict[str, float | bool]:
        for name, value in inputs.items():
            if name == "Cycle":
                self.cycle_s = value
            else:
                setattr(self.block, TWIN[name], value)
        self.block.scan(self.cycle_s)
        return {name: getattr(self.block, attribute) for name, attribute in TWIN.items()}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("way", [Text, Twin])
def test_the_block_does_what_the_table_says(way: type[Text] | type[Twin], case: Case) -> None:
    block = way()
    inputs: Inputs = {**USUAL, **case.parameters}
    for number, scan in enumerate(case.scans, 1):
        outputs = block.scan({**inputs, **scan.inputs})
        inputs = {}
        got = {name: outputs[name] for name in scan.expected}
        assert got == scan.expected, f"{case.name}, scan {number}"


def test_text_and_twin_agree_on_a_thousand_random_scans() -> None:
    dice = random.Random(20260105)
    text, twin = Text(), Twin()
    inputs: Inputs = dict(USUAL)
    for _ in range(1000):
        if dice.random() < 0.1:
            inputs["Mode"] = dice.choice([0, 1, 2, 2, 2])
        if dice.random() < 0.2:
            inputs["SP_Ext"] = dice.choice([dice.uniform(60.0, 140.0), float("nan")])
        if dice.random() < 0.1:
            inputs["SP_Op"] = dice.uniform(60.0, 140.0)
        if dice.random() < 0.4:
            inputs["Ext_HB"] = dice.randrange(1000)
        if dice.random() < 0.1:
            inputs["Ext_Permit"] = dice.random() < 0.7
        if dice.random() < 0.05:
            inputs["Loss_Ramp"], inputs["SP_Fallback"] = dice.random() < 0.5, dice.uniform(80.0, 120.0)
        written, twinned = text.scan(inputs), twin.scan(inputs)
        inputs = {}
        assert {name: written[name] for name in TWIN} == twinned


def test_an_independent_parser_reads_the_text() -> None:
    parsed = blark.parse_source_code(SOURCE.read_text(encoding="utf-8"))
    assert "HF_Loop" in str(parsed.transform())


def test_the_interpreter_refuses_what_it_does_not_know() -> None:
    with pytest.raises(SyntaxError):
        StructuredText("FUNCTION_BLOCK A VAR x : INT; END_VAR y := 1; END_FUNCTION_BLOCK")
    with pytest.raises(KeyError):
        StructuredText("FUNCTION_BLOCK A VAR x : INT; END_VAR x := SQRT(4); END_FUNCTION_BLOCK")
