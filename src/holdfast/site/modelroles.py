"""Which model serves which role: what people put in force, what an agent says it runs, and when one may follow another.

A role is a skill by name (`registers`, `requests`, `diagnose` …). Where people put nothing in force the model of this release serves, where
it ships one. `shortfall` is the whole rule of promotion as to figures; it knows nothing of people and of signatures.
"""

import re
from collections.abc import Sequence
from typing import Literal

from holdfast.site.modelcard import NAME, SHA256, Evaluation
from holdfast.terms import Word

SUITES = {"registers": ("registers",), "requests": ("requests",)}  # that a model must have been put through for a role, whatever else
RUNNING_MAX = 32  # roles that one agent tells of
FITS_MAX = 256
CODE = re.compile(r"[a-z_]{1,32}(\.[a-z_]{1,32}){0,3}")
Fitting = Literal["fits", "tight", "no", "unknown"]


class ModelStanding(Word):
    """What people put in force for a role: a bundle's digest; "" where the model of this release serves."""

    role: str
    digest: str = ""


class ModelRunning(Word):
    """What an agent has loaded for a role, by its own account: not what it was asked to."""

    role: str
    digest: str = ""  # of the bundle; "" while nothing is loaded
    name: str = ""
    version: str = ""
    trouble: str = ""  # code of why what is in force can't be loaded


class ModelFit(Word):
    """How a model fits the box that the agent runs on."""

    digest: str
    fits: Fitting
    needs_mib: int
    has_mib: int


class ModelsTold(Word):
    running: tuple[ModelRunning, ...] = ()
    fits: tuple[ModelFit, ...] = ()


def well_formed(told: ModelsTold) -> bool:
    """Whether what an agent tells is names, digests and codes, few and short: it goes on record and on a page."""
    if len(told.running) > RUNNING_MAX or len(told.fits) > FITS_MAX or len({one.role for one in told.running}) < len(told.running):
        return False
    named = all(
        NAME.fullmatch(one.role)
        and all(not text or NAME.fullmatch(text) for text in (one.name, one.version))
        and (not one.digest or SHA256.fullmatch(one.digest))
        and (not one.trouble or CODE.fullmatch(one.trouble))
        for one in told.running
    )
    return named and all(SHA256.fullmatch(one.digest) and one.needs_mib >= 0 and one.has_mib >= 0 for one in told.fits)


class Shortfall(Word):
    """Why a model may not follow another. `code` has words; a figure is told where there is one."""

    code: str
    suite: str
    figure: str = ""
    wanted: float = 0.0
    has: float = 0.0


def shortfall(role: str, evaluations: Sequence[Evaluation], present: Sequence[Evaluation] | None) -> Shortfall | None:
    """None where a model with these `evaluations` may follow the present one in a role: put through every suite that the role wants and
    every suite and data set that the present one was, at or above it in each figure. The first reason otherwise."""
    for suite in SUITES.get(role, ()):
        if not any(one.suite == suite and one.figures for one in evaluations):
            return Shortfall(code="model.unevaluated", suite=suite)
    if not any(one.figures for one in evaluations):
        return Shortfall(code="model.unevaluated", suite=role)
    for former in present or ():
        mine = [f for one in evaluations if (one.suite, one.data) == (former.suite, former.data) for f in one.figures]
        for figure in former.figures:
            told = [f for f in mine if f.name == figure.name]
            if not told:
                return Shortfall(code="model.not_compared", suite=former.suite, figure=figure.name, wanted=figure.value)
            for has in told:  # of one that is told twice each must hold
                worse = has.value < figure.value if figure.better == "higher" else has.value > figure.value
                if worse or has.better != figure.better:
                    return Shortfall(code="model.below", suite=former.suite, figure=figure.name, wanted=figure.value, has=has.value)
    return None
