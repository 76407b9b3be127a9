import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { startGateway } from './testing/gateway.ts'

const bin = fileURLToPath(new URL('flowforge.mjs', import.meta.url))

async function setup(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'flowforge-cli-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const gateway = await startGateway(t)
  const env = { PATH: process.env.PATH, FLOWFORGE_URL: gateway.url, FLOWFORGE_API_KEY: 'ff_key' }
  const flowforge = (...args: string[]) =>
    new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
      execFile(process.execPath, [bin, ...args], { env, cwd: folder }, (error, stdout, stderr) =>
        resolve({ code: Number(error?.code ?? 0), stdout, stderr }),
      )
    })
  const file = (name: string, lines: unknown[]) => {
    const path = join(folder, name)
    writeFileSync(path, lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n'))
    return path
  }
  return { gateway, flowforge, file, folder }
}

test('submit creates a task of what its options say', async (t) => {
  const { flowforge, gateway, file } = await setup(t)
  const payload = file('payload.json', [{ a: 1 }])
  const args = ['--payload', `@${payload}`, '--queue', 'mail', '--priority', '-5', '--label', 'a=1', '--label', 'b=x=y']
  const { code, stdout } = await flowforge('submit', 'echo', ...args, '--in', '10m', '--request-id', 'r1', '--json')
  equal(code, 0)
  const { scheduleTime, ...task } = JSON.parse(stdout)
  deepEqual(gateway.tasks.get('r1'), { ...task, scheduleTime })
  deepEqual(
    [task.type, task.queue, task.priority, task.payload, task.labels],
    ['echo', 'mail', -5, { a: 1 }, { a: '1', b: 'x=y' }],
  )
  match(scheduleTime, /^\d{4}-.*Z$/)
})

test('submit says until when a task is worth starting, and what a second one with its unique key meets', async (t) => {
  const { flowforge, gateway } = await setup(t)
  const args = [
    '--unique-key',
    'invoice-7',
    '--unique-policy',
    'replace-pending',
    '--expire-in',
    '1h',
    '--max-attempts',
    '3',
  ]
  equal((await flowforge('submit', 'echo', ...args, '--attempt-timeout', '30s', '--request-id', 'r1')).code, 0)
  const { expireTime, ...task } = gateway.requests[0]!.body as Record<string, string>
  deepEqual(task, {
    type: 'echo',
    uniqueKey: 'invoice-7',
    uniquePolicy: 'UNIQUE_POLICY_REPLACE_PENDING',
    attemptTimeout: '30s',
    retryPolicy: { maxAttempts: 3 },
    requestId: 'r1',
  })
  const inMs = Date.parse(expireTime!) - Date.now()
  ok(inMs > 3_500_000 && inMs <= 3_600_000)
})

test('a bulk command goes on until all are done, and needs a filter', async (t) => {
  const { flowforge, gateway } = await setup(t)
  equal((await flowforge('bulk-cancel')).code, 2)
  equal((await flowforge('bulk-cancel', '--filter', 'queue = mail', '--dry-run')).stdout, '3 tasks or more\n')
  gateway.requests.length = 0
  equal((await flowforge('bulk-delete', '--filter', 'state = DEAD')).stdout, '6 tasks deleted\n')
  deepEqual(
    gateway.requests.map(({ path, body }) => [path, body]),
    Array.from({ length: 2 }, () => ['/v1/projects/default/tasks:bulkDelete', { filter: 'state = DEAD' }]),
  )
})

test('a retry at a rate is one call, for what it put back has to start before the rest', async (t) => {
  const { flowforge, gateway } = await setup(t)
  const { stdout } = await flowforge('bulk-retry', '--filter', 'state = DEAD', '--rate', '2.5', '--json')
  deepEqual(JSON.parse(stdout), { count: 3, complete: false })
  deepEqual(gateway.requests[0]?.body, { filter: 'state = DEAD', ratePerSecond: 2.5 })
})

