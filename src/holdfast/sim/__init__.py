"""Plants to try: physics only, and real protocol servers."""
