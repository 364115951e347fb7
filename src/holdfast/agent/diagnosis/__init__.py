"""From findings to ranked causes to a proposal."""
