/** What may happen to the Redis that gateways share: it is killed, and comes back empty. */
import { HttpTarget } from '@flowforge/load/http-target'
import { openLoop } from '@flowforge/load/open-loop'
import { OwnWrites } from '../../traffic/own-writes.ts'
import type { Fault } from '../../fault.ts'
import { forMs, type Scene } from '../scene.ts'

type RedisGone = Extract<Fault, { kind: 'redisGone' }>

const path = '/v1/projects/default'
/** Before it is killed and after it is back, in which answers come from it. */
const aroundMs = 3_000

/** Kills Redis, asks for more than the limit allows while it is away, and reads its own writes all the time. */
export async function redisGone({ greedyPerSecond, forMs: durationMs }: RedisGone, scene: Scene): Promise<void> {
  const { system, signal, note, measured } = scene
  const [writer, greedy] = await Promise.all([newKey(scene, 'ADMIN'), newKey(scene, 'VIEWER')])
  const ownWrites = new OwnWrites(system.gatewayUrls, writer)
  await forMs(aroundMs, signal)
  const keptBefore = ownWrites.kept
  await system.redis!.kill()
  note('Redis is gone')
  const statuses = await ask(system.gatewayUrls, greedy, greedyPerSecond, durationMs, signal)
  await system.redis!.start()
  const keptAway = ownWrites.kept - keptBefore
  note('Redis is back')
  await forMs(aroundMs, signal)
  await ownWrites.stop()
  const count = (wanted: number) => statuses.filter((status) => status === wanted).length
  measured.staleReads = ownWrites.stale
  measured.admitted = count(200)
  note(`of ${statuses.length} requests of one principal ${count(200)} were served and ${count(429)} limited`)
  note(
    `${ownWrites.reads} reads followed a write; the cache answered ${keptBefore} of them before, ${keptAway} meanwhile and ${ownWrites.kept - keptBefore - keptAway} after`,
  )
}

/** Asks both gateways in turn; the statuses of all answers. */
async function ask(urls: string[], apiKey: string, ratePerSecond: number, durationMs: number, signal: AbortSignal) {
  const target = new HttpTarget({ urls, apiKey, connections: 100, timeoutMs: 5_000 })
  const calls: Promise<{ status: number }>[] = []
  await openLoop({ ratePerSecond: () => ratePerSecond, forMs: durationMs, signal }, () =>
    calls.push(target.call('GET', path)),
  )
  const answers = await Promise.all(calls)
  await target.close()
  return answers.map(({ status }) => status)
}

/** A principal of its own, whose requests are counted apart from the load's. */
async function newKey({ system }: Scene, role: string): Promise<string> {
  const response = await fetch(`${system.url}${path}/apiKeys`, {
    method: 'POST',
    headers: { authorization: `Bearer ${system.apiKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ displayName: 'chaos', roles: [`ROLE_${role}`] }),
  })
  if (!response.ok) throw new Error(`no API key could be made: ${await response.text()}`)
  return ((await response.json()) as { secret: string }).secret
}
