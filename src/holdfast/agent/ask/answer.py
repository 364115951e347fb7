"""What a question gets: steps as they are taken, then one answer with its citations, or a declining that says what would help."""

from typing import Literal

from holdfast.agent.tools.tool import Citation
from holdfast.terms import Label, Word

Language = Literal["en", "zh"]


class Step(Word):
    """One thing that is being done for an answer, as it begins: `tool` is its name, `about` what it looks at."""

    tool: str
    about: str
    text: str  # for people


class Answer(Word):
    """`code` says what kind of answer it is (`now`, `why`, …, or why it was declined). `made_by` "": by rules and templates;
    `model:NAME@DIGEST` for what a generative model wrote."""

    text: str
    language: Language
    code: str
    label: Label = "site"
    declined: bool = False
    citations: tuple[Citation, ...] = ()
    made_by: str = ""
