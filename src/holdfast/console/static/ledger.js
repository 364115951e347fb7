// The ledger's pages: says when newer records came, and shows a verification as it runs.
(() => {
  "use strict";
  const fresh = document.querySelector("[data-new-records]");
  if (fresh) document.body.addEventListener("gate:any", () => { fresh.hidden = false; });

  const form = document.querySelector("[data-verify]");
  if (!form) return;
  const box = document.querySelector("[data-verify-progress]"), bar = box.querySelector("progress");
  const said = document.querySelector("[data-verify-said]"), result = document.querySelector("[data-verify-result]");
  const button = form.querySelector("button");

  const show = (data) => {
    box.hidden = true;
    button.disabled = false;
    result.classList.toggle("wrong", !data.ok);
    result.replaceChildren(...data.lines.map((line, i) => {
      const one = document.createElement("p");
      one.textContent = (i === 0 ? (data.ok ? "✓ " : "◆ ") : "") + line;
      return one;
    }));
    result.hidden = false;
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    button.disabled = true;
    result.hidden = true;
    box.hidden = false;
    bar.removeAttribute("value");
    said.textContent = "";
    const source = new EventSource(form.dataset.verify);
    source.addEventListener("progress", (message) => {
      const data = JSON.parse(message.data);
      bar.max = Math.max(1, data.of);
      bar.value = data.done;
      said.textContent = data.said;
    });
    source.addEventListener("result", (message) => { source.close(); show(JSON.parse(message.data)); });
    // An event stream opens again by itself: a verification must not begin again unasked.
    source.onerror = () => { source.close(); if (!box.hidden) show({ ok: false, lines: [form.dataset.lost] }); };
    addEventListener("pagehide", () => source.close(), { once: true });
  });
})();
