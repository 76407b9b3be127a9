/** The `flowforge` command against a running system, by HTTP and by gRPC: both must behave the same. */
import { deepEqual, equal, match } from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TaskResource } from '@flowforge/sdk/client-resources'
import { runCommand } from './testing/run-command.ts'
import { startTestSystem } from './testing/test-system.ts'

const system = await startTestSystem()
const waysIn: Record<string, string[]> = { http: [], grpc: ['--grpc', '--address', system.addresses.tasks] }

/** Runs the command where the system's `.flowforge` lies, as its user does, and expects this exit code. */
async function flowforge(args: string[], code = 0): Promise<string> {
  const ended = await runCommand('flowforge', args, { cwd: system.home })
  equal(ended.code, code, `flowforge ${args.join(' ')}\n${ended.stdout}${ended.stderr}`)
  return code === 0 ? ended.stdout : ended.stderr
}

for (const [way, options] of Object.entries(waysIn)) {
  const json = async (...args: string[]) => JSON.parse(await flowforge([...args, ...options, '--json'])) as TaskResource

  test(`${way}: submit, follow, get and list a task`, async () => {
    const done = await json('submit', 'echo', '--payload', '{"a": [1, "ü"]}', '--queue', `q-${way}`, '--wait')
    deepEqual([done.state, done.result], ['TASK_STATE_SUCCEEDED', { a: [1, 'ü'] }])
    deepEqual(await json('get', done.name), done)
    equal((await json('list', '--filter', `queue = "q-${way}"`)).name, done.name)
    match(await flowforge(['get', done.name, ...options]), /SUCCEEDED/)
  })

  test(`${way}: a task that fails makes the exit code 1, and can be retried`, async () => {
    const failing = ['submit', 'echo', '--payload', '{"fail": "no luck", "permanent": true}', '--wait']
    await flowforge([...failing, ...options], 1)
    const dead = await json('list', '--filter', 'state = DEAD', '--limit', '1')
    match(await flowforge(['retry', dead.name, ...options]), /READY|RUNNING/)
    match(await flowforge(['watch', dead.name, ...options]), /DEAD, attempt 2: no luck\n$/)
  })

  test(`${way}: a task that waits can be cancelled`, async () => {
    const waiting = await json('submit', 'echo', '--in', '1h')
    equal(waiting.state, 'TASK_STATE_SCHEDULED')
    equal((await json('cancel', waiting.name)).state, 'TASK_STATE_CANCELLED')
  })

  test(`${way}: a file is imported once, however often`, async () => {
    const lines = Array.from({ length: 250 }, (_, n) =>
      JSON.stringify({ type: 'echo', queue: `i-${way}`, payload: { n } }),
    )
    const file = join(system.home, `${way}.ndjson`)
    writeFileSync(file, lines.join('\n'))
    await flowforge(['import', file, ...options])
    await flowforge(['import', file, ...options])
    const tasks = await Array.fromAsync(system.client.listTasks({ filter: `queue = "i-${way}"`, pageSize: 200 }))
    deepEqual(
      tasks.map(({ payload }) => payload?.n as number).sort((a, b) => a - b),
      lines.map((_, n) => n),
    )
  })

  test(`${way}: refusals are one line and the exit code 1`, async () => {
    match(
      await flowforge(['get', '0198c0de-0000-7000-8000-000000000000', ...options], 1),
      /^flowforge: .*NOT_FOUND.*\n$/,
    )
    match(
      await flowforge(['submit', 'echo', '--priority', '1000', ...options], 1),
      /^flowforge: .*INVALID_ARGUMENT.*\n$/,
    )
  })
}

test('npx finds the command', async () => {
  const root = join(import.meta.dirname, '../..')
  const { code, stdout } = await runCommand('npx', ['--no-install', 'flowforge', '--version'], {
    cwd: root,
    env: { HOME: system.home },
  })
  deepEqual([code, stdout], [0, '0.1.0\n'])
})
