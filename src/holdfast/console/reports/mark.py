"""The marks of text that a generative model made, as GB 45438-2025 asks: one that people see, one in the file's metadata.

Explicit: words before the text and at the head of the document (clause on text). Implicit: the metadata field `AIGC` with the seven
keys of its appendix, in their order. Text from templates carries neither: nothing was generated.
"""

import json

KEY = "AIGC"
GENERATED = "1"  # Label: it is AI-generated; 2 and 3 are for what others only believe to be


def metadata(*, producer: str, produce_id: str) -> str:
    """The value of the field. Who makes the document is also who passes it on first; the reserved keys are there and empty."""
    fields = {
        "Label": GENERATED,
        "ContentProducer": producer,
        "ProduceID": produce_id,
        "ReservedCode1": "",
        "ContentPropagator": producer,
        "PropagateID": produce_id,
        "ReservedCode2": "",
    }
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
