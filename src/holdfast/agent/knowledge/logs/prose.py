"""A record without labels: its clauses in order, each taken for what its words make it.

People write the equipment and what it did first, then why, then what they did. A cause and a deed are known by their words wherever
they stand; without such words the order tells: what follows the cause is the deed.
"""

import re

from holdfast.agent.knowledge.logs.record import Field

ASIDE = re.compile(r"（[^（）]*）|\([^()]*\)|【[^【】]*】")
# Not at a decimal point, and not between digits.
SENTENCE = re.compile(r"(?<!acc)(?<!approx)(?<!incl)(?:[。；;\n]|(?<!\d)\.(?=\s|$)|(?<=[a-zA-Z\d])\.(?=\s|$))")
CLAUSE = re.compile(r"[，]|,\s|(?<=[a-z]):\s|\s[-–—]\s")
LEAD = re.compile(
    r"^(?:\d{1,2}[:：]\d{2}\s*)?(?:(?:[早中晚夜白]班)?(?:巡检|点检)(?:中|时)?(?:发现)?[：:]?|(?:主操|操作工|岗位|当班)?(?:反映|报告|来电)|发现|DCS显示|本周对|今日对|对|found\s+(?:that\s+)?(?:the\s+)?"
    r"|routine \w+ of\s+(?:the\s+)?|(?:the|on)\s+)",
    re.IGNORECASE,
)
IDLE = re.compile(r"未发现异常|无故障|运行正常|一切正常|no findings|all normal|nothing to report|^交接班|^shift handover", re.IGNORECASE)

# ---- Chinese ---------------------------------------------------------------------------------------------------------

MACHINE_ZH = re.compile(
    r"(?:机架|(?<![停主整])机(?![架械组停])|机械手|变压器|(?<=[\u4e00-\u9fffA-Z])[缸罐箱炉塔台]|[\u4e00-\u9fff]器(?!失)|从站|安全阀|齿轮箱|减速机|轴承座|轴承箱|油缸|气缸|溢流阀|调节阀|阀|循环水泵|泵|风机|空压机|压缩机|电机|变频器|卷取机|开卷机|皮带机"
    r"|输送机|行车|小车|圆盘剪|飞剪|测厚仪|仪(?!表)|张力计|流量计|计|塔|液压站|站|张力辊|加热器|换热器|冷却器|锅炉)(?:[A-Z]{0,3}-?\d+[A-Z]?|[A-Z](?![a-zA-Z]))?"
    r"|[A-Z]{1,4}-?\d{2,4}[A-Z]?"
)
CAUSE_ZH = (
    re.compile(r"^(?:由于|因为|因)(?P<c>.+?)(?:所致|引起|导致|造成|，|$)"),
    re.compile(r"^(?:经|现场|停机|拆开|开盖|解体)?(?:检查|查|拆检)(?:后)?(?:发现|为|系|是)?(?P<c>.+)$"),
    re.compile(r"^(?:故障)?原因(?:是|为)?[：:]?(?P<c>.+)$"),
    re.compile(r"^(?:系|查明为|怀疑|疑为|疑似|判断(?:为|是)?)(?P<c>.+?)(?:所致|引起|导致|造成)?$"),
    re.compile(r"^(?P<c>.+?)(?:所致|引起|导致|造成)$"),
    re.compile(r"^(?P<c>受.+影响)$"),
)
DEED_ZH = re.compile(
    r"^(?:已|并|后|现|将|经|及时|现场|临时)*(?:重新)?(?P<deed>更换|清洗|清理|清除|拆洗|疏通|紧固|调整|调零|标定(?!板)|校验|对中|修复|修理|焊接|补充|加注|擦拭|吹扫|松"
    r"|润滑|打磨|处理|检修|保养|复位|重启|换(?![辊热向气]))"
)
DONE_ZH = re.compile(r"^(?:已经|已|并|随后|后)")
GOES_ON_ZH = re.compile(r"^(?:动作|无法|不|报警|跳停|停机|压力[^，]{0,3}(?:建立|不)|伴有|并伴|且)")

# ---- English ---------------------------------------------------------------------------------------------------------

