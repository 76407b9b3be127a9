/** Runs an experiment on processes of this machine, started for it. */
import { join } from 'node:path'
import { Client } from '@flowforge/sdk/client'
import { judge } from '../judge.ts'
import { Watch } from '../observe/watch.ts'
import type { Driver, Stage, StageOptions } from '../stage.ts'
import { chaosQueue, Producer } from '../traffic/producer.ts'
import { inject } from './inject.ts'
import { noRedis } from './redis.ts'
import type { Measured } from './scene.ts'
import { noSmallDisk } from './small-disk.ts'
import { startChaosSystem } from './system.ts'

export const localDriver: Driver = {
  name: 'local',
  slowerMs: 0,
  whyNot: ({ system: { diskMiB, redis } = {} }) => (diskMiB && noSmallDisk()) || (redis && noRedis()) || undefined,
  open,
}

async function open(options: StageOptions): Promise<Stage> {
  const { experiment, traffic, folder, elapsedMs, note } = options
  const system = await startChaosSystem({ ...options, onMessage: note })
  const { url, apiKey, databaseUrl, histories, adminPorts } = system
  const client = new Client({ url, apiKey })
  try {
    await client.updateQueue(chaosQueue.name, { concurrencyPerKey: chaosQueue.concurrencyPerKey })
  } catch (error) {
    await system.stop()
    throw error
  }
  const historyFile = join(histories, 'producer.ndjson')
  const load = new Producer({ url, apiKey, traffic, historyFile, elapsedMs })
  const watch = new Watch({ databaseUrl, adminPorts, elapsedMs })
  const measured: Measured = {}
  return {
    load,
    watch,
    measured,
    inject: (signal) => inject(experiment.fault, { system, producer: load, folder, signal, note, measured }),
    async isDrained() {
      const filter = 'state = SCHEDULED OR state = READY OR state = RUNNING'
      const { value } = await client.listTasks({ filter, pageSize: 1 }).pages().next()
      return (value?.items.length ?? 0) === 0
    },
    judge: () => judge(databaseUrl, histories),
    async end() {
      await load.stop(0)
      await watch.stop()
      client.close()
      await system.stop()
    },
  }
}
