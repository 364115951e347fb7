"""Every file of attack classes; importing this registers them all."""

from holdfast.evals.adversary import numbers

FILES = (numbers,)
