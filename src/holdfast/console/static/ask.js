// The page ask: what the agent does for an answer, as it does it. Without scripts the answer comes with the next load.
(() => {
  "use strict";
  const streams = new Map(); // address -> {source, lines}: a part of the page that is fetched anew keeps what was told

  const follow = (address) => {
    const stream = { source: new EventSource(address), lines: [] };
    streams.set(address, stream);
    stream.source.addEventListener("step", (message) => { stream.lines.push("… " + JSON.parse(message.data).text); look(); });
    stream.source.addEventListener("answer", () => {
      stream.source.close();
      document.body.dispatchEvent(new CustomEvent("gate:answer"));
    });
    stream.source.onerror = () => stream.source.close(); // it would open again by itself: the page's own news bring the answer
  };
  const look = () => {
    const shown = new Set();
    for (const box of document.querySelectorAll("[data-steps]")) {
      const address = box.dataset.steps;
      shown.add(address);
      if (!streams.has(address)) follow(address);
      const { lines } = streams.get(address), there = box.querySelectorAll(".step").length;
      for (const text of lines.slice(there)) {
        const line = document.createElement("p");
        line.className = "note step";
        line.textContent = text;
        box.append(line);
      }
    }
    for (const [address, { source }] of streams) if (!shown.has(address)) { source.close(); streams.delete(address); }
  };
  new MutationObserver(look).observe(document.getElementById("talk"), { childList: true, subtree: true });
  addEventListener("pagehide", () => { for (const { source } of streams.values()) source.close(); });
  look();
})();
