"use strict";
// Everything here is an addition: without it the page shows all it has, in the order in which it was written.

const theme = document.getElementById("theme");
const isDark = () => getComputedStyle(document.documentElement).colorScheme === "dark"
  || (!document.documentElement.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
const nameTheme = () => { theme.textContent = isDark() ? "Light" : "Dark"; theme.title = "Change the colours of this page"; };
theme.addEventListener("click", () => {
  document.documentElement.dataset.theme = isDark() ? "light" : "dark";
  nameTheme();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", nameTheme);
theme.hidden = false;
nameTheme();

const order = new Intl.Collator("en", { numeric: true });
const numberOf = (text) => parseFloat(text.replace(/[,\s<>]/g, "")) || 0;

function sortBy(table, heading, index) {
  const up = heading.getAttribute("aria-sort") === "descending"
    || (!heading.hasAttribute("aria-sort") && !heading.classList.contains("number"));
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", up ? "ascending" : "descending");
  const text = (row) => row.cells[index].textContent;
  const compare = heading.classList.contains("number")
    ? (a, b) => numberOf(text(a)) - numberOf(text(b))
    : (a, b) => order.compare(text(a), text(b));
  const sign = up ? 1 : -1;
  table.tBodies[0].append(...[...table.tBodies[0].rows].sort((a, b) => sign * compare(a, b)));
}

function make(name, properties) {
  return Object.assign(document.createElement(name), properties);
}

for (const table of document.querySelectorAll("table[data-sortable]")) {
  [...table.tHead.rows[0].cells].forEach((heading, index) => {
    const button = make("button", { type: "button", textContent: heading.textContent });
    heading.replaceChildren(button);
    button.addEventListener("click", () => sortBy(table, heading, index));
  });
}

document.querySelectorAll("table[data-search]").forEach((table, number) => {
  const rows = [...table.tBodies[0].rows];
  const words = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));
  const field = make("input", { type: "search", id: `search-${number}`, autocomplete: "off", spellcheck: false });
  const label = make("label", { htmlFor: field.id, textContent: table.dataset.search });
  const found = make("output", { htmlFor: field.id });
  const search = () => {
    const wanted = field.value.trim().toLowerCase();
    let count = 0;
    for (const row of rows) {
      row.hidden = !words.get(row).includes(wanted);
      count += !row.hidden;
    }
    found.textContent = `${count.toLocaleString("en")} of ${rows.length.toLocaleString("en")}`;
  };
  field.addEventListener("input", search);
  const tools = make("div", { className: "tools" });
  tools.append(label, field);
  for (const quick of (table.dataset.quick || "").split("|").filter(Boolean)) {
    const button = make("button", { type: "button", textContent: quick });
    button.addEventListener("click", () => { field.value = quick; search(); });
    tools.append(button);
  }
  tools.append(found);
  table.closest(".scroll").before(tools);
  search();
});

if (navigator.clipboard) {
  for (const code of document.querySelectorAll(".code")) {
    const button = make("button", { type: "button", textContent: "Copy" });
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(code.querySelector("pre").textContent);
      button.textContent = "Copied";
    });
    code.append(button);
  }
}

addEventListener("beforeprint", () => { for (const each of document.querySelectorAll("details")) each.open = true; });
