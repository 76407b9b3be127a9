import { Worker } from '@flowforge/sdk'
import { grpcClient } from '@flowforge/sdk/grpc-client'
import { Task } from '@flowforge/proto/flowforge/tasks/v1/task.ts'
import { TaskServiceService } from '@flowforge/proto/flowforge/tasks/v1/task_service.ts'
import { freePort } from '@flowforge/local/free-port'
import { until } from '@flowforge/local/until'
import { identityOf } from '@flowforge/runtime/identity'
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { openLoop } from '../../open-loop.ts'
import { quantile } from '../../report/statistics.ts'
import type { Bench } from '../bench.ts'
import { now } from '../program/protocol.ts'
import type { TasksService } from '../tasks-service.ts'

const parent = 'projects/default'
const queue = 'restart'
const ratePerSecond = 100
const settleMs = 2_000
const handlerMs = 5
const p99MsMax = 500
const loadMsMax = 600_000
const stuckMs = 30_000

/** Of every task that was created: when it was due, how long its create call took, and how long until it started. */
interface Waits {
  createMs: number[]
  startMs: number[]
}

/**
 * Two instances and two workers are replaced one after the other while tasks come in at random moments, 100 a second.
 *
 * Every task must run, and none twice; users may notice at most 500 ms of it. The turn compares what the producer and the
 * workers were told with the database. PostgreSQL stays: where it has no standby, its restart stops everything.
 */
export async function restart(bench: Bench): Promise<void> {
  const ports = [await freePort(), await freePort()]
  const place = {
    address: `ipv4:${ports.map((port) => `127.0.0.1:${port}`).join(',')}`,
    starts: new Map<string, number[]>(),
  }
  const instances: TasksService[] = []
  const workers: Worker[] = []
  const over = new AbortController()
  try {
    for (const port of ports) instances.push(await bench.startInstance({ port }))
    for (let n = 0; n < ports.length; n++) workers.push(await startWorker(bench, instances[0]!, place))
    const load = produce(bench, instances[0]!, place, over.signal)
    for (let n = 0; n < ports.length; n++) {
      await delay(settleMs)
      await instances[n]!.stop()
      instances[n] = await bench.startInstance({ port: ports[n]! })
      await delay(settleMs)
      await workers[n]!.drain(3_000)
      workers[n] = await startWorker(bench, instances[0]!, place)
    }
    await delay(settleMs)
    over.abort()
    report(bench, await load)
  } finally {
    over.abort()
    await Promise.all(workers.map((worker) => worker.drain(3_000)))
  }
  if ((await bench.store.unfinished()) > 0) bench.fail(`${await bench.store.unfinished()} tasks are stored unfinished`)
}

interface Place {
  /** Both instances. */
  address: string
  /** When each task started, by its name. */
  starts: Map<string, number[]>
}

async function startWorker(bench: Bench, service: TasksService, { address, starts }: Place): Promise<Worker> {
  const worker = new Worker({
    ...connectionTo(service, address, 'worker'),
    parent,
    queues: [queue],
    capacity: 50,
    handlers: {
      load: async ({ name }) => {
        starts.set(name, [...(starts.get(name) ?? []), now()])
        await delay(handlerMs)
      },
    },
    onLeased: bench.told.leased,
    onSettled: bench.told.settled,
  })
  await worker.start()
  return worker
}

/** Creates tasks until it is told that it is over, and waits until all of them have started. */
async function produce(
  bench: Bench,
  service: TasksService,
  { address, starts }: Place,
  signal: AbortSignal,
): Promise<Waits> {
  const client = grpcClient(TaskServiceService, connectionTo(service, address, 'operator'))
  const created = new Map<string, { dueAt: number; createMs: number }>()
  /** Tried again with its request ID until it is acknowledged, as a user would. */
  const create = async (dueAt: number): Promise<void> => {
    const request = { parent, task: Task.fromPartial({ type: 'load', queue }), requestId: randomUUID() }
    while (now() - dueAt < stuckMs) {
      const task = await client.createTask(request, { timeoutMs: 2_000 }).catch(() => delay(20))
      if (!task) continue
      created.set(task.name, { dueAt, createMs: now() - dueAt })
      return bench.told.created(task)
    }
    bench.fail(`a task could not be created for ${stuckMs} ms`)
  }
  const calls: Promise<void>[] = []
  await openLoop({ ratePerSecond: () => ratePerSecond, forMs: loadMsMax, signal }, (_, dueAt) =>
    calls.push(create(performance.timeOrigin + dueAt)),
  )
  await Promise.all(calls)
  client.close()
  const missing = () => [...created.keys()].filter((name) => !starts.has(name)).length
  if (!(await until(() => missing() === 0, stuckMs))) bench.fail(`${missing()} of ${created.size} tasks never ran`)
  const twice = [...starts.values()].filter((times) => times.length > 1).length
  if (twice > 0 || starts.size !== created.size)
    bench.fail(`${created.size} tasks were created, ${starts.size} ran, and ${twice} more than once`)
  return {
    createMs: [...created.values()].map(({ createMs }) => createMs),
    startMs: [...created].map(([name, { dueAt }]) => starts.get(name)![0]! - dueAt),
  }
}

function report(bench: Bench, { createMs, startMs }: Waits): void {
  const p99 = (waits: number[]) =>
    quantile(
      waits.toSorted((a, b) => a - b),
      0.99,
    )
  bench.report('restartTasks', startMs.length)
  bench.report('restartCreateP99', p99(createMs))
  bench.report('restartP99', p99(startMs))
  if (p99(startMs) > p99MsMax)
    bench.fail(`1 % of the tasks waited longer than ${Math.round(p99(startMs))} ms for their start, not ${p99MsMax} ms`)
}

function connectionTo({ certificates }: TasksService, address: string, component: string) {
  return { address, tls: { folder: `${certificates}/${component}`, serverName: identityOf('tasks') } }
}
