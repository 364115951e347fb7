// Printing the protocol: the one button that needs a script is there only where there is one.
(() => {
  "use strict";
  const button = document.querySelector("[data-print]");
  if (!button) return;
  button.hidden = false;
  button.addEventListener("click", () => print());
})();
