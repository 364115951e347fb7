"""`check --online`: what the site file says, held against what the server says. Reads and browses; never writes."""

from collections.abc import AsyncIterator, Sequence

from holdfast.ports import ConnectionLost, Reader
from holdfast.site.model import Connection, Problem, Site
from holdfast.site.units import same
from holdfast.terms import BAD, Sample, Tag

BROWSED_MAX = 50_000


async def problems(site: Site, connection: Connection, reader: Reader, file: str) -> AsyncIterator[Problem]:
    """Addresses that are not there, units that differ, and tags that the account may write though none has an envelope.

    A connector without browsing (Modbus) is read only. `reader` is connected and closed here.
    """
    tags = [t for t in site.tags if t.connection == connection.name]

    def problem(what: str, cure: str, *, only_warn: bool = False) -> Problem:
        return Problem(
            file=file, line=connection.line, what=f"{connection.name}: {what}", cure=cure, severity="warning" if only_warn else "error"
        )

    try:
        await reader.connect()
        samples = await reader.read(tags) if tags else ()
        found = await _browsed(reader)
    except ConnectionLost as lost:
        yield problem(f"no connection: {lost}", "start the server, or correct the address, certificate or login")
        return
    finally:
        await reader.close()
    known = {t.address: t for t in found}
    for tag, sample in zip(tags, samples, strict=True):
        told = _compared(tag, sample, known.get(tag.address))
        if told is not None:
            yield problem(*told)
    for what in _too_much(site, tags, found):
        yield problem(what, "take the right from this account on the server: Holdfast needs it for nothing")
    if len(found) >= BROWSED_MAX:
        yield problem(f"more than {BROWSED_MAX} variables: the rest was not compared", "browse a smaller account", only_warn=True)


async def _browsed(reader: Reader) -> list[Tag]:
    found: list[Tag] = []
    try:
        async for tag in reader.browse():
            found.append(tag)
            if len(found) >= BROWSED_MAX:
                break
    except NotImplementedError:
        return []
    return found


def _compared(tag: Tag, sample: Sample, there: Tag | None) -> tuple[str, str] | None:
    """(what, cure) of the first thing wrong with one tag."""
    if sample.status >= BAD:
        what = f"{tag.name} can't be read at {tag.address} (status 0x{sample.status:08X})"
        return what, "correct the address, or let the account read it; `holdfast tags browse` lists what there is"
    if there is None:
        return None
    if there.unit not in ("", "1"):
        try:
            fits = same(tag.unit, there.unit)
        except ValueError:
            fits = tag.unit == there.unit
        if not fits:
            return f"{tag.name} is in {tag.unit}, but the server says {there.unit}", f"write unit: {there.unit}, or correct the server"
    if tag.eu_range is not None and there.eu_range is not None and tag.eu_range != there.eu_range:
        return f"{tag.name} has eu_range {list(tag.eu_range)}, but the server says {list(there.eu_range)}", "correct one of them"
    if tag.writable and not there.writable:
        return f"{tag.name} is to be written, but the account may not write it", "give the account this right on the server"
    return None


def _too_much(site: Site, tags: Sequence[Tag], found: Sequence[Tag]) -> list[str]:
    """What the account may write without there being an envelope (or a heartbeat) for it."""
    allowed = {t.address for t in tags if t.writable}
    named = {t.address: t.name for t in tags}
    return [
        f"the account may write {named.get(t.address, t.address)}, which has no envelope"
        for t in found
        if t.writable and t.address not in allowed
    ]
