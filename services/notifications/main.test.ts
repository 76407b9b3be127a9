import { equal } from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { test } from 'node:test'
import { testCertificates } from '@flowforge/runtime/testing/certificates'
import { createTestDatabase } from '@flowforge/runtime/testing/database'
import { until } from '@flowforge/runtime/testing/poll'

test('the process starts without the tasks service, follows, and ends in peace', async (t) => {
  const { url } = await createTestDatabase({ component: 'notifications', folder: join(import.meta.dirname, 'schema') })
  const child = spawn(process.execPath, [join(import.meta.dirname, 'main.ts')], {
    env: {
      FLOWFORGE_LISTEN: '127.0.0.1:0',
      FLOWFORGE_ADMIN_LISTEN: '127.0.0.1:0',
      FLOWFORGE_DATABASE_URL: url,
      FLOWFORGE_CERTIFICATES: testCertificates().folderFor('notifications'),
      FLOWFORGE_TASKS_ADDRESS: '127.0.0.1:1',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.after(() => child.kill('SIGKILL'))
  let log = ''
  child.stdout.on('data', (chunk: Buffer) => (log += chunk.toString()))
  await until(() => log.includes('serving gRPC') && log.includes('following finished tasks'), { deadlineMs: 15_000 })
  child.kill('SIGTERM')
  const [code] = await once(child, 'exit')
  equal(code, 0)
})
