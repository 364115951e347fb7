"""Exports of Kepware, TIA Portal and Ignition become tags of ours, each line taken or left with a reason; the fixtures are handwritten."""

import codecs
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast.gate.connectors import registers
from holdfast.gate.connectors.s7 import addresses as s7
from holdfast.site.exports import Export, Options, Taken, csv_text, understand
from holdfast.site.exports.found import NotUnderstood
from holdfast.site.load import load
from holdfast.terms import Scale

HERE = Path(__file__).parent / "exports"
HEADED = "Tag Name,Address,Data Type,Scaling,Raw Low,Raw High,Scaled Low,Scaled High\nLevel,40001,Word,{}\n"


def read(name: str, **said: str | int) -> Export:
    return understand((HERE / name).read_bytes(), Options(**said))  # type: ignore[arg-type]


def by_name(export: Export) -> dict[str, Taken]:
    return {tag.name: tag for tag in export.taken}


def left(export: Export) -> dict[str, str]:
    return {line.name: line.why for line in export.left}


# ---- Kepware ---------------------------------------------------------------------------------------------------------


def test_kepwares_modbus_tags_become_references_with_type_unit_rate_and_scale() -> None:
    export = read("kepware_modbus.csv", word_order="little")
    tags = by_name(export)
    speed = tags["Stand4.Speed"]
    assert (export.kind, speed.line, speed.address) == ("kepware", 2, "40021:int16")
    assert (speed.type, speed.unit, speed.every_s, speed.description) == ("float", "{rev}/min", 0.5, "work roll, top")
    assert speed.scale == Scale(raw=(0.0, 27648.0), eng=(0.0, 1500.0))
    assert "clamped" in speed.remark
    assert tags["Stand4.Running"].address == "40040.5:bool"
    assert tags["Cooling.Pump"].address == "00012:bool"
    assert tags["Cooling.Tank full"].address == "10003:bool"
    assert (tags["Cooling.Level"].address, tags["Cooling.Level"].type) == ("30010:uint16", "integer")
    assert tags["Cooling.Hours"].address == "40255:uint16"  # H4000FF: 0xFF = 255
    assert tags["Cooling.Flow"].address == "40100:float32:little"


def test_what_falls_where_the_raw_number_rises_is_left_because_a_site_file_cannot_say_it() -> None:
    assert "negated" in left(read("kepware_modbus.csv"))["Stand4.Trim"]
    assert "falls" in left(understand(HEADED.format("Linear,0,100,10,0").encode(), Options()))["Level"]
    flipped = understand(HEADED.format("Linear,100,0,10,0").encode(), Options()).taken[0]
    assert flipped.scale == Scale(raw=(0.0, 100.0), eng=(0.0, 10.0))


def test_a_value_of_two_registers_is_left_until_a_person_says_which_comes_first() -> None:
    why = left(read("kepware_modbus.csv"))["Cooling.Flow"]
    assert "--word-order" in why


def test_a_unit_that_nobody_knows_goes_into_the_description() -> None:
    flow = by_name(read("kepware_modbus.csv", word_order="big"))["Cooling.Flow"]
    assert (flow.unit, flow.description) == ("1", "return line (unit there: furlong)")


def test_each_line_of_kepware_that_is_no_tag_of_ours_says_why() -> None:
    told = left(read("kepware_modbus.csv", word_order="big"))
    assert set(told) == {"Stand4.Trim", "Cooling.Root", "Line.Recipe", "Line.Profile", "Line.Gauge", "Line.Order", "Line.Short row"}
    assert "Square Root" in told["Cooling.Root"]
    assert "String" in told["Line.Recipe"]
    assert "Word Array" in told["Line.Profile"]
    assert "N7:0" in told["Line.Gauge"]
    assert "4 cells" not in told["Line.Order"]
    assert "3 cells, but 17 columns" in told["Line.Short row"]


def test_kepwares_s7_items_become_s7_addresses_with_the_type_of_their_column() -> None:
    tags = by_name(read("kepware_s7.csv"))
    assert {name: tag.address for name, tag in tags.items()} == {
        "压机.力": "DB10.DBD4:REAL",
        "压机.计数": "DB10.DBD8:DINT",
        "压机.状态": "DB10.DBW12:WORD",
        "压机.阀": "DB10.DBX14.3",
        "压机.油温": "MW20:INT",
        "压机.门": "I0.3",
        "压机.位置": "DB10.DBD16:REAL",
        "压机.字节": "DB10.DBB20:SINT",
    }
    assert (tags["压机.油温"].unit, tags["压机.力"].description) == ("Cel", "主缸压力")
    assert set(left(read("kepware_s7.csv"))) == {"压机.名称", "压机.位", "压机.定时", "压机.外设"}


