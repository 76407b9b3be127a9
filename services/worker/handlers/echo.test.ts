import { deepEqual, rejects } from 'node:assert/strict'
import { test } from 'node:test'
import { runHandler } from '../testing/run-handler.ts'
import { echo } from './echo.ts'

test('echo returns its payload', async () => {
  deepEqual(await runHandler(echo, { a: [1, { b: null }] }), { a: [1, { b: null }] })
})

test('echo fails as its payload says', async () => {
  await rejects(runHandler(echo, { fail: 'no' }), { name: 'Error', message: 'no' })
  await rejects(runHandler(echo, { fail: 'no', permanent: true }), { name: 'PermanentError' })
  await rejects(runHandler(echo, { sleep_ms: 'long' }), { reason: 'PAYLOAD_INVALID' })
})

test('a sleeping echo stops when its attempt is aborted', async () => {
  const controller = new AbortController()
  const stopped = rejects(runHandler(echo, { sleep_ms: 60_000 }, { signal: controller.signal }), /enough/)
  controller.abort(new Error('enough'))
  await stopped
})
