"""A record without labels: its clauses in order, each taken for what its words make it.

People write the equipment and what it did first, then why, then what they did; a cause and a deed are known by their words. What is
no clear case is left out rather than guessed.
"""

import re

from holdfast.agent.knowledge.logs.record import Field

ASIDE = re.compile(r"（[^（）]*）|\([^()]*\)|【[^【】]*】")
# Not at a decimal point, and not between digits.
SENTENCE = re.compile(r"[。；;\n]|(?<!\d)\.(?=\s|$)|(?<=[a-zA-Z\d])\.(?=\s|$)")
CLAUSE = re.compile(r"[，]|,\s|(?<=[a-z]):\s")
LEAD = re.compile(
    r"^(?:(?:[早中晚夜白]班)?(?:巡检|点检)(?:中|时)?(?:发现)?[：:]?|发现|DCS显示|本周对|今日对|对|found\s+(?:that\s+)?(?:the\s+)?"
    r"|routine \w+ of\s+(?:the\s+)?|(?:the|on)\s+)",
    re.IGNORECASE,
)
IDLE = re.compile(r"未发现异常|无故障|运行正常|一切正常|no findings|all normal|nothing to report|^交接班|^shift handover", re.IGNORECASE)

# ---- Chinese ---------------------------------------------------------------------------------------------------------

MACHINE_ZH = re.compile(
    r"(?:机架|齿轮箱|减速机|轴承座|轴承箱|油缸|气缸|溢流阀|调节阀|阀|循环水泵|泵|风机|空压机|压缩机|电机|变频器|卷取机|开卷机|皮带机"
    r"|输送机|行车|小车|剪|测厚仪|仪|张力计|流量计|计|塔|液压站|站|张力辊|加热器|换热器|冷却器|锅炉)(?:[A-Z]{0,3}-?\d+[A-Z]?|[A-Z](?![a-zA-Z]))?"
    r"|[A-Z]{1,4}-?\d{2,4}[A-Z]?"
)
CAUSE_ZH = (
    re.compile(r"^(?:由于|因为|因)(?P<c>.+?)(?:所致|引起|导致|造成|，|$)"),
    re.compile(r"^(?:经检查|经查|检查|拆检|停机检查|拆开检查)(?:后)?(?:发现|为|系|是)?(?P<c>.+)$"),
    re.compile(r"^(?:故障)?原因(?:是|为)?[：:]?(?P<c>.+)$"),
    re.compile(r"^(?:系|查明为|怀疑|疑为|疑似|判断为)(?P<c>.+?)(?:所致|引起|导致|造成)?$"),
    re.compile(r"^(?P<c>.+?)(?:所致|引起|导致|造成)$"),
    re.compile(r"^(?P<c>受.+影响)$"),
)
DEED_ZH = re.compile(
    r"^(?:已|并|后|现|将|经|及时|现场|临时)*(?:重新)?(?P<deed>更换|清洗|清理|清除|拆洗|疏通|紧固|调整|调零|标定(?!板)|校验|对中|修复|修理|焊接|补充|加注|擦拭|吹扫|松"
    r"|润滑|打磨|处理|检修|保养|复位|重启|换(?![辊热向气]))"
)
GOES_ON_ZH = re.compile(r"^(?:动作|无法|不|报警|跳停|停机|压力|伴有|并伴|且)")

# ---- English ---------------------------------------------------------------------------------------------------------

SHOWS_EN = re.compile(
    r"\s+(?P<s>(?:is |was |were )?(?:running|vibrat|low |high |hot|tripp|trips|stick|stuck|track|rope|knife|drift|stopp|stops|flange"
    r"|bearing temperature|temperature|zero|slow|went|reads|leak|nois|current|will not|does not|did not|without|overheat|jam|fail"
    r"|broke|crack|shows|showed|pressure).*)$",
    re.IGNORECASE,
)
OF_EN = re.compile(r"^(?P<s>.*?\b(?:leak\w*|noise|vibration|crack)\b.*?)\s+(?:of|in)\s+(?:the\s+)?(?P<e>[^,]+)$", re.IGNORECASE)
PART_OF_EN = re.compile(r"^(?:position |speed |level )?(?:sensor|transmitter|encoder|gauge) of (?P<e>.+)$", re.IGNORECASE)
WHY_EN = re.compile(
    r"[,;]?\s*\b(?:due to|because of|because|caused by|owing to|resulting from|as a result of|as|after)\s+(?P<c>.+)$", re.IGNORECASE
)
DEED_EN = re.compile(
    r"\b(?:replaced|cleaned|changed|tightened|adjusted|fitted|installed|lubricated|greased|regreased|loosened|removed|blew|checked|realigned"
    r"|rezeroed|cleared|wiped|recalibrated|calibrated|repaired|flushed|topped up|reset|welded|cleaning done)\b",
    re.IGNORECASE,
)


