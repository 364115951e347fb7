"""What the gate kept, as the aligned rows that an agent on duty would have seen."""

from collections.abc import Iterator, Sequence

import numpy as np

from holdfast.agent.perception.join import Join, Rows
from holdfast.link import Link
from holdfast.terms import SECOND_NS, Frame, TagTable


async def past_rows(link: Link, tables: Sequence[TagTable], tags: Sequence[str], rows: int, to_ns: int) -> Rows:
    """The rows of the last `rows` periods of the quickest table before to_ns, fewer where fewer were kept. Raises LinkError."""
    join = Join(tables, tags)
    lead_s = min(table.period_s for table in tables)
    from_ns = to_ns - round(rows * lead_s * SECOND_NS)
    frames: list[Frame] = []
    for table in tables:
        rows_max = round(rows * lead_s / table.period_s) + 1
        frames.append(await link.history(table.id, from_ns, to_ns, rows_max=rows_max))
    found = [joined for frame in interleave(frames) if len((joined := join.push(frame)).at_ns)]
    if not found:
        return Rows(at_ns=np.zeros(0, dtype=np.int64), values=np.zeros((0, len(join.tags))))
    return Rows(at_ns=np.concatenate([one.at_ns for one in found]), values=np.concatenate([one.values for one in found]))


def interleave(frames: Sequence[Frame]) -> Iterator[Frame]:
    """The rows of several tables' frames in the order in which they were received: the join gives up on a table that is late."""
    if all(frame.rows <= 1 for frame in frames):
        yield from frames
        return
    order = sorted((int(at), place, row) for place, frame in enumerate(frames) for row, at in enumerate(frame.received_ns.tolist()))
    for _, place, row in order:
        frame, cut = frames[place], slice(row, row + 1)
        yield Frame(
            table=frame.table,
            seq=frame.seq + row,
            received_ns=frame.received_ns[cut],
            source_ns=frame.source_ns[cut],
            values=frame.values[cut],
            status=frame.status[cut],
        )
