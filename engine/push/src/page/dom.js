// Small help with the document.

const DRAW_MS = 100;

export const byId = id => document.getElementById(id);

/** A new element with text and attributes; no markup is ever parsed. */
export function make(name, text = '', attributes = {}) {
  const element = document.createElement(name);
  element.textContent = text;
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

/** Sets a text unless it stands there already: figures mostly stay what they are. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** A status line: its words, and the state that gives it its colour. */
export function show(element, state, text) {
  element.dataset.state = state;
  say(element, text);
}

/** Makes the rows of a table's body these: lists of cells, each a text or an element. */
export function fill(table, rows) {
  const body = table.tBodies[0];
  while (body.rows.length > rows.length) body.lastElementChild.remove();
  rows.forEach((cells, at) => {
    const row = body.rows[at] ?? body.insertRow();
    cells.forEach((cell, column) => {
      const place = row.cells[column] ?? row.insertCell();
      place.className = table.tHead.rows[0].cells[column].className;
      if (cell instanceof Node) {
        if (place.firstChild !== cell) place.replaceChildren(cell);
      } else {
        say(place, String(cell));
      }
    });
  });
}

/** Does something soon, and at most some times a second however often it is asked for: drawing delays what arrives. */
export function seldom(act) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    setTimeout(() => {
      asked = false;
      act();
    }, DRAW_MS);
  };
}
