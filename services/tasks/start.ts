/** The parts of the service behind its port: the engine, its upkeep and the worker streams. */
import type { Logger } from '@flowforge/runtime/log'
import type { Service } from '@flowforge/runtime/server'
import type pg from 'pg'
import { allowClearPayloads } from './engine/clear-payloads.ts'
import { Engine } from './engine/engine.ts'
import { ensurePartitions } from './engine/partitions.ts'
import { readyQueues } from './engine/queues.ts'
import { Sealer, unsealed, type PayloadKeys } from './engine/seal.ts'
import { WorkStreams } from './rpc/work-streams.ts'
import { taskServices } from './service.ts'
import { UpkeepLoop } from './upkeep/loop.ts'
import { upkeeps } from './upkeep/upkeeps.ts'

export interface TasksOptions {
  pool: pg.Pool
  databaseUrl: string
  payloadBytesMax: number
  /** Encrypt what tasks carry; nothing is encrypted if undefined. */
  payloadKeys?: PayloadKeys | undefined
  /** Whether tasks.enqueue() may store payloads in clear. */
  clearPayloads: 'allow' | 'refuse'
  requestWindowMs: number
  sessionTimeoutMs: number
  sessionGraceMs: number
  lossesMax: number
  log: Logger
}

export interface RunningTasks {
  services: Service[]
  engine: Engine
  /** Asks every worker to move to another instance. */
  goAway: () => void
  stop: () => Promise<void>
}

/** Starts all of it; resolves when tasks can be taken and handed out. */
export async function startTasks(options: TasksOptions): Promise<RunningTasks> {
  const { pool, databaseUrl, payloadBytesMax, requestWindowMs, sessionTimeoutMs, sessionGraceMs, lossesMax, log } =
    options
  const sealer = options.payloadKeys ? new Sealer(options.payloadKeys) : unsealed
  await ensurePartitions(pool)
  await allowClearPayloads(pool, options.clearPayloads === 'allow')
  const requestWindowS = requestWindowMs / 1000
  const engine = new Engine({ pool, listenUrl: databaseUrl, requestWindowS, lossesMax, sealer, log })
  const streams = new WorkStreams({ engine, sessionTimeoutMs, sessionGraceMs, log })
  const wakeSchedules = (): void => schedules.wake()
  const duties = upkeeps(engine, wakeSchedules)
  const promote = new UpkeepLoop(duties.promote, log)
  const schedules = new UpkeepLoop(duties.schedules, log)
  const loops = [promote, schedules, ...duties.others.map((duty) => new UpkeepLoop(duty, log))]
  engine.onScheduled = (inMs) => promote.wake(inMs)
  engine.onReconnect = () => {
    readyQueues(pool).then(
      (queueIds) => engine.look(queueIds),
      (error) => log.warn({ err: error }, 'could not look for ready tasks'),
    )
  }
  await engine.start()
  for (const loop of loops) loop.start()
  streams.start()
  return {
    services: taskServices({ engine, payloadBytesMax }, streams, wakeSchedules),
    engine,
    goAway: () => streams.goAway(),
    async stop() {
      await Promise.all([streams.stop(), ...loops.map((loop) => loop.stop())])
      await engine.stop()
    },
  }
}
