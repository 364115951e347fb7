"""Site file to frozen Site; every problem with file, line, cause and cure."""
