"""Tag lists that other tools export, understood as tags of ours: each line taken, or left with the reason."""

from holdfast.site.exports.found import Export, Left, Options, Taken
from holdfast.site.exports.read import KINDS, understand
from holdfast.site.exports.write import cells, csv_text

__all__ = ["KINDS", "Export", "Left", "Options", "Taken", "cells", "csv_text", "understand"]
