import { equal, ok, rejects } from 'node:assert/strict'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { once } from 'node:events'
import { test, type TestContext } from 'node:test'
import { until } from '@flowforge/runtime/testing/poll'
import { Link } from './link.ts'

/** A server that says everything back, a link to it, and a caller on the link. */
async function setup(t: TestContext) {
  const echo = createServer((socket) => socket.pipe(socket).on('error', () => {}))
  echo.listen(0, '127.0.0.1')
  await once(echo, 'listening')
  const link = await Link.to({ host: '127.0.0.1', port: (echo.address() as AddressInfo).port })
  const caller = connect(Number(link.address.split(':')[1]), '127.0.0.1')
  let heard = ''
  caller.on('data', (chunk) => (heard += chunk.toString()))
  await once(caller, 'connect')
  t.after(() => {
    caller.destroy()
    link.close()
    echo.close()
  })
  return { link, caller, heard: () => heard }
}

/** How long the answer takes. */
async function answerMs(caller: Socket, text: string): Promise<number> {
  const startedAt = performance.now()
  caller.write(text)
  await once(caller, 'data')
  return performance.now() - startedAt
}

test('a healthy link passes everything on, in order', async (t) => {
  const { caller, heard } = await setup(t)
  for (let n = 0; n < 100; n++) caller.write(`${n},`)
  const all = Array.from({ length: 100 }, (_, n) => `${n},`).join('')
  await until(() => heard() === all)
})

test('latency delays each way by as much', async (t) => {
  const { link, caller } = await setup(t)
  link.set({ latencyMs: 60 })
  const ms = await answerMs(caller, 'x')
  ok(ms >= 118, `${ms} ms`)
})

test('what is lost arrives once the link has healed, and nothing is cut', async (t) => {
  const { link, caller, heard } = await setup(t)
  link.set({ lost: 'answers' })
  caller.write('held')
  await rejects(until(() => heard() !== '', { deadlineMs: 150 }))
  link.set({})
  await until(() => heard() === 'held')
})

test('a slow link passes no more than its bytes a second', async (t) => {
  const { link, caller, heard } = await setup(t)
  link.set({ bytesPerSecond: 100_000 })
  const startedAt = performance.now()
  caller.write('x'.repeat(20_000))
  await until(() => heard().length === 20_000)
  const ms = performance.now() - startedAt
  ok(ms >= 190, `20,000 bytes took ${ms} ms`)
})

test('a reset is an error to the caller, not an end', async (t) => {
  const { link, caller } = await setup(t)
  await answerMs(caller, 'x')
  const failed = once(caller, 'error')
  link.reset()
  const [error] = await failed
  equal((error as NodeJS.ErrnoException).code, 'ECONNRESET')
})