@pytest.mark.parametrize(
    "written",
    [
        pytest.param(lambda text: text.encode("gb18030"), id="gb18030"),
        pytest.param(lambda text: codecs.BOM_UTF16_LE + text.encode("utf-16-le"), id="utf-16"),
        pytest.param(lambda text: text.encode("utf-16-be"), id="utf-16 without its mark"),
        pytest.param(lambda text: codecs.BOM_UTF8 + text.encode(), id="utf-8 with a mark"),
    ],
)
def test_an_export_is_read_in_every_encoding_that_plants_have(written: Callable[[str], bytes]) -> None:
    text = (HERE / "kepware_s7.csv").read_text(encoding="utf-8")
    assert understand(written(text), Options()) == read("kepware_s7.csv")


def test_kepware_over_opc_ua_needs_its_channel_and_then_takes_any_device() -> None:
    with pytest.raises(NotUnderstood, match="--under CHANNEL"):
        read("kepware_modbus.csv", protocol="opcua")
    tags = by_name(read("kepware_modbus.csv", protocol="opcua", under="Line.PLC1"))
    assert tags["Line.Gauge"].address == "nsu=KEPServerEX;s=Line.PLC1.Line.Gauge"
    assert tags["Stand4.Speed"].scale is None  # its server has scaled it
    assert tags["Stand4.Speed"].type == "float"
    assert tags["Cooling.Root"].type == "float"


# ---- TIA Portal ------------------------------------------------------------------------------------------------------

TIA = {
    "Force": "MD12:REAL",
    "Running": "M0.1",
    "Analog 1": "IW64:INT",
    "Lamps": "QB2:BYTE",
    "Energy": "MD100:LREAL",
    "Cycle": "MD40:DINT",
    "Zähler": "ID68:UDINT",
    "Hidden": "MD44:REAL",
}


def test_tias_tag_table_becomes_s7_addresses() -> None:
    export = read("tia_tags.xml")
    tags = by_name(export)
    assert {name: tag.address for name, tag in tags.items()} == TIA
    assert (tags["Force"].description, tags["Cycle"].unit) == ("main cylinder & valve", "ms")
    assert set(left(export)) == {"Old time", "Wrong width", "Drive in", "Nowhere", "Limit"}
    assert "constant" in left(export)["Limit"]


def test_tias_tags_over_opc_ua_go_by_their_quoted_names_and_hidden_ones_are_left() -> None:
    export = read("tia_tags.xml", protocol="opcua")
    assert by_name(export)["Force"].address == 'nsu=http://www.siemens.com/simatic-s7-opcua;s="Force"'
    assert "not accessible" in left(export)["Hidden"]


def test_tias_openness_export_is_read_too() -> None:
    export = read("tia_openness.xml")
    assert [(t.name, t.address, t.description) for t in export.taken] == [("Speed", "MW10:INT", "of roll 1")]
    assert set(left(export)) == {"Limit"}


def test_tias_csv_is_read_too() -> None:
    export = read("tia_tags.csv")
    assert [(t.line, t.name, t.address) for t in export.taken] == [(2, "Start_Button", "I0.0"), (3, "Line_Speed", "MD20:REAL")]
    assert [(line.line, line.name) for line in export.left] == [(4, "Batch_Name")]


def workbook(rows: str, shared: str = "") -> bytes:
    space = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as book:
        sheet = '<sheet name="PLC Tags" sheetId="1" r:id="rId7"/><sheet name="Constants" sheetId="2" r:id="rId8"/>'
        book.writestr("xl/workbook.xml", f'<workbook {space} xmlns:r="{relations}"><sheets>{sheet}</sheets></workbook>')
        book.writestr(
            "xl/_rels/workbook.xml.rels", '<Relationships><Relationship Id="rId7" Target="worksheets/sheet3.xml"/></Relationships>'
        )
        book.writestr("xl/worksheets/sheet3.xml", f"<worksheet {space}><sheetData>{rows}</sheetData></worksheet>")
        if shared:
            book.writestr("xl/sharedStrings.xml", f"<sst {space}>{shared}</sst>")
    return out.getvalue()


def test_tias_workbook_is_read_with_shared_and_inline_strings_and_empty_cells() -> None:
    head = "".join(
        f'<c r="{c}1" t="inlineStr"><is><t>{t}</t></is></c>'
        for c, t in zip("ABCDE", ("Name", "Path", "Data Type", "Logical Address", "Comment"), strict=True)
    )
    row = '<c r="A2" t="s"><v>0</v></c><c r="C2" t="s"><v>1</v></c><c r="D2" t="str"><v>%MD20</v></c>'
    shared = "<si><r><t>辊</t></r><r><t>缝</t></r><rPh><t>gunfeng</t></rPh></si><si><t>Real</t></si>"
    export = understand(workbook(f'<row r="1">{head}</row><row r="2">{row}</row>', shared), Options())
    assert [(t.line, t.name, t.address) for t in export.taken] == [(2, "辊缝", "MD20:REAL")]


