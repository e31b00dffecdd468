// Loaded into Azurite before it starts. The host holds the other end of stdin: when the host ends,
// however it does, stdin ends, and Azurite saves its books and ends, too.
"use strict";

const fs = require("fs");
const net = require("net");

const LONGEST_SAVE = 60000; // milliseconds

let ending = false;

// Azurite listens for one signal only: without a listener here, a second one would end it while
// it saves.
function onSignal(signal) {
  if (ending) return;
  ending = true;
  if (process.listenerCount(signal) === 1) process.exit(0); // Azurite has not begun
  setTimeout(() => process.exit(1), LONGEST_SAVE).unref();
}

for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, () => onSignal(signal));

const end = () => process.kill(process.pid, "SIGTERM");
process.stdin.on("end", end).on("error", end).resume();
process.stdin.unref(); // it must not keep Azurite from ending

// The host believes nobody else that this process has its ports: another one may answer there.
const pipe = Number(process.env.IMAGINEM_LISTENING);
const listen = net.Server.prototype.listen;

function report() {
  try {
    fs.writeSync(pipe, `${this.address().port}\n`);
  } catch {
    // nobody asks any more
  }
}

if (pipe) {
  net.Server.prototype.listen = function (...wanted) {
    this.once("listening", report);
    return listen.apply(this, wanted);
  };
}
