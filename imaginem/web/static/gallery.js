// Endless scroll that stays small: pages far from the window give their cards back, and keep
// their height.
"use strict";

const NEAR = "1500px 0px";
const gallery = document.getElementById("gallery");
const end = document.getElementById("end");
let loading = false;
let again = null; // the button that is there after a failure; until then nothing is asked for

const packed = document.getElementById("more-filters");
if (packed) packed.replaceWith(packed.content);

async function fetchPart(address) {
  const answer = await fetch(address, { headers: { "HX-Request": "true" } });
  const text = await answer.text();
  if (!answer.ok) throw new Error(reasonOf(text, String(answer.status)));
  return new DOMParser().parseFromString(text, "text/html").body;
}

async function fetchPage(address) {
  return (await fetchPart(address)).querySelector(".page");
}

async function showFacets() {
  const facets = document.getElementById("facets");
  try {
    facets.replaceChildren(...(await fetchPart(facets.dataset.address)).children);
  } catch (problem) {
    tell(failureOf(problem.message));
  }
}

async function append(last) {
  if (loading || again || !last.dataset.next) return;
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
  tell(failureOf(problem.message));
  again = document.createElement("button");
  again.type = "button";
  again.textContent = gallery.dataset.more;
  again.addEventListener("click", () => {
    again.remove();
    again = null;
    append(last);
  });
  end.before(again);
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
    tell(failureOf(problem.message));
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
      end.hidden = Boolean(gallery.lastElementChild.dataset.next) || !gallery.querySelector(".card");
    }
  },
  { rootMargin: NEAR },
);

function watch(page) {
  observer.observe(page);
}

showFacets();
for (const page of gallery.querySelectorAll(".page")) watch(page);

// Its end may come near after its start did, and stay near when a page is short: so the end is
// watched anew after each page.
const sentinel = document.createElement("div");
gallery.after(sentinel);
const tail = new IntersectionObserver(
  (entries) => {
    if (entries.some((entry) => entry.isIntersecting)) append(gallery.lastElementChild);
  },
  { rootMargin: NEAR },
);
tail.observe(sentinel);
new MutationObserver(() => {
  tail.disconnect();
  tail.observe(sentinel);
}).observe(gallery, { childList: true });
