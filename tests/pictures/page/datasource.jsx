// The settings of a data source, as far as somebody fills them in: Grafana's own form for HTTP, and around it what the data
// source of InfluxDB and that of Prometheus have of their own, which are in no library, in Grafana's own fields.

const React = require("react");
const ui = require("@grafana/ui");

const nothing = () => {};

function Line({ label, value, width = 20 }) {
  return (
    <ui.InlineField label={label} labelWidth={width}>
      <ui.Input value={value} width={40} onChange={nothing} />
    </ui.InlineField>
  );
}

function Choice({ label, value }) {
  return (
    <ui.InlineField label={label} labelWidth={20}>
      <ui.Select value={value} options={[{ label: value, value }]} width={40} onChange={nothing} />
    </ui.InlineField>
  );
}

function Influx({ settings }) {
  const { dbName, httpMode, timeInterval } = settings.jsonData;
  return (
    <>
      <h3>Query language</h3>
      <ui.Select value="InfluxQL" options={[{ label: "InfluxQL", value: "InfluxQL" }]} width={60} onChange={nothing} />
      <div style={{ height: 24 }} />
      <ui.DataSourceHttpSettings dataSourceConfig={settings} defaultUrl={settings.url} onChange={nothing} />
      <h3>InfluxDB Details</h3>
      <Line label="Database" value={dbName} />
      <Line label="User" value="" />
      <Line label="Password" value="" />
      <Choice label="HTTP Method" value={httpMode} />
      <Line label="Min time interval" value={timeInterval} />
    </>
  );
}

function Prometheus({ settings }) {
  return (
    <>
      <h3>Connection</h3>
      <Line label="Prometheus server URL *" value={settings.url} width={28} />
    </>
  );
}

const FORMS = { influxdb: Influx, prometheus: Prometheus };

function DataSource({ settings, width }) {
  const Form = FORMS[settings.type];
  return (
    <div style={{ padding: 16, width }}>
      <Line label="Name" value={settings.name} />
      <div style={{ height: 24 }} />
      <Form settings={settings} />
      <div style={{ marginTop: 24 }}><ui.Button>Save &amp; test</ui.Button></div>
    </div>
  );
}

module.exports = { DataSource };
