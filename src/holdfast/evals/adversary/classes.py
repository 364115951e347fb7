"""Every file of attack classes; importing this registers them all."""

from holdfast.evals.adversary import (
    approvals,
    budgets,
    data,
    doors,
    egress,
    faults,
    forged,
    hands,
    moments,
    names,
    numbers,
    reopened,
    returns,
    servers,
    standstill,
    windows,
)

FILES = (
    numbers,
    names,
    budgets,
    data,
    approvals,
    hands,
    moments,
    returns,
    reopened,
    servers,
    faults,
    standstill,
    forged,
    windows,
    doors,
    egress,
)
