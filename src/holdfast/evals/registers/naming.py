"""Whether a refusal names what is missing: the reader has codes, the author of a set may have words of their own."""

import re
from collections.abc import Collection

# What each code is called by people. A word counts where it stands in what the author wrote, so that no item has a rule of its own.
_CALLED: dict[str, re.Pattern[str]] = {
    code: re.compile(words, re.IGNORECASE)
    for code, words in {
        "register_space": r"function[ _]?codes?|\bfc\b|register[ _](?:space|type|area)|\barea\b|holding|input register|功能码|寄存器区",
        "address_base": r"address[ _]base|\bbase\b|zero[- ]?based|one[- ]?based|numbering|off by one|从0|从1|起始",
        "data_type": r"data[ _]?type|\btype\b|\bformat\b|signed|数据类型|类型",
        "word_order": r"(?:word|register|byte)[ _-]?order|endian|swap|字序|高低字",
        "length": r"\blength\b|\bcount\b|quantity|how many registers|长度",
        "value": r"\bvalue\b|数值",
        "address": r"\baddress(?:es)?\b|register number|地址",
        "scale": r"\bscal(?:e|ing)\b|\bfactor\b|\bgain\b|resolution|\bunit\b|倍率|系数",
        "unit": r"\bunits?\b|单位",
        "write_function": r"function[ _]?code|write function|功能码",
        "register_for_quantity": r"\bregisters?\b|not in (?:the )?map|no such|quantity|寄存器",
        "writable_register": r"read[- ]?only|not writable|writ(?:e|able)|access|只读|可写",
        "value_within_range": r"\brange\b|\bmax(?:imum)?\b|\bmin(?:imum)?\b|\blimits?\b|\.\.|~|范围|上限|下限",
        "value_on_scale": r"resolution|\bstep\b|\bscale\b|decimals?|分辨率",
    }.items()
}


def names(given: Collection[str], wanted: Collection[str]) -> bool:
    """Whether any of the codes that a refusal gives is one of those wanted, or is spoken of in them."""
    return any(code in wanted or any(_spoken(code, words) for words in wanted) for code in given)


def _spoken(code: str, words: str) -> bool:
    called = _CALLED.get(code)
    plain = words.replace("_", " ") if " " not in words else words
    return called is not None and words not in _CALLED and called.search(plain) is not None