def test_a_workbook_that_is_something_else_or_cut_short_is_refused() -> None:
    whole = workbook("")
    with pytest.raises(NotUnderstood, match="workbook"):
        understand(whole[: len(whole) // 2], Options())
    with pytest.raises(NotUnderstood, match="empty"):
        understand(whole, Options())


def test_xml_that_declares_entities_is_refused() -> None:
    bomb = '<!DOCTYPE a [<!ENTITY b "x">]><Tagtable name="&b;"/>'
    with pytest.raises(NotUnderstood, match="entities"):
        understand(bomb.encode(), Options())


def test_a_block_with_standard_access_is_laid_out_as_the_cpu_does() -> None:
    export = read("tia_block.db", db=7)
    assert {t.name.removeprefix("Line data."): t.address.removeprefix("DB7.") for t in export.taken} == {
        "Ready": "DBX0.0",
        "Mode": "DBW2:INT",
        "Speed": "DBD4:REAL",
        "Main motor.On": "DBX8.0",
        "Main motor.Fault": "DBX8.1",
        "Main motor.Current": "DBD10:REAL",
        "Lamp": "DBX14.0",
        "Zones_1": "DBW16:INT",
        "Zones_2": "DBW18:INT",
        "Zones_3": "DBW20:INT",
        **{f"Bits_{i}": f"DBX{22 + i // 8}.{i % 8}" for i in range(10)},
        "Cycle": "DBD36:DINT",  # after a string of 10: two bytes of length, ten of text, from 24
        "Inner.Small": "DBB40:SINT",
        "Inner.Count": "DBD42:DINT",
        "Last": "DBB46:BYTE",
        "Far": "DBW60:INT",  # after a DTL of 12 bytes from 48
    }
    tags = by_name(export)
    assert (tags["Line data.Speed"].line, tags["Line data.Speed"].description) == (18, "m/min")
    assert tags["Line data.Cycle"].unit == "ms"


def test_behind_a_member_of_unknown_length_nothing_has_a_place() -> None:
    told = left(read("tia_block.db", db=7))
    assert "types it depends on" in told["Line data.Odd"]
    assert "its place is not known" in told["Line data.Beyond"]


def test_a_block_needs_its_number_and_an_optimised_one_has_no_addresses() -> None:
    with pytest.raises(NotUnderstood, match="--db NUMBER"):
        read("tia_block.db")
    optimised = (HERE / "tia_block.db").read_bytes().replace(b"'FALSE' }", b"'TRUE' }")
    with pytest.raises(NotUnderstood, match="--protocol opcua"):
        understand(optimised, Options(db=7))
    tags = by_name(understand(optimised, Options(protocol="opcua")))
    prefix = "nsu=http://www.siemens.com/simatic-s7-opcua;s="
    assert tags["Line data.Main motor.Current"].address == prefix + '"Line data"."Main motor"."Current"'
    assert tags["Line data.Zones_2"].address == prefix + '"Line data"."Zones"[2]'
    assert tags["Line data.Beyond"].address == prefix + '"Line data"."Beyond"'


# ---- Ignition --------------------------------------------------------------------------------------------------------


def test_ignitions_tags_of_one_server_keep_their_node_ids() -> None:
    export = read("ignition.json", source="Mill")
    (tag,) = export.taken
    assert (tag.name, tag.address, tag.unit, tag.description) == (
        "Stand 4.Vibration",
        "nsu=urn:mill;s=Stand4.VibRMS",
        "mm/s",
        "RMS, drive side",
    )
    assert tag.line == 44


def test_an_ignition_export_of_several_servers_is_asked_about() -> None:
    with pytest.raises(NotUnderstood, match="Ignition OPC UA Server, Mill"):
        read("ignition.json")


def test_ignitions_instances_get_what_their_type_says_and_their_own_parameters() -> None:
    tags = by_name(read("ignition.json", source="Ignition OPC UA Server"))
    flow = tags["Pumps.P1.Flow"]
    assert (flow.address, flow.unit, flow.eu_range) == ("ns=1;s=[Cooling]HRF101", "m3/h", (0.0, 500.0))
    assert tags["Pumps.P1.Running"].description == "contactor"
    assert tags["Stand 4.Force"].address == "ns=1;s=[Press]DB10,REAL4"


def test_ignitions_modbus_tags_become_references_of_the_device() -> None:
    export = read("ignition.json", protocol="modbus", source="Cooling", word_order="big")
    tags = by_name(export)
    assert {name: tag.address for name, tag in tags.items()} == {
        "Stand 4.Level": "40007:int16",
        "Pumps.P1.Flow": "40101:float32:big",
        "Pumps.P1.Running": "00101:bool",
    }
    assert tags["Stand 4.Level"].scale == Scale(raw=(0.0, 4095.0), eng=(0.0, 12.5))
    assert any("unit_id: 2" in note for note in export.notes)


def test_ignitions_s7_tags_become_addresses_of_the_device() -> None:
    tags = by_name(read("ignition.json", protocol="s7", source="Press"))
    assert {name: tag.address for name, tag in tags.items()} == {"Stand 4.Door": "DB10.DBX14.3", "Stand 4.Force": "DB10.DBD4:REAL"}


def test_each_ignition_tag_that_is_none_of_ours_says_why() -> None:
    told = left(read("ignition.json", source="Ignition OPC UA Server"))
    assert set(told) == {"Stand 4.Vibration", "Stand 4.Sum", "Stand 4.Off", "Stand 4.Text", "Pumps.P2"}
    assert "expr" in told["Stand 4.Sum"]
    assert "disabled" in told["Stand 4.Off"]
    assert "String" in told["Stand 4.Text"]
    assert '"Missing" is not in this file' in told["Pumps.P2"]


def test_a_type_that_extends_itself_is_told_and_ends() -> None:
    loop = {"name": "T", "tagType": "UdtType", "typeId": "T", "tags": []}
    types = {"name": "_types_", "tagType": "Folder", "tags": [loop]}
    export = {"tags": [types, {"name": "I", "tagType": "UdtInstance", "typeId": "T"}]}
    assert "extends itself" in left(understand(json.dumps(export).encode(), Options()))["I"]


# ---- all -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "said"),
    [("kepware_modbus.csv", {"word_order": "little"}), ("ignition.json", {"protocol": "modbus", "source": "Cooling", "word_order": "big"})],
)
def test_every_modbus_address_is_one_that_the_connector_reads(name: str, said: dict[str, str]) -> None:
    assert all(registers.parse(tag.address) for tag in read(name, **said).taken)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("kepware_s7.csv", {}),
        ("tia_tags.xml", {}),
        ("tia_block.db", {"db": 7}),
        ("tia_tags.csv", {}),
        ("ignition.json", {"protocol": "s7", "source": "Press"}),
    ],
)
def test_every_s7_address_is_one_that_the_connector_reads(name: str, said: dict[str, str | int]) -> None:
    assert all(s7.parse(tag.address) for tag in read(name, **said).taken)


