// Elements out of text. Everything from a card or a proof is a stranger's: it becomes a text node and never markup.

export const find = (id) => document.getElementById(id);

/** An element with properties, attributes (`data-…`, `aria-…`, `scope`, `for`, `role`) and children. */
export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return element;
}

/** A list of facts: pairs of a name and a text or an element. */
export function facts(pairs) {
  return el("dl", { className: "facts" }, pairs.map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}

export const mono = (text) => el("span", { className: "mono" }, text);

export const bullets = (items) => el("ul", {}, items.map((item) => el("li", {}, item)));

/** A command with a button that copies it. */
export function command(text) {
  const code = el("code", {}, text);
  const said = el("span", { className: "small", role: "status" });
  const button = el("button", { type: "button", className: "plain", "aria-label": `Copy the command: ${text}` }, "Copy");
  button.addEventListener("click", async () => {
    try {
      // Not there where the page came over plain HTTP from another machine: then the text is selected instead.
      await navigator.clipboard.writeText(text);
      said.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(code);
      said.textContent = "Selected: copy it with the keyboard";
    }
  });
  return el("div", { className: "command" }, code, button, said);
}

/** A table of rows of texts; `numbers` are the positions of columns with numbers. */
export function table(caption, head, rows, numbers = []) {
  const side = (i) => (numbers.includes(i) ? "number" : "");
  const header = el("tr", {}, head.map((text, i) => el("th", { scope: "col", className: side(i) }, text)));
  const line = (row) => el("tr", {}, row.map((text, i) => el("td", { className: side(i) }, text)));
  return el(
    "div",
    { className: "table", tabIndex: 0, role: "region", "aria-label": caption },
    el("table", {}, el("caption", {}, caption), el("thead", {}, header), el("tbody", {}, rows.map(line))),
  );
}

export function size(bytes) {
  if (bytes < 1000) return `${bytes} bytes`;
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
