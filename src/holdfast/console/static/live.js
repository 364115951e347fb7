// Keeps an open page true: values, counts and clock from one stream; STALE over everything when nothing comes.
(() => {
  "use strict";
  const STALE_MS = 3000, TICK_MS = 500, AGAIN_MS = 1000, TOGETHER_MS = 150;
  const body = document.body;
  const columns = new Map();      // table -> tag names
  const places = new Map();       // tag -> elements that show it
  const waiting = new Map();      // tag -> [value, bad, t], drawn with the next frame
  const listeners = new Set();    // trends and others: (tag, value, bad, t)
  const heard = new Set();        // record kinds, told together
  let last = performance.now(), ahead = null, drawing = false, telling = false, away = false;

  const find = () => {
    places.clear();
    for (const one of document.querySelectorAll("[data-tag]")) {
      const tag = one.dataset.tag;
      if (!places.has(tag)) places.set(tag, []);
      places.get(tag).push(one);
    }
  };

  const text = (value, one) => {
    if (value === null || value === undefined) return "–";
    if (one.dataset.states) {
      const named = JSON.parse(one.dataset.states)[String(value)];
      return named === undefined ? "?" : named;
    }
    const size = Math.abs(value);
    const digits = size >= 1000 ? 0 : size >= 100 ? 1 : size >= 10 ? 2 : 3;
    return Number.isInteger(value) && one.dataset.whole !== undefined ? String(value) : value.toFixed(digits);
  };

  const draw = () => {
    drawing = false;
    for (const [tag, [value, bad]] of waiting) {
      for (const one of places.get(tag) || []) {
        const now = text(value, one);
        // The text node itself is changed, so that nobody who watches for new elements wakes.
        if (one.firstChild === null) one.textContent = now;
        else if (one.firstChild.data !== now) one.firstChild.data = now;
        const state = bad ? (bad > 1 ? "bad" : "uncertain") : "good";
        if (one.dataset.quality !== state) one.dataset.quality = state;
      }
    }
    for (const tell of listeners) tell(waiting);
    waiting.clear();
  };

  const onValues = (data) => {
    const names = columns.get(data.table);
    if (!names) return;
    data.v.forEach((value, i) => waiting.set(names[i], [value, data.bad[i] || 0, data.t]));
    if (!drawing) { drawing = true; requestAnimationFrame(draw); }
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
    heard.add(kind);
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

  const open = () => {
    const source = new EventSource(body.dataset.live);
    const on = (name, what) => source.addEventListener(name, (event) => {
      if (name !== "away") { last = performance.now(); away = false; }
      what(JSON.parse(event.data));
    });
    on("tables", (data) => { for (const table of Object.keys(data)) columns.set(table, data[table]); });
    on("values", onValues);
    on("state", onState);
    on("record", (data) => tell(data.kind));
    on("away", () => { away = true; });
    source.onerror = () => {
      if (source.readyState === EventSource.CLOSED) setTimeout(open, AGAIN_MS);
    };
    addEventListener("pagehide", () => source.close(), { once: true });
  };

  const clock = document.querySelector("[data-clock]");
  const zone = body.dataset.zone || undefined;
  const shown = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false, timeZone: zone });
  const tick = () => {
    stale(away || performance.now() - last > STALE_MS);
    if (clock && ahead !== null && !body.classList.contains("is-stale")) clock.textContent = shown.format(new Date(Date.now() + ahead));
    for (const one of document.querySelectorAll("[data-until]")) {
      const left = Math.max(0, Math.round((Number(one.dataset.until) - (Date.now() + (ahead || 0))) / 1000));
      const now = Math.floor(left / 60) + ":" + String(left % 60).padStart(2, "0");
      if (one.textContent !== now) one.textContent = now;
      one.classList.toggle("soon", left <= 30);
    }
  };

  window.holdfast = { listen: (what) => { listeners.add(what); return () => listeners.delete(what); } };
  addEventListener("DOMContentLoaded", () => {
    find();
    new MutationObserver(find).observe(document.getElementById("main"), { childList: true, subtree: true });
    if (body.dataset.live) { open(); setInterval(tick, TICK_MS); }
  });
})();
