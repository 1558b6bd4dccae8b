// Elements, without markup: what Google or a caller has written is only ever a text.

// plain writes out characters that would not show or would turn the direction of the text.
export function plain(text) {
  return String(text).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, (c) => "\\u{" + c.codePointAt(0).toString(16) + "}");
}

// h makes an element. Children are elements, texts, lists of these, or nothing.
export function h(name, attributes, ...children) {
  return fill(document.createElement(name), attributes, children);
}

// svg makes an element of a drawing.
export function svg(name, attributes, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === undefined || value === null || value === false) continue;
    element.setAttribute(name, value === true ? "" : plain(value));
  }
  for (const child of children.flat(Infinity)) {
    if (child === undefined || child === null || child === false || child === "") continue;
    element.append(child instanceof Node ? child : document.createTextNode(plain(child)));
  }
  return element;
}

// table makes a table. Cells carry the title of their column, which a narrow screen shows. The roles
// stay when the style of a narrow screen makes blocks of rows.
export function table(label, columns, rows) {
  const heads = columns.map((c) => h("th", { role: "columnheader", scope: "col", class: c.kind }, c.title));
  return h("table", { role: "table", "aria-label": label },
    h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, heads)),
    h("tbody", { role: "rowgroup" }, rows));
}

// row makes a row of a table: a cell for each column.
export function row(columns, key, cells, attributes) {
  return h("tr", { role: "row", "data-key": key, ...attributes }, cells.map((cell, i) =>
    h("td", { role: "cell", class: columns[i].kind, "data-title": columns[i].title }, h("div", null, cell))));
}

// wide makes a row whose only cell is as wide as the table.
export function wide(columns, key, ...children) {
  return h("tr", { role: "row", "data-key": key, class: "wide" },
    h("td", { role: "cell", colspan: columns.length }, children));
}

// show makes an element's children equal to fresh ones. What has not changed stays as it is, with its
// focus, selection and open state.
export function show(place, ...fresh) {
  const next = document.createElement(place.localName);
  next.append(...fresh.flat(Infinity).filter(Boolean));
  children(place, next);
}

function children(old, fresh) {
  const keyed = new Map();
  for (const c of old.childNodes) {
    if (c.dataset?.key) keyed.set(c.dataset.key, c);
  }
  let at = old.firstChild;
  for (const want of [...fresh.childNodes]) {
    const key = want.dataset?.key;
    let have = key ? keyed.get(key) : at;
    if (!key) {
      while (have && have.dataset?.key) have = have.nextSibling;
    }
    if (!have || !alike(have, want)) {
      old.insertBefore(want, at);
      continue;
    }
    if (have === at) at = at.nextSibling;
    else old.insertBefore(have, at);
    update(have, want);
  }
  while (at) {
    const rest = at.nextSibling;
    at.remove();
    at = rest;
  }
}

function alike(a, b) {
  return a.nodeType === b.nodeType && a.nodeName === b.nodeName && a.dataset?.key === b.dataset?.key;
}

function update(have, want) {
  if (have.nodeType === Node.TEXT_NODE) {
    if (have.data !== want.data) have.data = want.data;
    return;
  }
  for (const { name } of [...have.attributes]) {
    if (!want.hasAttribute(name) && name !== "open") have.removeAttribute(name);
  }
  for (const { name, value } of want.attributes) {
    if (name !== "open" && have.getAttribute(name) !== value) have.setAttribute(name, value);
  }
  children(have, want);
}

// link makes a link to a page of Google's. Only https is followed.
export function link(address, text) {
  let url;
  try {
    url = new URL(address);
  } catch {
    return text;
  }
  if (url.protocol !== "https:") return text;
  return h("a", { href: url.href, rel: "noopener noreferrer", target: "_blank" }, text);
}

// mark is a state: a sign and a word, so that color is not all that tells.
export function mark(level, ...words) {
  const sign = { good: "●", wait: "○", warn: "▲", bad: "✕", off: "■" }[level];
  return h("span", { class: "mark", "data-level": level }, h("span", { "aria-hidden": "true", class: "sign" }, sign), h("span", null, words));
}
