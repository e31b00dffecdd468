// What is pressed before the scripts that answer it are there is kept, and done as soon as they are.
"use strict";

(() => {
  const kept = new Map(); // a button or a form, and how it is pressed again

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
    kept.set(pressed, again);
  }

  document.addEventListener("click", keepPress, true);
  document.addEventListener("submit", keepSubmit, true);
  document.addEventListener("DOMContentLoaded", () => {
    // Deferred scripts have run by now, but their own listeners for this event come after this one.
    setTimeout(() => {
      document.removeEventListener("click", keepPress, true);
      document.removeEventListener("submit", keepSubmit, true);
      for (const again of kept.values()) again();
    });
  });
})();
