// From what a store answered to what is drawn: transformations, and each field's configuration with its overrides.

const data = require("@grafana/data");
const { firstValueFrom } = require("rxjs");

// Some are there by two names.
const transformers = new Map(
  Object.values(data.standardTransformers).map((one) => [one.id, { id: one.id, name: one.name, transformation: one }]),
);
data.standardTransformersRegistry.setInit(() => [...transformers.values()]);
data.setTimeZoneResolver(() => "browser");

// The properties that every panel's fields have, each with what makes a value of what stands in the JSON.
const STANDARD = {
  displayName: data.displayNameOverrideProcessor,
  unit: data.unitOverrideProcessor,
  min: data.numberOverrideProcessor,
  max: data.numberOverrideProcessor,
  decimals: data.numberOverrideProcessor,
  noValue: data.stringOverrideProcessor,
  color: data.identityOverrideProcessor,
  mappings: data.valueMappingsOverrideProcessor,
  thresholds: data.thresholdsOverrideProcessor,
  links: data.dataLinksOverrideProcessor,
  fieldMinMax: data.booleanOverrideProcessor,
  filterable: data.booleanOverrideProcessor,
};

// What Grafana's panels have where the JSON says nothing.
const LINES = { lineWidth: 1, gradientMode: "none", axisPlacement: "auto", axisColorMode: "text", scaleDistribution: { type: "linear" } };
const CUSTOM = {
  timeseries: {
    ...LINES,
    drawStyle: "line",
    lineInterpolation: "linear",
    fillOpacity: 0,
    barAlignment: 0,
    barWidthFactor: 0.6,
    showPoints: "auto",
    pointSize: 5,
    spanNulls: false,
    thresholdsStyle: { mode: "off" },
  },
  barchart: { ...LINES, fillOpacity: 80, thresholdsStyle: { mode: "off" } },
  table: { align: "auto", cellOptions: { type: "auto" } },
};
const COLOR = { timeseries: "palette-classic", barchart: "palette-classic" };
const THRESHOLDS = { mode: "absolute", steps: [{ value: null, color: "green" }, { value: 80, color: "red" }] };

// applyFieldOverrides drops what no registry knows: so this one knows all that the panel's JSON names.
function registry({ defaults, overrides }) {
  const item = (path, isCustom, process) => ({
    id: isCustom ? `custom.${path}` : path,
    path,
    name: path,
    isCustom,
    process,
    settings: { expandTemplateVars: true },
    shouldApply: () => true,
    getItemsCount: () => 0,
  });
  const named = overrides.flatMap((rule) => rule.properties.map((property) => property.id));
  const custom = new Set([
    ...Object.keys(defaults.custom ?? {}),
    ...named.filter((id) => id.startsWith("custom.")).map((id) => id.slice("custom.".length)),
  ]);
  const found = new data.FieldConfigOptionsRegistry();
  for (const [path, process] of Object.entries(STANDARD)) found.register(item(path, false, process));
  for (const path of custom) found.register(item(path, true, data.identityOverrideProcessor));
  const unknown = named.filter((id) => !id.startsWith("custom.") && !(id in STANDARD));
  if (unknown.length) throw new Error(`no such properties of fields: ${unknown.join(", ")}`);
  return found;
}

function configuration(panel) {
  const { defaults = {}, overrides = [] } = panel.fieldConfig ?? {};
  const steps = (defaults.thresholds ?? THRESHOLDS).steps.map((step) => ({ ...step, value: step.value ?? -Infinity }));
  return {
    defaults: {
      ...defaults,
      color: defaults.color ?? { mode: COLOR[panel.type] ?? "thresholds" },
      thresholds: { mode: "absolute", ...defaults.thresholds, steps },
      custom: { ...CUSTOM[panel.type], ...defaults.custom },
    },
    overrides: overrides.map((rule) => ({ ...rule, properties: rule.properties.map(withFirstStep) })),
  };
}

// JSON has no -Infinity: null is where the first step begins.
function withFirstStep(property) {
  if (property.id !== "thresholds") return property;
  const steps = property.value.steps.map((step) => ({ ...step, value: step.value ?? -Infinity }));
  return { ...property, value: { ...property.value, steps } };
}

// Gives the panel with its frames as they are drawn.
async function prepare({ panel, frames, ...rest }, theme) {
  const before = frames.map((frame) => data.toDataFrame(frame));
  const after = await firstValueFrom(data.transformDataFrame(panel.transformations ?? [], before, { interpolate: (text) => text }));
  const fieldConfig = configuration(panel);
  const series = data.applyFieldOverrides({
    data: after,
    fieldConfig,
    fieldConfigRegistry: registry(fieldConfig),
    replaceVariables: (text) => text, // they are filled before they come here
    theme,
    timeZone: "browser",
  });
  const from = data.dateTime(rest.from);
  const to = data.dateTime(rest.to);
  return { ...rest, panel, fieldConfig, series, range: { from, to, raw: { from, to } }, time: timeInfo(panel) };
}

// What the panel's head says of a range of its own.
function timeInfo({ timeFrom, timeShift, hideTimeOverride }) {
  if (hideTimeOverride) return "";
  const range = timeFrom ? data.rangeUtil.describeTextRange(timeFrom).display : "";
  return [range, timeShift && `timeshift -${timeShift}`].filter(Boolean).join(" ");
}

module.exports = { prepare };
