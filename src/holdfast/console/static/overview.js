// Moves the overview: pointers on their scales with each drawn frame, alarms and loops as the stream tells them.
(() => {
  "use strict";
  const QUALITY_MS = 1000, NAMED_MAX = 8;
  const page = document.getElementById("overview");
  const words = JSON.parse(page.dataset.words);
  let configuration = JSON.parse(page.dataset.now).configuration;
  const one = (selector, under = page) => under.querySelector(selector);
  const all = (selector, under = page) => [...under.querySelectorAll(selector)];

  // ---- pointers ----------------------------------------------------------------------------------------------------

  const dials = new Map();      // tag -> [[pointer, dial]]
  for (const box of all("[data-dial]")) {
    const dial = { box, low: Number(box.dataset.low), high: Number(box.dataset.high), free: box.dataset.low === undefined };
    if (dial.free) { dial.low = Infinity; dial.high = -Infinity; }
    for (const [tag, pointer] of [[box.dataset.dial, one(".pv", box)], [box.dataset.sp, one(".sp", box)]]) {
      if (tag && pointer) dials.set(tag, [...(dials.get(tag) || []), { pointer, dial, tag, share: null }]);
    }
  }

  // A tag without limits and range has the scale of what was seen of it since the page was opened.
  const widen = (dial, value) => {
    if (value >= dial.low && value <= dial.high) return;
    const low = Math.min(dial.low, value), high = Math.max(dial.high, value), room = (high - low) * 0.25 || Math.abs(value) * 0.02 || 1;
    if (value < dial.low) dial.low = low - room;
    if (value > dial.high) dial.high = high + room;
  };

  const point = (values) => {
    for (const [tag, [value, bad]] of values) {
      for (const at of dials.get(tag) || []) {
        const { pointer, dial } = at, nothing = value === null || bad > 1;
        if (pointer.hidden !== nothing) pointer.hidden = nothing;
        if (nothing) continue;
        if (dial.free) widen(dial, value);
        const whole = (value - dial.low) / (dial.high - dial.low), share = Math.round(1000 * Math.min(Math.max(whole, 0), 1)) / 10;
        if (share === at.share) continue;
        at.share = share;
        pointer.style.transform = "translateX(" + share + "%)";
        pointer.classList.toggle("off", whole < 0 || whole > 1);
      }
    }
  };
  holdfast.listen(point);

  // ---- alarms, loops -----------------------------------------------------------------------------------------------

  const unit = (code) => code in words.units ? words.units[code] : code;
  const draft = one(".abnormal template").content.firstElementChild;
  const list = one("[data-alarms]");
  let lost = [];

  const alarmRow = (alarm) => {
    const row = draft.cloneNode(true);
    row.className = "alarm " + alarm.state + " " + alarm.priority;
    row.dataset.alarm = alarm.tag;
    one(".shape", row).setAttribute("aria-label", words.priority[alarm.priority]);
    one("[data-name]", row).textContent = words.names[alarm.tag] || alarm.tag;
    one("[data-limit]", row).textContent = words.limit[alarm.limit];
    const shown = unit(alarm.unit), threshold = String(Number(alarm.threshold.toPrecision(4)));
    one("[data-threshold]", row).textContent = threshold + (shown ? "\u202f" + shown : "");
    one(".value span", row).dataset.tag = alarm.tag;
    one("[data-unit]", row).textContent = shown;
    one("[data-state]", row).textContent = words.state[alarm.state];
    one("[data-since]", row).textContent = alarm.since ? holdfast.at(alarm.since) : "";
    return row;
  };

  // Not acknowledged before acknowledged, urgent before low, the newest first.
  const ORDER = ["unacknowledged", "returned", "acknowledged", "shelved"], RANK = ["urgent", "high", "medium", "low"];
  const before = (a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state) || RANK.indexOf(a.priority) - RANK.indexOf(b.priority) || b.since - a.since;

  const showAlarms = (alarms) => {
    list.replaceChildren(...[...alarms].sort(before).map(alarmRow));
    const worst = new Map();
    for (const alarm of [...alarms].sort(before).reverse()) worst.set(alarm.tag, alarm);
    for (const mark of all("[data-mark]")) {
      const alarm = worst.get(mark.dataset.mark);
      const look = alarm ? "mark " + alarm.state + " " + alarm.priority : "mark";
      if (mark.className === look) continue;
      mark.className = look;
      mark.replaceChildren(...(alarm ? [one(".shape", draft).cloneNode(true)] : []));
      if (alarm) one(".shape", mark).setAttribute("aria-label", words.priority[alarm.priority] + ", " + words.state[alarm.state]);
    }
  };

  const field = (card, name) => one('[data-field="' + name + '"]', card);
  const showLoop = (loop) => {
    const card = all("[data-loop]").find((one) => one.dataset.loop === loop.name);
    if (!card) return;
    field(card, "autonomy").textContent = loop.autonomy ? words.level[loop.autonomy] : words.no_write;
    const shown = one(".unit", card).textContent;
    field(card, "band").textContent = !loop.ceiling ? "–" : loop.low === null ? words.unknown_band
      : Number(loop.low.toPrecision(4)) + " … " + Number(loop.high.toPrecision(4)) + (shown ? "\u202f" + shown : "");
    field(card, "stopped").hidden = !loop.stopped;
    field(card, "maintenance").hidden = loop.maintenance !== true;
    field(card, "lowered").hidden = !loop.lowered;
    field(card, "yield").hidden = !loop.yield_until;
    one("[data-until]", field(card, "yield")).dataset.until = loop.yield_until;
    const dial = one("[data-dial]", card), band = one(".band", dial);
    if (dial.dataset.low === undefined) return;
    const share = (value) => 1000 * (value - Number(dial.dataset.low)) / (Number(dial.dataset.high) - Number(dial.dataset.low));
    band.setAttribute("x", loop.low === null ? 0 : share(loop.low));
    band.setAttribute("width", loop.low === null ? 0 : share(loop.high) - share(loop.low));
  };

  const show = (now) => {
    if (now.configuration !== configuration) { location.reload(); configuration = now.configuration; return; }
    showAlarms(now.alarms);
    now.loops.forEach(showLoop);
    one("[data-flood]").hidden = !now.flood;
    lost = now.lost;
    quality();
  };

  // ---- what can't be trusted -----------------------------------------------------------------------------------------

  const tell = (selector, found) => {
    const line = one(selector), text = found.slice(0, NAMED_MAX).join(", ") + (found.length > NAMED_MAX ? " +" + (found.length - NAMED_MAX) : "");
    line.hidden = found.length === 0;
    if (one("span", line).textContent !== text) one("span", line).textContent = text;
  };

  const drawn = new Set(all("[data-row] [data-tag], [data-loop] [data-tag]").map((one) => one.dataset.tag));
  const quality = () => {
    const bad = [], old = [], whole = document.body.classList.contains("is-stale");
    for (const tag of drawn) {
      const now = holdfast.known.get(tag), name = words.names[tag] || tag;
      if (now && now[1] > 1) bad.push(name); else if (holdfast.stale(tag) && !whole) old.push(name);
    }
    tell("[data-lost]", lost);
    tell("[data-bad]", bad);
    tell("[data-old]", old);
    one("[data-normal]").hidden = list.childElementCount + lost.length + bad.length + old.length > 0;
  };

  // ---- trends --------------------------------------------------------------------------------------------------------

  const trends = new Set();
  let seconds = Number(one('[data-range][aria-pressed="true"]').dataset.range);
  const trend = (box, what) => {
    const made = holdfast.trend(box, { unit: box.dataset.trendUnit, words, ...what });
    trends.add(made);
    made.range(seconds);
    return made;
  };
  for (const button of all("[data-range]")) {
    button.addEventListener("click", () => {
      seconds = Number(button.dataset.range);
      for (const other of all("[data-range]")) other.setAttribute("aria-pressed", String(other === button));
      for (const made of trends) made.range(seconds);
    });
  }
  const opened = new Map();
  for (const button of all("[data-open-trend]")) {
    const box = one("[data-trend-later]", button.parentElement);
    if (!box) continue;
    button.addEventListener("click", () => {
      const made = opened.get(box);
      box.hidden = Boolean(made);
      button.setAttribute("aria-expanded", String(!made));
      if (made) {
        made.close();
        trends.delete(made);
        opened.delete(box);
      } else {
        opened.set(box, trend(box, { pv: box.dataset.trendLater, limits: JSON.parse(box.dataset.limits) }));
      }
    });
  }

  addEventListener("DOMContentLoaded", () => {
    show(JSON.parse(page.dataset.now));
    for (const box of all("[data-trend]")) {
      trend(box, { pv: box.dataset.trend, sp: box.dataset.trendSp, by: box.dataset.trendBy, bands: JSON.parse(box.dataset.bands) });
    }
    setInterval(quality, QUALITY_MS);
  });
  addEventListener("gate-overview", (event) => show(event.detail));
  addEventListener("gate-stale", quality);
})();
