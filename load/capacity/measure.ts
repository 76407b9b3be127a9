/** Rates of tasks through a fresh system: what each component and the pool of connections took. */
import { setInterval } from 'node:timers'
import type { System } from '@flowforge/local/system'
import pg from 'pg'
import { withFreshSystem } from '../http/fresh-system.ts'
import { measure } from '../http/measure.ts'
import type { Scenario } from '../http/scenarios.ts'
import type { CapacityPoint } from './results.ts'

/** Measures each rate on one system, the highest first, so that the compiler has done its work before the small ones. */
export async function measureRates(
  rates: number[],
  seconds: number,
  signal: AbortSignal,
  onPoint: (point: CapacityPoint) => void,
): Promise<CapacityPoint[]> {
  const points: CapacityPoint[] = []
  await withFreshSystem(scenarioOf(0, seconds), signal, async (system) => {
    for (const rate of rates.toSorted((one, other) => other - one)) {
      const watch = await watchConnections(system)
      const { perSecond, latencies, errorShare, usage } = await measure(system, scenarioOf(rate, seconds), { signal })
      const point = { perSecond, p95Ms: latencies.p95, errorShare, usage, connectionsBusy: await watch.stop() }
      points.unshift(point)
      onPoint(point)
    }
  })
  return points
}

function scenarioOf(rate: number, seconds: number): Scenario {
  const asked = { users: 200, ratePerSecond: () => rate, seconds, payloadBytes: 400, capacity: 200 }
  return { name: `rate-${rate}`, title: `${rate} tasks/s`, ...asked }
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
