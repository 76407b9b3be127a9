import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { until } from '@flowforge/runtime/testing/poll'
import { limitedAddress } from './client-address.ts'
import { addressLimit, readGatewayConfig } from './config.ts'
import { SlidingWindow } from './sliding-window.ts'
import { startRedis, withoutRedis } from './testing/redis.ts'
import { startBehind } from './testing/setup.ts'

const path = '/v1/projects/a/tasks'
const minute = 60_000

test('beyond the limit a key is 429 and told when to come back, other keys and health are not', async (t) => {
  const behind = await startBehind(t, { FLOWFORGE_RATE_LIMIT_PER_MINUTE: '2' })
  const first = await behind.call('GET', path)
  equal(first.headers.get('ratelimit-policy'), '"principal";q=2;w=60')
  match(first.headers.get('ratelimit') ?? '', /^"principal";r=1;t=\d+$/)
  await behind.call('GET', path)
  const third = await behind.call('GET', path)
  deepEqual(
    [third.status, third.error.status, third.error.details[0]?.reason],
    [429, 'RESOURCE_EXHAUSTED', 'RATE_LIMITED'],
  )
  const seconds = Number(third.headers.get('retry-after'))
  ok(seconds >= 1 && seconds <= 120)
  deepEqual(
    ['ratelimit-limit', 'ratelimit-remaining', 'ratelimit-reset'].map((name) => third.headers.get(name)),
    ['2', '0', String(seconds)],
  )
  equal((await behind.call('GET', path, { key: 'viewer' })).status, 200)
  equal((await behind.call('GET', '/healthz', { key: '' })).status, 200)
})

test('beyond the limit of an address is 429 whatever the path or key, health is not', async (t) => {
  const behind = await startBehind(t, { FLOWFORGE_ADDRESS_RATE_LIMIT_PER_MINUTE: '2' })
  await behind.call('GET', path, { key: 'wrong' })
  await behind.call('GET', '/nowhere')
  for (const key of ['admin', '']) {
    const { status, error } = await behind.call('GET', path, { key })
    deepEqual([status, error.details[0]?.reason], [429, 'RATE_LIMITED'])
  }
  equal((await behind.call('GET', '/healthz', { key: '' })).status, 200)
})

for (const [proxies, forwarded, statuses] of [
  ['', ['1.1.1.1', '2.2.2.2'], [200, 429]],
  ['127.0.0.0/8', ['1.1.1.1', '2.2.2.2'], [200, 200]],
  ['127.0.0.0/8', ['3.3.3.3, 1.1.1.1', '4.4.4.4, 1.1.1.1'], [200, 429]],
  ['127.0.0.0/8,10.0.0.0/8', ['1.1.1.1, 10.0.0.1', '2.2.2.2, 10.0.0.2'], [200, 200]],
  ['127.0.0.1', ['2001:db8::1', '2001:db8:0:0:ffff::2'], [200, 429]],
  ['127.0.0.1', ['unknown', 'also unknown'], [200, 429]],
] as const) {
  test(`with '${proxies}' trusted, requests forwarded for ${forwarded.join(' and for ')} are ${statuses.join(' and ')}`, async (t) => {
    const behind = await startBehind(t, {
      FLOWFORGE_ADDRESS_RATE_LIMIT_PER_MINUTE: '1',
      FLOWFORGE_TRUSTED_PROXIES: proxies,
    })
    const answers = []
    for (const hops of forwarded)
      answers.push((await behind.call('GET', path, { headers: { 'x-forwarded-for': hops } })).status)
    deepEqual(answers, [...statuses])
  })
}

