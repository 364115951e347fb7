"""What stands behind a number that measures or counts: units and counting words."""

import re

UNIT_AFTER = re.compile(
    r"\s?(?:mm|cm|km|kg|%|‰|°|℃|kV|mA|kW|MW|Hz|kHz|MHz|GHz|[KMGT]B(?!/|\s?[0-9])|kbit|[KMG]bps|bps|rpm|r/min|MPa|kPa|hPa|bar|mbar|MT/s|min|ms|ml|pins?|poles?|rail"
    r"|V|W|A|s|h|m|g|L)(?![A-Za-z0-9])|\s?(?:[-~×xX*]\s?[0-9.]+\s?(?:mm|cm|kg|%|°|℃|V|A|W|Hz|MHz|s|m)(?![A-Za-z0-9]))"
)
COUNT_AFTER = re.compile(r"\s?(?:年|月|日|万|元|亿|个(?!体)|台|只|针(?!织)|芯|脚|孔|级|人(?!体|员|造|机)|次|度|页|张|块)")
ONE_LETTER = re.compile(r"\s[A-Za-z](?![A-Za-z0-9])")  # ISO 2768 m: a class, not metres
