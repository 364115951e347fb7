"""What changed, tag by tag: the rows of now against the statistics of a quiet stretch.

Arrays are (rows, tags) float64 in the tags' units with NaN for what was not Good, and (rows,) int64 UTC ns. A block is
a minute's worth of rows or so: slow wander shows in the scatter of block means, so a shift is measured against that and
not against the far smaller standard error of white noise (Montgomery, Introduction to Statistical Quality Control, on
autocorrelated data).
"""

import numpy as np
from numpy.typing import NDArray

from holdfast.terms import Word

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

BLOCK_ROWS = 60
STRETCH_ROWS = 240  # in which slow variation and cycles are looked for: four blocks
SLOW_ROWS = 10  # rows averaged before variation counts as slow
CYCLES_MIN = 5  # in a stretch: fewer turns of a swing are no cycle
SIDE_BLOCKS = 16  # looked back on to see whether a shift keeps its side …
SIDE_FADES = 0.85  # … each counting for so much of the next newer one
STILL_FACTOR = 6  # frozen: still for this many times the longest stillness of the quiet stretch …
STILL_ROWS_MIN = 30  # … and at least this long
Z_MAX = 50.0
SIDE_Z_MAX = 5.0  # one block far out says no more of the side than one that is surely shifted


class Quiet(Word, eq=False):
    """Statistics of the quiet stretch; arrays (tags,). NaN where the tag was never Good."""

    tags: tuple[str, ...]
    rows: int
    mean: Floats
    wander: Floats  # standard deviation of block means
    spread: Floats  # RMS within blocks, trend removed
    still_rows: Ints  # longest run without a change
    swing: Floats  # RMS of slow variation within stretches, trend removed; NaN in states of earlier releases
    chop: Floats  # RMS of the change from row to row, over the root of two; NaN likewise


class Features(Word, eq=False):
    """Now against quiet; arrays (tags,). Tags without data now have z 0, ratios 1, cycle 0 and `seen` False."""

    tags: tuple[str, ...]
    from_ns: int
    to_ns: int
    mean: Floats  # of the last block, in the tag's unit
    quiet: Floats  # mean of the quiet stretch
    z: Floats  # shift in quiet wanders, -50..50
    side: Floats  # 0..1: how much the shifts of the blocks since the onset lie on the side of z; 1 with one block
    ratio: Floats  # spread now over spread then
    swing: Floats  # slow variation of the last stretch over that of then
    chop: Floats  # change from row to row over that of then
    cycle: Floats  # 0..1: how much of the last stretch's variation is one narrow band of frequencies
    onset_ns: Ints  # since when it has been away; 0 where it is not
    frozen: NDArray[np.bool_]
    seen: NDArray[np.bool_]
    share: Floats  # of the detector's score; sums to at most 1

    def index(self, tag: str) -> int:
        return self.tags.index(tag)


def longest_still(values: Floats) -> Ints:
    """(tags,): the longest run of rows in which a tag's value stayed exactly the same."""
    longest = np.zeros(values.shape[1], dtype=np.int64)
    run = np.zeros(values.shape[1], dtype=np.int64)
    for row in range(1, len(values)):
        run = np.where(values[row] == values[row - 1], run + 1, 0)
        np.maximum(longest, run, out=longest)
    return longest


def _moments(block: Floats) -> tuple[Floats, Floats]:
    """Mean and RMS around a straight line, per tag, of the finite values; NaN with fewer than half of them."""
    good = np.isfinite(block)
    count = good.sum(axis=0)
    enough = count * 2 >= len(block)
    safe = np.where(enough, np.maximum(count, 1), 1)
    filled = np.where(good, block, 0.0)
    mean = filled.sum(axis=0) / safe
    time = np.arange(len(block), dtype=np.float64)[:, None]
    when = np.where(good, time, 0.0).sum(axis=0) / safe
    lag = np.where(good, time - when, 0.0)
    away = np.where(good, block - mean, 0.0)
    steep = (lag * away).sum(axis=0) / np.maximum((lag * lag).sum(axis=0), 1e-12)
    rest = np.where(good, away - steep * lag, 0.0)
    rms = np.sqrt((rest * rest).sum(axis=0) / safe)
    return np.where(enough, mean, np.nan), np.where(enough, rms, np.nan)