test('in Kubernetes addresses are limited once it is known whose they are', () => {
  const limit = (env: Record<string, string>) =>
    addressLimit(
      readGatewayConfig({
        FLOWFORGE_TASKS_ADDRESS: 'a:1',
        FLOWFORGE_ACCOUNTS_ADDRESS: 'a:1',
        FLOWFORGE_NOTIFICATIONS_ADDRESS: 'a:1',
        ...env,
      }),
    )
  const kubernetes = { KUBERNETES_SERVICE_HOST: '10.0.0.1' }
  deepEqual(
    [
      limit({}),
      limit(kubernetes),
      limit({ ...kubernetes, FLOWFORGE_TRUSTED_PROXIES: '10.0.0.0/8' }),
      limit({ ...kubernetes, FLOWFORGE_ADDRESS_RATE_LIMIT_PER_MINUTE: '7' }),
    ],
    [10_000, undefined, 10_000, 7],
  )
})

test('a principal has 1,000 requests a minute, lists are kept for 5 minutes and items for 15, unless told otherwise', () => {
  const { rateLimitPerMinute, cacheListMs, cacheItemMs } = readGatewayConfig({
    FLOWFORGE_TASKS_ADDRESS: 'a:1',
    FLOWFORGE_ACCOUNTS_ADDRESS: 'a:1',
    FLOWFORGE_NOTIFICATIONS_ADDRESS: 'a:1',
  })
  deepEqual([rateLimitPerMinute, cacheListMs, cacheItemMs], [1_000, 5 * minute, 15 * minute])
})

test('an IPv6 address is limited with its whole /64', () => {
  deepEqual(['2001:db8:1:2:3:4:5:6', '2001:db8::1', '::1', '10.0.0.1'].map(limitedAddress), [
    '2001:db8:1:2::/64',
    '2001:db8:0:0::/64',
    '0:0:0:0::/64',
    '10.0.0.1',
  ])
})

test('no 60 s hold more than the limit by more than what even spreading hides, wherever the minute begins', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 4_000 }), { minLength: 1, maxLength: 150 }), async (gaps) => {
      const window = new SlidingWindow('test', 10)
      let now = minute * 1_000
      const admitted: number[] = []
      for (const gap of gaps) {
        now += gap
        if ((await window.count('key', now)).isWithin) admitted.push(now)
      }
      for (const [index, time] of admitted.entries()) {
        // At worst all of a minute came at its end, and the estimate takes them for spread: never twice the limit.
        ok(admitted.slice(0, index + 1).filter((other) => other > time - minute).length <= 19)
      }
    }),
    { numRuns: 50 },
  )
})

test('who was told to wait and does is let through, and who goes on asking does not wait longer', async () => {
  const window = new SlidingWindow('test', 100)
  let now = minute * 500 + 20_000
  for (let i = 0; i < 100; i++) ok((await window.count('key', now)).isWithin)
  for (let i = 0; i < 50; i++) equal((await window.count('key', now)).isWithin, false)
  for (let round = 0; round < 20; round++) {
    const refused = await window.count('key', now)
    equal(refused.isWithin, false)
    now += Math.ceil(refused.waitMs)
    ok((await window.count('key', now)).isWithin)
  }
})

test(
  'gateways with one Redis share their limits, and each goes on alone while it is gone',
  { skip: withoutRedis },
  async (t) => {
    const redis = await startRedis(t)
    const env = { FLOWFORGE_RATE_LIMIT_PER_MINUTE: '4', FLOWFORGE_REDIS_URL: redis.url }
    const [one, other] = await Promise.all([startBehind(t, env), startBehind(t, env)])
    const remaining = async (behind: typeof one): Promise<string | null> =>
      (await behind.call('GET', path)).headers.get('ratelimit-remaining')
    // Until both are connected each counts by itself.
    await until(async () => (await one.call('GET', path, { key: 'viewer' })).status === 429)
    await until(async () => (await other.call('GET', path, { key: 'viewer' })).status === 429)
    deepEqual(
      [await remaining(one), await remaining(other), await remaining(one), await remaining(other)],
      ['3', '2', '1', '0'],
    )
    equal((await one.call('GET', path)).status, 429)
    await redis.stop()
    equal((await one.call('GET', path)).status, 200)
    equal(await remaining(other), '3')
    await redis.start()
    await until(async () => (await remaining(one)) === '0' || (await one.call('GET', path)).status === 429)
  },
)
