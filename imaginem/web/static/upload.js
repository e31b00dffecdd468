// Chooses photos, sends a few at once, and shows how far each has come.
"use strict";

const AT_ONCE = 4;
const TRIES = 3;
const SKIPPED_SHOWN = 3;
const DONE = ["sent", "there"];

const form = document.getElementById("upload");
const list = document.getElementById("list");
const drop = document.getElementById("drop");
const send = document.getElementById("send");
const chosen = document.getElementById("chosen");
const follow = document.getElementById("open");
const total = document.getElementById("total");
const unkept = document.getElementById("unkept"); // absent where no step keeps anything
const forecast = document.getElementById("forecast");
const texts = form.dataset;
const endings = document.getElementById("files").accept.split(",").filter((each) => each.startsWith("."));
const photos = [];
let sending = 0;
const skipped = [];
let asked = ""; // of the forecast, last
let asking = 0;
let plan = null; // batch, steps and group, as they were when the upload began

function size(bytes) {
  for (const unit of ["B", "KB", "MB"]) {
    if (bytes < 1000) return `${Math.round(bytes)} ${unit}`;
    bytes /= 1000;
  }
  return `${bytes.toFixed(1)} GB`;
}

function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

function word(state) {
  return form.getAttribute(`data-state-${state.replace("_", "-")}`) || state;
}

function row(photo) {
  const item = document.createElement("li");
  const name = document.createElement("span");
  name.className = "name";
  name.textContent = photo.name;
  name.dir = "auto";
  const bar = document.createElement("progress");
  bar.max = 1;
  bar.value = 0;
  bar.setAttribute("aria-label", photo.name);
  const state = document.createElement("span");
  const button = document.createElement("button");
  button.type = "button";
  button.className = "small secondary outline";
  const reason = document.createElement("span");
  reason.className = "reason";
  item.append(name, bar, state, button, reason);
  button.addEventListener("click", () => {
    if (photo.state === "failed" || photo.state === "there") {
      photo.again = photo.state === "there";
      photo.state = "waiting";
      photo.reason = "";
      work();
    } else if (photo.state === "waiting") {
      photos.splice(photos.indexOf(photo), 1);
      item.remove();
    }
    update();
  });
  photo.show = () => {
    item.dataset.state = photo.state;
    bar.value = DONE.includes(photo.state) ? 1 : photo.done;
    state.textContent = texts[photo.state];
    reason.textContent = photo.reason;
    const idle = photo.state === "sent" || photo.state === "sending";
    button.hidden = idle || photo.hopeless || (photo.state === "there" && !photo.ended);
    const labels = { failed: texts.retry, there: texts.again };
    button.textContent = labels[photo.state] || texts.remove;
    button.setAttribute("aria-label", `${button.textContent}: ${photo.name}`);
  };
  photo.show();
  list.append(item);
}

// Browsers know no type for some formats, and another one than an image's for PDF.
function looksLikePhoto(name) {
  return endings.some((ending) => name.toLowerCase().endsWith(ending));
}

function add(files) {
  for (const file of files) {
    const name = file.webkitRelativePath || file.name;
    const twice = photos.some((each) => each.name === name && each.file.size === file.size);
    if (twice || !(file.type.startsWith("image/") || looksLikePhoto(file.name))) {
      skipped.push(name);
      continue;
    }
    const large = file.size > Number(texts.limit);
    const photo = {
      file,
      name,
      state: large ? "failed" : "waiting",
      reason: large ? texts.tooLarge : "",
      hopeless: large,
      again: false,
      ended: false,
      done: 0,
    };
    photos.push(photo);
    row(photo);
  }
  update();
}

function update() {
  const of = (state) => photos.filter((photo) => photo.state === state).length;
  const waiting = of("waiting");
  const there = of("there");
  const sent = of("sent");
  send.disabled = !waiting || sending > 0;
  let told = texts.none;
  if (sent || there || sending || of("failed")) {
    told = fill(texts.summary, { sent, total: photos.length, failed: of("failed") });
    if (there) told += ` ${fill(texts.thereCount, { count: there })}`;
  } else if (photos.length) {
    const bytes = photos.reduce((sum, photo) => sum + photo.file.size, 0);
    const text = photos.length === 1 ? texts.chosenOne : texts.chosen;
    told = fill(text, { count: photos.length, size: size(bytes) });
  }
  if (skipped.length) {
    const more = skipped.length > SKIPPED_SHOWN ? ", …" : "";
    const names = skipped.slice(0, SKIPPED_SHOWN).join(", ") + more;
    const skippedText = skipped.length === 1 ? texts.skippedOne : texts.skipped;
    told += ` ${fill(skippedText, { count: skipped.length, names })}`;
  }
  // Screen readers say whatever is put here, even if it is what was there.
  if (chosen.textContent !== told) chosen.textContent = told;
  total.hidden = !sent && !there && !sending;
  const part = (photo) => (DONE.includes(photo.state) ? 1 : photo.done);
  const done = photos.reduce((sum, photo) => sum + part(photo), 0);
  total.querySelector("progress").value = photos.length ? done / photos.length : 0;
  follow.hidden = !sent && !there;
  tellForecast(waiting);
}