def read(text: str) -> dict[Field, str]:
    """The fields that were found; text of each as it stands in the record, pieces of several clauses joined as they were."""
    plain = ASIDE.sub("", text)
    chinese = len(re.findall(r"[\u4e00-\u9fff]", plain)) > len(plain) / 5
    return _chinese(plain) if chinese else _english(plain)


def _clauses(text: str) -> list[str]:
    return [c.strip(" \t　:：") for s in SENTENCE.split(text) if s for c in CLAUSE.split(s) if c and c.strip(" \t　:：")]


def _chinese(text: str) -> dict[Field, str]:
    found: dict[Field, str] = {}
    deeds: list[str] = []
    for clause in (LEAD.sub("", c) for c in _clauses(text)):
        if deeds:
            deeds.append(clause)
        elif IDLE.search(clause) and "symptom" not in found:
            continue
        elif why := next((m["c"] for m in (p.match(clause) for p in CAUSE_ZH) if m), ""):
            if "cause" not in found:
                found["cause"] = why
        elif deed := DEED_ZH.match(clause):
            deeds.append(clause[deed.end() - len(deed["deed"]) - (2 if "重新" in deed[0] else 0) :])
        elif "symptom" not in found:
            equipment, symptom = _machine(clause)
            found |= {"equipment": equipment} if equipment else {}
            found |= {"symptom": symptom} if symptom and not DEED_ZH.match(symptom) and "保养" not in symptom else {}
        elif GOES_ON_ZH.match(clause):
            found["symptom"] += "，" + clause
        elif "cause" not in found:
            found["cause"] = clause
    if deeds:
        found["action"] = "，".join(deeds)
    return found


def _machine(clause: str) -> tuple[str, str]:
    """The machine, which stands first, and what it did."""
    ends = [m.end() for m in MACHINE_ZH.finditer(clause)]
    if not ends:
        return "", clause
    # `减速电机制动器抱死` ends in a deed's name: a machine's name is taken as long as something is left that it did.
    end = max((e for e in ends if e < len(clause)), default=ends[-1])
    return clause[:end], clause[end:].strip("的，: ：")


def _english(text: str) -> dict[Field, str]:
    found: dict[Field, str] = {}
    deeds: list[str] = []
    for clause in (LEAD.sub("", c) for c in _clauses(text)):
        if deeds or (DEED_EN.search(clause) and not WHY_EN.search(clause) and "symptom" in found):
            deeds.append(clause)
            continue
        if IDLE.search(clause):
            continue
        if "symptom" not in found:
            why = WHY_EN.search(clause)
            if why is not None and why.start() > 0:
                found["cause"] = why["c"]
                clause = clause[: why.start()]
            equipment, symptom = _machine_english(clause)
            found |= {"equipment": equipment} if equipment else {}
            found |= {"symptom": symptom} if symptom else {}
        elif "cause" not in found:
            why = WHY_EN.match(clause)
            found["cause"] = why["c"] if why else clause
    if deeds:
        found["action"] = ", ".join(deeds)
    return found


def _machine_english(clause: str) -> tuple[str, str]:
    if (of := OF_EN.match(clause)) is not None:
        return of["e"].strip(), of["s"].strip()
    shows = SHOWS_EN.search(clause)
    if shows is None:
        return clause, ""
    equipment = clause[: shows.start()].strip()
    if (part := PART_OF_EN.match(equipment)) is not None:
        equipment = part["e"]
    return equipment, shows["s"].strip()
