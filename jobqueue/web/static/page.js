// Refreshes what is live on the page: the counts, and never a search for jobs.
// One request at a time; the next one waits for the reply, and for a moment after it.
"use strict";

const PAUSE = 3000; // milliseconds
const SHORT_PAUSE = 500; // while a change is being made
const MARKED = 1500; // for which a changed count is marked
const PATIENCE = 15000; // for a reply

const trouble = document.getElementById("trouble");
const fresh = document.getElementById("fresh");
let seen = new Date().toLocaleTimeString(); // when the page was last as it is
let timer = null;
let isAsking = false;
let isAway = document.getElementById("away") !== null;

function usualPause() {
  return document.querySelector("progress") ? SHORT_PAUSE : PAUSE;
}

function plan(pause) {
  clearTimeout(timer);
  timer = document.hidden ? null : setTimeout(refresh, pause);
}

async function refresh() {
  if (isAsking || document.hidden) return;
  if (!isAway && !document.querySelector("[data-live]")) return;
  isAsking = true;
  try {
    const response = await fetch(location.href, {
      headers: isAway && document.getElementById("away") ? {} : { "Jobqueue-Refresh": "1" },
      signal: AbortSignal.timeout(PATIENCE),
    });
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    show(response, page);
  } catch {
    tell("This page's server does not answer. Trying again.");
  } finally {
    isAsking = false;
    plan(usualPause());
  }
}

function show(response, page) {
  const reason = page.getElementById("away-reason");
  if (response.status === 503 && reason) {
    isAway = true;
    if (!document.getElementById("away")) tell(`The broker is away: ${reason.textContent}`);
    return;
  }
  if (response.status === 401 || response.status === 403 || response.status === 429) {
    tell("The page asks for its password again: reload it.");
    return;
  }
  if (!page.getElementById("main")) {
    tell("This page's server answers with an error. Trying again.");
    return;
  }
  if (document.getElementById("away")) {
    // The broker is back. To reload would send a form again, if this page answered one.
    location.replace(location.pathname + location.search);
    return;
  }
  if (response.redirected) {
    location.replace(response.url); // what was shown here is gone
    return;
  }
  isAway = false;
  tell("");
  if (!response.ok) {
    tell(page.querySelector("main p")?.textContent ?? "This is gone.");
    return;
  }
  const focused = document.activeElement;
  for (const live of document.querySelectorAll("[data-live]")) {
    const now = page.getElementById(live.id);
    if (now) update(live, now);
  }
  // A row that is moved loses focus.
  if (focused?.isConnected && focused !== document.activeElement) focused.focus({ preventScroll: true });
  fresh.hidden = false;
  seen = new Date().toLocaleTimeString();
  fresh.textContent = seen;
  showAwaited();
}

// Loads the page again when the change is done that its list of jobs has to wait for.
function showAwaited() {
  const isWaiting = document.querySelector("[data-awaits-change]");
  if (isWaiting && !document.querySelector("progress")) location.replace(location.pathname + location.search);
}

function tell(text) {
  const isStale = Boolean(text);
  const said = isStale && seen ? `${text}${/[.?!]$/.test(text) ? "" : "."} What you see is of ${seen}.` : text;
  if (trouble.textContent !== said) trouble.textContent = said;
  trouble.hidden = !isStale;
  document.body.classList.toggle("stale", isStale);
  for (const element of document.querySelectorAll("main [data-changes]")) element.inert = isStale;
}

// Makes one element like another, changing only what differs: so focus, the place of
// reading and what is selected stay.
function update(old, now) {
  if (old.nodeType !== now.nodeType || old.nodeName !== now.nodeName || old.id !== now.id) {
    old.replaceWith(document.importNode(now, true));
    return;
  }
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== now.data) old.data = now.data;
    return;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) return;
  const isCount = old.hasAttribute("data-count") && old.textContent !== now.textContent;
  updateAttributes(old, now);
  if (!isBeingUsed(old)) updateChildren(old, now);
  if (isCount) mark(old);
}

function isBeingUsed(element) {
  return element.nodeName === "SELECT" || element.nodeName === "TEXTAREA";
}

function updateAttributes(old, now) {
  for (const { name } of [...old.attributes]) {
    if (!now.hasAttribute(name) && name !== "open") old.removeAttribute(name);
  }
  for (const { name, value } of now.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
}

function updateChildren(old, now) {
  const byId = new Map([...old.children].filter((child) => child.id).map((child) => [child.id, child]));
  let place = old.firstChild;
  for (const child of [...now.childNodes]) {
    const known = child.id ? byId.get(child.id) : null;
    if (known && known !== place) old.insertBefore(known, place);
    if (known) place = known;
    if (!place) {
      old.append(document.importNode(child, true));
      continue;
    }
    const next = place.nextSibling;
    if (child.id && !known) {
      old.insertBefore(document.importNode(child, true), place);
      continue;
    }
    update(place, child);
    place = next;
  }
  while (place) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
}

function mark(element) {
  element.classList.add("changed");
  setTimeout(() => element.classList.remove("changed"), MARKED);
}

for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) break; // only where the connection is safe
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, MARKED);
  });
}

document.addEventListener("visibilitychange", () => plan(0));
showAwaited();
plan(usualPause());