def _line_removed(rows: Floats) -> Floats:
    """(rows, tags) less its straight line, 0 where not finite; a tag with fewer than half of its values is all NaN."""
    good = np.isfinite(rows)
    count = good.sum(axis=0)
    safe = np.maximum(count, 1)
    time = np.arange(len(rows), dtype=np.float64)[:, None]
    when = np.where(good, time, 0.0).sum(axis=0) / safe
    lag = np.where(good, time - when, 0.0)
    away = np.where(good, rows - np.where(good, rows, 0.0).sum(axis=0) / safe, 0.0)
    steep = (lag * away).sum(axis=0) / np.maximum((lag * lag).sum(axis=0), 1e-12)
    return np.where(count * 2 >= len(rows), np.where(good, away - steep * lag, 0.0), np.nan)


def _swing(rest: Floats) -> Floats:
    """(tags,): RMS of the means of SLOW_ROWS rows, of what `_line_removed` leaves."""
    parts = len(rest) // SLOW_ROWS
    if not parts:
        return np.full(rest.shape[1], np.nan)
    slow = rest[len(rest) - parts * SLOW_ROWS :].reshape(parts, SLOW_ROWS, -1).mean(axis=1)
    return np.sqrt((slow * slow).mean(axis=0))


def _chop(rows: Floats) -> Floats:
    """(tags,): RMS of the change from row to row, over the root of two, so that white noise gives its own deviation."""
    step = np.diff(rows, axis=0)
    good = np.isfinite(step)
    return np.sqrt(np.where(good, step * step, 0.0).sum(axis=0) / np.maximum(2 * good.sum(axis=0), 1))


def _cycle(rest: Floats) -> Floats:
    """(tags,), 0..1: the strongest narrow band's share of the power, for periods that fit the stretch at least CYCLES_MIN times."""
    if len(rest) < BLOCK_ROWS:
        return np.zeros(rest.shape[1])
    power = np.abs(np.fft.rfft(np.nan_to_num(rest) * np.hanning(len(rest))[:, None], axis=0)) ** 2
    total = np.maximum(power[1:].sum(axis=0), 1e-300)
    band = np.zeros_like(power)
    for shift in range(-2, 3):  # a cycle under this window is some four bins wide
        band[2:-2] += power[2 + shift : len(power) - 2 + shift]
    return np.where(np.isfinite(rest).all(axis=0), band[CYCLES_MIN:].max(axis=0) / total, 0.0)


def learn_quiet(values: Floats, tags: tuple[str, ...]) -> Quiet:
    """Statistics of (rows, tags). Raises ValueError with fewer than five blocks of rows."""
    rows = len(values)
    if rows < 5 * BLOCK_ROWS:
        raise ValueError(f"a quiet stretch of {rows} rows is too short: at least {5 * BLOCK_ROWS} are needed")
    blocks = rows // BLOCK_ROWS
    moments = [_moments(values[i * BLOCK_ROWS : (i + 1) * BLOCK_ROWS]) for i in range(blocks)]
    means = np.stack([m for m, _ in moments])
    spreads = np.stack([s for _, s in moments])
    good = np.isfinite(means)
    count = np.maximum(good.sum(axis=0), 1)
    mean = np.where(good, means, 0.0).sum(axis=0) / count
    spread = np.sqrt((np.where(good, spreads, 0.0) ** 2).sum(axis=0) / count)
    wander = np.sqrt((np.where(good, means - mean, 0.0) ** 2).sum(axis=0) / np.maximum(count - 1, 1))
    # A tag that stood exactly still has no scatter to measure a shift in: a ten-thousandth of its value is one unit then.
    wander = np.maximum(np.maximum(wander, spread / np.sqrt(BLOCK_ROWS)), 1e-4 * np.abs(mean) + 1e-9)
    known = good.any(axis=0)
    starts = range(0, max(rows - STRETCH_ROWS, 0) + 1, BLOCK_ROWS)
    swings = np.stack([_swing(_line_removed(values[start : start + STRETCH_ROWS])) for start in starts])
    whole = np.isfinite(swings)
    swing = np.sqrt(np.where(whole, swings * swings, 0.0).sum(axis=0) / np.maximum(whole.sum(axis=0), 1))
    floor = 1e-6 * np.abs(mean) + 1e-9  # of what stood still: any change at all is a change then
    return Quiet(
        tags=tags,
        rows=rows,
        mean=np.where(known, mean, np.nan),
        wander=np.where(known, wander, np.nan),
        spread=np.where(known, np.maximum(spread, 1e-9), np.nan),
        still_rows=longest_still(values),
        swing=np.where(known, np.maximum(swing, floor), np.nan),
        chop=np.where(known, np.maximum(_chop(values), floor), np.nan),
    )


