/** The few kinds of Grafana panels that our dashboards have. */

/** A line, or several, with its legend. */
export interface Query {
  expr: string
  legend: string
}

export interface Panel {
  title: string
  /** What one should see here, and what it means when it is otherwise. */
  description: string
  unit: 'short' | 'percentunit' | 's' | 'ops' | 'bytes'
  queries: Query[]
}

export interface Dashboard {
  uid: string
  title: string
  rows: { title: string; panels: Panel[] }[]
}

const columns = 24
const height = 8

/** The dashboard as Grafana imports it; data source and namespace are chosen in it. */
export function grafana({ uid, title, rows }: Dashboard): object {
  const panels: object[] = []
  let y = 0
  for (const row of rows) {
    panels.push({ type: 'row', title: row.title, gridPos: { h: 1, w: columns, x: 0, y }, panels: [] })
    y += 1
    const w = Math.max(columns / row.panels.length, 8)
    row.panels.forEach((panel, index) => {
      const perLine = columns / w
      const gridPos = { h: height, w, x: (index % perLine) * w, y: y + Math.floor(index / perLine) * height }
      panels.push({ id: panels.length, gridPos, ...timeseries(panel) })
    })
    y += Math.ceil((row.panels.length * w) / columns) * height
  }
  return {
    uid,
    title,
    tags: ['flowforge'],
    timezone: 'utc',
    editable: false,
    schemaVersion: 39,
    refresh: '30s',
    time: { from: 'now-3h', to: 'now' },
    templating: { list: [dataSource, namespaces] },
    panels,
  }
}

const source = { type: 'prometheus', uid: '${source}' }
const dataSource = { name: 'source', label: 'Data source', type: 'datasource', query: 'prometheus' }
const namespaces = {
  name: 'namespace',
  label: 'Namespace',
  type: 'query',
  datasource: source,
  query: { query: 'label_values(grpc_server_handled_total, namespace)', refId: 'namespaces' },
  refresh: 2,
}

function timeseries({ title, description, unit, queries }: Panel): object {
  return {
    type: 'timeseries',
    title,
    description,
    datasource: source,
    fieldConfig: { defaults: { unit, min: 0, custom: { fillOpacity: 10, showPoints: 'never' } }, overrides: [] },
    options: { legend: { displayMode: 'list', placement: 'bottom' }, tooltip: { mode: 'multi', sort: 'desc' } },
    targets: queries.map(({ expr, legend }, index) => ({
      refId: String.fromCodePoint(65 + index),
      datasource: source,
      expr,
      legendFormat: legend,
    })),
  }
}
