/**
 * Prometheus rules: what every RPC promises, how much of it fails or is slow, and alerts when a promise is spent too fast.
 *
 * Burn rates and windows are those of the SRE workbook, chapter 5: a page when 2 % of a month's budget goes in an hour or 5 % in
 * six, a ticket when 10 % go in three days; a short window beside each ends the alert when the trouble ends.
 */
import type { Policies } from '../policy/policy.ts'
import { objectives, type Objective } from './objectives.ts'

/** A group of rules as Prometheus reads it. */
export interface RuleGroup {
  name: string
  interval?: string
  rules: Rule[]
}

interface Rule {
  record?: string
  alert?: string
  expr: string
  for?: string
  labels?: Record<string, string>
  annotations?: Record<string, string>
}

/** Stands for the namespace of the installation, until the chart knows it. */
const namespace = '$NAMESPACE'
/** What is our fault; everything else is an answer. */
const failureCodes = 'UNKNOWN|DEADLINE_EXCEEDED|UNIMPLEMENTED|INTERNAL|UNAVAILABLE|DATA_LOSS'
const hours = { '5m': 1 / 12, '30m': 0.5, '1h': 1, '6h': 6, '3d': 72 } as const
type Window = keyof typeof hours

const burns: { long: Window; short: Window; factor: number; severity: 'page' | 'ticket' }[] = [
  { long: '1h', short: '5m', factor: 14.4, severity: 'page' },
  { long: '6h', short: '30m', factor: 6, severity: 'page' },
  { long: '3d', short: '6h', factor: 1, severity: 'ticket' },
]
/** Of fewer calls in the long window, one failure is too large a share to say anything. */
const callsMin = 100

/** Rules of every RPC, and of what no RPC shows. */
export function ruleGroups(policies: Policies): RuleGroup[] {
  const all = objectives(policies)
  return [
    { name: 'flowforge-objectives', rules: all.flatMap(promised) },
    ...Object.keys(hours).map((window) => ({
      name: `flowforge-rpcs-${window}`,
      interval: window === '3d' ? '5m' : '1m',
      rules: measured(window as Window, all),
    })),
    {
      name: 'flowforge-promises',
      rules: [...burnAlerts('failures', 'availability'), ...burnAlerts('slow', 'latency')],
    },
    { name: 'flowforge-work', rules: workAlerts },
  ]
}

function promised({ service, method, availability, latencyObjective, isStream }: Objective): Rule[] {
  const labels = { method: `${service}/${method}` }
  const record = (name: string, share: number): Rule => ({
    record: `flowforge:rpc_objective:${name}`,
    expr: `vector(${share})`,
    labels: { ...labels, namespace },
  })
  // What a stream promises is its first message, and what is measured is its end.
  return [record('availability', availability), ...(isStream ? [] : [record('latency', latencyObjective)])]
}

function measured(window: Window, all: Objective[]): Rule[] {
  const rate = (name: string, matchers: string[]) =>
    `sum by (namespace, method) (rate(${name}{${[`namespace="${namespace}"`, ...matchers].join(',')}}[${window}]))`
  const unary = Map.groupBy(
    all.filter(({ isStream }) => !isStream),
    ({ latencySeconds }) => latencySeconds,
  )
  const calls = `on (namespace, method) (flowforge:rpc_calls:rate${window}{namespace="${namespace}"} > 0)`
  return [
    { record: `flowforge:rpc_calls:rate${window}`, expr: rate('grpc_server_handled_total', []) },
    {
      record: `flowforge:rpc_failures:ratio_rate${window}`,
      expr: `${rate('grpc_server_handled_total', [`code=~"${failureCodes}"`])} / ${calls}`,
    },
    ...[...unary].map(([seconds, members]) => ({
      record: `flowforge:rpc_slow:ratio_rate${window}`,
      labels: { within: `${seconds}s` },
      expr: `1 - ${rate('grpc_server_handling_seconds_bucket', [bucket(seconds), `method=~"${oneOf(members)}"`])} / ${calls}`,
    })),
  ]
}

function bucket(seconds: number): string {
  // Prometheus 3 writes 1 as 1.0.
  return Number.isInteger(seconds) ? `le=~"${seconds}(\\\\.0)?"` : `le="${seconds}"`
}

/** A regular expression of the RPCs' names. */
function oneOf(members: Objective[]): string {
  return [...Map.groupBy(members, ({ service }) => service)]
    .map(([service, own]) => `${service.replaceAll('.', '\\\\.')}/(${own.map(({ method }) => method).join('|')})`)
    .join('|')
}

function burnAlerts(what: 'failures' | 'slow', objective: 'availability' | 'latency'): Rule[] {
  const of = (name: string) => `${name}{namespace="${namespace}"}`
  return burns.map(({ long, short, factor, severity }) => {
    const budget = `on (namespace, method) ${factor} * (1 - ${of(`flowforge:rpc_objective:${objective}`)})`
    const burning = (window: Window) => `${of(`flowforge:rpc_${what}:ratio_rate${window}`)} > ${budget}`
    const enough = `${of(`flowforge:rpc_calls:rate${long}`)} > ${callsMin} / ${hours[long] * 3_600}`
    return {
      alert: what === 'failures' ? 'FlowForgeCallsFail' : 'FlowForgeCallsSlow',
      expr: `${burning(long)} and on (namespace, method) ${burning(short)} and on (namespace, method) ${enough}`,
      labels: { severity, window: long },
      annotations: {
        summary: `{{ $value | humanizePercentage }} of {{ $labels.method }} ${what === 'failures' ? 'failed' : 'were slower than promised'} within ${long}`,
        description: `That is more than ${factor} times what its promise allows (docs/access-matrix.md, docs/alerts.md).`,
      },
    }
  })
}

const workAlerts: Rule[] = [
  {
    alert: 'FlowForgeWorkStands',
    // Every instance of tasks tells the same depth. A queue that is paused stands too; that is why it is a ticket.
    expr: `sum by (namespace) (max by (namespace, project, queue) (queue_depth{namespace="${namespace}",state="ready"})) > 0 unless on (namespace) sum by (namespace) (rate(task_attempts_total{namespace="${namespace}"}[10m])) > 0`,
    for: '10m',
    labels: { severity: 'ticket' },
    annotations: {
      summary: '{{ $value }} tasks are ready and no attempt has ended for 10 minutes',
      description: 'Workers are gone, cannot reach tasks, or every queue is paused (docs/alerts.md).',
    },
  },
  {
    alert: 'FlowForgeCallsAgainstPolicy',
    expr: `sum by (namespace, method, caller) (increase(grpc_server_denied_total{namespace="${namespace}"}[15m])) > 0`,
    labels: { severity: 'ticket' },
    annotations: {
      summary: '{{ $labels.caller }} called {{ $labels.method }}, which the contracts do not allow',
      description:
        'A wrong configuration, or somebody who should not be there (docs/alerts.md, docs/access-matrix.md).',
    },
  },
  {
    alert: 'FlowForgeDatabaseIsShort',
    expr: `sum by (namespace, pod) (database_pool_connections{namespace="${namespace}",state="waiting"}) > 0`,
    for: '5m',
    labels: { severity: 'ticket' },
    annotations: {
      summary: '{{ $labels.pod }} has waited for database connections for 5 minutes',
      description: 'The database is slow, or its pool too small (docs/alerts.md).',
    },
  },
]
