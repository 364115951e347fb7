"""Every file of attack classes; importing this registers them all."""

from holdfast.evals.adversary import (
    approvals,
    budgets,
    data,
    doors,
    egress,
    faults,
    hands,
    moments,
    names,
    numbers,
    reopened,
    returns,
    servers,
    standstill,
)

FILES = (numbers, names, budgets, data, approvals, hands, moments, returns, reopened, servers, faults, standstill, doors, egress)