// Without a step that keeps what is found; no step at all means the usual ones.
function tellUnkept() {
  if (!unkept) return;
  const keepers = unkept.dataset.keptBy.split(" ");
  const wanted = steps();
  const lost = wanted.length > 0 && !wanted.some((name) => keepers.includes(name));
  unkept.hidden = !lost;
  unkept.textContent = lost ? unkept.dataset.told : ""; // put in now, so that it is read out
}

// What the photos that wait will cost; of several questions the last one counts.
function tellForecast(waiting) {
  const query = new URLSearchParams({ photos: waiting, pipeline: steps().join(",") }).toString();
  if (query === asked || sending > 0) return;
  asked = query;
  clearTimeout(asking);
  if (!waiting) {
    forecast.textContent = "";
    return;
  }
  if (!forecast.textContent) forecast.textContent = texts.forecasting;
  asking = setTimeout(async () => {
    const answer = await fetch(`/api/forecast?${query}`).catch(() => null);
    const told = answer && answer.ok ? (await answer.json()).words : "";
    if (query === asked) forecast.textContent = told;
  }, 300);
}

// An id's forbidden characters are encoded twice: see docs/api.md.
function segment(id) {
  const key = id.replace(/[%/\\#?]/g, (found) => encodeURIComponent(found));
  return encodeURIComponent(/^\.{1,2}$/.test(key) ? key.replace(/\./g, "%2E") : key);
}

function post(photo) {
  return new Promise((resolve) => {
    const body = new FormData();
    body.append("pipeline", plan.steps);
    body.append("group", plan.group);
    if (plan.budget) body.append("budget", plan.budget);
    body.append("parameters", plan.parameters);
    if (photo.again) body.append("again", "true");
    body.append("file", photo.file, photo.file.name);
    const request = new XMLHttpRequest();
    request.open("POST", `/api/batches/${segment(plan.batch)}/images`);
    request.upload.addEventListener("progress", (event) => {
      photo.done = event.lengthComputable ? (event.loaded / event.total) * 0.95 : 0.5;
      photo.show();
      update();
    });
    request.addEventListener("load", () => resolve([request.status, request.responseText]));
    request.addEventListener("error", () => resolve([0, ""]));
    request.send(body);
  });
}

// Returns the answer's job, or what the problem is.
async function upload(photo) {
  for (let attempt = 1; ; attempt += 1) {
    const [status, text] = await post(photo);
    if (status === 200 || status === 201) return JSON.parse(text);
    const passing = status === 0 || status === 429 || status >= 500;
    if (!passing || attempt === TRIES) {
      const offline = document.body.dataset.offline;
      return { problem: status === 0 ? offline : reasonOf(text, String(status)) };
    }
    await new Promise((resolve) => setTimeout(resolve, 500 * 2 ** attempt));
  }
}

async function work() {
  while (sending < AT_ONCE) {
    const photo = photos.find((each) => each.state === "waiting");
    if (!photo) break;
    sending += 1;
    photo.state = "sending";
    photo.show();
    upload(photo).then((answer) => {
      sending -= 1;
      if (answer.problem) photo.state = "failed";
      else photo.state = answer.sent ? "sent" : "there";
      photo.ended = !["queued", "running"].includes(answer.state);
      photo.reason = answer.problem || (answer.sent ? "" : word(answer.state));
      photo.done = 0;
      photo.show();
      update();
      work();
    });
  }
  update();
  follow.href = `/batches/${segment(plan.batch)}`;
  const allSent = photos.length > 0 && photos.every((photo) => photo.state === "sent");
  if (!sending && allSent) location.assign(follow.href);
}

// A dropped folder is read entry by entry.
async function filesOf(entry) {
  if (entry.isFile) return [await new Promise((resolve, reject) => entry.file(resolve, reject))];
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return found;
    for (const each of some) found.push(...(await filesOf(each)));
  }
}

drop.addEventListener("dragover", (event) => {
  event.preventDefault();
  drop.classList.add("over");
});
drop.addEventListener("dragleave", () => drop.classList.remove("over"));
drop.addEventListener("drop", async (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  const entries = [...event.dataTransfer.items]
    .map((item) => item.webkitGetAsEntry && item.webkitGetAsEntry())
    .filter(Boolean);
  if (!entries.length) return add(event.dataTransfer.files);
  for (const entry of entries) {
    try {
      add(await filesOf(entry));
    } catch (problem) {
      tell(failureOf(`${entry.name}: ${problem.message}`));
    }
  }
  return undefined;
});
for (const [button, input] of [["pick-files", "files"], ["pick-folder", "folder"]]) {
  const field = document.getElementById(input);
  document.getElementById(button).addEventListener("click", () => field.click());
  field.addEventListener("change", () => {
    add(field.files);
    field.value = "";
  });
}
form.addEventListener("change", (event) => {
  if (event.target.name === "step") {
    keepNeeds(event.target);
    showParameters();
    tellUnkept();
    update();
  }
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  const field = (name) => (form.elements[name] ? form.elements[name].value.trim() : "");
  plan = plan || {
    batch: field("batch"),
    steps: steps().join(","),
    group: field("group"),
    budget: field("budget"),
    parameters: JSON.stringify(parameters()),
  };
  for (const input of form.querySelectorAll("[name]")) input.disabled = true;
  work();
});
showParameters();
tellUnkept();
