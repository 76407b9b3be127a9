/** What is shown of an installation: whether promises are kept, and where the work is. */
import type { Dashboard, Panel } from './panel.ts'

const here = 'namespace="$namespace"'

/** Promises of the RPCs, from the recorded rules (alerts.ts). */
export const promises: Dashboard = {
  uid: 'flowforge-promises',
  title: 'FlowForge: promises',
  rows: [
    {
      title: 'Burn: 1 spends the month in a month, 14.4 pages',
      panels: [burn('failures', 'availability', 'Failures'), burn('slow', 'latency', 'Slow calls')],
    },
    {
      title: 'Calls',
      panels: [
        {
          title: 'Calls by RPC',
          description: 'The busiest ten.',
          unit: 'ops',
          queries: [{ expr: `topk(10, flowforge:rpc_calls:rate5m{${here}})`, legend: '{{method}}' }],
        },
        {
          title: 'Calls by status',
          description:
            'INTERNAL, UNKNOWN and DATA_LOSS are bugs; UNAVAILABLE during a roll-out is retried by the caller.',
          unit: 'ops',
          queries: [
            { expr: `sum by (code) (rate(grpc_server_handled_total{${here}}[$__rate_interval]))`, legend: '{{code}}' },
          ],
        },
        {
          title: 'Time by RPC, 99th percentile',
          description: 'A stream counts until its end.',
          unit: 's',
          queries: [
            {
              expr: `topk(10, histogram_quantile(0.99, sum by (method, le) (rate(grpc_server_handling_seconds_bucket{${here}}[$__rate_interval]))))`,
              legend: '{{method}}',
            },
          ],
        },
      ],
    },
    {
      title: 'Between components',
      panels: [
        {
          title: 'Breakers that are not closed',
          description: '1 half-open, 2 open. Open for long means that an upstream is gone.',
          unit: 'short',
          queries: [
            {
              expr: `max by (upstream, group) (grpc_client_breaker_state{${here}}) > 0`,
              legend: '{{upstream}} {{group}}',
            },
          ],
        },
        {
          title: 'Retries and refusals',
          description: 'Attempts after the first, and calls that breaker or bulkhead did not send.',
          unit: 'ops',
          queries: [
            {
              expr: `sum by (method) (rate(grpc_client_retries_total{${here}}[$__rate_interval]))`,
              legend: 'retry {{method}}',
            },
            {
              expr: `sum by (upstream, reason) (rate(grpc_client_refused_total{${here}}[$__rate_interval]))`,
              legend: 'refused {{upstream}} {{reason}}',
            },
          ],
        },
        {
          title: 'Calls against policy',
          description: 'None is right.',
          unit: 'ops',
          queries: [
            {
              expr: `sum by (caller, method) (rate(grpc_server_denied_total{${here}}[$__rate_interval]))`,
              legend: '{{caller}} {{method}}',
            },
          ],
        },
      ],
    },
  ],
}

/** Tasks and queues, the edge, and what processes use. */
export const work: Dashboard = {
  uid: 'flowforge-work',
  title: 'FlowForge: work',
  rows: [
    {
      title: 'Tasks',
      panels: [
        {
          title: 'Created and finished',
          description: 'Finished below created for long: queues grow.',
          unit: 'ops',
          queries: [
            { expr: `sum(rate(tasks_created_total{${here}}[$__rate_interval]))`, legend: 'created' },
            {
              expr: `sum by (state) (rate(tasks_completed_total{${here}}[$__rate_interval]))`,
              legend: '{{state}}',
            },
          ],
        },
        {
          title: 'Attempts by outcome',
          description: 'Lost attempts are those of workers that vanished.',
          unit: 'ops',
          queries: [
            { expr: `sum by (outcome) (rate(task_attempts_total{${here}}[$__rate_interval]))`, legend: '{{outcome}}' },
          ],
        },
        {
          title: 'Time of attempts, 95th percentile',
          description: 'As workers see it.',
          unit: 's',
          queries: [
            {
              expr: `histogram_quantile(0.95, sum by (type, le) (rate(task_processing_duration_seconds_bucket{${here}}[$__rate_interval])))`,
              legend: '{{type}}',
            },
          ],
        },
      ],
    },
    {
      title: 'Queues',
      panels: [depth('ready', 'Waiting'), depth('running', 'Running'), depth('dead', 'Dead')],
    },
    {
      title: 'Edge',
      panels: [
        {
          title: 'HTTP requests by status',
          description: '429 is a limit; 5xx is ours.',
          unit: 'ops',
          queries: [
            { expr: `sum by (status) (rate(http_requests_total{${here}}[$__rate_interval]))`, legend: '{{status}}' },
          ],
        },
        {
          title: 'Cache',
          description: 'Hits and stale answers cost no call.',
          unit: 'ops',
          queries: [
            { expr: `sum by (outcome) (rate(http_cache_total{${here}}[$__rate_interval]))`, legend: '{{outcome}}' },
          ],
        },
      ],
    },
    {
      title: 'Processes',
      panels: [
        {
          title: 'Database connections',
          description: 'Waiting above 0 for long: the database is slow, or the pool too small.',
          unit: 'short',
          queries: [
            {
              expr: `sum by (pod, state) (database_pool_connections{${here}})`,
              legend: '{{pod}} {{state}}',
            },
          ],
        },
        {
          title: 'CPU',
          description: 'Cores by pod.',
          unit: 'short',
          queries: [
            { expr: `sum by (pod) (rate(process_cpu_seconds_total{${here}}[$__rate_interval]))`, legend: '{{pod}}' },
          ],
        },
        {
          title: 'Memory',
          description: 'Resident; the limit of the chart is 384 MiB.',
          unit: 'bytes',
          queries: [{ expr: `max by (pod) (process_resident_memory_bytes{${here}})`, legend: '{{pod}}' }],
        },
        {
          title: 'Event loop lag, 99th percentile',
          description: 'Above 0.1 s a pod is too busy to be fair.',
          unit: 's',
          queries: [{ expr: `max by (pod) (nodejs_eventloop_lag_p99_seconds{${here}})`, legend: '{{pod}}' }],
        },
        {
          title: 'Calls in flight',
          description: 'By the bulkhead that counts them.',
          unit: 'short',
          queries: [
            {
              expr: `sum by (upstream, group) (grpc_client_bulkhead_calls{${here}})`,
              legend: '{{upstream}} {{group}}',
            },
          ],
        },
      ],
    },
  ],
}

function burn(what: string, objective: string, title: string): Panel {
  const rate = (window: string) =>
    `topk(5, flowforge:rpc_${what}:ratio_rate${window}{${here}} / on (namespace, method) (1 - flowforge:rpc_objective:${objective}{${here}}))`
  return {
    title,
    description: 'How many times faster than allowed the promise is being spent; above 1 for long, it will be broken.',
    unit: 'short',
    queries: [
      { expr: rate('1h'), legend: '{{method}}, 1 h' },
      { expr: rate('6h'), legend: '{{method}}, 6 h' },
    ],
  }
}

function depth(state: string, title: string): Panel {
  return {
    title,
    description: 'By queue, the fullest ten.',
    unit: 'short',
    queries: [
      {
        // Every instance of tasks tells the same.
        expr: `topk(10, max by (project, queue) (queue_depth{${here},state="${state}"}))`,
        legend: '{{project}} {{queue}}',
      },
    ],
  }
}
