// Which steps are chosen for photos that are sent, and what is said to these steps.
"use strict";

const choices = document.getElementById("upload");

function steps() {
  return [...choices.querySelectorAll("[name=step]:checked")].map((box) => box.value);
}

function keepNeeds(changed) {
  const box = (name) => choices.querySelector(`[name=step][value="${name}"]`);
  if (changed.checked) {
    for (const name of changed.dataset.requires.split(" ").filter(Boolean)) {
      const needed = box(name);
      if (needed && !needed.checked) {
        needed.checked = true;
        keepNeeds(needed);
      }
    }
    return;
  }
  for (const other of choices.querySelectorAll("[name=step]:checked")) {
    if (other.dataset.requires.split(" ").includes(changed.value)) {
      other.checked = false;
      keepNeeds(other);
    }
  }
}

// What was typed for the steps that are chosen; the server checks it.
function parameters() {
  const said = {};
  for (const part of choices.querySelectorAll("[data-parameters]")) {
    const step = part.dataset.parameters;
    if (!steps().includes(step)) continue;
    const given = [...part.querySelectorAll("[data-name]")].filter((field) => field.value !== "");
    if (given.length) {
      said[step] = Object.fromEntries(given.map((field) => [field.dataset.name, field.value]));
    }
  }
  return said;
}

// Parameters of a step that is not chosen are of no use.
function showParameters() {
  for (const part of choices.querySelectorAll("[data-parameters]")) {
    part.hidden = !steps().includes(part.dataset.parameters);
    for (const field of part.querySelectorAll("[data-needed]")) field.required = !part.hidden;
  }
}
