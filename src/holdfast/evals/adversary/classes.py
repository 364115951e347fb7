"""Every file of attack classes; importing this registers them all."""

from holdfast.evals.adversary import approvals, budgets, data, faults, hands, moments, names, numbers

FILES = (numbers, names, budgets, data, approvals, hands, moments, faults)
