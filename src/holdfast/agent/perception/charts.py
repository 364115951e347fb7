"""Running control charts over linear features of the rows, in blocks of fixed shape, so that bits never depend on splits.

A matrix product of one row and of many rows may differ in the last bit: the library picks another kernel by shape.
Here time since `reset` is cut into blocks of `BLOCK` rows and every product is made for whole blocks; rows that have
not come yet are zero. So a row's result depends on its position in its block and on the rows before it, and on
nothing else. The moving averages within a block are one product with a lower-triangular matrix; only from block to
block is there a recursion.

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
PART_ROWS = 64  # rows worked on at once: what is held of them fits the processor's cache
CLIP = 50.0  # standard deviations: one broken sensor must not drown the charts in rounding
LONG = 0.5  # a memory with less weight than this on the newest row is held to `reach`
KINDS = 5  # u, v, r, s, z, in this order; the last three are by tag


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

    def __init__(self, core: Core, memories: Matrix, reach: float = 0.0) -> None:
        """memories (n,), not rising: weights of the newest row. reach: standard deviations; 0 is no bound but CLIP."""
        self._core, self._reach = core, reach
        self._d = d = core.centre.shape[0]
        self._lags = core.step.shape[0] // d
        self._n = memories.shape[0]
        self._width = KINDS * d + 2
        # Within a block: S_j = (1-l)^(j+1) S_before + sum over i <= j of l (1-l)^(j-i) f_i.
        age = np.arange(BLOCK)[:, None] - np.arange(BLOCK)[None, :]
        weights = np.array([np.where(age >= 0, m * (1 - m) ** np.maximum(age, 0), 0.0) for m in memories]).reshape(-1, BLOCK)
        self._products = np.stack([core.level, core.residual])
        self._fade = (1 - memories[:, None]) ** np.arange(1, BLOCK + 1)  # (n, BLOCK)
        # Memories in three groups: none (the row itself, no product), short, and long, whose rows are bounded.
        self._none = int((memories == 1.0).sum())
        long = int((memories < LONG).sum()) if reach > 0 else 0
        self._short = self._n - long
        self._mix_short = np.ascontiguousarray(weights[self._none * BLOCK : self._short * BLOCK])
        self._mix_long = np.ascontiguousarray(weights[self._short * BLOCK :])
        self._bound = np.full(self._width, reach)
        self._bound[-2:] = np.square(reach) / 3  # the energy of a row of which a third of the features are that far out
        self._room = np.empty((2, 0))
        self.reset()

    def reset(self) -> None:
        self._at = 0  # rows of the open block already seen
        # The rows before the open block, oldest first, and the rows of the open block.
        self._past = np.zeros((self._lags + BLOCK, self._d))
        self._begun = False
        self._carry = np.zeros((self._n, self._width))  # averages at the end of the last full block
        self._carry[:, -2:] = 1.0
        self._f = np.zeros((BLOCK, self._width))  # features of the open block, zero where no row has come
        self._g = np.zeros((BLOCK, self._width))  # the same within reach, for long memories
        # Room for one row at a time: blocks of which only the row at work is looked at.
        self._history = np.zeros((BLOCK, self._lags * self._d))
        self._inputs = np.zeros((2, BLOCK, self._d))

    def run(self, rows: Matrix) -> Matrix:
        """(rows, d) in, (memories, rows, 5d + 2) out: [u, v, r, s, z, |u|²/d, |v|²/d] averaged at every memory.

        At least one row; many are better given as parts of PART_ROWS. What comes out is good until the next call.
        """
        if rows.shape[0] == 1:
            return self._one(rows[0])
        n, at, d = rows.shape[0], self._at, self._d
        z = np.clip((rows - self._core.centre) / self._core.scale, -CLIP, CLIP)
        lags, past = self._lags, self._past
        if not self._begun:
            self._begun, past[:lags] = True, z[0]  # the first row is taken to have stood still before
        blocks = -(-(at + n) // BLOCK)
        joined = np.zeros((lags + blocks * BLOCK, d))
        joined[: lags + at] = past[: lags + at]
        joined[lags + at : lags + at + n] = z
        features = self._features(joined, blocks, at + n)
        averages = self._averages(features, blocks)
        full = (at + n) // BLOCK
        self._at = (at + n) % BLOCK
        if full:
            self._carry = averages[:, full * BLOCK - 1].copy()
        past[: lags + self._at] = joined[full * BLOCK : full * BLOCK + lags + self._at]
        self._f[:] = 0.0
        self._f[: self._at] = features.reshape(-1, self._width)[full * BLOCK : full * BLOCK + self._at]
        self._g = self._within(self._f)
        return averages[:, at : at + n]

    def _one(self, row: Matrix) -> Matrix:
        """`run` for one row: the products are those of its whole block, everything else is done for the row alone."""
        at, d, core, none, short = self._at, self._d, self._core, self._none, self._short
        z = (row - core.centre) / core.scale
        np.minimum(np.maximum(z, -CLIP, out=z), CLIP, out=z)
        past = self._past
        if not self._begun:
            self._begun, past[: self._lags] = True, z
        past[self._lags + at] = z
        history, inputs = self._history, self._inputs
        for lag in range(self._lags):
            history[at, lag * d : lag * d + d] = past[self._lags + at - 1 - lag]
        e = z - np.matmul(history, core.step)[at]
        inputs[0, at], inputs[1, at] = z, e  # other rows of these blocks are old: a row's product does not depend on them
        f = self._f[at]
        f[: 4 * d].reshape(2, 2, d)[:] = np.matmul(inputs, self._products)[:, at].reshape(2, 2, d).transpose(1, 0, 2)
        f[4 * d : 5 * d] = z
        squares = np.square(f[: 2 * d])
        f[-2] = np.add.reduce(squares[:d]) / d
        f[-1] = np.add.reduce(squares[d:]) / d
        averages = self._fade[:, at, None] * self._carry
        averages[:none] = f
        if none < short:
            averages[none:short] += np.matmul(self._mix_short, self._f).reshape(-1, BLOCK, self._width)[:, at]
        if short < self._n:
            np.minimum(np.maximum(f, -self._bound, out=self._g[at]), self._bound, out=self._g[at])
            averages[short:] += np.matmul(self._mix_long, self._g).reshape(-1, BLOCK, self._width)[:, at]
        self._at = at + 1
        if self._at == BLOCK:
            self._at, self._carry = 0, averages.copy()
            past[: self._lags] = past[BLOCK:].copy()
            self._f, self._g = np.zeros((BLOCK, self._width)), np.zeros((BLOCK, self._width))
        return averages[:, None]

    def _within(self, features: Matrix) -> Matrix:
        return np.minimum(np.maximum(features, -self._bound), self._bound) if self._short < self._n else features

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
        inputs = np.empty((2, blocks, BLOCK, d))
        inputs[0] = shaped
        np.subtract(shaped, np.matmul(history.reshape(blocks, BLOCK, -1), core.step), out=inputs[1])
        products = np.matmul(inputs, self._products[:, None])  # [u, r] and [v, s]
        out = np.empty((blocks, BLOCK, self._width))
        out[..., : 4 * d].reshape(blocks, BLOCK, 2, 2, d)[:] = products.reshape(2, blocks, BLOCK, 2, d).transpose(1, 2, 3, 0, 4)
        out[..., 4 * d : 5 * d] = shaped
        squares = np.square(out[..., : 2 * d]).reshape(blocks, BLOCK, 2, d)
        np.divide(np.add.reduce(squares, axis=-1), d, out=out[..., 5 * d :])
        return out

    def _averages(self, features: Matrix, blocks: int) -> Matrix:
        """(n, blocks·BLOCK, width): the recursion runs over blocks, all else is one product."""
        n, width, none, short = self._n, self._width, self._none, self._short
        if self._room.shape[1] != n * blocks * BLOCK * width:
            self._room = np.empty((2, n * blocks * BLOCK * width))  # kept: fresh pages for every part cost more than the sums
        inside, out = self._room[0].reshape(blocks, n, BLOCK, width), self._room[1].reshape(n, blocks, BLOCK, width)
        if none < short:
            inside[:, none:short] = np.matmul(self._mix_short, features).reshape(blocks, -1, BLOCK, width)
        if short < n:
            inside[:, short:] = np.matmul(self._mix_long, self._within(features)).reshape(blocks, -1, BLOCK, width)
        out[:none] = features
        carry, fade = self._carry[none:], self._fade[none:, :, None]
        for block in range(blocks if none < n else 0):
            part = out[none:, block]
            np.multiply(fade, carry[:, None, :], out=part)
            part += inside[block, none:]
            carry = part[:, -1]
        return out.reshape(n, blocks * BLOCK, width)
