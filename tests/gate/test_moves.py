"""What rate, budget and dwell count from: every move that a window can hold, none lost, none read that can't matter."""

from pathlib import Path
from random import Random

from small_plant import START_NS, F, T, World

from holdfast.gate.actuation.moves import MOVES_MAX, TRIM_EVERY, Moves
from holdfast.gate.ledger.store import State
from holdfast.terms import SECOND_NS, Move


def move(tag: str, at_ns: int, *, ours: bool = True) -> Move:
    return Move(tag=tag, before=1.0, after=2.0, at_ns=at_ns, by="a", ours=ours)


def test_two_setpoints_moved_in_turn_keep_all_their_moves_over_a_restart(tmp_path: Path) -> None:
    state = State(tmp_path, durable=False, reserve_bytes=0)
    moves = Moves(state, 0)
    with state.transaction():
        for at_ns in range(MOVES_MAX):
            moves.add(move("a", at_ns))
            moves.add(move("b", at_ns))
    again = Moves(state, MOVES_MAX)
    assert [len(again.since(-1, (tag,))) for tag in ("a", "b")] == [MOVES_MAX, MOVES_MAX]
    state.close()


def test_the_file_keeps_no_more_than_its_bound_however_often_the_gate_starts(tmp_path: Path) -> None:
    state = State(tmp_path, durable=False, reserve_bytes=0)
    for start in range(25):
        moves = Moves(state, start)
        with state.transaction():
            for at_ns in range(TRIM_EVERY - 1):
                moves.add(move("a", start * 1000 + at_ns))
    ((rows,),) = state.rows("SELECT count(*) FROM moves")
    assert MOVES_MAX <= rows < MOVES_MAX + TRIM_EVERY
    state.close()


def test_moves_in_any_order_of_time_are_found_as_by_looking_at_each(tmp_path: Path) -> None:
    random = Random(7)
    state = State(tmp_path, durable=False, reserve_bytes=0)
    moves, all_of = Moves(state, 0), []
    for _ in range(200):
        made = move(random.choice("ab"), random.randrange(1000), ours=random.random() < 0.5)
        all_of.append(made)
        with state.transaction():
            moves.add(made)
        since, others = random.randrange(1000), random.randrange(1000)
        expected = [m for m in all_of if m.at_ns > (since if m.ours else others)]
        assert sorted(map(repr, moves.since(since, others_since_ns=others))) == sorted(map(repr, expected))
    state.close()


async def test_a_gate_killed_right_after_its_own_write_does_not_take_it_for_an_operators(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.run(3)
    world.propose(103.0)
    for _ in range(2):  # no frame comes between the write and the end
        await world.gate.advance()
        world.plc.scan(1.0)
        world.clock.advance(1.0)
    assert world.state() == "done"
    world.gate.debts.settle = lambda **_: True  # type: ignore[method-assign]  # killed: nothing is put down at the end
    world.again(after_s=1.0)
    await world.run(3)
    assert world.records("taken") == []


async def test_where_setpoints_stand_is_in_the_file_a_second_later(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.run(3)
    rows = dict(world.gate.log.state.rows("SELECT tag, value FROM seen"))
    assert (rows[f"{T}.sp_now"], rows[f"{F}.sp_now"]) == (100.0, 100.0)
    world.plc.blocks[F].sp_ext = 100.04  # within the read-back's tolerance: nobody's act
    world.plc.scan(1.0)
    world.see()
    await world.run(2)
    rows = dict(world.gate.log.state.rows("SELECT tag, value FROM seen"))
    assert rows[f"{F}.sp"] == 100.04
    assert world.clock.now_ns() == START_NS + 5 * SECOND_NS
