// Runs calls into Grafana's own library: a line of JSON on stdin, a line on stdout, until stdin ends.
//
// {"calls": [
//   {"range": "now-30d/d", "shift": "1y" or null, "now": ms, "points": 1000, "lowest": "10s"},
//                                                  gives from, to (both earlier by the shift) and the interval between points
//   {"transformations": [...], "frames": [...]}]}  gives frames

globalThis.window = globalThis; // it looks for settings there
const grafana = require("@grafana/data");
const readline = require("node:readline");
const { firstValueFrom } = require("rxjs");

const transformers = new Map(
  Object.values(grafana.standardTransformers).map((t) => [t.id, { id: t.id, name: t.name, transformation: t }]),
);
grafana.standardTransformersRegistry.setInit(() => [...transformers.values()]);

function range({ range, shift, now, points, lowest }) {
  const clock = Date.now;
  Date.now = () => now;
  const { from, to, invalid } = grafana.rangeUtil.describeTextRange(range);
  if (invalid) throw new Error(`Grafana does not know the range ${range}`);
  const edges = { from: grafana.dateMath.parse(from, false), to: grafana.dateMath.parse(to, true) };
  if (shift) {
    edges.from = grafana.dateMath.parseDateMath(`-${shift}`, edges.from, false);
    edges.to = grafana.dateMath.parseDateMath(`-${shift}`, edges.to, true);
    if (!edges.from || !edges.to) throw new Error(`Grafana does not know the time shift ${shift}`);
  }
  Date.now = clock;
  const { intervalMs } = grafana.rangeUtil.calculateInterval(edges, points, lowest);
  return [edges.from.valueOf(), edges.to.valueOf(), intervalMs];
}

async function transform({ transformations, frames }) {
  const before = frames.map((frame) => grafana.toDataFrame(frame));
  const after = await firstValueFrom(grafana.transformDataFrame(transformations, before));
  return after.map((frame) => ({
    refId: frame.refId,
    fields: frame.fields.map((field) => ({
      name: grafana.getFieldDisplayName(field, frame, after),
      type: field.type,
      values: field.values,
    })),
  }));
}

async function main() {
  // The zone is the browser's, which is TZ; that of the user's profile must not matter.
  grafana.setTimeZoneResolver(() => "Pacific/Auckland");
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const answers = [];
    for (const call of JSON.parse(line).calls) {
      answers.push(await (call.range ? range(call) : transform(call)));
    }
    process.stdout.write(JSON.stringify(answers) + "\n");
  }
}

main();
