import { deepEqual, equal, match } from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { unavailable } from '@flowforge/runtime/status'
import { until } from '@flowforge/runtime/testing/poll'
import { startRedis, withoutRedis } from '../testing/redis.ts'
import { startBehind, type Behind, type CallOptions } from '../testing/setup.ts'

const users = '/v1/projects/a/users'
const ada = `${users}/ada`
const taskPath = '/v1/projects/a/tasks/1'

/** One user, whose name is `state.name`; `state.reads` counts how often the service was asked. */
function playUser(...gateways: Behind[]) {
  const state = { name: 'Ada', reads: 0 }
  for (const { handlers } of gateways) {
    handlers['getUser'] = async () => {
      state.reads++
      return { name: 'projects/a/users/ada', displayName: state.name }
    }
    handlers['listUsers'] = async () => {
      state.reads++
      return { users: [{ displayName: state.name }] }
    }
    handlers['updateUser'] = async (request: { user: { displayName: string } }) => {
      state.name = request.user.displayName
      return { displayName: state.name }
    }
  }
  return state
}

async function setup(t: TestContext, env: Record<string, string> = {}) {
  const behind = await startBehind(t, env)
  const state = playUser(behind)
  const read = async (path = ada, options: CallOptions = {}): Promise<string> => {
    const { headers, text } = await behind.call('GET', path, options)
    return `${headers.get('x-cache')} ${/"displayName":"(.*?)"/.exec(text)?.[1] ?? ''}`
  }
  const rename = (name: string) => behind.call('PATCH', ada, { body: { displayName: name } })
  return { behind, state, read, rename }
}

test('what was read is answered again without asking, to the same principal only', async (t) => {
  const { behind, state, read } = await setup(t)
  deepEqual(
    [await read(), await read(), await read(users), await read(users)],
    ['MISS Ada', 'HIT Ada', 'MISS Ada', 'HIT Ada'],
  )
  equal(state.reads, 2)
  equal(await read(`${users}?pageSize=1`), 'MISS Ada')
  const { status, headers } = await behind.call('GET', ada, { key: 'viewer' })
  deepEqual([status, headers.get('x-cache')], [403, null])
})

test('a change ends what was kept of the resource and of its lists, whether it succeeds or not', async (t) => {
  const { behind, read, rename } = await setup(t)
  await Promise.all([read(), read(users)])
  await rename('Countess')
  deepEqual([await read(), await read(users)], ['MISS Countess', 'MISS Countess'])
  behind.handlers['updateUser'] = () => Promise.reject(unavailable('DRAINING', 'not now'))
  await rename('Lady')
  equal(await read(), 'MISS Countess')
})

test('a read that a change overtakes leaves nothing old behind, and who comes after the change does not join it', async (t) => {
  const { behind, state, read, rename } = await setup(t)
  const asked = Promise.withResolvers<void>()
  const goOn = Promise.withResolvers<void>()
  const plain = behind.handlers['getUser']!
  behind.handlers['getUser'] = async () => {
    behind.handlers['getUser'] = plain
    const { name } = state
    asked.resolve()
    await goOn.promise
    return { displayName: name }
  }
  const slow = read()
  await asked.promise
  await rename('Countess')
  equal(await read(), 'MISS Countess')
  goOn.resolve()
  equal(await slow, 'MISS Ada')
  match(await read(), /Countess/)
})

test('many who ask for the same at once are one call, which outlives the first who asked', async (t) => {
  const { behind, state } = await setup(t)
  const goOn = Promise.withResolvers<void>()
  const plain = behind.handlers['getUser']!
  behind.handlers['getUser'] = async (...call) => {
    await goOn.promise
    return plain(...call)
  }
  const impatient = new AbortController()
  const first = fetch(behind.url + ada, { headers: { authorization: 'Bearer admin' }, signal: impatient.signal })
  await until(() => behind.calls.length === 1)
  const others = Array.from({ length: 20 }, () => behind.call('GET', ada))
  await until(async () => (await behind.call('GET', users)).status === 200)
  impatient.abort()
  await first.catch(() => undefined)
  goOn.resolve()
  deepEqual(new Set((await Promise.all(others)).map(({ status }) => status)), new Set([200]))
  equal(state.reads, 2)
})

