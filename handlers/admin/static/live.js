// Keeps a page's figures fresh: asks for the page again and puts into this one what is different, in place.
// Nothing else of the page is touched: what has the focus keeps it, what is open stays open. Without this the page is the
// same, and its link "Atualizar" does by hand what is done here.
"use strict";

const box = document.querySelector("[data-live]");
const status = document.querySelector("[data-live-status]");
const button = document.querySelector("[data-live-switch]");
const spoken = document.querySelector("[data-live-spoken]");
const EVERY_MS = Number(box.dataset.live) * 1000;
const SPEAK_MS = 30000;
let timer = 0;
let isPaused = false;
let spokenAt = Date.now();

function isSame(one, other) {
  return one.nodeType === other.nodeType && one.nodeName === other.nodeName && one.id === other.id;
}

function copyAttributes(old, fresh) {
  for (const { name, value } of fresh.attributes) {
    if (name !== "open" && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  for (const { name } of [...old.attributes]) {
    if (name !== "open" && !fresh.hasAttribute(name)) old.removeAttribute(name);
  }
}

// Rows carry an id, so a row is found again wherever it has moved to.
function findChild(parent, fresh, from) {
  if (fresh.id) return [...parent.children].find((child) => child.id === fresh.id) || null;
  return from && !from.id && isSame(from, fresh) ? from : null;
}

function renew(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  if (old.nodeType !== Node.ELEMENT_NODE) {
    old.nodeValue = fresh.nodeValue;
    return;
  }
  copyAttributes(old, fresh);
  let place = old.firstChild;
  for (const child of [...fresh.childNodes]) {
    const found = findChild(old, child, place);
    if (!found) {
      old.insertBefore(child, place);
      continue;
    }
    if (found !== place) old.insertBefore(found, place);
    renew(found, child);
    place = found.nextSibling;
  }
  while (place) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
}

async function refresh() {
  if (document.hidden || isPaused) return;
  const answer = await fetch(location.href, { headers: { "X-Refresh": "1" }, signal: AbortSignal.timeout(10000) });
  if (answer.redirected) return location.reload(); // the session is over: the login page says so
  if (!answer.ok) throw new Error(answer.status);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.querySelector("[data-live]");
  const focused = document.activeElement;
  const section = focused.closest("section");
  renew(box, fresh);
  if (document.activeElement !== focused) (focused.isConnected ? focused : section || box).focus({ preventScroll: true });
  status.textContent = page.querySelector("[data-live-status]").textContent;
  status.classList.remove("warn");
  if (Date.now() - spokenAt >= SPEAK_MS) {
    spoken.textContent = page.querySelector("[data-live-spoken]").textContent;
    spokenAt = Date.now();
  }
}

async function go() {
  clearTimeout(timer);
  try {
    await refresh();
  } catch {
    status.textContent = status.dataset.lost;
    status.classList.add("warn");
  }
  document.documentElement.dataset.refreshes = Number(document.documentElement.dataset.refreshes || 0) + 1;
  timer = setTimeout(go, EVERY_MS);
}

button.hidden = false;
button.addEventListener("click", () => {
  isPaused = !isPaused;
  button.setAttribute("aria-pressed", String(isPaused));
  if (!isPaused) go();
});
document.addEventListener("visibilitychange", () => document.hidden || go());
timer = setTimeout(go, EVERY_MS);
