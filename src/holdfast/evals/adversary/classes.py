"""Every file of attack classes; importing this registers them all."""

from holdfast.evals.adversary import budgets, data, numbers

FILES = (numbers, budgets, data)
