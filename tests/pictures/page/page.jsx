// A whole dashboard: the bar with the variables, the rows, and the panels in their places.

const React = require("react");
const { flushSync } = require("react-dom");
const { createRoot } = require("react-dom/client");
const data = require("@grafana/data");
const ui = require("@grafana/ui");
const { prepare } = require("./fields.js");
const { DataSource } = require("./datasource.jsx");
const { Panel } = require("./panels.jsx");
const { place } = require("./grid.js");
const { findings } = require("./checks.js");

const EDGE = 16; // px around everything
const HIDE_LABEL = 1;
const HIDE = 2;

class Boundary extends React.Component {
  state = {};
  static getDerivedStateFromError(error) {
    return { error };
  }
  componentDidCatch(error) {
    console.error(`${this.props.title}: ${error.message}`);
  }
  render() {
    return this.state.error ? <div style={{ color: "red" }}>{this.state.error.message}</div> : this.props.children;
  }
}

function Bar({ variables, range, refresh, links }) {
  const theme = ui.useTheme2();
  const box = { height: 32, lineHeight: "30px", padding: "0 8px", border: `1px solid ${theme.components.input.borderColor}`, borderRadius: 2, whiteSpace: "nowrap" };
  const label = { ...box, background: theme.colors.background.secondary, borderColor: "transparent", fontSize: 12, fontWeight: 500 };
  const value = { ...box, background: theme.components.input.background, minWidth: 40 };
  return (
    <div style={{ display: "flex", flexWrap: "wrap", gap: 8, marginBottom: 8 }}>
      {variables.filter((one) => one.hide !== HIDE).map((one) => (
        <div key={one.name} style={{ display: "flex" }}>
          {one.hide !== HIDE_LABEL && <div style={label}>{one.label || one.name}</div>}
          <div style={value}>{one.text}</div>
        </div>
      ))}
      <div style={{ flexGrow: 1 }} />
      {links.map((link) => (
        <div key={link.title} style={{ ...label, display: "flex", alignItems: "center", gap: 4 }}>
          <ui.Icon name={link.type === "dashboards" ? "apps" : "external-link-alt"} size="sm" />
          <span>{link.title}</span>
        </div>
      ))}
      <div style={label}>{data.rangeUtil.describeTimeRange(range)}{refresh ? ` ⟳ ${refresh}` : ""}</div>
    </div>
  );
}

function Row({ title, collapsed, count }) {
  return (
    <div style={{ display: "flex", alignItems: "center", height: "100%", fontSize: 16, fontWeight: 500, gap: 8, paddingLeft: 8 }}>
      <ui.Icon name={collapsed ? "angle-right" : "angle-down"} />
      <span>{title}</span>
      {collapsed && <span style={{ color: "var(--secondary)", fontSize: 14 }}>{`(${count} ${count === 1 ? "panel" : "panels"})`}</span>}
    </div>
  );
}

function Framed({ one, width, height }) {
  const info = one.time && (
    <ui.PanelChrome.TitleItem><ui.Icon name="clock-nine" size="sm" /><span style={{ marginLeft: 4 }}>{one.time}</span></ui.PanelChrome.TitleItem>
  );
  return (
    <ui.PanelChrome
      title={one.title}
      description={one.panel.description}
      width={width}
      height={height}
      displayMode={one.panel.transparent ? "transparent" : "default"}
      hoverHeader={!one.title && !one.time}
      titleItems={info}
    >
      {(innerWidth, innerHeight) => (
        <Boundary title={one.title}><Panel one={one} width={innerWidth} height={innerHeight} /></Boundary>
      )}
    </ui.PanelChrome>
  );
}

function Dashboard({ variables, range, refresh, links, rows, kiosk, width }) {
  const { places, height } = place(rows, width - 2 * EDGE);
  return (
    <div style={{ padding: EDGE, width }}>
      {!kiosk && <Bar variables={variables} range={range} refresh={refresh} links={links} />}
      <div style={{ position: "relative", height }}>
        {places.map(({ row, one, ...at }, number) => (
          <div key={number} style={{ position: "absolute", ...at }} {...(row ? { "data-row": row.title } : { "data-panel": one.title, "data-type": one.panel.type })}>
            {row ? <Row {...row} /> : <Framed one={one} width={at.width} height={at.height} />}
          </div>
        ))}
      </div>
    </div>
  );
}

function ThemeContext({ theme, children }) {
  return <data.ThemeContext.Provider value={theme}>{children}</data.ThemeContext.Provider>;
}

// Waits until nothing has changed in the page for a fifth of a second.
function quiet() {
  return new Promise((resolve, reject) => {
    const watch = new MutationObserver(() => again());
    const late = setTimeout(() => reject(new Error("the page does not come to rest")), 20_000);
    let timer;
    const done = () => {
      watch.disconnect();
      clearTimeout(late);
      resolve();
    };
    const again = () => {
      clearTimeout(timer);
      timer = setTimeout(done, 200);
    };
    watch.observe(document.body, { childList: true, subtree: true, attributes: true, characterData: true });
    again();
  });
}

// What is drawn onto a canvas, or measured to find its place, needs the font before.
async function fonts(root, theme) {
  flushSync(() => root.render(<ThemeContext theme={theme}><ui.GlobalStyles /></ThemeContext>));
  await Promise.allSettled(["400 14px Inter", "500 14px Inter"].map((font) => document.fonts.load(font, "Ag€³")));
}

// Draws a dashboard (tests/pictures/pictures.py says what is in it), or a form with settings (data_sources.py), and gives what is wrong with the picture.
window.draw = async (job) => {
  const theme = data.createTheme({ colors: { mode: job.theme } });
  const root = createRoot(document.body.appendChild(document.createElement("div")));
  await fonts(root, theme);
  const isForm = "settings" in job;
  const rows = await Promise.all(
    (isForm ? [] : job.rows).map(async (row) => ({ ...row, panels: await Promise.all(row.panels.map((one) => prepare(one, theme))) })),
  );
  Object.assign(document.body.style, { margin: 0, background: theme.colors.background.canvas, color: theme.colors.text.primary });
  document.documentElement.style.setProperty("--secondary", theme.colors.text.secondary);
  root.render(<ThemeContext theme={theme}><ui.GlobalStyles />{isForm ? <DataSource {...job} /> : <Dashboard {...job} rows={rows} />}</ThemeContext>);
  await quiet();
  return findings();
};
