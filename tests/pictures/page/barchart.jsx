// Bar charts, which are not in Grafana's library: its configuration of charts with uPlot's bars.

const React = require("react");
const uPlot = require("uplot");
const data = require("@grafana/data");
const ui = require("@grafana/ui");

const FONT = 12; // px, of axes
const DEFAULTS = {
  barWidth: 0.97,
  groupWidth: 0.7,
  barRadius: 0,
  stacking: "none",
  orientation: "auto",
  showValue: "auto",
  xTickLabelRotation: 0,
  xTickLabelSpacing: 0,
  xTickLabelMaxLength: 0,
  legend: { displayMode: "list", placement: "bottom", calcs: [], showLegend: true },
};

function BarChart({ one, width, height }) {
  const theme = ui.useTheme2();
  const options = { ...DEFAULTS, ...one.panel.options, legend: { ...DEFAULTS.legend, ...one.panel.options?.legend } };
  refuse(options, width, height);
  if (one.series.length > 1) throw new Error(`the bar chart has ${one.series.length} frames, and Grafana shows one`);
  const [frame] = one.series;
  const { config, values, aligned } = React.useMemo(() => prepare(frame, options, theme), [frame]);
  const legend = options.legend.showLegend ? <ui.PlotLegend data={[aligned]} config={config} {...options.legend} /> : null;
  return (
    <ui.VizLayout width={width} height={height} legend={legend}>
      {(vizWidth, vizHeight) => <ui.UPlotChart config={config} data={values} width={vizWidth} height={vizHeight} />}
    </ui.VizLayout>
  );
}

// What Grafana draws and this file does not has to be noticed.
function refuse(options, width, height) {
  const { orientation, showValue, colorByField } = options;
  if (orientation === "horizontal" || (orientation === "auto" && width < height)) {
    throw new Error("bar charts that lie on their side are not drawn; say that the orientation is vertical");
  }
  if (showValue !== "never") throw new Error("values at bars are not drawn; say that showValue is never");
  if (colorByField) throw new Error("bars that have their colours by another field are not drawn");
}

function prepare(frame, options, theme) {
  const named = options.xField && frame.fields.find((field) => [field.name, data.getFieldDisplayName(field, frame)].includes(options.xField));
  if (options.xField && !named) throw new Error(`the bar chart has no field ${options.xField}`);
  const x = named || frame.fields.find((field) => field.type === "string") || frame.fields.find((field) => field.type === "time");
  const bars = frame.fields.filter((field) => field !== x && field.type === "number" && !field.config.custom?.hideFrom?.viz);
  // The palette begins with the first bar, whatever stands before it in the frame.
  bars.forEach((field, index) => (field.state.seriesIndex = index));
  const aligned = { ...frame, fields: [x, ...bars] };
  const groups = options.stacking === "none" ? [] : stacks(bars);
  const config = new ui.UPlotConfigBuilder("browser");
  config.setPrepData(([one]) => one);
  config.setStackingGroups(groups);
  addAxes(config, x, bars, options, theme);
  const count = groups.length ? 1 : bars.length;
  const place = (index) => (groups.length ? 0 : index);
  bars.forEach((field, index) => {
    const { custom } = field.config;
    config.addSeries({
      scaleKey: "y",
      theme,
      pathBuilder: paths(options, count, place(index)),
      drawStyle: "bars",
      showPoints: "never",
      lineColor: data.getFieldSeriesColor(field, theme).color,
      lineWidth: custom.lineWidth,
      fillOpacity: custom.fillOpacity,
      gradientMode: custom.gradientMode,
      show: true,
      dataFrameFieldIndex: { frameIndex: 0, fieldIndex: index + 1 },
    });
  });
  const [first] = bars;
  if (first && first.config.custom.thresholdsStyle.mode !== "off") {
    config.addThresholds({ config: first.config.custom.thresholdsStyle, thresholds: first.config.thresholds, scaleKey: "y", theme });
  }
  return { config, aligned, values: stacked([x.values.map((_, index) => index), ...bars.map((field) => field.values)], groups) };
}

// What is stacked above zero, and what below it: a series belongs where most of its values are.
function stacks(bars) {
  const below = (field) => {
    const values = field.values.filter((value) => value);
    return values.filter((value) => value < 0).length > values.length / 2;
  };
  const numbers = bars.map((field, index) => [below(field) ? -1 : 1, index + 1]);
  return [1, -1]
    .map((dir) => ({ dir, series: numbers.filter(([way]) => way === dir).map(([, number]) => number) }))
    .filter(({ series }) => series.length);
}

