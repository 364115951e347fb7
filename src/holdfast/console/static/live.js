// Keeps an open page true: values, counts and clock from one stream; STALE over everything when nothing comes.
//
// A page's own script uses window.holdfast:
//   listen(tell)   tell(map) with each drawn frame; map: tag -> [value or null, bad (0 good, 1 uncertain, 2 bad), t ms UTC]
//   known          the newest of every tag, in the same form
//   now()          the gate's time, ms UTC; null before it is known
//   text(value)    a number as the pages show it
//   at(ms)         14:05:33 in the site's zone
// and hears on body: "gate:KIND" when records of a kind were made ("gate:alarm" also for alarm.acknowledged and the like),
// "gate:any", "gate:back" after the stream was lost; on window: "gate-state", "gate-overview", "gate-stale".
(() => {
  "use strict";
  const STALE_MS = 3000, TICK_MS = 500, AGAIN_MS = 1000, TOGETHER_MS = 150, PERIODS = 3, PERIOD_MS_MIN = 500;
  const body = document.body;
  const tables = new Map();       // table -> {names, periodMs, heard: when its last row came, first, stale}
  const places = new Map();       // tag -> elements that show it
  const waiting = new Map();      // tag -> [value, bad, t], drawn with the next frame
  const known = new Map();        // the newest of every tag
  const old = new Set();          // tags of tables from which nothing comes
  const words = new WeakMap();    // element -> names of its states
  const listeners = new Set();
  const heard = new Set();        // record kinds, told together
  let last = performance.now(), ahead = null, drawing = false, telling = false, away = false;

  const find = () => {
    places.clear();
    for (const one of document.querySelectorAll("[data-tag]")) {
      const tag = one.dataset.tag;
      if (!places.has(tag)) places.set(tag, []);
      places.get(tag).push(one);
      if (known.has(tag)) waiting.set(tag, waiting.get(tag) || known.get(tag));
    }
    soon();
  };

  const plain = (value) => {
    if (value === null || value === undefined) return "–";
    const size = Math.abs(value);
    return value.toFixed(size >= 1000 ? 0 : size >= 100 ? 1 : size >= 10 ? 2 : 3);
  };

  const text = (value, one) => {
    if (value === null || value === undefined) return "–";
    if (one.dataset.states) {
      if (!words.has(one)) words.set(one, JSON.parse(one.dataset.states));
      const named = words.get(one)[String(value)];
      return named === undefined ? "?" : named;
    }
    return Number.isInteger(value) && one.dataset.whole !== undefined ? String(value) : plain(value);
  };

  const quality = (tag, bad) => bad > 1 ? "bad" : old.has(tag) ? "stale" : bad ? "uncertain" : "good";

  const draw = () => {
    drawing = false;
    for (const [tag, [value, bad]] of waiting) {
      const state = quality(tag, bad);
      for (const one of places.get(tag) || []) {
        const now = text(value, one);
        // The text node itself is changed, so that nobody who watches for new elements wakes.
        if (one.firstChild === null) one.textContent = now;
        else if (one.firstChild.data !== now) one.firstChild.data = now;
        if (one.dataset.quality !== state) one.dataset.quality = state;
      }
    }
    for (const tell of listeners) tell(waiting);
    waiting.clear();
  };

  const soon = () => {
    if (!drawing) { drawing = true; requestAnimationFrame(draw); }
  };

  const onTables = (data) => {
    tables.clear();
    old.clear();
    for (const [table, { names, period_s }] of Object.entries(data)) {
      tables.set(table, { names, periodMs: period_s * 1000, heard: performance.now(), first: true, stale: false });
      for (const tag of names) if (known.has(tag)) waiting.set(tag, known.get(tag));
    }
    soon();
  };

  const onValues = (data) => {
    const table = tables.get(data.table);
    if (!table) return;
    const first = table.first;
    table.first = false;
    table.heard = performance.now();
    // The first row may be old: what is kept for a page that opens now came before it did.
    if (first && ahead !== null) table.heard -= Math.max(0, Date.now() + ahead - data.t);
    data.v.forEach((value, i) => {
      const now = [value, data.bad[i] || 0, data.t];
      waiting.set(table.names[i], now);
      known.set(table.names[i], now);
    });
    if (table.stale || first) mark(table);
    soon();
  };

  // A table is stale when no row has come for three of its periods, or none at all.
  const mark = (table) => {
    const yes = performance.now() - table.heard > Math.max(table.periodMs, PERIOD_MS_MIN) * PERIODS;
    if (yes === table.stale) return;
    table.stale = yes;
    for (const tag of table.names) {
      if (yes) old.add(tag); else old.delete(tag);
      waiting.set(tag, known.get(tag) || [null, 0, 0]);
    }
    dispatchEvent(new CustomEvent("gate-stale", { detail: old }));
    soon();
  };

  const onState = (data) => {
    ahead = data.t - Date.now();
    for (const one of document.querySelectorAll("[data-count]")) {
      const count = data[one.dataset.count] || 0;
      one.textContent = String(count);
      one.hidden = count === 0;
    }
    const stop = document.querySelector("[data-stop]"), word = document.querySelector("[data-stop-word]");
    const stopped = data.stopped.length > 0;
    if (stop && stop.classList.contains("pressed") !== stopped) {
      stop.classList.toggle("pressed", stopped);
      word.textContent = stopped ? word.dataset.stopped : word.dataset.running;
      tell("stop");
    }
    dispatchEvent(new CustomEvent("gate-state", { detail: data }));
  };

  // Several records that come together ask for a part of the page once.
  const tell = (kind) => {
    heard.add(kind).add(kind.split(".", 1)[0]);
    if (telling) return;
    telling = true;
    setTimeout(() => {
      telling = false;
      for (const one of heard) body.dispatchEvent(new CustomEvent("gate:" + one));
      body.dispatchEvent(new CustomEvent("gate:any"));
      heard.clear();
    }, TOGETHER_MS);
  };

  const stale = (yes) => {
    if (body.classList.contains("is-stale") === yes) return;
    body.classList.toggle("is-stale", yes);
    const banner = document.querySelector("[data-stale-banner]");
    if (banner) banner.hidden = !yes;
    if (!yes) tell("back");
  };

  // Whoever is signed out can't come back by waiting.
  const again = async () => {
    try {
      const answer = await fetch(location.href, { redirect: "manual" });
      if (answer.type === "opaqueredirect") { location.reload(); return; }
    } catch { /* the console is away: the page says that it is stale */ }
    open();
  };

  const open = () => {
    const source = new EventSource(body.dataset.live);
    const on = (name, what) => source.addEventListener(name, (event) => {
      if (name !== "away") last = performance.now();
      if (name === "state") away = false;
      what(JSON.parse(event.data));
    });
    on("tables", onTables);
    on("values", onValues);
    on("state", onState);
    on("overview", (data) => dispatchEvent(new CustomEvent("gate-overview", { detail: data })));
    on("record", (data) => tell(data.kind));
    on("away", () => { away = true; });
    source.onerror = () => {
      if (source.readyState === EventSource.CLOSED) setTimeout(again, AGAIN_MS);
    };
    addEventListener("pagehide", () => source.close(), { once: true });
  };

  const clock = document.querySelector("[data-clock]");
  const zone = body.dataset.zone || undefined;
  const shown = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false, timeZone: zone });
  const tick = () => {
    stale(away || performance.now() - last > STALE_MS);
    for (const table of tables.values()) mark(table);
    if (clock && ahead !== null && !body.classList.contains("is-stale")) clock.textContent = shown.format(new Date(Date.now() + ahead));
    for (const one of document.querySelectorAll("[data-until]")) {
      const left = Math.max(0, Math.round((Number(one.dataset.until) - (Date.now() + (ahead || 0))) / 1000));
      const now = Math.floor(left / 60) + ":" + String(left % 60).padStart(2, "0");
      if (one.textContent !== now) one.textContent = now;
      one.classList.toggle("soon", left <= 30);
    }
  };

  // On a phone the pages are a strip that is wider than the screen: the one that is open must be in it.
  const reveal = () => {
    const strip = document.querySelector("nav.pages"), current = strip && strip.querySelector("[aria-current]");
    if (current) strip.scrollLeft = current.offsetLeft - (strip.clientWidth - current.offsetWidth) / 2;
  };

  window.holdfast = {
    listen: (what) => { listeners.add(what); return () => listeners.delete(what); },
    known,
    stale: (tag) => old.has(tag),
    now: () => ahead === null ? null : Date.now() + ahead,
    text: plain,
    at: (ms) => shown.format(new Date(ms)),
  };
  addEventListener("DOMContentLoaded", () => {
    find();
    reveal();
    addEventListener("gate-state", reveal, { once: true }); // the counts made it wider
    new MutationObserver(find).observe(document.getElementById("main"), { childList: true, subtree: true });
    if (body.dataset.live) { open(); setInterval(tick, TICK_MS); }
  });
})();