# The first word behind a machine's name that is no name: what it does, how it is, or one of its parts and quantities.
SHOWS_EN = re.compile(
    r"\s+(?P<s>(?:(?:is|was|were|has|had|would|will|does|did|can|could|cannot|keeps?|kept|with|without|not|no)\s"
    r"|(?:low|high|hot|cold|slow|fast|dead|off|open|closed|loose|loud|dirty|empty|full|wet|dry|out|offline|noisy|stuck|broken|worn|seized)\b"
    r"|(?:alarm|temperature|pressure|vibration|current|flow|level|speed|torque|voltage|zero|signal|noise|bearing|rope|knife|belt|flange|seal|shaft"
    r"|shell|tube|filter|fuse|motor|[NXYZ]D?E?|dP)\s(?!\d+$)|alarm$|noise$"
    r"|(?:runn|vibrat|tripp|stick|track|drift|stopp|leak|overheat|jam|fail|break|broke|crack|squeal|smok|chatter|hunt|surg|slipp|swing|shak)\w*"
    r"|(?:went|goes|made|makes|lost|fell|rose|froze|came|read|shows|showed|reads)\b"
    r"|(?!\w*(?:ss|us|is)\b)[a-z]{3,}s\s+(?!of\b|and\b)[a-z]).*)$"
)
NO_CAUSE_EN = re.compile(r"\b(?:no cause found|cause (?:unknown|not found)|not clear why)\b", re.IGNORECASE)
UNNAMED_EN = re.compile(r"^(?:shift handover|no findings|nothing|all )", re.IGNORECASE)
OF_EN = re.compile(r"^(?P<s>.*?\b(?:leak\w*|noise|vibration|crack)\b.*?)\s+(?:of|in)\s+(?:the\s+)?(?P<e>[^,]+)$", re.IGNORECASE)
PART_OF_EN = re.compile(r"^(?:position |speed |level )?(?:sensor|transmitter|encoder|gauge) of (?P<e>.+)$", re.IGNORECASE)
WHY_EN = re.compile(
    r"[,;]?\s*\b(?:due to|because of|because|caused by|owing to|resulting from|as a result of|since|as|after)\s+(?P<c>.+)$", re.IGNORECASE
)
DEED_EN = re.compile(
    r"\b(?:replaced|cleaned|changed|tightened|adjusted|fitted|installed|lubricated|greased|regreased|loosened|removed|blew|checked"
    r"|realigned|rezeroed|cleared|wiped|recalibrated|calibrated|repaired|flushed|topped up|reset|reseated|welded|renewed|swapped"
    r"|reduced|raised|stopped and|sent (?:for|to)|hydroblasted|balanced|cleaning done)\b",
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
        elif GOES_ON_ZH.match(clause) and "cause" not in found:
            found["symptom"] += "，" + clause
        elif "cause" not in found:
            found["cause"] = clause
        else:
            deeds.append(DONE_ZH.sub("", clause))
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
    first = True
    for clause in (LEAD.sub("", c) for c in _clauses(text)):
        if deeds or (not first and DEED_EN.search(clause) and not WHY_EN.search(clause)):
            deeds.append(clause)
        elif IDLE.search(clause):
            found |= {"equipment": clause} if first and not UNNAMED_EN.search(clause) else {}
        elif first:
            why = WHY_EN.search(clause)
            if why is not None and why.start() > 0:
                found["cause"] = why["c"]
                clause = clause[: why.start()]
            equipment, symptom = _machine_english(clause)
            found |= {"equipment": equipment} if equipment else {}
            found |= {"symptom": symptom} if symptom else {}
            first = False
        elif NO_CAUSE_EN.search(clause):
            found["cause"] = ""
        elif "cause" in found:
            deeds.append(clause)
        elif "symptom" in found:
            why = WHY_EN.match(clause)
            found["cause"] = why["c"] if why else clause
        else:  # the machine alone was named first
            found["symptom"] = clause
    if deeds:
        found["action"] = ", ".join(deeds)
    return found


def _machine_english(clause: str) -> tuple[str, str]:
    """The machine, up to the first word that says what it did."""
    if (of := OF_EN.match(clause)) is not None:
        return of["e"].strip(), of["s"].strip()
    shows = SHOWS_EN.search(clause)
    if shows is None:
        return clause, ""
    equipment = clause[: shows.start()].strip()
    if (part := PART_OF_EN.match(equipment)) is not None:
        equipment = part["e"]
    return equipment, shows["s"].strip()
