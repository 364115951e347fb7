"""An independent judge of writes: what a device received, against the envelopes and rules as the design's §4 and §5 state them.

It imports nothing of the gate and nothing of the agent. What it knows of the plant the plant told it, what people and
agents did it saw them do; of the gate it reads only the record, over a connection of its own, and only to ask whether a
decision was durable before the write came. Times are nanoseconds of the gate's own running time.
"""

from holdfast.evals.oracle.ground import Arrival, Back, Bound, Device, Ground, Judgement, Question, Ruling
from holdfast.evals.oracle.judge import Oracle, gap
from holdfast.evals.oracle.record import Intent, Record

__all__ = ["Arrival", "Back", "Bound", "Device", "Ground", "Intent", "Judgement", "Oracle", "Question", "Record", "Ruling", "gap"]
