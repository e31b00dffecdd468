// Shows the faces of the photo that was searched with; the photo itself stays in the browser.
"use strict";

const form = document.getElementById("face-search");

async function draw(found) {
  const file = form.elements.file.files[0];
  const boxes = found.querySelectorAll("canvas[data-rectangle]");
  if (!file || !boxes.length) return;
  let photo;
  try {
    photo = await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    for (const box of boxes) box.remove(); // a format that this browser can't show
    return;
  }
  for (const box of boxes) {
    const [left, top, width, height] = box.dataset.rectangle.split(" ").map(Number);
    box.getContext("2d").drawImage(photo, left, top, width, height, 0, 0, box.width, box.height);
  }
  photo.close();
}

// What was found belongs to one photo: it goes as soon as another one is chosen or searched with.
function clear() {
  document.getElementById("found").replaceChildren();
}

function explain(text) {
  const told = document.createElement("p");
  told.setAttribute("role", "alert");
  told.textContent = text;
  document.getElementById("found").replaceChildren(told);
}

if (form) {
  form.addEventListener("htmx:beforeRequest", clear);
  form.addEventListener("change", (event) => {
    if (event.target.name !== "file") return;
    htmx.trigger(form, "htmx:abort");
    clear();
  });
  // Told in the place of what would have been found, and so not once more in a corner.
  form.addEventListener("htmx:responseError", (event) => {
    event.stopPropagation();
    const request = event.detail.xhr;
    const reason = reasonOf(request.responseText, String(request.status));
    explain(failureOf(reason));
  });
  form.addEventListener("htmx:sendError", (event) => {
    event.stopPropagation();
    explain(document.body.dataset.offline);
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.id === "found") draw(event.detail.target);
  });
}
