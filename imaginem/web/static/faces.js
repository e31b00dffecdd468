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

if (form) {
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.id === "found") draw(event.detail.target);
  });
}
