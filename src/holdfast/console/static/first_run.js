// The first run: finding tags among many, this browser's time zone, and going on when the console is there.
(() => {
  "use strict";
  const AGAIN_MS = 1000, TRIES_MAX = 180;
  const zone = document.querySelector("[data-zone]");
  if (zone && zone.value === "UTC") zone.value = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

  const picking = document.querySelector("[data-picking]");
  if (picking) {
    const rows = [...document.querySelectorAll("[data-of]")].map((row) => [row, row.dataset.of.toLowerCase(), row.querySelector("input")]);
    const chosen = picking.querySelector("[data-chosen]");
    const count = () => { chosen.textContent = chosen.dataset.text.replace("#", String(rows.filter((row) => row[2].checked).length)); };
    const set = (yes) => { for (const [row, , box] of rows) if (!row.hidden) box.checked = yes; count(); };
    picking.hidden = false;
    picking.querySelector("[data-find]").addEventListener("input", (event) => {
      const wanted = event.target.value.toLowerCase();
      for (const [row, text] of rows) row.hidden = !text.includes(wanted);
      for (const group of document.querySelectorAll("fieldset.found")) group.hidden = !group.querySelector("[data-of]:not([hidden])");
    });
    picking.querySelector("[data-find]").addEventListener("keydown", (event) => { if (event.key === "Enter") event.preventDefault(); });
    picking.querySelector("[data-all]").addEventListener("click", () => set(true));
    picking.querySelector("[data-none]").addEventListener("click", () => set(false));
    document.addEventListener("change", count);
    count();
  }

  // The pages that wrote the file end, and the console begins at the same address.
  const next = document.body.dataset.next, wait = document.querySelector("[data-wait]");
  if (!next) return;
  let tries = 0;
  const ask = async () => {
    try {
      const answer = await fetch(next, { cache: "no-store" });
      if (answer.ok) { location.assign(next); return; }
    } catch { /* not there yet */ }
    tries += 1;
    if (tries < TRIES_MAX) setTimeout(ask, AGAIN_MS);
    else wait.textContent = wait.dataset.gone;
  };
  setTimeout(ask, AGAIN_MS);
})();
