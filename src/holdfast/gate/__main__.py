"""`python -m holdfast.gate`: starts the gate without garbage collection, until all that stays has been made.

Imports and a site file make half a million objects that live as long as the process. Walking them again and again is a fifth of a start.
"""

import gc

gc.disable()

from holdfast.gate.process import main  # noqa: E402  the imports are what must not be walked

if __name__ == "__main__":
    main()
