// Draws dashboards in a browser: lines of JSON on stdin, a line of JSON on stdout for each.
//
// {"width": px, "theme": "dark" | "light", "now": ms, "zone": "Europe/Amsterdam", "file": PNG, …}: tests/pictures/pictures.py and data_sources.py have the rest.
// Answer: {"findings": [{"kind", "panel", "text"}]}. Environment: P1_CHROMIUM, the browser; P1_PAGE, the folder of the bundle;
// P1_WITHOUT, what the paths of files begin with that the page is to miss.

const { createServer } = require("node:http");
const { readFile, writeFile } = require("node:fs/promises");
const { createInterface } = require("node:readline");
const path = require("node:path");
const puppeteer = require("puppeteer-core");

const PAGE = process.env.P1_PAGE;
const packaged = (name, file) => path.join(path.dirname(require.resolve(`${name}/package.json`)), file);
const inter = (weight) => packaged("@fontsource/inter", `files/inter-latin-${weight}-normal.woff2`);
// Grafana's own path of each, and where it lies here.
const FILES = {
  "/public/fonts/inter/Inter-Regular.woff2": inter(400),
  "/public/fonts/inter/Inter-Medium.woff2": inter(500),
  "/page.js": path.join(PAGE, "page.js"),
  "/page.css": path.join(PAGE, "page.css"),
};
const IMAGES = packaged("@grafana/ui", "dist");
const KINDS = { ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".html": "text/html", ".woff2": "font/woff2" };
const HTML = '<!doctype html><html><head><meta charset="utf-8"><link rel="icon" href="data:,"><link rel="stylesheet" href="/page.css"></head><body><script src="/page.js"></script></body></html>';

async function serve(request, response) {
  const { pathname } = new URL(request.url, "http://localhost");
  try {
    if (process.env.P1_WITHOUT && pathname.startsWith(process.env.P1_WITHOUT)) throw new Error("it is to be missed");
    const body = pathname === "/" ? HTML : await readFile(FILES[pathname] ?? path.join(IMAGES, path.normalize(pathname)));
    response.writeHead(200, { "content-type": KINDS[path.extname(pathname) || ".html"] ?? "application/octet-stream" }).end(body);
  } catch {
    response.writeHead(404).end();
  }
}

// Sets the page's clock; it goes on, since what waits in the page has to see that time passes.
function setClock(now) {
  const offset = now - Date.now();
  const { now: real } = Date;
  Date.now = () => real() + offset;
  window.Date = new Proxy(Date, {
    construct: (Time, given) => (given.length ? new Time(...given) : new Time(Time.now())),
    apply: (Time) => new Time(Time.now()).toString(),
  });
}

async function draw(browser, url, job) {
  const page = await browser.newPage();
  const findings = [];
  const wrong = (kind, text) => findings.push({ kind, panel: "", text });
  page.on("console", (message) => message.type() === "error" && wrong("console", message.text()));
  page.on("pageerror", (error) => wrong("exception", error.message));
  page.on("requestfailed", (request) => wrong("request", request.url()));
  page.on("response", (response) => response.status() >= 400 && wrong("request", response.url()));
  try {
    await page.emulateTimezone(job.zone);
    await page.setViewport({ width: job.width, height: job.height ?? 1080 });
    await page.evaluateOnNewDocument(setClock, job.now);
    await page.goto(url);
    const found = await page.evaluate((one) => window.draw(one), job);
    await writeFile(job.file, await page.screenshot({ fullPage: true }));
    return { findings: [...findings, ...found] };
  } finally {
    await page.close();
  }
}

async function main() {
  const server = createServer(serve).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const browser = await puppeteer.launch({
    executablePath: process.env.P1_CHROMIUM,
    args: ["--no-sandbox", "--disable-gpu", "--font-render-hinting=none", "--lang=en-GB"],
  });
  try {
    for await (const line of createInterface({ input: process.stdin })) {
      const answer = await draw(browser, `http://127.0.0.1:${server.address().port}/`, JSON.parse(line)).catch((error) => ({ error: error.stack }));
      process.stdout.write(`${JSON.stringify(answer)}\n`);
    }
  } finally {
    await browser.close();
    server.close();
  }
}

main();
