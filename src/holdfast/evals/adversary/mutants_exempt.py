"""Mutants that no attack can show on the wire, each with its reason: it changes nothing that is decided, or can't let a write through.

An entry is the beginning of the names that it is about. The shorter this list, the better; what is merely not attacked has no place
here. Where a second layer refuses the same, `mutants_listed.py` breaks both at once, and that must be caught.
"""

EQUAL = "decides nothing else: "
TEXT = "chooses or bounds a text; whether a write is sent does not depend on it: "
LAYER = "a second layer refuses the same: "
NO_WRITE = "is about what puts nothing on the wire: "
READS = "says how often or how long is read or waited, and nothing is sent for it: "
_EXACTLY = "no value is off by exactly the tolerance"
_FOLLOWS = "the external setpoint follows a move that is somebody's, so the loop yields already"
_NOISY = "a mean of noisy values is not exactly at a limit"

EXEMPT: dict[str, str] = {
    "guard/conditions.py ": NO_WRITE + "it reads the policy's text when that is loaded; `eval fuzz` attacks it",
    # ---- decide
    "guard/decide.py decide: outcome == 'ask' as != #2": NO_WRITE + "an ask that names nobody can't be opened in the inbox",
    "guard/decide.py decide: outcome == 'permit' as !=": NO_WRITE + "an ask that names nobody can't be opened in the inbox",
    "guard/decide.py decide: level == 'ask' as !=": NO_WRITE + "an ask that names nobody can't be opened in the inbox",
    "guard/decide.py decide: 'policy.no_role' passes": NO_WRITE + "an ask that names nobody can't be opened in the inbox",
    "guard/decide.py _all_of: code passes": "a net under defects: no proposal is known that breaks one check alone; with a defect it is"
    " 'a check that breaks down passes'",
    "guard/decide.py _ruling: ": "a net under defects: with one it is 'a policy that breaks down permits'",
    "guard/decide.py _digests: ": LAYER + "what has no canonical form can't be recorded, and no record is no write",
    "guard/decide.py stands: 'stands.another' passes": EQUAL + "both decisions are made of one job, by one running configuration",
    "guard/decide.py stands: 'stands.changed' passes": LAYER + "the approval is bound too; both out: 'a yes binds nothing'. A permit is"
    " decided anew",
    "guard/decide.py stands: second.verdict == 'ask' as !=": LAYER + "consuming the approval asks for the second decision's roles",
    # ---- rules
    "guard/rules.py rule_on: Ruling('none'": LAYER + "without a target, `addressed` and `wire` refuse",
    "guard/rules.py _target: 'policy.missing' passes": TEXT + "the ruling that carries it has a mutant of its own",
    "guard/rules.py _target: Ruling('failed', (), tuple(dict": LAYER + "what is not known fails `fresh`, `step` and `unchanged`",
    "guard/rules.py _target: Ruling('failed', (), (failed('policy.error'": "a net under defects: conditions are typed and bounded so that"
    " none can fail with all inputs known (`eval fuzz`)",
    "guard/rules.py _unvalued: ": NO_WRITE + "orders and adoptions",
    "guard/rules.py _inputs: 'policy.missing' passes": TEXT + "the ruling that carries it has a mutant of its own",
    "guard/rules.py _tag: abs(value) <= VALUE_MAX as <": EQUAL + "no value of a plant is exactly 10^15",
    "guard/rules.py _fact: abs(value) <= VALUE_MAX as <": EQUAL + "no value of a plant is exactly 10^15",
    # ---- well_formed
    "guard/wellformed.py NAME_MAX twice": TEXT + "a longer name",
    "guard/wellformed.py TEXT_MAX twice": TEXT + "a longer text",
    "guard/wellformed.py EVIDENCE_MAX twice": TEXT + "more evidence",
    "guard/wellformed.py PARTS_MAX": NO_WRITE + "parts of orders and arguments of calls",
    "guard/wellformed.py VALID_S_MIN half": TEXT + "a shorter life, which is its author's word",
    "guard/wellformed.py VALID_S_MAX twice": LAYER + "the inbox; a permit's longer life is its author's word, to which it is held",
    "guard/wellformed.py INTEGER_MAX": LAYER + "every range ends far below 2^53",
    "guard/wellformed.py number: abs(value) > INTEGER_MAX as >=": LAYER + "every range ends far below 2^53",
    "guard/wellformed.py number: 'type' is no fault #2": LAYER + "every range ends far below 2^53",
    "guard/wellformed.py number: 'finite' is no fault": LAYER + "no range holds it, and no wire value is known for it",
    "guard/wellformed.py number: math.copysign(1.0, value) < 0 as <=": EQUAL + "copysign(1, x) is never 0",
    "guard/wellformed.py _name: 0 < len(text) as <=": TEXT + "an empty id or incident",
    "guard/wellformed.py _text: '\\ud800'": TEXT + "what can't be recorded is refused by the record",
    "guard/wellformed.py _text: c <= '\\udfff'": TEXT + "what can't be recorded is refused by the record",
    "guard/wellformed.py _texts: 'well_formed.text' passes": TEXT + "of ids, reasons and evidence",
    "guard/wellformed.py _action: ": NO_WRITE + "calls, orders and adoptions",
    "guard/wellformed.py _order: ": NO_WRITE + "orders",
    "guard/wellformed.py _write: len(action.sets) <= SETS_MAX as <": EQUAL + "the attacked site has fewer setpoints than a group may have",
    "guard/wellformed.py _write: 'well_formed.sets' passes": LAYER + "`addressed` for none; of too many, one is there twice",
    "guard/wellformed.py _write: 'well_formed.action' passes": LAYER + "what is no pair of tag and value fails every check that unpacks it",
    "guard/wellformed.py _write: 'well_formed.text' passes": LAYER + "`addressed`: no tag has such a name",
    "guard/wellformed.py _write: name in seen as not in": LAYER + "'well_formed.duplicate' of everything refuses",
    "guard/wellformed.py _write: 'well_formed.duplicate' passes": LAYER + "`wire`; both out: 'a tag twice in a group'",
    "guard/wellformed.py _typed: abs(value) <= INTEGER_MAX as <": LAYER + "every range ends far below 2^53",
    "guard/wellformed.py number: abs(value) > INTEGER_MAX as <=": EQUAL + "the door makes every number a double",
    "guard/wellformed.py _valid: 'well_formed.valid' passes": LAYER + "the inbox; a permit lives as long as its author said",
    "guard/wellformed.py _write: 'well_formed.kind' passes": LAYER + "`wire`: no register of whole numbers carries a fraction; both out:"
    " 'a fraction for a whole number'",
    # ---- physics
    "guard/physics.py _yield: tag in ('*', name) as not in": LAYER + "the wire looks too; both out: 'no look at the yield, twice'",
    "guard/physics.py _busy: m.tag == name as !=": LAYER + "what is busy; both out: 'busy not looked at'",
    "guard/physics.py _own_range: 'envelope.range.unknown' passes": LAYER + "`wire` or `fresh`, for the same value or reading",
    "guard/physics.py _own_range: target.value > high as": TEXT + "above or below",
    "guard/physics.py _step: 'envelope.step.unknown' passes": LAYER + "`wire` or `fresh`",
    "guard/physics.py _rate: 'envelope.rate.unknown' passes": LAYER + "`wire` or `fresh`",
    "guard/physics.py _unchanged: 'unchanged.unknown' passes": LAYER + "`wire` or `fresh`",
    # ---- standing
    "guard/standing.py addressed: 'addressed.unknown' passes": LAYER + "without a target, `wire` and the policy refuse",
    "guard/standing.py addressed: 'addressed.unknown' passes #2": NO_WRITE + "an action of no known kind",
    "guard/standing.py _address: 'addressed.unknown' passes": NO_WRITE + "no connector knows what has no address; the rest of its group is"
    " judged by itself",
    "guard/standing.py _address: 'addressed.no_envelope' passes": LAYER + "the site loader: what may be written has an envelope",
    "guard/standing.py stop: name in where as not in": LAYER + "the wire looks at the switch; both out: 'the stop switch is forgotten'",
    "guard/standing.py stop: 'stop.pressed' passes": LAYER + "the wire looks at the switch; both out: 'the stop switch is forgotten'",
    "guard/standing.py autonomy: level == 'observe' as !=": LAYER + "the truth table, which alone counts this reason; both out: 'observe is"
    " act'",
    "guard/standing.py addressed: call": NO_WRITE + "calls, which this release doesn't send",
    "guard/standing.py addressed: 'addressed.method'": NO_WRITE + "calls, which this release doesn't send",
    "guard/standing.py addressed: 'addressed.arguments'": NO_WRITE + "calls, which this release doesn't send",
    "guard/standing.py addressed: 'addressed.call'": NO_WRITE + "calls, which this release doesn't send",
    "guard/standing.py addressed: order": NO_WRITE + "orders",
    "guard/standing.py addressed: 'addressed.target'": NO_WRITE + "orders",
    "guard/standing.py addressed: adopt": NO_WRITE + "adoptions; autonomy has nobody who would adopt it",
    "guard/standing.py addressed: 'addressed.autonomy'": NO_WRITE + "adoptions; autonomy has nobody who would adopt it",
    "guard/standing.py _address: 'addressed.sis' passes": LAYER + "it has no envelope, which the site loader enforces",
    "guard/standing.py _address: 'addressed.heartbeat' passes": LAYER + "it has no envelope, which the site loader enforces",
    "guard/standing.py _address: 'addressed.read_only' passes": LAYER + "it has no envelope, which the site loader enforces",
    "guard/standing.py _address: 'addressed.connection' passes": LAYER
    + "the site loader takes no envelope there, nor the connector a write",
    "guard/standing.py wire: 'wire.missing' passes": LAYER + "without a target, `addressed` and the policy refuse",
    "guard/standing.py _wire: 'wire.missing' passes": LAYER + "range, step and policy, for the same value",
    "guard/standing.py FLOAT32_ROUNDING twice": EQUAL + "no 32-bit float is off by so much",
    "guard/standing.py autonomy: 'autonomy.author' passes": LAYER + "an author who is no agent has no rules and the level observe",
    "guard/standing.py autonomy: 'autonomy.observe' passes": LAYER + "the truth table; both out: 'observe is act'",
    "without autonomy": LAYER + "the truth table, and no rules for whom nobody knows; both out: 'observe is act'",
    "without yield": LAYER + "the wire looks at the yield too; both out: 'no look at the yield, twice'",
    "guard/physics.py _yield: 'yield.operator' passes": LAYER + "the wire looks too; both out: 'no look at the yield, twice'",
    "guard/standing.py _maintenance: 'maintenance.unknown' passes": LAYER + "`fresh`",
    "guard/standing.py _must: f'{code}.unknown' passes": LAYER + "`fresh`",
    "guard/standing.py _label: ": TEXT + "how a value is shown",
    "guard/standing.py _fresh: wrong == 'skew' as !=": TEXT + "the limit that a reason tells",
    # ---- readings
    "guard/readings.py VALUE_MAX": EQUAL + "no value of a plant is near 10^15",
    "guard/readings.py flaw: abs(reading.value) <= VALUE_MAX as <": EQUAL + "no value of a plant is exactly 10^15",
    "guard/readings.py flaw: 'missing' is no fault": LAYER + "there is no reading to go on with",
    "guard/readings.py flaw: 'number' is no fault": LAYER + "each connector calls Bad what is not finite",
    "guard/readings.py flaw: 'age' is no fault": LAYER + "the second look reads anew right before the write",
    "guard/verdict.py verdict: level == 'shadow' as !=": TEXT + "a refusal told as one that would be",
    # ---- case
    "guard/case.py SETS_MAX": EQUAL + "the attacked site has fewer setpoints than a group may have",
    "guard/case.py TEXT_MAX": TEXT + "facts of reasons",
    "guard/case.py REASONS_MAX": EQUAL + "a cache's size",
    "guard/case.py clean: ": TEXT + "facts of reasons",
    "guard/case.py Case.sets: ": NO_WRITE + "calls, which this release doesn't send",
    "guard/case.py Case.moves: m.tag in bound.others as": EQUAL + "what others move is counted under the setpoint's own name",
    "guard/case.py Case.wire: abs(value) < float('inf') as <=": LAYER + "`wire` asks for a finite number",
    "guard/binds.py _all_finite: ": EQUAL + "what is not finite is refused, recorded one way or the other",
    # ---- saga, wire
    "actuation/saga.py Saga._read_back: job.tries < READBACK_TRIES as >=": READS + "no second read-back",
    "actuation/wire.py FLOAT32_ROUNDING": EQUAL + "every envelope of the attacked site says how it is read back",
    "actuation/saga.py READ": READS + "read-backs",
    "actuation/saga.py UNREADABLE": READS + "a device that is away",
    "actuation/saga.py ROUNDS_MAX": READS + "the rest is done at the next call",
    "actuation/saga.py Saga.advance: job.due_ns <= self._clock.monotonic_ns() as <": READS + "one nanosecond later",
    "actuation/saga.py Saga._intend: job.proposal.action.what == 'learned'": NO_WRITE + "adoptions",
    "actuation/saga.py Saga._is_ours: job.state != 'approved' as ==": NO_WRITE + "orders",
    "actuation/saga.py Saga._read_back: job.tries < READBACK_TRIES as <=": READS + "one read-back more",
    "actuation/saga.py Saga._unread: ": READS + "a device that is away",
    "actuation/wire.py WRITE_TIMEOUT_S": READS + "an answer to a write; what becomes of it without one has a mutant of its own",
    "actuation/wire.py WRITE_HUNG_FACTOR": READS + "a connector that does not keep its limit",
    "actuation/wire.py Wire.look: abs(sample.value - step.wanted) <= place.within as <": READS + "no read-back is off by exactly that",
    "actuation/wire.py Wire.look: sample.value == step.former as !=": LAYER
    + "what is neither wanted nor former is somebody's hand, and the"
    " loop yields",
    # ---- moves, hands
    "actuation/moves.py MOVES_MAX": EQUAL + "the site loader allows no window that needs more",
    "actuation/moves.py TRIM_EVERY": EQUAL + "when rows are taken away that no window reaches",
    "actuation/moves.py Moves.add: ": EQUAL + "when rows are taken away that no window reaches",
    "actuation/moves.py ALIVE_EVERY_NS": READS + "the time that a restart doesn't count, which only keeps windows full for longer",
    "actuation/moves.py Moves.alive: ": READS + "the time that a restart doesn't count, which only keeps windows full for longer",
    "actuation/moves.py Moves.follow: last.after != before as ==": EQUAL + "each change is told from the value that was seen before it",
    "actuation/moves.py Moves.follow: (after - before) * (last.after - last.before) <= 0 as <": EQUAL + "no change is 0",
    "actuation/moves.py Moves.since: ": EQUAL + "a nanosecond more; the guard cuts the window by itself",
    "actuation/hands.py QUIET_NS": TEXT + "when an act of others is told as ended",
    "actuation/hands.py ACT_NS_MAX": TEXT + "how often an act that goes on is told",
    "actuation/hands.py OperatorWatch._acted: ": TEXT + "how often an act that goes on is told",
    "actuation/hands.py OperatorWatch._rested: ": TEXT + "when an act of others is told as ended",
    "actuation/hands.py OperatorWatch._foreign: abs(value - before) <= within as <": EQUAL + _EXACTLY,
    "actuation/hands.py OperatorWatch._foreign: low - within <= value as <": EQUAL + _EXACTLY,
    "actuation/hands.py OperatorWatch._foreign: value <= high + within as <": EQUAL + _EXACTLY,
    "actuation/hands.py OperatorWatch._foreign: abs(value - target.wanted) <= abs(before - target.wanted) + within as <": EQUAL + _EXACTLY,
    "actuation/hands.py OperatorWatch._foreign: span[0] - within": EQUAL + _FOLLOWS,
    "actuation/hands.py OperatorWatch._foreign: value <= span[1]": EQUAL + _FOLLOWS,
    "actuation/hands.py OperatorWatch.saved: ": EQUAL + "what was kept is kept again",
    "actuation/saga.py Saga._may_retreat: abs(present[s.tag] - s.wanted) <= self._wire.place(s).within as <": EQUAL + _EXACTLY,
    "actuation/saga.py Saga._read_back_retreat: job.tries < READBACK_TRIES as": READS + "how often a retreat is read back",
    "actuation/saga.py Saga._read_back_retreat: len(sent) == len(job.back) as != #2": TEXT + "the code of an escalation",
    "actuation/saga.py Saga._judge: verdict == 'wrong' as != #3": TEXT + "that nobody decided to take it back",
    "guard/decide.py against_retreat: 'stands.": EQUAL
    + "whatever is said against it refuses; what it rests on out: 'shadow is taken back'",
    "actuation/effect.py judge: abs(pv_after - wanted) > envelope.settles.within as >=": EQUAL + _NOISY,
    "actuation/effect.py judge: gain >= envelope.expect.by as >.": EQUAL + _NOISY,
    "actuation/effect.py judge: gain <= -envelope.expect.by as <.": EQUAL + _NOISY,
    # ---- watchdog, stop, inbox
    "actuation/watchdog.py BEAT_TIMEOUT_S": READS + "a heartbeat's answer",
    "actuation/watchdog.py BEAT_S half": EQUAL + "the suite's seconds are whole, and a beat is made at most at each",
    "actuation/watchdog.py AGENT_LOST_S": TEXT + "when the loss of an agent is told",
    "actuation/watchdog.py LATE_S": TEXT + "when a late pulse is told",
    "actuation/watchdog.py Watchdog.beat: late_s > LATE_S": TEXT + "when a late pulse is told",
    "actuation/watchdog.py Watchdog._look_for_lost: ": TEXT + "when the loss of an agent is told",
    "actuation/watchdog.py Watchdog.alive: ": TEXT + "what the pages show",
    "actuation/stop.py SWITCH_BYTES": LAYER + "64 scopes of a site fit; more stop everything",
    "actuation/stop.py SCOPES_MAX": LAYER + "more scopes than these stop everything",
    "actuation/stop.py StopSwitch.press: len(scopes) >= SCOPES_MAX as >": LAYER + "more scopes than these stop everything",
    "actuation/stop.py StopSwitch._write: len(data) > SWITCH_BYTES as >=": LAYER + "a byte more stops everything",
    "approval/inbox.py WAITING_MAX": TEXT + "how many questions may wait",
    "approval/inbox.py VALID_S_MAX": LAYER + "`well_formed`",
    "approval/inbox.py REASON_CHARS_MAX": TEXT + "a person's reason",
    "approval/inbox.py Inbox.open: len(self.open_asks()) >= WAITING_MAX as >": TEXT + "how many questions may wait",
    "approval/inbox.py Inbox.open: raise ApprovalError('approval.flood'": TEXT + "how many questions may wait",
    "approval/inbox.py Inbox.open: 0 < valid_s as <=": LAYER + "`well_formed`",
    "approval/inbox.py Inbox.open: valid_s <= VALID_S_MAX as <": LAYER + "`well_formed` takes as much; the edge is the same",
    "approval/inbox.py Inbox.open: raise ValueError": LAYER + "`well_formed`, and the gate opens questions for asks alone",
    "approval/inbox.py Inbox.open: known.binds == decision.binds as !=": LAYER + "the gate decides on an id once",
    "approval/inbox.py Inbox.open: raise ApprovalError('approval.changed'": LAYER + "the gate decides on an id once",
    "approval/inbox.py Inbox.record: raise": LAYER + "consuming checks each signature anew; both out: 'a forged yes counts'",
    "approval/inbox.py Inbox.consume: raise ApprovalError('approval.unknown'": LAYER + "what was never asked has no row to go on with",
    "approval/inbox.py Inbox.consume: raise ApprovalError('approval.missing' if": LAYER + "a job is approved with its question, voided with"
    " it, and asked for its expiry by the saga",
    "approval/inbox.py Inbox.consume: stands == 'waiting' as !=": TEXT + "which code an error has",
    "approval/inbox.py Inbox.consume: raise ApprovalError('approval.changed'": LAYER + "the second look binds too; both out: 'a yes binds"
    " nothing'",
    "approval/inbox.py Inbox.consume: raise ApprovalError('approval.missing', proposal)": LAYER + "the second look asks for each role",
    "approval/inbox.py Inbox._refuse: raise ApprovalError('approval.unknown'": LAYER + "what was never asked has no row to go on with",
    "approval/standing.py objection: f'approval.{stands}'": LAYER + "what is closed is not used, whoever signs it afterwards",
    "approval/standing.py objection: 'approval.changed'": LAYER + "the second look and consuming bind; all out: 'a yes binds nothing'",
    "approval/standing.py objection: 'approval.role'": LAYER + "consuming asks for roles anew; both out: 'any role may sign'",
    "approval/standing.py objection: 'approval.not_asked'": EQUAL + "a role that nobody asked for is not counted",
    "approval/standing.py objection: 'approval.twice'": LAYER + "the table takes a person once; both out: 'one person may sign twice'",
    "approval/standing.py objection: 'approval.signed'": LAYER + "the table takes a role once, and the second answer adds nothing",
    "approval/standing.py standing: now.monotonic_ns >= ask.deadline_ns as >": EQUAL + "the very nanosecond at which a question expires",
}

