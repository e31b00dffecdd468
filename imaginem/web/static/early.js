// What is pressed or dropped before the scripts that answer it are there is kept, and done as soon
// as they are; if one never arrives, that is told.
"use strict";

(() => {
  const kept = new Map(); // a button, a form or a place, and how it is used again
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

  // The browser would open a file that is dropped, and leave the page.
  function keepDrop(event) {
    const place = event.target.closest("[data-drop]");
    if (!place) return;
    event.preventDefault();
    if (event.type !== "drop") return;
    const files = new DataTransfer();
    for (const item of event.dataTransfer.items) {
      const entry = item.webkitGetAsEntry && item.webkitGetAsEntry();
      if (entry && entry.isFile) files.items.add(item.getAsFile());
    }
    const options = { dataTransfer: files, bubbles: true, cancelable: true };
    keep(event, place, () => place.dispatchEvent(new DragEvent("drop", options)));
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

  const listeners = { click: keepPress, submit: keepSubmit, dragover: keepDrop, drop: keepDrop };
  for (const [name, listener] of Object.entries(listeners)) {
    document.addEventListener(name, listener, true);
  }
  document.addEventListener("DOMContentLoaded", () => {
    // Deferred scripts have run by now, but their own listeners for this event come after this one.
    setTimeout(() => {
      if (isLost) {
        if (kept.size) tellLoss();
        return;
      }
      for (const [name, listener] of Object.entries(listeners)) {
        document.removeEventListener(name, listener, true);
      }
      for (const again of kept.values()) again();
    });
  });
})();
