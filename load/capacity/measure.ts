/** One rate of tasks through a fresh system: what each component and the pool of connections took. */
import { setInterval } from 'node:timers'
import type { System } from '@flowforge/local/system'
import pg from 'pg'
import { withFreshSystem } from '../http/fresh-system.ts'
import { measure } from '../http/measure.ts'
import type { Scenario } from '../http/scenarios.ts'
import type { CapacityPoint } from './results.ts'

export async function measureRate(rate: number, seconds: number, signal: AbortSignal): Promise<CapacityPoint> {
  const scenario: Scenario = {
    name: `rate-${rate}`,
    title: `${rate} tasks/s`,
    users: 200,
    ratePerSecond: () => rate,
    seconds,
    payloadBytes: 400,
    capacity: 200,
  }
  return await withFreshSystem(scenario, signal, async (system) => {
    const watch = await watchConnections(system)
    const { perSecond, latencies, errorShare, usage } = await measure(system, scenario, signal)
    return { perSecond, p95Ms: latencies.p95, errorShare, usage, connectionsBusy: await watch.stop() }
  })
}

const working = `select count(*) from pg_stat_activity where usename = 'flowforge_tasks' and state <> 'idle' and wait_event_type is distinct from 'Client'`

/** Looks twenty times a second at how many connections of tasks do something. */
async function watchConnections(system: System): Promise<{ stop(): Promise<number> }> {
  const database = new pg.Client({ connectionString: system.databaseUrl })
  await database.connect()
  let most = 0
  const looking = new Set<Promise<void>>()
  const look = async () => {
    most = Math.max(most, Number((await database.query(working)).rows[0].count))
  }
  const timer = setInterval(() => {
    const one = look().finally(() => looking.delete(one))
    looking.add(one)
  }, 50)
  return {
    async stop() {
      clearInterval(timer)
      await Promise.all(looking)
      await database.end()
      return most
    },
  }
}