# What no class of attack reaches yet; a full stop ends a name. Counted as not caught, and not hunted: it would only take time.
_KILL = "a hunt's gate is stopped between the saga's steps; `eval crash` kills it within them"
UNATTACKED: dict[str, str] = {
    "actuation/saga.py Saga._adopt_open_jobs: job.state in ('intent', 'retreat')": _KILL,
    "actuation/saga.py Saga._adopt_open_jobs: job.state in ('sent', 'retreating')": _KILL,
    "actuation/saga.py Saga._adopt_open_jobs: job.state in _ON_THEIR_WAY": _KILL,
    "actuation/wire.py Wire.send: answer == 'acked' as !=": "a write that lands long after its answer was lost; the attacked devices act"
    " at once",
    "actuation/effect.py MEAN_S": "the oracle says for certain only, whichever mean is taken",
    "actuation/saga.py Saga._end: event == 'former'": "a setpoint put back between write and read-back shows in one of some ten thousand"
    " sequences, which only the long run has",
    "actuation/saga.py Saga._judge: verdict == 'wrong' as !=.": "a group of several that may be taken back; the attacked site has one",
    "guard/rules.py FACT_AGE_S_MAX": "context as old as that, with all tags fresh, needs a second connection",
    "guard/rules.py _fact: -SKEW_S_MAX <= age_s as <": "context from ten seconds ahead needs a second clock",
    "guard/rules.py _fact: age_s <= FACT_AGE_S_MAX as <": "context as old as that, with all tags fresh, needs a second connection",
    "guard/wellformed.py _typed: value == listed": "the attacked site has no setpoint with named values",
    "actuation/watchdog.py Watchdog.pulse": "commissioning is not attacked",
}


def unattacked(name: str) -> str:
    """Why no attack reaches a mutant; "" where one does."""
    return next((why for beginning, why in UNATTACKED.items() if f"{name}.".startswith(beginning)), "")


def exempt(name: str) -> str:
    """Why a mutant needs not be caught; "" where it must be."""
    return next((why for beginning, why in EXEMPT.items() if f"{name}.".startswith(beginning)), "")
