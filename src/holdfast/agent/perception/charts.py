"""Running control charts over linear features of the rows, in blocks of fixed shape, so that bits never depend on splits.

A matrix product of one row and of many rows may differ in the last bit: the library picks another kernel by shape.
Here time since `reset` is cut into blocks of `BLOCK` rows and every product is made for whole blocks; rows that have
not come yet are zero. So a row's result depends on its position in its block and on the rows before it, and on
nothing else. The moving averages of a block are one product with a triangular matrix, in which the average before the
block is one more row; only from block to block is there a recursion.

Features of a standardised row z (d tags), e being the residual of the regression on the `lags` rows before:

    u = W z, v = We e        white level and white residual
    r = R z, s = Re e, z     every tag given the others, every residual given the others, every tag by itself

each averaged at several memories (EWMA, weight l on the newest row), beside the energies |u|²/d and |v|²/d. Where a `reach` is
given, a memory longer than three rows takes no more than that from one row: after a fault of a hundred sigma it is back as soon
as after one of six (the winsorised EWMA: Capizzi and Masarotto, Technometrics 45 (2003) 199-207).
"""

import dataclasses

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
BLOCK = 8  # rows; one product of 8 rows costs little more than one of 1
PART_ROWS = 128  # worked on at once: what is held of them fits the cache of one core, and calls are few
CLIP = 50.0  # standard deviations: one broken sensor must not drown the charts in rounding
LONG = 0.5  # a memory with less weight than this on the newest row is held to `reach`
KINDS = 5  # u, r, v, s, z, in this order; r, s and z are by tag


@dataclasses.dataclass(frozen=True, kw_only=True)
class Core:
    """What the charts stand on, learned from quiet rows of d tags."""

    centre: Matrix  # (d,)
    scale: Matrix  # (d,)
    level: Matrix  # (d, 2d): z @ level = [u, r]
    step: Matrix  # (lags·d, d): the newest row first; z - history @ step = e
    residual: Matrix  # (d, 2d): e @ residual = [v, s]


