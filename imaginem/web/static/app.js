// Tells what failed, on every page, and keeps empty fields out of addresses.
"use strict";

const toasts = document.getElementById("toasts");

function tell(text) {
  if ([...toasts.children].some((toast) => toast.textContent === text)) return;
  const toast = document.createElement("p");
  toast.className = "toast";
  toast.textContent = text;
  toasts.append(toast);
  setTimeout(() => toast.remove(), 8000);
}

function failureOf(reason) {
  return document.body.dataset.failed.replace("{reason}", reason);
}

function reasonOf(text, otherwise) {
  try {
    return JSON.parse(text).detail || otherwise;
  } catch {
    return otherwise;
  }
}

document.addEventListener("htmx:responseError", (event) => {
  const request = event.detail.xhr;
  const reason = reasonOf(request.responseText, String(request.status));
  tell(failureOf(reason));
});

// A form says what is missing in it before anybody is asked whether to go on.
document.addEventListener("htmx:confirm", (event) => {
  const form = event.detail.elt.closest("form[data-check-first]");
  if (form && !form.reportValidity()) event.preventDefault();
});

document.addEventListener("htmx:sendError", () => tell(document.body.dataset.offline));

// What is asked for again and again stays as it is while somebody is at work in it, also if the
// answer was on its way when they began.
function isInUse(part) {
  const inside = part !== document.activeElement && part.contains(document.activeElement);
  return "poll" in part.dataset && inside;
}

document.addEventListener("htmx:beforeRequest", (event) => {
  if (isInUse(event.detail.elt)) event.preventDefault();
});

document.addEventListener("htmx:beforeSwap", (event) => {
  if (isInUse(event.detail.requestConfig.elt)) event.detail.shouldSwap = false;
});

// A button that did its work may be gone with the part that it was in: go on from that part.
document.addEventListener("htmx:afterSettle", (event) => {
  const part = event.detail.target && document.getElementById(event.detail.target.id);
  const acted = event.detail.requestConfig && event.detail.requestConfig.verb === "post";
  if (acted && part && document.activeElement === document.body) part.focus();
});

document.addEventListener("submit", (event) => {
  if (event.target.method !== "get") return;
  for (const field of event.target.elements) {
    if (field.name && !field.value) field.disabled = true;
  }
  // The page may come back from the browser's memory: fields must work then.
  setTimeout(() => {
    for (const field of event.target.elements) field.disabled = false;
  });
});

// A picture that can't be shown leaves its place, without the browser's torn sign.
document.addEventListener(
  "error",
  (event) => {
    if (event.target.tagName === "IMG") event.target.classList.add("missing");
  },
  true,
);

// What a page can do without at first is loaded when it has been painted.
const later = document.querySelector("meta[name=later]");
if (later) {
  requestAnimationFrame(() =>
    setTimeout(() => {
      for (const address of later.content.split(" ")) {
        const script = document.createElement("script");
        script.src = address;
        script.async = false; // in this order
        document.head.append(script);
      }
    }),
  );
}
