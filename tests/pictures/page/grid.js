// Where everything goes: 24 columns and cells of 30 px with 8 px between them, or one panel below the other on a phone.

const COLUMNS = 24;
const CELL = 30;
const GAP = 8;
const PHONE = 768;

const overlap = (a, b) => a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;

// Gives the rows and panels, each with its place in cells, pushed up as far as there is room.
function cells(rows) {
  const placed = [];
  let below = 0;
  const settle = (item, top) => {
    const free = (y) => !placed.some((other) => overlap({ ...item, y }, other));
    let y = item.y;
    while (y > top && free(y - 1)) y -= 1;
    while (!free(y)) y += 1;
    placed.push({ ...item, y });
    below = Math.max(below, y + item.h);
  };
  for (const row of rows) {
    const start = below;
    if (row.title !== null) settle({ row, x: 0, y: start, w: COLUMNS, h: 1 }, start);
    const first = below;
    const highest = Math.min(...row.panels.map((one) => one.panel.gridPos.y));
    for (const one of row.panels) {
      const { x, y, w, h } = one.panel.gridPos;
      settle({ one, x, w, h, y: first + y - highest }, first);
    }
  }
  return { placed, below };
}

// Gives rows and panels with their places in pixels, and how high all of it is.
function place(rows, width) {
  const { placed, below } = cells(rows);
  const phone = width < PHONE;
  const column = (width - GAP * (COLUMNS - 1)) / COLUMNS;
  const size = (cells, one) => cells * one + (cells - 1) * GAP;
  let top = 0;
  const places = placed.map(({ row, one, x, y, w, h }) => {
    const height = size(h, CELL);
    const at = phone
      ? { left: 0, top, width, height }
      : { left: Math.round(x * (column + GAP)), top: y * (CELL + GAP), width: Math.round(size(w, column)), height };
    top += height + GAP;
    return { row, one, ...at };
  });
  return { places, height: phone ? top : below * (CELL + GAP) };
}

module.exports = { place };