class Charts:
    """The running state of all charts since the last reset."""

    def __init__(self, core: Core, memories: Matrix, reach: float = 0.0, weights: Matrix | None = None) -> None:
        """memories (n,), not rising: weights of the newest row. reach: standard deviations; 0 is no bound but CLIP.

        weights (n, 5d + 2): what each feature counts for at each memory, 1 where none are given.
        """
        self._core = core
        self._d = d = core.centre.shape[0]
        self._lags = core.step.shape[0] // d
        self._n = memories.shape[0]
        self._width = KINDS * d + 2
        # Within a block: S_j = (1-l)^(j+1) S_before + sum over i <= j of l (1-l)^(j-i) f_i.
        age = np.arange(BLOCK)[None, :] - np.arange(BLOCK)[:, None]
        self._mix = np.empty((self._n, BLOCK + 1, BLOCK))
        for place, m in enumerate(memories.tolist()):
            self._mix[place, :BLOCK] = np.where(age >= 0, m * (1 - m) ** np.maximum(age, 0), 0.0)
            self._mix[place, BLOCK] = (1 - m) ** np.arange(1, BLOCK + 1)
        long = int((memories < LONG).sum()) if reach > 0 else 0
        self._short = self._n - long  # memories before this one take rows as they are
        self._reach, self._energy = reach, reach**2 / 3  # that of a row of which a third of the features are so far out
        self._high = np.append(np.full(KINDS * d, reach), [self._energy, self._energy])
        self._low = -self._high
        self._weights = np.ones((self._n, self._width)) if weights is None else weights
        self._room = np.empty((self._n, self._width, 0))
        self.reset()

    def reset(self) -> None:
        self._at = 0  # rows of the open block already seen
        # The rows before the open block, oldest first, and the rows of the open block.
        self._past = np.zeros((self._lags + BLOCK, self._d))
        self._begun = False
        # Of every memory: features of the open block, zero where no row has come, and the average before it.
        self._open = np.zeros((self._n, BLOCK + 1, self._width))
        self._open[:, BLOCK, -2:] = self._weights[:, -2:]
        # Room for one row at a time: blocks of which only the row at work is looked at.
        self._history = np.zeros((BLOCK, self._lags * self._d))
        self._inputs = np.zeros((2, BLOCK, self._d))

    def run(self, rows: Matrix) -> Matrix:
        """(rows, d) in, (memories, 5d + 2, rows) out: [u, r, v, s, z, |u|²/d, |v|²/d] averaged at every memory, weighed.

        At least two rows; many are better given as parts of PART_ROWS. What comes out is good until the next call.
        """
        n, at, d, lags, past = rows.shape[0], self._at, self._d, self._lags, self._past
        z = np.clip((rows - self._core.centre) / self._core.scale, -CLIP, CLIP)
        if not self._begun:
            self._begun, past[:lags] = True, z[0]  # the first row is taken to have stood still before
        blocks = -(-(at + n) // BLOCK)
        joined = np.zeros((lags + blocks * BLOCK, d))
        joined[: lags + at] = past[: lags + at]
        joined[lags + at : lags + at + n] = z
        if self._room.shape[-1] != blocks * BLOCK:
            self._room = np.empty((self._n, self._width, blocks * BLOCK))  # kept: fresh pages for every part cost more than the sums
        averages, opened, short = self._room, self._open, self._short
        features = self._features(joined, blocks, at + n)
        near = features if short == self._n else self._within(features)
        for block in range(blocks):
            if block:
                opened[:, BLOCK] = averages[..., block * BLOCK - 1]
            np.multiply(features[block], self._weights[:short, None], out=opened[:short, :BLOCK])
            np.multiply(near[block], self._weights[short:, None], out=opened[short:, :BLOCK])
            np.matmul(opened.transpose(0, 2, 1), self._mix, out=averages[..., block * BLOCK : (block + 1) * BLOCK])
        self._at = (at + n) % BLOCK
        begins = (at + n) // BLOCK * BLOCK
        past[: lags + self._at] = joined[begins : begins + lags + self._at]
        if not self._at:
            opened[:, BLOCK] = averages[..., -1]
        opened[:, self._at : BLOCK] = 0.0
        return averages[..., at : at + n]

    def one(self, row: Matrix) -> Matrix:
        """`run` for one row (d,), (memories, 5d + 2) out: the products are those of its whole block, all else is the row's alone."""
        at, d, core, opened = self._at, self._d, self._core, self._open
        z = (row - core.centre) / core.scale
        np.minimum(np.maximum(z, -CLIP, out=z), CLIP, out=z)
        past = self._past
        if not self._begun:
            self._begun, past[: self._lags] = True, z
        past[self._lags + at] = z
        history, inputs = self._history, self._inputs
        history[at].reshape(self._lags, d)[:] = past[at : at + self._lags][::-1]
        e = z - np.matmul(history, core.step)[at]
        inputs[0, at], inputs[1, at] = z, e  # other rows of these blocks are old: a row's product does not depend on them
        f = np.empty(self._width)
        f[: 2 * d] = np.matmul(inputs[0], core.level)[at]
        f[2 * d : 4 * d] = np.matmul(inputs[1], core.residual)[at]
        f[4 * d : 5 * d] = z
        f[5 * d :] = np.add.reduce(np.square(f[: 4 * d].reshape(4, d)[::2]), axis=-1) / d
        np.multiply(f, self._weights[: self._short], out=opened[: self._short, at])
        if self._short < self._n:
            np.minimum(np.maximum(f, self._low, out=f), self._high, out=f)
            np.multiply(f, self._weights[self._short :], out=opened[self._short :, at])
        averages = np.matmul(opened.transpose(0, 2, 1), self._mix)[..., at].copy()
        self._at = at + 1
        if self._at == BLOCK:
            self._at = 0
            past[: self._lags] = past[BLOCK:].copy()
            opened[:, :BLOCK] = 0.0
            opened[:, BLOCK] = averages
        return averages

    def _within(self, features: Matrix) -> Matrix:
        """The same within reach, for long memories."""
        out, width = np.empty_like(features), KINDS * self._d
        np.clip(features[..., :width], -self._reach, self._reach, out=out[..., :width])
        np.minimum(features[..., width:], self._energy, out=out[..., width:])
        return out

    def _features(self, past: Matrix, blocks: int, upto: int) -> Matrix:
        """(blocks, BLOCK, 5d + 2) of rows (lags + blocks·BLOCK, d), of which `upto` after the first `lags` have come."""
        d, core = self._d, self._core
        grid = past[self._lags :]
        history = np.empty((grid.shape[0], self._lags * d))
        for lag in range(1, self._lags + 1):
            start = self._lags - lag
            history[:, (lag - 1) * d : lag * d] = past[start : start + grid.shape[0]]
        history[upto:] = 0.0  # rows that have not come are zero everywhere, in every split alike
        shaped = grid.reshape(blocks, BLOCK, d)
        e = shaped - np.matmul(history.reshape(blocks, BLOCK, -1), core.step)
        f = np.empty((blocks, BLOCK, self._width))
        np.matmul(shaped, core.level, out=f[..., : 2 * d])
        np.matmul(e, core.residual, out=f[..., 2 * d : 4 * d])
        f[..., 4 * d : 5 * d] = shaped
        np.divide(np.add.reduce(np.square(f[..., :d]), axis=-1), d, out=f[..., -2])
        np.divide(np.add.reduce(np.square(f[..., 2 * d : 3 * d]), axis=-1), d, out=f[..., -1])
        return f