test('queues update changes what it names and nothing else', async (t) => {
  const { flowforge, gateway } = await setup(t)
  equal((await flowforge('queues', 'update', 'mail')).code, 2)
  const limits = ['--concurrency', '20', '--concurrency-per-key', '2', '--rate', '0.5', '--burst', '10']
  const shares = ['--weight', 'acme=2', '--weight', 'a=b=0.5', '--ageing', '10m', '--retention', '14d']
  equal((await flowforge('queues', 'update', 'mail', ...limits, ...shares)).code, 0)
  equal((await flowforge('queues', 'update', 'mail', '--ageing', '0s')).code, 0)
  const [all, none] = gateway.requests
  equal(`${all?.method} ${all?.path}`, 'PATCH /v1/projects/default/queues/mail')
  const settings = {
    concurrency: 20,
    concurrencyPerKey: 2,
    ratePerSecond: 0.5,
    rateBurst: 10,
    fairnessWeights: { acme: 2, 'a=b': 0.5 },
    ageing: '600s',
    retention: '1209600s',
  }
  const name = 'projects/default/queues/mail'
  deepEqual(all?.body, { name, ...settings })
  equal(new URLSearchParams(all?.query).get('updateMask'), Object.keys(settings).join(','))
  deepEqual(none?.body, { name })
  equal(none?.query, '?updateMask=ageing')
})

test('a schedule has its policies from the options, and times of the past by backfill', async (t) => {
  const { flowforge, gateway } = await setup(t)
  const policies = ['--missed', 'fire-all', '--overlap', 'cancel-previous', '--jitter', '30s']
  equal((await flowforge('schedules', 'create', 'nightly', '0 2 * * *', 'echo', ...policies)).code, 0)
  equal((await flowforge('schedules', 'update', 'nightly', '--cron', '@hourly', '--overlap', 'skip')).code, 0)
  equal((await flowforge('schedules', 'update', 'nightly', '--missed', 'never')).code, 2)
  const stretch = ['2030-01-01T00:00:00+01:00', '2030-01-02T00:00:00Z']
  match((await flowforge('schedules', 'backfill', 'nightly', ...stretch)).stdout, /tasks\/t1\n1 fire times have/)
  const [created, updated, backfilled] = gateway.requests
  deepEqual(created?.body, {
    cron: '0 2 * * *',
    missedFirePolicy: 'MISSED_FIRE_POLICY_FIRE_ALL',
    overlapPolicy: 'OVERLAP_POLICY_CANCEL_PREVIOUS',
    jitter: '30s',
    task: { type: 'echo' },
  })
  equal(new URLSearchParams(updated?.query).get('updateMask'), 'overlapPolicy,cron')
  equal(backfilled?.path, '/v1/projects/default/schedules/nightly:backfill')
  deepEqual(backfilled?.body, { startTime: '2029-12-31T23:00:00.000Z', endTime: '2030-01-02T00:00:00.000Z' })
})

test('the exit code tells who is to mend it: 1 the request, 2 the command line, 3 the server', async (t) => {
  const { flowforge, gateway } = await setup(t)
  const cases: [number, RegExp, string[]][] = [
    [1, /^flowforge: projects\/default\/tasks\/gone was not found \(NOT_FOUND\)\n$/, ['get', 'gone']],
    [2, /missing required argument/, ['get']],
    [2, /unknown command/, ['frobnicate']],
    [2, /^flowforge: the payload is not JSON: .*\n$/, ['submit', 'echo', '--payload', '{']],
    [2, /must be a JSON object/, ['submit', 'echo', '--payload', '[1]']],
    [2, /cannot read .*ENOENT/, ['submit', 'echo', '--payload', '@missing.json']],
    [2, /Write it like 30s/, ['submit', 'echo', '--in', 'soon']],
    [2, /--in or --schedule-time/, ['submit', 'echo', '--in', '1s', '--schedule-time', '2030-01-31T08:00:00Z']],
    [2, /--url must be like/, ['list', '--url', 'localhost']],
    [2, /no certificates/, ['list', '--grpc', '--certificates', '/nowhere']],
    [3, /^flowforge: cannot reach http:\/\/127.0.0.1:9: .*\n$/, ['list', '--url', 'http://127.0.0.1:9']],
  ]
  const results = await Promise.all(cases.map(async ([, , args]) => flowforge(...args)))
  results.forEach(({ code, stderr }, index) => {
    const [expected, message, args] = cases[index]!
    equal(code, expected, args.join(' '))
    match(stderr, message)
  })
  gateway.isDown = true
  equal((await flowforge('queues', 'list')).code, 3)
})