def frozen_after_rows(quiet: Quiet) -> Ints:
    """(tags,): rows without any change after which a tag counts as frozen; tags that often stand still never do."""
    after = np.maximum(STILL_FACTOR * quiet.still_rows, STILL_ROWS_MIN)
    lively = quiet.still_rows * 20 < quiet.rows
    return np.where(lively & np.isfinite(quiet.mean), after, np.iinfo(np.int64).max)


def onsets(times_ns: Ints, values: Floats, quiet: Quiet, window_rows: int = 15) -> Ints:
    """(tags,): the time since which a short mean has stayed more than 2.5 deviations away on one side; 0 where it is not."""
    rows = len(values)
    window = min(window_rows, rows)
    if window == 0:
        return np.zeros(values.shape[1], dtype=np.int64)
    away = np.where(np.isfinite(values), values - quiet.mean, 0.0)
    total = np.vstack([np.zeros((1, away.shape[1])), np.cumsum(away, axis=0)])
    short = (total[window:] - total[:-window]) / window
    scale = np.sqrt(quiet.wander**2 + quiet.spread**2 / window)
    side = np.sign(short[-1])
    outside = (short * side) > 2.5 * np.where(np.isfinite(scale), scale, np.inf)
    inside_from_end = np.argmax(~outside[::-1], axis=0)  # rows since it was last inside
    always = outside.all(axis=0)
    first = np.where(always, 0, len(short) - inside_from_end)
    at = np.clip(first, 0, rows - 1)
    return np.where(outside[-1], times_ns[at], 0).astype(np.int64)


def _side(values: Floats, quiet: Quiet, z: Floats, rows: int) -> Floats:
    """(tags,): of the blocks of the last `rows` rows, the share of shift that lies on the side of z, from 0 (half) to 1 (all)."""
    with_z = against = np.zeros(len(z))
    for block in range(min(max(rows // BLOCK_ROWS, 1), SIDE_BLOCKS)):
        end = len(values) - block * BLOCK_ROWS
        if end < BLOCK_ROWS:
            break
        mean, _ = _moments(values[end - BLOCK_ROWS : end])
        there = np.nan_to_num((mean - quiet.mean) / quiet.wander)
        far = np.minimum(np.abs(there), SIDE_Z_MAX) * SIDE_FADES**block * (np.abs(there) > 1.0)
        same = there * z >= 0
        with_z, against = with_z + np.where(same, far, 0.0), against + np.where(same, 0.0, far)
    total = with_z + against
    return np.where(total > 0, np.clip((with_z - against) / np.where(total > 0, total, 1.0), 0.0, 1.0), 1.0)


def features(times_ns: Ints, values: Floats, quiet: Quiet, shares: Floats, still_rows: Ints, since_ns: int = 0) -> Features:
    """Compare the last block of (rows, tags) with quiet, and its variation in the last stretch: at least a block, at most
    STRETCH_ROWS, and no longer than since `since_ns`. `shares` (tags,), `still_rows` (tags,): rows since each changed."""
    block = values[-BLOCK_ROWS:]
    mean, spread = _moments(block)
    since = int((times_ns >= since_ns).sum())
    stretch = values[-min(max(since, BLOCK_ROWS), STRETCH_ROWS) :]
    rest = _line_removed(stretch)
    swing, chop = _swing(rest) / quiet.swing, _chop(stretch) / quiet.chop
    seen = np.isfinite(mean) & np.isfinite(quiet.mean)
    z = np.where(seen, np.clip((mean - quiet.mean) / quiet.wander, -Z_MAX, Z_MAX), 0.0)
    ratio = np.where(seen, spread / quiet.spread, 1.0)
    return Features(
        tags=quiet.tags,
        from_ns=int(times_ns[-len(block)]) if len(block) else 0,
        to_ns=int(times_ns[-1]) if len(block) else 0,
        mean=mean,
        quiet=quiet.mean,
        z=z,
        side=_side(values, quiet, z, since),
        ratio=ratio,
        swing=np.where(seen & np.isfinite(swing), swing, 1.0),
        chop=np.where(seen & np.isfinite(chop), chop, 1.0),
        cycle=np.where(seen, _cycle(rest), 0.0),
        onset_ns=np.where(seen, onsets(times_ns, values, quiet), 0),
        frozen=still_rows >= frozen_after_rows(quiet),
        seen=seen,
        share=shares,
    )