for (const [control, expected] of [
  ['no-cache', ['MISS Countess', 'HIT Countess']],
  ['max-age=0', ['MISS Countess', 'HIT Countess']],
  ['max-age=60', ['HIT Ada', 'HIT Ada']],
  ['no-store', ['BYPASS Countess', 'HIT Ada']],
] as const) {
  test(`Cache-Control: ${control} is honoured`, async (t) => {
    const { state, read } = await setup(t)
    await read()
    // Not through the gateway, so that what is kept is old.
    state.name = 'Countess'
    await until(() => Date.now() % 10 === 0)
    deepEqual([await read(ada, { headers: { 'cache-control': control } }), await read()], [...expected])
  })
}

test('only-if-cached is 504 where nothing is kept', async (t) => {
  const { behind, read } = await setup(t)
  const headers = { 'cache-control': 'only-if-cached' }
  const { status, error } = await behind.call('GET', ada, { headers })
  deepEqual([status, error.details[0]?.reason], [504, 'NOT_CACHED'])
  await read()
  equal(await read(ada, { headers }), 'HIT Ada')
})

test('a task is kept once it has finished, and asked for until then', async (t) => {
  const { behind } = await setup(t)
  const cached = async () => (await behind.call('GET', taskPath)).headers.get('x-cache')
  behind.handlers['getTask'] = async () => ({ state: 'TASK_STATE_RUNNING', payload: { finishTime: 'x' } })
  deepEqual([await cached(), await cached()], ['BYPASS', 'BYPASS'])
  behind.handlers['getTask'] = async () => ({ state: 'TASK_STATE_DEAD', finishTime: '2026-01-01T00:00:00Z' })
  deepEqual([await cached(), await cached()], ['MISS', 'HIT'])
  await behind.call('POST', `${taskPath}:retry`, { body: {} })
  deepEqual([await cached(), await cached()], ['MISS', 'HIT'])
  await behind.call('POST', '/v1/projects/a/tasks:bulkRetry', { body: { filter: 'state = DEAD' } })
  deepEqual([await cached(), await cached()], ['MISS', 'HIT'])
  await behind.call('POST', '/v1/projects/a/tasks', { body: { type: 'echo' } })
  equal(await cached(), 'HIT')
  equal((await behind.call('GET', '/v1/projects/a/tasks')).headers.get('x-cache'), 'BYPASS')
})

test('while a service is gone what is only too old is answered with a warning, what has changed is not', async (t) => {
  const { behind, read, rename } = await setup(t, { FLOWFORGE_CACHE_ITEM: '1ms' })
  await read()
  behind.handlers['getUser'] = () => Promise.reject(unavailable('DRAINING', 'not now'))
  const stale = await behind.call('GET', ada)
  deepEqual(
    [stale.status, stale.headers.get('x-cache'), stale.headers.get('warning')],
    [200, 'HIT', '110 - "Response is Stale"'],
  )
  match(stale.headers.get('age') ?? '', /^\d+$/)
  equal((await behind.call('GET', ada, { headers: { 'cache-control': 'no-cache' } })).status, 503)
  await rename('Countess')
  equal((await behind.call('GET', ada)).status, 503)
})

test('what is asked for near its end is renewed before anybody has to wait', async (t) => {
  const { state, read } = await setup(t, { FLOWFORGE_CACHE_ITEM: '2s' })
  await read()
  await until(async () => (await read()).startsWith('HIT') && state.reads === 2, { everyMs: 50 })
})

test('what is kept is bounded', async (t) => {
  const { behind, read } = await setup(t, { FLOWFORGE_CACHE_BYTES_MAX: '20000', FLOWFORGE_ADMIN_PROJECT: 'a' })
  for (let page = 1; page <= 100; page++) await read(`${users}?pageSize=${page}`)
  const { bytes, entries } = JSON.parse((await behind.call('GET', '/admin/cache')).text) as Record<string, number>
  equal(bytes! <= 20_000 && entries! > 5 && entries! < 60, true)
})

