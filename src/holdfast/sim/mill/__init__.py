"""The demo mill: a cold-rolling stand and its annealing section, as a plant that only its servers show."""

EPOCH_NS = 1_767_571_200_000_000_000  # 2026-01-05T00:00:00Z, a Monday: when the virtual plant's clock starts
