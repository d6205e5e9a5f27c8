// What is wrong with a picture, measured in the page: panels without data, text that is cut or too small, labels over each
// other.

const SLACK = 1.5; // px: text is measured in fractions, boxes are not
const LEGIBLE = 10; // px; numbers and their names are made smaller until they fit

// What has been written onto each canvas since it was last cleared: the text, and the corners of its box.
const written = new Map();
const { fillText, clearRect } = CanvasRenderingContext2D.prototype;

CanvasRenderingContext2D.prototype.fillText = function (text, x, y, ...more) {
  const list = written.get(this.canvas) ?? [];
  written.set(this.canvas, [...list, { text: String(text), corners: corners(this, String(text), x, y) }]);
  return fillText.call(this, text, x, y, ...more);
};
CanvasRenderingContext2D.prototype.clearRect = function (x, y, width, height) {
  if (x <= 0 && y <= 0 && width >= this.canvas.width && height >= this.canvas.height) written.delete(this.canvas);
  return clearRect.call(this, x, y, width, height);
};

function corners(context, text, x, y) {
  const { actualBoundingBoxLeft: left, actualBoundingBoxRight: right, actualBoundingBoxAscent: up, actualBoundingBoxDescent: down } =
    context.measureText(text);
  const matrix = context.getTransform();
  return [[x - left, y - up], [x + right, y - up], [x + right, y + down], [x - left, y + down]].map(([x, y]) => {
    const point = matrix.transformPoint({ x, y });
    return [point.x, point.y];
  });
}

// Whether two boxes, which may be turned, share more than a hair: no line along an edge separates them.
function overlap(a, b) {
  const axes = [a, b].flatMap((box) => [0, 1].map((n) => [box[n + 1][0] - box[n][0], box[n + 1][1] - box[n][1]]));
  return axes.every(([x, y]) => {
    const length = Math.hypot(x, y);
    if (!length) return true;
    const [one, other] = [a, b].map((box) => box.map(([px, py]) => (px * x + py * y) / length));
    return Math.min(Math.max(...one), Math.max(...other)) - Math.max(Math.min(...one), Math.min(...other)) > SLACK;
  });
}

function onCanvases() {
  const found = [];
  for (const [canvas, texts] of written) {
    // The curve behind a number has axes, too, which nobody sees.
    if (!canvas.isConnected || canvas.closest("[data-type='stat']")) continue;
    const panel = owner(canvas);
    const pairs = [];
    texts.forEach(({ text, corners: box }, number) => {
      if (isOutside(box, canvas)) found.push({ kind: "cut", panel, text });
      const other = texts.slice(number + 1).find((one) => overlap(box, one.corners));
      if (other) pairs.push(`${text} / ${other.text}`);
    });
    if (pairs.length) found.push({ kind: "overlap", panel, text: `${pairs[0]} (${pairs.length} times)` });
  }
  return found;
}

// At its ends Grafana itself cuts a time that is not in the midst of its axis: that is the hour of the picture, and no fault.
function isOutside(box, canvas) {
  const [xs, ys] = [box.map(([x]) => x), box.map(([, y]) => y)];
  const [left, right] = [Math.min(...xs), Math.max(...xs)];
  const slack = canvas.closest("[data-type='timeseries']") ? (right - left) / 2 : SLACK;
  return left < -slack || right > canvas.width + slack || Math.min(...ys) < -SLACK || Math.max(...ys) > canvas.height + SLACK;
}

const owner = (node) => {
  const element = node.closest("[data-panel], [data-row]");
  return element?.dataset.panel ?? element?.dataset.row ?? "";
};

// What the boxes around a text do to it, up to the panel itself: "cut" it, have it come when one "scrolls", or nothing. One
// expects it of tables, and not of a legend.
function hiddenBy(text) {
  const range = document.createRange();
  range.selectNodeContents(text);
  const rect = range.getBoundingClientRect();
  if (!rect.width) return null;
  for (let box = text.parentElement; box && box !== document.body; box = box.parentElement) {
    const style = getComputedStyle(box);
    const ends = box.dataset.panel !== undefined || box.dataset.row !== undefined;
    if (style.display === "inline" && !ends) continue;
    const edge = box.getBoundingClientRect();
    const wide = rect.left < edge.left - SLACK || rect.right > edge.right + SLACK;
    const tall = rect.top < edge.top - SLACK - 2 || rect.bottom > edge.bottom + SLACK + 2;
    const dotted = box === text.parentElement && style.overflowX !== "visible" && box.scrollWidth > box.clientWidth + 1;
    if (dotted || (wide && (ends || style.overflowX !== "visible"))) return scrolls(box, style.overflowX) ? "scrolls" : "cut";
    if (tall && (ends || style.overflowY !== "visible")) return scrolls(box, style.overflowY) ? "scrolls" : "cut";
    if (ends) return null;
  }
  const outside = rect.left < -SLACK || rect.right > document.documentElement.clientWidth + SLACK;
  return outside ? "cut" : null;
}

const scrolls = (box, overflow) => box.closest("[data-type='table']") && (overflow === "auto" || overflow === "scroll");

// Gives the texts that are not whole; of a box that scrolls the first one for all.
function hidden(nodes) {
  const found = nodes.map((node) => ({ kind: hiddenBy(node), panel: owner(node.parentElement), text: node.data.trim() }));
  const first = new Set();
  return found.filter(({ kind, panel }) => {
    const again = first.has(panel);
    if (kind === "scrolls") first.add(panel);
    return kind === "cut" || (kind === "scrolls" && !again);
  });
}

function texts() {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [];
  while (walker.nextNode()) {
    const { currentNode: node } = walker;
    const style = getComputedStyle(node.parentElement);
    const isSeen = style.visibility !== "hidden" && !["SCRIPT", "STYLE", "TITLE"].includes(node.parentElement.tagName);
    if (node.data.trim() && isSeen) found.push(node);
  }
  return found;
}

// Gives the smallest text of each panel that has one too small.
function small(nodes) {
  const found = new Map();
  for (const node of nodes) {
    const size = parseFloat(getComputedStyle(node.parentElement).fontSize);
    const panel = owner(node.parentElement);
    if (size < LEGIBLE && size < (found.get(panel)?.size ?? LEGIBLE)) found.set(panel, { size, text: node.data.trim() });
  }
  return [...found].map(([panel, { size, text }]) => ({ kind: "small", panel, text: `${text} (${size.toFixed(1)} px)` }));
}

function findings() {
  const seen = texts();
  const empty = [...document.querySelectorAll("[data-empty]")].map((one) => ({ kind: "no data", panel: owner(one), text: one.dataset.empty }));
  const icons = [...document.querySelectorAll("svg")].filter((one) => !one.childElementCount).map((one) => ({ kind: "icon", panel: owner(one), text: one.id }));
  const loaded = ["400", "500"].filter((weight) => ![...document.fonts].some((font) => font.family.includes("Inter") && font.weight === weight && font.status === "loaded"));
  const fonts = loaded.map((weight) => ({ kind: "font", panel: "", text: `Inter ${weight}` }));
  return [...hidden(seen), ...small(seen), ...empty, ...onCanvases(), ...icons, ...fonts];
}

module.exports = { findings };
