import { deepEqual, equal, match, notEqual, rejects } from 'node:assert/strict'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { openAccounts, ownIdentity } from '../testing/serve.ts'
import { listApiKeys, revokeApiKey } from './api-keys.ts'
import { listAuditEntries } from './audit.ts'
import { bootstrap } from './bootstrap.ts'
import { verifyApiKey } from './verify-api-key.ts'

async function setup(t: TestContext) {
  const { db } = await openAccounts(t)
  const folder = await mkdtemp(join(tmpdir(), 'flowforge-bootstrap-'))
  t.after(() => rm(folder, { recursive: true }))
  const file = join(folder, 'data', 'api-key')
  return {
    db,
    file,
    start: () => bootstrap(db, ownIdentity, { written: file }),
    startGiven: () => bootstrap(db, ownIdentity, { given: file }),
    readKey: async () => (await readFile(file, 'utf8')).trim(),
    keys: async () => (await listApiKeys(db, 'default', { size: 100 })).rows,
  }
}

test('the first start makes the default project and an admin key that only its owner can read', async (t) => {
  const { db, file, start, readKey, keys } = await setup(t)
  deepEqual(await start(), { project: true, keyFile: true, givenKey: false })
  const secret = await readKey()
  match(secret, /^ff_[\w-]{43}$/)
  equal((await stat(file)).mode & 0o777, 0o600)
  const credential = await verifyApiKey(db, secret)
  deepEqual([credential?.project, credential?.roles], ['default', ['admin']])
  const [key] = await keys()
  equal(key!.prefix, secret.slice(0, 9))
  const { rows } = await listAuditEntries(db, 'default', { size: 10 })
  deepEqual(
    rows.map((entry) => [entry.principal, entry.method.split('/')[1], entry.resource]),
    [
      [ownIdentity, 'CreateApiKey', `projects/default/apiKeys/${key!.id}`],
      [ownIdentity, 'CreateProject', 'projects/default'],
    ],
  )
})

test('a second start changes nothing', async (t) => {
  const { start, readKey, keys } = await setup(t)
  await start()
  const secret = await readKey()
  deepEqual(await start(), { project: false, keyFile: false, givenKey: false })
  equal(await readKey(), secret)
  equal((await keys()).length, 1)
})

test('instances that start together make one project and one key', async (t) => {
  const { db, file, start, readKey, keys } = await setup(t)
  const made = await Promise.all([start(), start(), start()])
  equal(made.filter(({ project }) => project).length, 1)
  equal(made.filter(({ keyFile }) => keyFile).length, 1)
  equal((await keys()).length, 1)
  notEqual(await verifyApiKey(db, await readKey()), undefined)
  deepEqual(await readdir(join(file, '..')), ['api-key'])
})

test('a key file that is gone, as after a crash before it was written, is replaced by one with another key', async (t) => {
  const { db, file, start, readKey, keys } = await setup(t)
  await start()
  const first = await readKey()
  await rm(file)
  deepEqual(await start(), { project: false, keyFile: true, givenKey: false })
  const second = await readKey()
  notEqual(second, first)
  notEqual(await verifyApiKey(db, first), undefined)
  notEqual(await verifyApiKey(db, second), undefined)
  equal((await keys()).length, 2)
})

test('a key file of another database is replaced', async (t) => {
  const { db, file, start, readKey } = await setup(t)
  await start()
  await writeFile(file, 'ff_of-another-database\n')
  equal((await start()).keyFile, true)
  notEqual(await verifyApiKey(db, await readKey()), undefined)
})

test('a revoked key in the file is not replaced: somebody wanted that', async (t) => {
  const { db, start, readKey, keys } = await setup(t)
  await start()
  const [key] = await keys()
  await revokeApiKey(db, { principal: 'me', method: 'm' }, { project: 'default', apiKey: key!.id })
  equal((await start()).keyFile, false)
  equal(await verifyApiKey(db, await readKey()), undefined)
})

test('without a key file only the project is made', async (t) => {
  const { db, keys } = await setup(t)
  deepEqual(await bootstrap(db, ownIdentity), { project: true, keyFile: false, givenKey: false })
  equal((await keys()).length, 0)
})

test('a key that is given becomes an admin key once, and stays revoked when somebody revoked it', async (t) => {
  const { db, file, startGiven, keys } = await setup(t)
  const given = `ff_${'k'.repeat(43)}`
  await mkdir(join(file, '..'))
  await writeFile(file, `${given}\n`)
  equal((await startGiven()).givenKey, true)
  deepEqual((await verifyApiKey(db, given))?.roles, ['admin'])
  equal((await startGiven()).givenKey, false)
  const [key, ...others] = await keys()
  deepEqual(others, [])
  await revokeApiKey(db, { principal: 'me', method: 'm' }, { project: 'default', apiKey: key!.id })
  await startGiven()
  equal(await verifyApiKey(db, given), undefined)
})

test('a given key that could be guessed is refused', async (t) => {
  const { file, startGiven, keys } = await setup(t)
  await mkdir(join(file, '..'))
  await writeFile(file, 'ff_short\n')
  await rejects(startGiven(), /256 random bits/)
  equal((await keys()).length, 0)
})