test('admins of the one project see how the cache does, and may empty it', async (t) => {
  const { behind, read } = await setup(t, { FLOWFORGE_ADMIN_PROJECT: 'a' })
  await read()
  await read()
  const { store, counts, hitRatio } = JSON.parse((await behind.call('GET', '/admin/cache')).text)
  deepEqual([store, counts.hit, counts.miss, hitRatio], ['memory', 1, 1, 0.5])
  equal((await behind.call('DELETE', '/admin/cache')).status, 200)
  equal(await read(), 'MISS Ada')
  equal((await behind.call('POST', '/admin/cache')).status, 405)
})

test('shutting down is for admins of the one project alone', async (t) => {
  const behind = await startBehind(t, { FLOWFORGE_ADMIN_PROJECT: 'a' })
  const shutdown = async (key: string) => (await behind.call('POST', '/admin/shutdown', { key })).status
  deepEqual([await shutdown(''), await shutdown('viewer'), behind.shutdowns], [401, 403, 0])
  deepEqual([await shutdown('admin'), behind.shutdowns], [200, 1])
  const elsewhere = await startBehind(t)
  equal((await elsewhere.call('POST', '/admin/shutdown')).status, 403)
})

test('several gateways without a Redis keep nothing', async (t) => {
  const { read } = await setup(t, { FLOWFORGE_INSTANCES: 'many' })
  deepEqual([await read(), await read()], ['null Ada', 'null Ada'])
  const inKubernetes = await setup(t, { KUBERNETES_SERVICE_HOST: '10.0.0.1' })
  deepEqual([await inKubernetes.read(), await inKubernetes.read()], ['null Ada', 'null Ada'])
})

const skip = withoutRedis

/** Two gateways of the same callers, that share a Redis. */
async function setupTwo(t: TestContext) {
  const redis = await startRedis(t)
  const env = {
    FLOWFORGE_REDIS_URL: redis.url,
    FLOWFORGE_INSTANCES: 'many',
    FLOWFORGE_RATE_LIMIT_PER_MINUTE: '100000',
    FLOWFORGE_ADDRESS_RATE_LIMIT_PER_MINUTE: '100000',
  }
  const gateways = await Promise.all([startBehind(t, env), startBehind(t, env)])
  const state = playUser(...gateways)
  const read = async (behind: Behind) => {
    const { headers, text } = await behind.call('GET', ada)
    return `${headers.get('x-cache')} ${/"displayName":"(.*?)"/.exec(text)?.[1]}`
  }
  for (const behind of gateways) await until(async () => (await read(behind)).startsWith('HIT'))
  return { redis, one: gateways[0]!, other: gateways[1]!, state, read }
}

test('after a change through one gateway nobody reads anything older through another', { skip }, async (t) => {
  const { one, other, read } = await setupTwo(t)
  for (let i = 0; i < 50; i++) {
    await one.call('PATCH', ada, { body: { displayName: `n${i}` } })
    equal(await read(other), `MISS n${i}`)
    equal(await read(one), `HIT n${i}`)
  }
})

test(
  'while Redis is gone several gateways keep nothing, and what they missed is over when it is back',
  { skip },
  async (t) => {
    const { redis, one, other, state, read } = await setupTwo(t)
    await redis.stop()
    equal(await read(one), 'BYPASS Ada')
    await one.call('PATCH', ada, { body: { displayName: 'Countess' } })
    equal(await read(other), 'BYPASS Countess')
    await redis.start()
    for (const behind of [one, other]) await until(async () => (await read(behind)) === 'HIT Countess')
    equal(state.name, 'Countess')
  },
)

test('one gateway goes on in memory while Redis is gone', { skip }, async (t) => {
  const redis = await startRedis(t)
  const { read, rename } = await setup(t, { FLOWFORGE_REDIS_URL: redis.url })
  await until(async () => (await read()).startsWith('HIT'))
  await redis.stop()
  await until(async () => (await read()) === 'HIT Ada')
  await rename('Countess')
  deepEqual([await read(), await read()], ['MISS Countess', 'HIT Countess'])
  await redis.start()
  await until(async () => (await read()) === 'MISS Countess')
  equal(await read(), 'HIT Countess')
})
