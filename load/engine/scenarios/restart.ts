import { Worker } from '@flowforge/sdk'
import { connection } from '@flowforge/sdk/connection'
import { Metadata } from '@grpc/grpc-js'
import { Task } from '@flowforge/proto/flowforge/tasks/v1/task.ts'
import { TaskServiceClient } from '@flowforge/proto/flowforge/tasks/v1/task_service.ts'
import { freePort } from '@flowforge/local/free-port'
import { until } from '@flowforge/local/until'
import { identityOf } from '@flowforge/runtime/identity'
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { quantile } from '../../report/statistics.ts'
import type { Bench } from '../bench.ts'
import { now } from '../program/protocol.ts'
import type { TasksService } from '../tasks-service.ts'

const parent = 'projects/default'
const queue = 'restart'
const everyMs = 10
const settleMs = 1_000
const handlerMs = 5

/**
 * Two instances and two workers are replaced one after the other while 100 tasks a second come in. Every task must run,
 * and none twice; how long they waited for their start is what users notice of it.
 */
export async function restart(bench: Bench): Promise<void> {
  await bench.emptyQueue()
  const ports = [await freePort(), await freePort()]
  const instances = [await bench.startInstance({ port: ports[0]! }), await bench.startInstance({ port: ports[1]! })]
  const address = `ipv4:${ports.map((port) => `127.0.0.1:${port}`).join(',')}`
  const runs = new Map<string, number[]>()
  const work = () => startWorker(instances[0]!, address, runs)
  const workers = [await work(), await work()]
  const load = startLoad(instances[0]!, address)
  for (let n = 0; n < 2; n++) {
    await delay(settleMs)
    await instances[n]!.stop()
    instances[n] = await bench.startInstance({ port: ports[n]! })
    await delay(settleMs)
    await workers[n]!.drain(3_000)
    workers[n] = await work()
  }
  await delay(settleMs)
  const created = await load.stop()
  const isComplete = await until(() => [...created.keys()].every((name) => runs.has(name)), 30_000)
  await Promise.all(workers.map((worker) => worker.drain(3_000)))
  if (!isComplete) bench.fail(`${[...created.keys()].filter((name) => !runs.has(name)).length} tasks never ran`)
  const twice = [...runs.values()].filter((starts) => starts.length > 1).length
  if (twice > 0 || runs.size !== created.size)
    bench.fail(`${created.size} tasks were created, ${runs.size} ran, and ${twice} more than once`)
  if ((await bench.store.unfinished()) > 0) bench.fail(`${await bench.store.unfinished()} tasks are stored unfinished`)
  const waits = [...created].map(([name, at]) => runs.get(name)![0]! - at)
  bench.report(
    'restartP99',
    quantile(
      waits.toSorted((a, b) => a - b),
      0.99,
    ),
  )
}

async function startWorker(service: TasksService, address: string, runs: Map<string, number[]>): Promise<Worker> {
  const worker = new Worker({
    ...connectionTo(service, address, 'worker'),
    parent,
    queues: [queue],
    capacity: 50,
    handlers: {
      load: async ({ name }) => {
        runs.set(name, [...(runs.get(name) ?? []), now()])
        await delay(handlerMs)
      },
    },
  })
  await worker.start()
  return worker
}

/** Creates a task every 10 ms until it is stopped; each is tried again with its request ID until it is acknowledged. */
function startLoad(service: TasksService, address: string) {
  const { credentials, options } = connection(connectionTo(service, address, 'operator'))
  const client = new TaskServiceClient(address, credentials, options)
  const created = new Map<string, number>()
  const pending = new Set<Promise<void>>()
  const create = async () => {
    const at = now()
    const request = { parent, task: Task.fromPartial({ type: 'load', queue }), requestId: randomUUID() }
    for (;;) {
      const name = await new Promise<string | undefined>((resolve) =>
        client.createTask(request, new Metadata(), { deadline: Date.now() + 2_000 }, (_, task) => resolve(task?.name)),
      )
      if (name) return void created.set(name, at)
      await delay(20)
    }
  }
  const timer = setInterval(() => {
    const one = create().finally(() => pending.delete(one))
    pending.add(one)
  }, everyMs)
  return {
    async stop() {
      clearInterval(timer)
      await Promise.all(pending)
      client.close()
      return created
    },
  }
}

function connectionTo({ certificates }: TasksService, address: string, component: string) {
  return { address, tls: { folder: `${certificates}/${component}`, serverName: identityOf('tasks') } }
}
