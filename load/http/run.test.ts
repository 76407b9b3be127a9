import { deepEqual, equal, ok } from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { root } from '@flowforge/local/config'
import type { Measured } from './measure.ts'

test('a scenario runs on a system of its own, and each second, each process and each percentile is there', async () => {
  const args = ['load/main.ts', 'http', '--scenario', 'producer-heavy', '--seconds', '2', '--json']
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root })
  const [measured] = JSON.parse(stdout) as Measured[]
  const { name, offered, latencies, usage, seconds, backlogMax } = measured!
  equal(name, 'producer-heavy')
  ok(offered > 800, `${offered} requests in 2 s at 600/s`)
  equal(
    seconds.reduce((sum, second) => sum + second.offered, 0),
    offered,
  )
  ok(latencies.p50 > 0 && latencies.p50 <= latencies.p99)
  ok(backlogMax > 0, 'more is created than the workers have places for')
  deepEqual(usage.map((one) => one.name).sort(), [
    'accounts',
    'gateway',
    'notifications',
    'postgres',
    'tasks',
    'worker-1',
    'worker-2',
  ])
})
