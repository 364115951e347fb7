"""Standards: references found in messy text, and what has become of the standards they name."""
