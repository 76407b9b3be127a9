import { equal, match } from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { testCertificates } from '@flowforge/runtime/testing/certificates'
import { createTestDatabase } from '@flowforge/runtime/testing/database'
import { until } from '@flowforge/runtime/testing/poll'

test('the process starts, writes the first key, and ends in peace', async (t) => {
  const { url } = await createTestDatabase({ component: 'accounts', folder: join(import.meta.dirname, 'schema') })
  const folder = await mkdtemp(join(tmpdir(), 'flowforge-accounts-'))
  t.after(() => rm(folder, { recursive: true }))
  const file = join(folder, 'api-key')
  const child = spawn(process.execPath, [join(import.meta.dirname, 'main.ts')], {
    env: {
      FLOWFORGE_LISTEN: '127.0.0.1:0',
      FLOWFORGE_ADMIN_LISTEN: '127.0.0.1:0',
      FLOWFORGE_DATABASE_URL: url,
      FLOWFORGE_CERTIFICATES: testCertificates().folderFor('accounts'),
      FLOWFORGE_BOOTSTRAP_KEY_FILE: file,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.after(() => child.kill('SIGKILL'))
  let log = ''
  child.stdout.on('data', (chunk: Buffer) => (log += chunk.toString()))
  await until(() => log.includes('serving gRPC'), { deadlineMs: 15_000 })
  const secret = (await readFile(file, 'utf8')).trim()
  match(secret, /^ff_/)
  equal(log.includes(secret), false)
  child.kill('SIGTERM')
  const [code] = await once(child, 'exit')
  equal(code, 0)
})
