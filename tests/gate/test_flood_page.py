"""An alarm flood as an operator sees it: declared, grouped by equipment with the first that came, and ended."""

import re

import pytest
from people_door import Served, looking
from small_plant import T

DECLARED = {"en": "Alarm flood: 11 alarms in 10 min.", "zh": "报警泛滥：10 分钟内 11 个报警。"}


async def rings(served: Served, times: int) -> None:
    """The tension beyond its limit and back, a second each."""
    for _ in range(times):
        served.plc.pv[T] = 131.0  # its limit is 130
        await served.run(1)
        served.plc.pv[T] = 100.0
        await served.run(1)


@pytest.mark.parametrize("lang", ["en", "zh"])
async def test_a_flood_is_declared_shown_and_ended_and_both_are_on_record(served: Served, lang: str) -> None:
    async with looking(served, "ann", lang=lang) as http:
        await rings(served, 10)
        assert "flood" not in (await http.get("/alarms/list")).text, "ten in ten minutes are as many as an operator can answer"
        await rings(served, 1)
        page = (await http.get("/alarms")).text
        told = re.search(r'class="said wrong flood" role="alert"><b>(.*?)</b>', page)
        assert told is not None
        assert DECLARED[lang] in told[1]
        assert 'class="group"' in page
        assert "<b>stand</b>" in page
        await served.run(600)  # until fewer than five came in the last ten minutes
        after = (await http.get("/alarms")).text
        assert "said wrong flood" not in after
        assert 'class="group"' not in after
    assert [(r["state"], r["per_10min"]) for r in served.records("alarm.flood")] == [("began", 11), ("ended", 4)]
