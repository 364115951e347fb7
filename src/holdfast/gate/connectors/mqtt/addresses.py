"""What a tag's address says: a topic, a path into its JSON, where commands go; or a Sparkplug node and its metric.

    topic                          the payload is a number
    topic#path                     the payload is JSON: `a.b`, `a.list[0].x`, `["a name with . in it"].x`
    topic[#path] -> topic[#path]   with the topic that commands go to; without one, nobody can write the tag
    spBv1.0/GROUP/EDGE[/DEVICE]:METRIC

Source: MQTT 5.0 §4.7 (topic names), Sparkplug 3.0 §4 (topics).
"""

import re

from holdfast.terms import Word

NAMESPACE = "spBv1.0"
ARROW = " -> "
TOPIC_BYTES_MAX = 65_535  # MQTT 5.0 §1.5.4
_STEP = re.compile(r'\[(\d{1,6})\]|\["([^"]+)"\]|\.?([^.\[\]"]+)')
Path = tuple[str | int, ...]


class Plain(Word):
    """A value in the messages of one topic; an empty `path`: the whole payload. `command` "": no commands."""

    topic: str
    path: Path = ()
    command: str = ""
    command_path: tuple[str, ...] = ()


class Metric(Word):
    """A metric of an edge node, or of a device behind it (`device` "": the node's own)."""

    group: str
    edge: str
    device: str
    name: str

    @property
    def node(self) -> tuple[str, str]:
        return self.group, self.edge


Address = Plain | Metric


def parse(text: str) -> Address:
    """Raises ValueError that says what would be right."""
    text = text.strip()
    if text.startswith(NAMESPACE + "/"):
        return _metric(text)
    left, arrow, right = text.partition(ARROW)
    topic, path = _place(text, left.strip())
    if not arrow:
        return Plain(topic=topic, path=path)
    command, steps = _place(text, right.strip())
    if command == topic:
        raise ValueError(f"{text!r}: commands need a topic of their own: on a shared one our own word could not be told from the device's")
    names = tuple([step for step in steps if isinstance(step, str)])
    if len(names) != len(steps):
        raise ValueError(f"{text!r}: a command is made of names alone, as plant/pump/set#speed; a list can't be written in part")
    return Plain(topic=topic, path=path, command=command, command_path=names)


def path(text: str) -> Path:
    """`a.list[0].x` as steps. Raises ValueError."""
    steps: list[str | int] = []
    at = 0
    while at < len(text):
        found = _STEP.match(text, at)
        if found is None or (text[at] == ".") != (at > 0 and found[3] is not None):
            raise ValueError(f'{text!r} is no path: write e.g. a.list[0].x, or ["a.b"] for a name with a dot in it')
        steps.append(int(found[1]) if found[1] is not None else found[2] or found[3])
        at = found.end()
    return tuple(steps)


def _place(whole: str, text: str) -> tuple[str, Path]:
    topic, mark, steps = text.partition("#")
    if not topic or "+" in topic or "\0" in topic or topic.startswith(NAMESPACE + "/"):
        raise ValueError(f"{whole!r} is no MQTT address: write one topic without wildcards, e.g. plant/pump/speed or plant/pump#speed")
    if len(topic.encode()) > TOPIC_BYTES_MAX:
        raise ValueError(f"{whole[:40]!r}…: a topic has {TOPIC_BYTES_MAX} bytes at most")
    if mark and not steps:
        raise ValueError(f"{whole!r}: there is no path behind the #; leave it out where the payload itself is the number")
    return topic, path(steps)


def _metric(text: str) -> Metric:
    place, mark, name = text.partition(":")
    parts = place.split("/")[1:]
    if not mark or not name or len(parts) not in (2, 3) or not all(parts) or any(c in place for c in "+#"):
        raise ValueError(f"{text!r} is no Sparkplug address: write {NAMESPACE}/GROUP/EDGE/DEVICE:METRIC, or {NAMESPACE}/GROUP/EDGE:METRIC")
    return Metric(group=parts[0], edge=parts[1], device=parts[2] if len(parts) == 3 else "", name=name)