function stacked(columns, groups) {
  const values = columns.map((column) => [...column]);
  for (const { series } of groups) {
    const sums = columns[0].map(() => 0);
    for (const number of series) {
      values[number] = columns[number].map((value, index) => (sums[index] += value ?? 0));
    }
  }
  return values;
}

function paths({ groupWidth, barWidth, barRadius }, count, place) {
  const width = (count === 1 ? barWidth : groupWidth) / count;
  const bar = count === 1 ? width : width * barWidth;
  const left = -(width * count) / 2 + width * place + (width - bar) / 2;
  return uPlot.paths.bars({
    radius: barRadius,
    disp: {
      x0: { unit: 1, values: (u) => u.data[0].map((number) => number + left) },
      size: { unit: 1, values: () => [bar] },
    },
  });
}

function addAxes(config, x, bars, options, theme) {
  const last = x.values.length - 1;
  const label = (value) => {
    const text = data.formattedValueToString(x.display(value));
    const limit = options.xTickLabelMaxLength;
    return limit && text.length > limit ? `${text.slice(0, limit)}...` : text;
  };
  const rotation = options.xTickLabelRotation;
  const labels = x.values.map(label);
  if (rotation) config.setPadding(endsOfLabels(labels, rotation));
  config.addScale({ scaleKey: "x", isTime: false, orientation: 0, direction: 1, range: () => [-0.5, last + 0.5] });
  config.addAxis({
    scaleKey: "x",
    isTime: false,
    placement: x.config.custom?.axisPlacement === "hidden" ? "hidden" : "bottom",
    label: x.config.custom?.axisLabel,
    splits: () => x.values.map((_, index) => index),
    values: (u, splits) => splits.map((number) => (isLabelled(u, number, last, options.xTickLabelSpacing) ? labels[number] : null)),
    space: 0,
    grid: { show: false },
    ticks: { show: false },
    tickLabelRotation: -rotation,
    ...(rotation ? { size: heightOfLabels(labels, rotation) } : {}),
    theme,
  });
  if (!bars.length) return;
  const { config: field, display } = bars[0];
  const { custom } = field;
  const zero = (soft, hard) => soft ?? (hard === undefined ? 0 : undefined);
  config.addScale({
    scaleKey: "y",
    isTime: false,
    orientation: 1,
    direction: 1,
    min: field.min,
    max: field.max,
    softMin: zero(custom.axisSoftMin, field.min),
    softMax: zero(custom.axisSoftMax, field.max),
    centeredZero: custom.axisCenteredZero,
    decimals: field.decimals,
  });
  config.addAxis({
    scaleKey: "y",
    isTime: false,
    placement: custom.axisPlacement === "auto" ? "left" : custom.axisPlacement,
    label: custom.axisLabel,
    size: custom.axisWidth,
    grid: { show: custom.axisGridShow },
    ticks: { show: false },
    decimals: field.decimals,
    formatValue: (value, decimals) => data.formattedValueToString(display(value, field.decimals ?? decimals)),
    theme,
  });
}

// With a spacing each n-th bar has its label, counted from the left, or from the right when it is below zero.
function isLabelled(u, number, last, spacing) {
  if (!spacing) return true;
  const fit = Math.max(1, Math.floor(u.bbox.width / devicePixelRatio / Math.abs(spacing)));
  const each = Math.ceil((last + 1) / fit);
  return (spacing > 0 ? number : last - number) % each === 0;
}

const wide = (text) => ui.measureText(text, FONT).width;
const radians = (degrees) => (Math.abs(degrees) * Math.PI) / 180;

function heightOfLabels(labels, rotation) {
  const angle = radians(rotation);
  return Math.ceil(Math.sin(angle) * Math.max(...labels.map(wide)) + Math.cos(angle) * FONT + 10);
}

// A label that is turned begins, or ends, beside its bar: the first one, or the last, has to have room there.
function endsOfLabels(labels, rotation) {
  const beside = (text) => Math.cos(radians(rotation)) * wide(text);
  return [FONT, rotation > 0 ? beside(labels.at(-1)) : 0, 0, rotation < 0 ? beside(labels[0]) : 0];
}

module.exports = { BarChart };
