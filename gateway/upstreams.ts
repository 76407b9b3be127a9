/** Which service answers which package, and what every call to it carries: retries, metrics, a span. */
import { context, propagation, SpanKind, trace } from '@opentelemetry/api'
import { status, type Metadata } from '@grpc/grpc-js'
import { dial, type Channel } from '@flowforge/runtime/client'
import type { GuardedMethod } from '@flowforge/runtime/guard'
import type { Logger } from '@flowforge/runtime/log'
import { callRecorder, type RecordCall } from '@flowforge/runtime/metrics'
import type { StatusError } from '@flowforge/runtime/status'
import { endRpcSpan, rpcAttributes, tracer, tracing } from '@flowforge/runtime/tracing'
import { untilAnswering } from '@flowforge/runtime/until-answering'
import type { Workload } from '@flowforge/runtime/workload'
import type { GatewayConfig } from './config.ts'
import { asRefusal } from './refusal.ts'
import { grpcUpstream, type OutgoingCall, type Upstream } from './transcoder/transcoder.ts'

/** Long enough for services that start together with the gateway; one that is down must not keep it from serving the rest. */
const warmUpMsMax = 5_000

/** The services behind the gateway. */
export interface Upstreams {
  readonly accounts: Channel
  /** The upstream of a method of a proto package; undefined for a package that is not ours. */
  forPackage(name: string): Upstream | undefined
  /** Waits a moment until each service has answered, so that the first requests find their connections. */
  warmUp(): Promise<void>
  close(): void
}

/** Prepares one channel for each service. */
export function dialUpstreams(config: GatewayConfig, workload: Workload, log: Logger): Upstreams {
  const open = (component: string, address: string): Channel => dial({ address, component, workload, log })
  const tasks = open('tasks', config.tasksAddress)
  const accounts = open('accounts', config.accountsAddress)
  const notifications = open('notifications', config.notificationsAddress)
  const upstream = (channel: Channel): Upstream => guarded(observed(channelUpstream(channel)), channel)
  const byPackage = new Map([
    ['flowforge.tasks.v1', upstream(tasks)],
    ['flowforge.accounts.v1', upstream(accounts)],
    ['flowforge.notifications.v1', upstream(notifications)],
  ])
  return {
    accounts,
    forPackage: (name) => byPackage.get(name),
    async warmUp() {
      const one = async (component: string, channel: Channel): Promise<void> => {
        if (!(await untilAnswering(channel, warmUpMsMax)))
          log.warn({ component }, 'serving although it does not answer')
      }
      await Promise.all([one('tasks', tasks), one('accounts', accounts), one('notifications', notifications)])
    },
    close: () => [tasks, accounts, notifications].forEach((channel) => channel.close()),
  }
}

/** Unary calls and streams each go the way that is best for them. */
function channelUpstream({ client, unary }: Channel): Upstream {
  return {
    ...grpcUpstream(client),
    unary: ({ route, request, metadata, deadline }, end) =>
      unary.call({ path: route.path, message: request, metadata, deadline }, end),
  }
}

/** Bulkhead, breaker and, unless the mesh owns them, retries: as for every other caller of the service. */
function guarded(upstream: Upstream, { guard }: Channel): Upstream {
  return {
    unary(call, end) {
      return guard(call.route.path).call<{ answer: Buffer; headers: Metadata | undefined }>(
        call,
        (endAttempt) =>
          upstream.unary(call, (error, answer, headers) =>
            endAttempt(error, error ? undefined : { answer: answer!, headers }),
          ),
        (error, ended) => end(error, ended?.answer, ended?.headers),
      )
    },
    serverStream(call) {
      const leave = beginStream(guard(call.route.path))
      return upstream
        .serverStream(call)
        .once('status', ({ code, details, metadata }) =>
          leave(code === status.OK ? null : Object.assign(new Error(details), { code, details, metadata })),
        )
    },
  }
}

function beginStream(method: GuardedMethod): ReturnType<GuardedMethod['beginStream']> {
  try {
    return method.beginStream()
  } catch (error) {
    throw asRefusal(error as StatusError)
  }
}

/** Counts and times calls, and gives each a span when tracing is on. */
function observed(upstream: Upstream): Upstream {
  const recorders = new Map<string, RecordCall>()
  const begin = (call: OutgoingCall): { call: OutgoingCall; end: (code: number) => void } => {
    const { path } = call.route
    let record = recorders.get(path)
    if (record === undefined) recorders.set(path, (record = callRecorder('client', path)))
    const startedMs = performance.now()
    if (!tracing.enabled) return { call, end: (code) => record(code, startedMs) }
    const span = tracer().startSpan(path.slice(1), { kind: SpanKind.CLIENT, attributes: rpcAttributes(path) })
    const carrier: Record<string, string> = {}
    propagation.inject(trace.setSpan(context.active(), span), carrier)
    const metadata = call.metadata.clone()
    for (const [key, value] of Object.entries(carrier)) metadata.set(key, value)
    const end = (code: number): void => {
      record(code, startedMs)
      endRpcSpan(span, code, code !== status.OK)
    }
    return { call: { ...call, metadata }, end }
  }
  return {
    unary(outgoing, onEnd) {
      const { call, end } = begin(outgoing)
      return upstream.unary(call, (error, answer, headers) => {
        end(error?.code ?? status.OK)
        onEnd(error, answer, headers)
      })
    },
    serverStream(outgoing) {
      const { call, end } = begin(outgoing)
      return upstream.serverStream(call).once('status', ({ code }) => end(code))
    },
  }
}
