// Endless scroll that stays small: pages far from the window give their cards back, and keep
// their height.
"use strict";

const NEAR = "1500px 0px";
const gallery = document.getElementById("gallery");
const end = document.getElementById("end");
let loading = false;

async function fetchPage(address) {
  const answer = await fetch(address, { headers: { "HX-Request": "true" } });
  const text = await answer.text();
  if (!answer.ok) throw new Error(reasonOf(text, String(answer.status)));
  const parsed = new DOMParser().parseFromString(text, "text/html");
  return parsed.querySelector(".page");
}

async function append(last) {
  if (loading || !last.dataset.next) return;
  loading = true;
  try {
    const page = await fetchPage(last.dataset.next);
    gallery.append(page);
    watch(page);
  } catch (problem) {
    offerAgain(last, problem);
  } finally {
    loading = false;
  }
}

function offerAgain(last, problem) {
  tell(gallery.dataset.failed.replace("{reason}", problem.message));
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = gallery.dataset.more;
  button.addEventListener("click", () => {
    button.remove();
    append(last);
  });
  gallery.after(button);
}

function empty(page) {
  if (!page.firstElementChild || page.contains(document.activeElement)) return;
  page.style.blockSize = `${page.getBoundingClientRect().height}px`;
  page.replaceChildren();
}

async function refill(page) {
  if (page.firstElementChild || page.dataset.filling) return;
  page.dataset.filling = "true";
  try {
    page.replaceChildren(...(await fetchPage(page.dataset.this)).children);
    page.style.blockSize = "";
  } catch (problem) {
    tell(gallery.dataset.failed.replace("{reason}", problem.message));
  } finally {
    delete page.dataset.filling;
  }
}

const observer = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) {
        empty(target);
        continue;
      }
      refill(target);
      if (target === gallery.lastElementChild) append(target);
      end.hidden = Boolean(gallery.lastElementChild.dataset.next) || !gallery.querySelector(".card");
    }
  },
  { rootMargin: NEAR },
);

// A page is watched whole: its end may come near after its start did.
const tail = new IntersectionObserver(
  (entries) => {
    if (entries.some((entry) => entry.isIntersecting)) append(gallery.lastElementChild);
  },
  { rootMargin: NEAR },
);

function watch(page) {
  observer.observe(page);
}

for (const page of gallery.querySelectorAll(".page")) watch(page);
tail.observe(end.previousElementSibling === gallery ? sentinel() : end);

function sentinel() {
  const mark = document.createElement("div");
  gallery.after(mark);
  return mark;
}

// The next page may leave the sentinel in view, which no observer tells again.
new MutationObserver(() => {
  tail.disconnect();
  tail.observe(gallery.nextElementSibling);
}).observe(gallery, { childList: true });