@pytest.mark.parametrize("name", ["kepware_s7.csv", "kepware_modbus.csv", "tia_tags.xml"])
def test_what_is_written_is_a_tag_list_that_a_site_file_takes(tmp_path: Path, name: str) -> None:
    export = read(name, word_order="little")
    (tmp_path / "line.csv").write_text(csv_text(export.taken, "plc"), encoding="utf-8")
    kind = "modbus" if "modbus" in name else "s7"
    (tmp_path / "site.yaml").write_text(
        f"holdfast: 1\nsite: {{name: p}}\nconnections: {{plc: {{type: {kind}, host: h}}}}\nequipment: {{line: {{tags: line.csv}}}}\n",
        encoding="utf-8",
    )
    site = load(tmp_path / "site.yaml").site
    assert [(t.name.removeprefix("line/"), t.address, t.unit, t.scale, t.type) for t in site.tags] == [
        (t.name, t.address, t.unit, t.scale, t.type) for t in export.taken
    ]
    assert not any(tag.writable for tag in site.tags)


def test_two_tags_that_look_alike_are_told_apart_by_a_person() -> None:
    rows = "Tag Name,Address,Data Type\nLevel,40001,Word\nLeveI,40002,Word\nLEVEL,40003,Word\n"
    export = understand(rows.encode(), Options())
    assert [t.name for t in export.taken] == ["Level", "LeveI"]
    assert "line 2" in left(export)["LEVEL"]


def test_a_name_that_cannot_be_one_is_made_fit_and_it_is_said() -> None:
    export = understand(b"Tag Name,Address,Data Type\nPump[1]/Speed,40001,Word\n", Options())
    assert (export.taken[0].name, export.taken[0].remark) == ("Pump_1__Speed", 'named "Pump[1]/Speed" there')


def test_a_file_of_another_kind_is_refused_with_what_would_do() -> None:
    with pytest.raises(NotUnderstood, match="kepware exports"):
        understand(b"a;b\n1;2\n", Options())
    with pytest.raises(NotUnderstood, match="looks like one of tia"):
        understand((HERE / "tia_tags.xml").read_bytes(), Options(), "kepware")
    with pytest.raises(NotUnderstood, match="already"):
        understand(b"name,address\na,40001\n", Options())
    with pytest.raises(NotUnderstood, match="no text"):
        understand(bytes(range(256)) * 4, Options())
    with pytest.raises(NotUnderstood, match="no JSON"):
        understand(b'{"tags": [', Options())
