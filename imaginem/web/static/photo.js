// Links the boxes on a photo with the lists beside it, and switches them on and off.
"use strict";

const frame = document.querySelector(".frame");

function layerOf(name) {
  return frame.querySelector(`.layer-${name}`);
}

function light(name, on) {
  for (const each of document.querySelectorAll(`[data-box="${name}"], [data-for="${name}"]`)) {
    each.classList.toggle("lit", on);
  }
}

function show(name, on) {
  layerOf(name).toggleAttribute("hidden", !on);
}

// The pointer may have come before this script.
function isPointedAt(item) {
  return item.matches(":hover") || item === document.activeElement;
}

if (frame) {
  for (const box of document.querySelectorAll("[data-layer]")) {
    show(box.dataset.layer, box.checked);
    box.addEventListener("change", () => show(box.dataset.layer, box.checked));
  }
  for (const item of document.querySelectorAll("[data-for]")) {
    const layer = item.dataset.on;
    const begin = () => {
      show(layer, true);
      light(item.dataset.for, true);
    };
    const finish = () => {
      show(layer, document.querySelector(`[data-layer="${layer}"]`).checked);
      light(item.dataset.for, false);
    };
    for (const name of ["mouseenter", "focus"]) item.addEventListener(name, begin);
    for (const name of ["mouseleave", "blur"]) item.addEventListener(name, finish);
    item.addEventListener("click", () => {
      const box = document.querySelector(`[data-layer="${layer}"]`);
      if (item.tagName === "BUTTON") box.checked = true;
    });
    if (isPointedAt(item)) begin();
  }
  for (const box of frame.querySelectorAll("[data-box]")) {
    box.addEventListener("mouseenter", () => light(box.dataset.box, true));
    box.addEventListener("mouseleave", () => light(box.dataset.box, false));
    if (isPointedAt(box)) light(box.dataset.box, true);
  }
}

const unveil = document.getElementById("unveil");
if (unveil) {
  unveil.addEventListener("click", () => {
    unveil.closest("figure").classList.remove("veiled");
    unveil.closest("p").remove();
  });
}
