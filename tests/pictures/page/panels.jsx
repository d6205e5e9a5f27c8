// What is inside a panel: each type with Grafana's own components.

const React = require("react");
const data = require("@grafana/data");
const ui = require("@grafana/ui");
const { BarChart } = require("./barchart.jsx");

const { useTheme2 } = ui;

const hasValues = (fields) => fields.some((field) => field.values.some((value) => value !== null && value !== undefined));

function NoData({ one, height }) {
  const text = one.fieldConfig.defaults.noValue ?? "No data";
  const style = { height, display: "flex", alignItems: "center", justifyContent: "center", color: "var(--secondary)" };
  return <div data-empty={text} style={style}>{text}</div>;
}

function displays(one, theme, sparkline) {
  const reduceOptions = { values: false, calcs: ["lastNotNull"], fields: "", ...one.panel.options?.reduceOptions };
  return data.getFieldDisplayValues({
    fieldConfig: one.fieldConfig,
    reduceOptions,
    replaceVariables: (text) => text,
    theme,
    data: one.series,
    timeZone: "browser",
    sparkline,
  });
}

// Marks a number that is not there.
function emptiness({ display, field }) {
  const isEmpty = Number.isNaN(display.numeric) && ["", "No data", field.noValue].includes(display.text);
  return isEmpty ? { "data-empty": display.text || display.title } : {};
}

function Stat({ one, width, height }) {
  const theme = useTheme2();
  const options = {
    graphMode: "area",
    colorMode: "value",
    justifyMode: "auto",
    textMode: "auto",
    orientation: "auto",
    wideLayout: true,
    ...one.panel.options,
  };
  const values = displays(one, theme, options.graphMode !== "none");
  const draw = ({ value, width, height, alignmentFactors, count }) => (
    <div {...emptiness(value)} style={{ width, height }}>
      <ui.BigValue
        value={value.display}
        count={count}
        sparkline={value.sparkline && { ...value.sparkline, timeRange: one.range }}
        colorMode={options.colorMode}
        graphMode={options.graphMode}
        justifyMode={options.justifyMode}
        textMode={options.textMode}
        text={options.text}
        disableWideLayout={!options.wideLayout}
        alignmentFactors={alignmentFactors}
        width={width}
        height={height}
        theme={theme}
      />
    </div>
  );
  return (
    <Repeated one={one} values={values} draw={draw} width={width} height={height} itemSpacing={3} orientation={options.orientation} />
  );
}

// One drawing for each value, beside or below each other.
function Repeated({ one, values, draw, ...more }) {
  return (
    <ui.VizRepeater
      getValues={() => values}
      getAlignmentFactors={data.getDisplayValueAlignmentFactors}
      renderValue={draw}
      source={one.series}
      renderCounter={0}
      autoGrid
      {...more}
    />
  );
}

function BarGauge({ one, width, height }) {
  const theme = useTheme2();
  const options = {
    displayMode: "gradient",
    orientation: "auto",
    showUnfilled: true,
    valueMode: "color",
    namePlacement: "auto",
    sizing: "auto",
    ...one.panel.options,
  };
  const manual = options.sizing === "manual";
  const values = displays(one, theme, false);
  const draw = ({ value, width, height, alignmentFactors, orientation, count }) => (
    <div {...emptiness(value)}>
      <ui.BarGauge
        value={value.display}
        field={value.field}
        display={value.view?.getFieldDisplayProcessor(value.colIndex)}
        alignmentFactors={count > 1 ? alignmentFactors : undefined}
        orientation={orientation}
        width={width}
        height={height}
        text={options.text}
        theme={theme}
        itemSpacing={options.displayMode === "lcd" ? 2 : 10}
        displayMode={options.displayMode}
        showUnfilled={options.showUnfilled}
        valueDisplayMode={options.valueMode}
        namePlacement={options.namePlacement}
      />
    </div>
  );
  return (
    <Repeated
      one={one}
      values={values}
      draw={draw}
      width={width}
      height={height}
      itemSpacing={10}
      minVizWidth={manual ? options.minVizWidth : 8}
      minVizHeight={manual ? options.minVizHeight : 16}
      maxVizHeight={manual ? options.maxVizHeight : 300}
      orientation={options.orientation}
    />
  );
}

function TimeSeries({ one, width, height }) {
  const legend = { displayMode: "list", placement: "bottom", calcs: [], showLegend: true, ...one.panel.options?.legend };
  const timed = one.series.filter((frame) => frame.fields.some((field) => field.type === "time"));
  if (!timed.length) throw new Error("the data has no times");
  return <ui.TimeSeries frames={timed} structureRev={1} timeRange={one.range} timeZone="browser" width={width} height={height} legend={legend} />;
}

function Table({ one, width, height }) {
  const options = { showHeader: true, cellHeight: "sm", ...one.panel.options };
  if (one.series.length > 1) throw new Error(`the table has ${one.series.length} frames, and Grafana shows one`);
  return (
    <ui.Table
      data={one.series[0]}
      width={width}
      height={height}
      noHeader={!options.showHeader}
      cellHeight={options.cellHeight}
      initialSortBy={options.sortBy}
      resizable
      timeRange={one.range}
      fieldConfig={one.fieldConfig}
    />
  );
}

const KINDS = { stat: Stat, bargauge: BarGauge, timeseries: TimeSeries, barchart: BarChart, table: Table };

function Panel({ one, width, height }) {
  const Kind = KINDS[one.panel.type];
  if (!Kind) throw new Error(`panels of type ${one.panel.type} are not drawn`);
  const fields = one.series.flatMap((frame) => frame.fields).filter((field) => field.type !== "time");
  // A value that is a time (in a stat, by its unit) is a number; where only times are left there is nothing to show.
  if (!hasValues(fields)) return <NoData one={one} height={height} />;
  return <Kind one={one} width={width} height={height} />;
}

module.exports = { Panel };
