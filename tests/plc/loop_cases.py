"""What HF_Loop must do, scan by scan, worked out by hand: the twin and the Structured Text are both held to it.

Every case starts with a fresh block, scanned once a second, with SP_Min 80, SP_Max 120, SP_Rate 2 a second, a heartbeat
timeout of 3 s and the operator's setpoint at 100, unless its parameters say otherwise. A scan lists only the inputs
that change; inputs keep their value, and what the block itself writes (SP_Op, SP_Ext) stays as it left it.
"""

from typing import NamedTuple

MANUAL, AUTO, EXTERNAL = 0, 1, 2
Inputs = dict[str, float | bool]


class Scan(NamedTuple):
    inputs: Inputs
    expected: Inputs


class Case(NamedTuple):
    name: str
    scans: tuple[Scan, ...]
    parameters: Inputs = {}  # noqa: RUF012 - never changed


NAN = float("nan")

CASES: tuple[Case, ...] = (
    Case(
        "first_scan_takes_the_operators_setpoint_without_a_ramp",
        (Scan({"Mode": AUTO, "SP_Op": 104.0}, {"SP_Active": 104.0, "SP_Ext": 104.0, "Ext_Selected": False}),),
    ),
    Case(
        "first_scan_clamps_the_operators_setpoint",
        (Scan({"Mode": AUTO, "SP_Op": 150.0}, {"SP_Active": 120.0}),),
    ),
    Case(
        "auto_ramps_to_the_operators_setpoint",
        (
            Scan({"Mode": AUTO}, {"SP_Active": 100.0}),
            Scan({"SP_Op": 105.0}, {"SP_Active": 102.0, "SP_Op": 105.0}),
            Scan({}, {"SP_Active": 104.0}),
            Scan({}, {"SP_Active": 105.0}),
            Scan({"SP_Op": 90.0}, {"SP_Active": 103.0}),
        ),
    ),
    Case(
        "manual_uses_the_operators_setpoint_too",
        (Scan({"Mode": MANUAL}, {"SP_Active": 100.0}), Scan({"SP_Op": 98.0}, {"SP_Active": 98.0})),
    ),
    Case(
        "auto_ignores_the_external_setpoint_and_lets_it_track",
        (
            Scan({"Mode": AUTO, "Ext_Permit": True, "Ext_HB": 1}, {"SP_Active": 100.0}),
            Scan({"SP_Ext": 110.0, "Ext_HB": 2}, {"SP_Active": 100.0, "SP_Ext": 100.0, "Ext_Selected": False}),
        ),
    ),
    Case(
        "external_needs_a_heartbeat_that_changed",
        (
            Scan({"Mode": EXTERNAL, "Ext_Permit": True, "Ext_HB": 7}, {"HB_Fresh": False, "Ext_Selected": False}),
            Scan({"SP_Ext": 104.0}, {"SP_Active": 100.0, "SP_Ext": 100.0, "HB_Fresh": False}),
            Scan({"SP_Ext": 104.0, "Ext_HB": 8}, {"SP_Active": 102.0, "SP_Ext": 104.0, "HB_Fresh": True, "Ext_Selected": True}),
            Scan({}, {"SP_Active": 104.0}),
        ),
    ),
    Case(
        "external_needs_the_permit",
        (
            Scan({"Mode": EXTERNAL, "Ext_Permit": False, "Ext_HB": 1}, {"Ext_Selected": False}),
            Scan({"SP_Ext": 104.0, "Ext_HB": 2}, {"SP_Active": 100.0, "SP_Ext": 100.0, "HB_Fresh": True, "Ext_Selected": False}),
            Scan({"SP_Ext": 104.0, "Ext_HB": 3, "Ext_Permit": True}, {"SP_Active": 102.0, "Ext_Selected": True}),
        ),
    ),
    Case(
        "external_is_clamped_above",
        (
            Scan({"Mode": EXTERNAL, "Ext_Permit": True, "Ext_HB": 1}, {"SP_Active": 100.0}),
            Scan({"SP_Ext": 135.0, "Ext_HB": 2}, {"SP_Active": 120.0}),
        ),
        {"SP_Rate": 50.0},
    ),
    Case(
        "external_is_clamped_below",
        (
            Scan({"Mode": EXTERNAL, "Ext_Permit": True, "Ext_HB": 1}, {"SP_Active": 100.0}),
            Scan({"SP_Ext": -5.0, "Ext_HB": 2}, {"SP_Active": 80.0}),
        ),
        {"SP_Rate": 50.0},
    ),
    Case(
        "the_operators_setpoint_tracks_while_external_so_taking_over_is_bumpless",
        (
            Scan({"Mode": EXTERNAL, "Ext_Permit": True, "Ext_HB": 1}, {"SP_Op": 100.0}),
            Scan({"SP_Ext": 103.0, "Ext_HB": 2}, {"SP_Active": 102.0, "SP_Op": 102.0}),
            Scan({"Mode": AUTO, "Ext_HB": 3}, {"SP_Active": 102.0, "SP_Op": 102.0, "SP_Ext": 102.0, "Ext_Selected": False}),
            Scan({"Ext_HB": 4}, {"SP_Active": 102.0}),
        ),
    ),
    Case(
        "a_lost_heartbeat_holds_where_it_is",
        (
            Scan({"Mode": EXTERNAL, "Ext_Permit": True, "Ext_HB": 1}, {}),
            Scan({"SP_Ext": 110.0, "Ext_HB": 2}, {"SP_Active": 102.0, "HB_Fresh": True}),
            Scan({}, {"SP_Active": 104.0, "HB_Fresh": True}),  # 1 s old
            Scan({}, {"SP_Active": 106.0, "HB_Fresh": True}),  # 2 s
            Scan({}, {"SP_Active": 108.0, "HB_Fresh": True}),  # 3 s: at the timeout it still counts
            Scan({}, {"SP_Active": 108.0, "HB_Fresh": False, "Ext_Selected": False, "SP_Op": 108.0, "SP_Ext": 108.0}),
            Scan({}, {"SP_Active": 108.0}),
        ),
    ),
    Case(
        "a_heartbeat_that_returns_does_not_bring_back_the_old_setpoint",
        (
            Scan({"Mode": EXTERNAL, "Ext_Permit": True, "Ext_HB": 1}, {}),
            Scan({"SP_Ext": 110.0, "Ext_HB": 2}, {"SP_Active": 102.0}),
            Scan({}, {"SP_Active": 104.0}),
            Scan({}, {"SP_Active": 104.0, "Ext_Selected": False, "SP_Ext": 104.0}),
            Scan({"Ext_HB": 3}, {"SP_Active": 104.0, "Ext_Selected": True, "SP_Ext": 104.0}),
            Scan({"SP_Ext": 105.0, "Ext_HB": 4}, {"SP_Active": 105.0}),
        ),
        {"HB_Timeout": 1.0},
    ),
    Case(
        "a_lost_heartbeat_ramps_to_the_fallback_where_told_to_while_the_operators_setpoint_tracks",
        (
            Scan({"Mode": EXTERNAL, "Ext_Permit": True, "Ext_HB": 1}, {"SP_Active": 98.0, "SP_Op": 98.0}),
            Scan({"SP_Ext": 101.0, "Ext_HB": 2}, {"SP_Active": 100.0, "SP_Op": 100.0}),
            Scan({}, {"SP_Active": 101.0}),
            Scan({}, {"SP_Active": 99.0, "SP_Op": 99.0, "SP_Ext": 99.0, "Ext_Selected": False}),
            Scan({}, {"SP_Active": 97.0, "SP_Op": 97.0}),
            Scan({}, {"SP_Active": 95.0}),
            Scan({}, {"SP_Active": 95.0, "SP_Op": 95.0, "SP_Ext": 95.0}),
        ),
        {"HB_Timeout": 1.0, "Loss_Ramp": True, "SP_Fallback": 95.0},
    ),
    Case(
        "a_withdrawn_permit_holds",
        (
            Scan({"Mode": EXTERNAL, "Ext_Permit": True, "Ext_HB": 1}, {}),
            Scan({"SP_Ext": 110.0, "Ext_HB": 2}, {"SP_Active": 102.0}),
            Scan({"Ext_Permit": False, "Ext_HB": 3}, {"SP_Active": 102.0, "Ext_Selected": False, "SP_Ext": 102.0}),
        ),
    ),
    Case(
        "a_setpoint_that_is_no_number_is_never_selected",
        (
            Scan({"Mode": EXTERNAL, "Ext_Permit": True, "Ext_HB": 1}, {}),
            Scan({"SP_Ext": NAN, "Ext_HB": 2}, {"SP_Active": 100.0, "SP_Ext": 100.0, "Ext_Selected": False}),
            Scan({"SP_Ext": float("inf"), "Ext_HB": 3}, {"SP_Active": 100.0, "SP_Ext": 100.0, "Ext_Selected": False}),
            Scan({"Ext_HB": 4}, {"SP_Active": 100.0, "Ext_Selected": True}),
        ),
    ),
    Case(
        "an_operators_setpoint_that_is_no_number_holds",
        (
            Scan({"Mode": AUTO}, {"SP_Active": 100.0}),
            Scan({"SP_Op": NAN}, {"SP_Active": 100.0}),
        ),
    ),
    Case(
        "parameters_that_contradict_each_other_hold_and_say_so",
        (
            Scan({"Mode": EXTERNAL, "Ext_Permit": True, "Ext_HB": 1}, {"SP_Active": 100.0, "Param_OK": True}),
            Scan({"SP_Ext": 104.0, "Ext_HB": 2, "SP_Min": 130.0}, {"SP_Active": 100.0, "Param_OK": False, "Ext_Selected": False}),
            Scan({"SP_Ext": 104.0, "Ext_HB": 3, "SP_Min": 80.0}, {"SP_Active": 102.0, "Param_OK": True, "Ext_Selected": True}),
        ),
    ),
    Case(
        "a_counter_that_wraps_is_a_change",
        (
            Scan({"Mode": EXTERNAL, "Ext_Permit": True, "Ext_HB": 2147483647}, {"HB_Fresh": False}),
            Scan({"Ext_HB": 0}, {"HB_Fresh": True}),
        ),
    ),
    Case(
        "an_unknown_mode_is_the_operators",
        (
            Scan({"Mode": 9, "Ext_Permit": True, "Ext_HB": 1}, {"SP_Active": 100.0}),
            Scan({"SP_Ext": 110.0, "SP_Op": 101.0, "Ext_HB": 2}, {"SP_Active": 101.0, "Ext_Selected": False, "SP_Ext": 101.0}),
        ),
    ),
)
