"use strict";
// Tables are sorted by a click anywhere in a head.
for (const table of document.querySelectorAll("table.sortable")) {
  table.querySelectorAll("thead th").forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const falling = head.getAttribute("aria-sort") === "ascending";
      table.querySelectorAll("th").forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", falling ? "descending" : "ascending");
      const cell = (row) => (row.cells ?? row.rows[0].cells)[column];
      const key = (row) => cell(row).dataset.order ?? cell(row).textContent.trim();
      const compare = (a, b) => {
        if (a === "" || b === "") return (a === "") - (b === "");
        return (falling ? -1 : 1) * (isNaN(a) || isNaN(b) ? a.localeCompare(b) : a - b);
      };
      const whole = table.classList.contains("variants");
      const rows = whole ? [...table.tBodies] : [...table.tBodies[0].rows].filter((row) => !row.classList.contains("baseline"));
      (whole ? table : table.tBodies[0]).append(...rows.sort((a, b) => compare(key(a), key(b))));
      if (whole) choose();
    });
  });
}
// A variant opens to what is known of it.
for (const name of document.querySelectorAll(".name")) {
  const button = document.createElement("button");
  button.type = "button";
  button.setAttribute("aria-expanded", "false");
  button.append(...name.childNodes);
  name.append(button);
  button.addEventListener("click", () => {
    button.setAttribute("aria-expanded", name.closest("tbody").classList.toggle("open"));
  });
}
// The list is filtered; what is chosen stands in the address.
const LIMIT = 25;
const form = document.querySelector(".filters");
const list = document.querySelector("table.variants");
const texts = new Map([...list.tBodies].map((body) => [body, (body.rows[0].textContent + body.querySelector(".changes").textContent).toLowerCase()]));
const all = document.querySelector(".all");
let whole = false;
function choose() {
  const { text, ...exact } = Object.fromEntries(new FormData(form));
  const words = text.toLowerCase().split(/\s+/);
  let fitting = 0;
  for (const body of list.tBodies) {
    const fits = Object.entries(exact).every(([name, value]) => !value || body.dataset[name] === value) && words.every((word) => texts.get(body).includes(word));
    fitting += fits;
    body.hidden = !fits || (!whole && fitting > LIMIT);
  }
  const shown = whole ? fitting : Math.min(fitting, LIMIT);
  form.querySelector("output").textContent = `${shown} of ${list.tBodies.length} variants shown` + (fitting > shown ? `, ${fitting - shown} more fit` : "");
  all.hidden = fitting <= shown;
}
function remember() {
  const query = new URLSearchParams([...new FormData(form)].filter(([, value]) => value)).toString();
  try {
    history.replaceState(null, "", (query ? `?${query}` : location.pathname) + location.hash);
  } catch {
    // An address that may not be changed, as of some files: the list is filtered all the same.
  }
}
for (const [name, value] of new URLSearchParams(location.search)) {
  const field = form.elements.namedItem(name);
  if (field) field.value = value;
  if (field && field.tagName === "SELECT" && field.selectedIndex < 0) field.value = "";
}
form.addEventListener("input", () => { choose(); remember(); });
form.addEventListener("submit", (event) => event.preventDefault());
all.addEventListener("click", () => { whole = true; choose(); });
choose();
// Commands are copied.
for (const button of document.querySelectorAll("button.copy")) {
  button.addEventListener("click", async () => {
    const command = button.previousElementSibling;
    try {
      await navigator.clipboard.writeText(command.textContent);
      button.textContent = "copied";
    } catch {
      getSelection().selectAllChildren(command);
      button.textContent = "selected: press Ctrl+C";
    }
  });
}
// A link into a folded part opens it.
function unfold() {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  for (let part = target; part; part = part.parentElement) if (part.tagName === "DETAILS") part.open = true;
  const folded = target.querySelector(":scope > details");
  if (folded) folded.open = true;
  target.scrollIntoView();
}
addEventListener("hashchange", unfold);
unfold();
const unfolds = document.querySelector(".unfold");
if (unfolds) unfolds.addEventListener("click", () => {
  const parts = [...document.querySelectorAll("details.part")];
  const open = parts.some((part) => !part.open);
  for (const part of parts) part.open = open;
  unfolds.textContent = open ? "fold all" : "unfold all";
});
