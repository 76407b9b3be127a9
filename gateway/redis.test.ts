import { equal, rejects } from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { createAuthority, issue, type KeyPair } from '@flowforge/local/certificate-authority'
import { ConfigError } from '@flowforge/runtime/config'
import { quietLog } from '@flowforge/runtime/testing/log'
import { until } from '@flowforge/runtime/testing/poll'
import { connectRedis } from './redis.ts'
import { startRedis, withoutRedis } from './testing/redis.ts'

const hourMs = 3_600_000

/** A folder with the certificate of a Redis on localhost, and a way to replace it and its authority. */
async function certificates(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'flowforge-redis-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const replace = async (): Promise<void> => {
    const authority: KeyPair = await createAuthority(new Date(), hourMs)
    const { certificate, key } = await issue(authority, ['redis', 'localhost'], new Date(), hourMs)
    writeFileSync(join(folder, 'ca.pem'), authority.certificate)
    writeFileSync(join(folder, 'certificate.pem'), certificate)
    writeFileSync(join(folder, 'key.pem'), key)
  }
  await replace()
  return { folder, authority: join(folder, 'ca.pem'), replace }
}

test(
  'a Redis is believed by its own authority, and by a renewed one without a restart',
  { skip: withoutRedis },
  async (t) => {
    const { folder, authority, replace } = await certificates(t)
    const server = await startRedis(t, folder)
    const redis = connectRedis({ url: server.url, authority }, quietLog)
    t.after(() => redis.destroy())
    await until(() => redis.isReady)
    await server.stop()
    await until(() => !redis.isReady)
    await replace()
    await server.start()
    await until(() => redis.isReady)
    equal(await redis.ping(), 'PONG')
  },
)

test('a Redis of another authority is not spoken to', { skip: withoutRedis }, async (t) => {
  const { folder } = await certificates(t)
  const { authority: other } = await certificates(t)
  const server = await startRedis(t, folder)
  const redis = connectRedis({ url: server.url, authority: other }, quietLog)
  t.after(() => redis.destroy())
  const [error] = await new Promise<[Error]>((resolve) => redis.on('error', (...args: [Error]) => resolve(args)))
  equal((error as NodeJS.ErrnoException).code, 'SELF_SIGNED_CERT_IN_CHAIN')
  await rejects(redis.ping())
})

test('an authority that cannot be read is told with its variable', () => {
  const connect = async () => connectRedis({ url: 'rediss://localhost:1', authority: '/nowhere/ca.pem' }, quietLog)
  return rejects(
    connect,
    (error: Error) => error instanceof ConfigError && error.message.startsWith('FLOWFORGE_REDIS_AUTHORITY'),
  )
})
