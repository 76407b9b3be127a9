import { equal, ok } from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { HttpTarget } from './http-target.ts'
import { LatencyRecorder } from './latencies.ts'
import { openLoop } from './open-loop.ts'

test('arrivals keep their rate, whatever is still unanswered', async () => {
  let open = 0
  const count = await openLoop({ ratePerSecond: () => 400, forMs: 500 }, () => void (open += 1))
  equal(count, open)
  // 200 are expected; a Poisson process stays within five standard deviations.
  ok(count > 130 && count < 270, `${count} arrivals`)
})

test('a rate may change on the way', async () => {
  const early: number[] = []
  const startedAt = performance.now()
  await openLoop({ ratePerSecond: (ms) => (ms < 200 ? 1_000 : 50), forMs: 400 }, (_, dueAt) =>
    early.push(dueAt - startedAt),
  )
  ok(early.filter((ms) => ms < 200).length > 5 * early.filter((ms) => ms >= 200).length)
})

test('who was due while the process was busy arrives late, and its latency counts from when it was due', async () => {
  const lateness: number[] = []
  await openLoop({ ratePerSecond: () => 500, forMs: 200 }, (index, dueAt) => {
    const until = index === 0 ? performance.now() + 100 : 0
    while (performance.now() < until);
    lateness.push(performance.now() - dueAt)
  })
  ok(Math.max(...lateness.slice(1)) > 50, `${Math.max(...lateness)} ms`)
})

test('percentiles are those of what was recorded, to three digits', () => {
  const recorder = new LatencyRecorder()
  for (let ms = 1; ms <= 1_000; ms++) recorder.record(ms)
  const { p50, p99, max } = recorder.read()
  ok(Math.abs(p50 - 500) < 2 && Math.abs(p99 - 990) < 3 && Math.abs(max - 1_000) < 2, `${p50} ${p99} ${max}`)
})

test('no answer is the status 0, and nothing is repeated', async (t) => {
  let requests = 0
  const server = createServer((request, response) => {
    requests += 1
    if (request.url === '/slow') void delay(1_500).then(() => response.end())
    else response.writeHead(503).end('{}')
  }).listen(0, '127.0.0.1')
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  await new Promise((resolve) => server.once('listening', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const target = new HttpTarget({ urls: [url], apiKey: 'k', connections: 2, timeoutMs: 700 })
  equal((await target.call('GET', '/busy')).status, 503)
  equal((await target.call('GET', '/slow')).status, 0)
  equal(requests, 2, 'each was sent once')
  await target.close()
})