test('a list is a table for people and an object per line for programs', async (t) => {
  const { flowforge } = await setup(t)
  await flowforge('submit', 'echo', '--request-id', 'r1')
  match((await flowforge('list')).stdout, /^ID +STATE +TYPE.*\nr1 +READY +echo +default +0 /)
  equal(JSON.parse((await flowforge('list', '--json')).stdout).requestId, 'r1')
})

test('every command explains itself with an example', async (t) => {
  const { flowforge } = await setup(t)
  const commands = [
    'submit',
    'get',
    'list',
    'watch',
    'cancel',
    'retry',
    'delete',
    'bulk-cancel',
    'bulk-retry',
    'bulk-delete',
    'import',
    'queues',
    'queues list',
    'queues update',
    'schedules create',
    'schedules update',
    'schedules backfill',
    'schedules run',
  ]
  const results = await Promise.all(commands.map((command) => flowforge(...command.split(' '), '--help')))
  results.forEach(({ code, stdout }, index) => {
    equal(code, 0)
    match(stdout, new RegExp(`Example:\n  \\$ flowforge ${commands[index]?.split(' ')[0]}`))
  })
})

test('importing a file twice creates each of its tasks once', async (t) => {
  const { flowforge, gateway, file } = await setup(t)
  const tasks = file(
    'tasks.ndjson',
    Array.from({ length: 2_500 }, (_, number) => ({ type: 'echo', payload: { number } })),
  )
  const first = await flowforge('import', tasks, '--json')
  equal(first.code, 0)
  const { imported, refused } = JSON.parse(first.stdout)
  deepEqual([imported, refused, gateway.tasks.size], [2_500, 0, 2_500])
  deepEqual(
    gateway.requests.map(({ size }) => size).toSorted((a, b) => b - a),
    [1_000, 1_000, 500],
  )
  await flowforge('import', tasks)
  equal(gateway.tasks.size, 2_500)
})

test('bad lines are told with their numbers and keep no others out', async (t) => {
  const { flowforge, gateway, file, folder } = await setup(t)
  const good = { type: 'echo' }
  const tasks = file('tasks.ndjson', [
    good,
    '{"type":',
    '',
    [1],
    { payload: {} },
    { type: 'bad' },
    { ...good, priority: 'high' },
    good,
  ])
  const told = await flowforge('import', tasks)
  equal(told.code, 1)
  deepEqual(
    told.stderr
      .match(/(?<=ndjson:)\d+/g)
      ?.map(Number)
      .toSorted(),
    [2, 4, 5, 6, 7],
  )
  equal(gateway.tasks.size, 2)
  const written = await flowforge('import', tasks, '--errors', 'refused.ndjson')
  equal(written.stderr, '')
  const refusals = readFileSync(join(folder, 'refused.ndjson'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  deepEqual(
    refusals.find(({ line }) => line === 6),
    { line: 6, status: 'INVALID_ARGUMENT', message: 'task.type: no such type' },
  )
})

test('an import without a server stops with 3 and says how to go on', async (t) => {
  const { flowforge, gateway, file } = await setup(t)
  gateway.isDown = true
  const { code, stderr } = await flowforge('import', file('tasks.ndjson', [{ type: 'echo' }]))
  equal(code, 3)
  match(stderr, /stopped after 0 tasks of 1 lines; the same command continues/)
})
