// What is pressed before the scripts that answer it are there is kept, and done as soon as they are;
// if one never arrives, that is told.
"use strict";

(() => {
  const kept = new Map(); // a button or a form, and how it is pressed again
  let isLost = false; // a script that the page needs

  // A plain form and a link need no script: they are left to the browser.
  function keepPress(event) {
    const button = event.target.closest("button:is([type=button], [hx-get], [hx-post])");
    if (button) keep(event, button, () => button.click());
  }

  function keepSubmit(event) {
    const form = event.target;
    const pressed = event.submitter;
    if (!form.hasAttribute("action")) keep(event, form, () => form.requestSubmit(pressed));
  }

  function keep(event, pressed, again) {
    event.preventDefault();
    event.stopImmediatePropagation();
    if (isLost) tellLoss();
    else kept.set(pressed, again);
  }

  function tellLoss() {
    const toast = document.createElement("p"); // what else tells things may be lost
    toast.className = "toast";
    toast.textContent = document.body.dataset.lost;
    document.getElementById("toasts").replaceChildren(toast);
  }

  document.addEventListener("error", (event) => (isLost ||= event.target.tagName === "SCRIPT"), true);

  document.addEventListener("click", keepPress, true);
  document.addEventListener("submit", keepSubmit, true);
  document.addEventListener("DOMContentLoaded", () => {
    // Deferred scripts have run by now, but their own listeners for this event come after this one.
    setTimeout(() => {
      if (isLost) {
        if (kept.size) tellLoss();
        return;
      }
      document.removeEventListener("click", keepPress, true);
      document.removeEventListener("submit", keepSubmit, true);
      for (const again of kept.values()) again();
    });
  });
})();
