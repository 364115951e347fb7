// Trends with envelope band and setpoint: the past from the gate, then each new value added to it as it comes.
//
// holdfast.trend(box, {pv, sp, by, bands, limits, unit, words}) draws into a box; pv, sp and by are tags, bands are
// [{state, low, high}], of which `by`'s value at the time selects one (state null: always), limits are numbers.
// It returns {range(seconds), close()}. The drawing sleeps while nobody sees it.
(() => {
  "use strict";
  const REDRAW_MS = 1000, HEIGHT = 150, URL = "/overview/trend", AGAIN_MS = 5000;
  const seen = new Map();         // box -> trend
  const watcher = new IntersectionObserver((entries) => {
    for (const one of entries) {
      const trend = seen.get(one.target);
      if (trend) { trend.visible = one.isIntersecting; trend.redraw(); }
    }
  });
  const sizer = new ResizeObserver((entries) => {
    for (const one of entries) seen.get(one.target)?.size();
  });
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const zoned = (options) => new Intl.DateTimeFormat("en-GB", { hour12: false, timeZone: document.body.dataset.zone || undefined, ...options });
  const short = zoned({ hour: "2-digit", minute: "2-digit" }), long = zoned({ hour: "2-digit", minute: "2-digit", second: "2-digit" });

  class Trend {
    constructor(box, what) {
      Object.assign(this, { box, what, visible: false, dirty: false, drawn: 0, seconds: 600, asked: 0, plot: null, data: null, width: 0 });
      this.note = document.createElement("p");
      this.note.className = "trend-note";
      this.place = document.createElement("div");
      this.place.className = "trend-plot";
      box.replaceChildren(this.place, this.note);
      seen.set(box, this);
      watcher.observe(box);
      sizer.observe(box);
      this.stop = holdfast.listen((values) => this.take(values));
      this.again = () => this.range(this.seconds);
      document.body.addEventListener("gate:back", this.again);
    }

    close() {
      this.stop();
      document.body.removeEventListener("gate:back", this.again);
      watcher.unobserve(this.box);
      sizer.unobserve(this.box);
      seen.delete(this.box);
      this.plot?.destroy();
      this.plot = this.data = null;
      this.box.replaceChildren();
    }

    async range(seconds) {
      this.seconds = seconds;
      const asked = ++this.asked, { pv, sp, by } = this.what;
      const tags = [pv, sp, by].filter((tag, i, all) => tag && all.indexOf(tag) === i);
      let found = null, why = "past_away";
      try {
        const answer = await fetch(URL + "?" + new URLSearchParams({ tags: tags.join(","), range_s: seconds }), { redirect: "manual" });
        if (answer.ok) found = await answer.json();
        else if (answer.type === "opaqueredirect") why = "sign_in";
      } catch { /* the console is away: said below, and asked again */ }
      if (asked !== this.asked || !seen.has(this.box)) return;
      if (!found) {
        this.tell(this.what.words[why]);
        if (why === "past_away") setTimeout(() => { if (asked === this.asked && seen.has(this.box)) this.range(seconds); }, AGAIN_MS);
        return;
      }
      this.begin(found);
    }

    begin(found) {
      const empty = () => new Array(found.points).fill(null), { pv, sp, by } = this.what;
      const of = (tag) => tag && found.series[tag];
      const times = Array.from({ length: found.points }, (_, i) => (found.from + i * found.width) / 1000);
      this.width = found.width / 1000;
      this.data = { t: times, min: of(pv).min, max: of(pv).max, last: of(pv).last, sp: of(sp)?.last || empty(), by: of(by)?.last || empty() };
      this.first = times[0];
      this.tell(found.thinned > 1 ? this.what.words.thinned.replace("{n}", found.thinned) : "");
      if (!this.plot) this.make();
      this.drawn = 0;
      this.redraw();
    }

    // What came since: into the last stretch, or new ones; a stretch in which nothing came stays a gap.
    take(values) {
      const { pv, sp, by } = this.what, d = this.data;
      if (!d || !(values.has(pv) || (sp && values.has(sp)))) return;
      const t = (values.get(pv) || values.get(sp))[2] / 1000;
      const at = Math.floor((t - this.first) / this.width);
      if (at < d.t.length - 1) return;
      if (at - d.t.length > 2 * this.seconds / this.width) { this.range(this.seconds); return; }
      while (d.t.length <= at) {
        d.t.push(this.first + d.t.length * this.width);
        for (const one of ["min", "max", "last", "sp", "by"]) d[one].push(null);
      }
      const end = d.t.length - 1, good = (tag) => {
        const now = tag && holdfast.known.get(tag);
        return now && now[1] < 2 && !holdfast.stale(tag) ? now[0] : null;
      };
      const value = values.has(pv) ? good(pv) : null;
      if (value !== null) {
        d.last[end] = value;
        d.min[end] = d.min[end] === null ? value : Math.min(d.min[end], value);
        d.max[end] = d.max[end] === null ? value : Math.max(d.max[end], value);
      }
      d.sp[end] = good(sp);
      d.by[end] = good(by);
      this.redraw();
    }

    redraw() {
      if (!this.visible || !this.plot || !this.data || document.hidden) { this.dirty = true; return; }
      const wait = this.drawn + REDRAW_MS - performance.now();
      if (wait > 0) {
        if (!this.timer) this.timer = setTimeout(() => { this.timer = 0; this.redraw(); }, wait);
        return;
      }
      this.drawn = performance.now();
      this.forget();
      const d = this.data, low = [], high = [];
      for (const state of d.by) {
        const band = this.what.bands.find((one) => one.state === null || (state !== null && one.state === Math.round(state)));
        low.push(band ? band.low : null);
        high.push(band ? band.high : null);
      }
      this.plot.setData([d.t, low, high, d.min, d.max, d.last, d.sp]);
    }

    forget() {
      const d = this.data, over = d.t.length - Math.ceil(this.seconds / this.width) - 1;
      if (over <= 0) return;
      for (const one of Object.keys(d)) d[one].splice(0, over);
      this.first = d.t[0];
    }

    tell(text) { if (this.note.textContent !== text) this.note.textContent = text; }

    size() {
      const width = Math.floor(this.place.clientWidth);
      if (this.plot && width > 0 && width !== this.plot.width) this.plot.setSize({ width, height: HEIGHT });
    }

    make() {
      const ink = color("--muted"), grid = color("--line"), trend = color("--trend"), band = color("--band"), focus = color("--focus");
      const hidden = { points: { show: false }, stroke: "transparent", width: 0 };
      const axis = { stroke: ink, font: "12px sans-serif", grid: { stroke: grid, width: 1 }, ticks: { show: false } };
      const { limits, unit } = this.what;
      this.plot = new uPlot({
        width: Math.max(120, Math.floor(this.place.clientWidth)), height: HEIGHT,
        legend: { show: false },
        cursor: { drag: { x: false, y: false }, y: false, points: { show: false } },
        padding: [8, 8, 0, 0],
        scales: { x: { time: true }, y: { range: (_, low, high) => this.span(low, high, limits) } },
        axes: [
          { ...axis, size: 24, space: 60, values: (_, splits) => splits.map((s) => short.format(new Date(s * 1000))) },
          // Numbers beside an empty plot would look like a scale that the tag has.
          { ...axis, size: 52, space: 28, values: (_, splits) => splits.map((s) => this.data ? String(+s.toPrecision(8)) : "") },
        ],
        series: [
          {}, { ...hidden }, { ...hidden }, { ...hidden }, { ...hidden },
          { stroke: trend, width: 1.5, points: { show: false } },
          { stroke: focus, width: 1.5, dash: [6, 3], points: { show: false }, paths: uPlot.paths.stepped({ align: 1 }) },
        ],
        bands: [{ series: [2, 1], fill: band }, { series: [4, 3], fill: ink + "55" }],
        hooks: {
          setCursor: [(plot) => {
            const i = plot.cursor.idx, d = this.data;
            if (!d || i === null || i === undefined || plot.cursor.left < 0) { this.tell(""); return; }
            const value = (of) => of[i] === null || of[i] === undefined ? "–" : holdfast.text(of[i]) + (unit ? "\u202f" + unit : "");
            this.tell(long.format(new Date(d.t[i] * 1000)) + "  PV " + value(d.last) + (this.what.sp ? "  SP " + value(d.sp) : ""));
          }],
          draw: [(plot) => {
            const { ctx, bbox } = plot;
            ctx.save();
            ctx.strokeStyle = color("--strong-line");
            ctx.setLineDash([2, 4]);
            for (const limit of limits || []) {
              const y = Math.round(plot.valToPos(limit, "y", true)) + 0.5;
              if (y < bbox.top || y > bbox.top + bbox.height) continue;
              ctx.beginPath();
              ctx.moveTo(bbox.left, y);
              ctx.lineTo(bbox.left + bbox.width, y);
              ctx.stroke();
            }
            ctx.restore();
          }],
        },
      }, [[], [], [], [], [], [], []], this.place);
    }

    // Envelope and limits near the values are kept in sight; far ones don't flatten the trend.
    span(low, high, limits) {
      if (low === null || high === null) return [0, 1];
      for (const limit of limits || []) {
        if (Math.abs(limit - (low + high) / 2) <= 3 * (high - low) + Math.abs(high) * 0.5) { low = Math.min(low, limit); high = Math.max(high, limit); }
      }
      const room = (high - low) * 0.08 || Math.abs(high) * 0.05 || 1;
      return [low - room, high + room];
    }
  }

  holdfast.trend = (box, what) => new Trend(box, { sp: "", by: "", bands: [], limits: [], unit: "", words: {}, ...what });
  document.addEventListener("visibilitychange", () => { for (const trend of seen.values()) if (trend.dirty) { trend.dirty = false; trend.redraw(); } });
})();
