import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { until } from './testing/poll.ts'

const fixture = fileURLToPath(new URL('testing/fixtures/process.ts', import.meta.url))

interface Line {
  msg: string
  port?: number
  step?: string
}

/** A process of `runProcess` that does what `behaviour` says. */
function start(t: TestContext, behaviour: string, env: NodeJS.ProcessEnv = {}) {
  const child = spawn(process.execPath, [fixture], {
    env: { PATH: process.env.PATH, BEHAVIOUR: behaviour, FLOWFORGE_ADMIN_LISTEN: '127.0.0.1:0', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  t.after(() => child.kill('SIGKILL'))
  const lines: Line[] = []
  let rest = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    const all = (rest + chunk).split('\n')
    rest = all.pop()!
    lines.push(...all.map((line) => JSON.parse(line) as Line))
  })
  return { child, lines, stderr: text(child.stderr) }
}

async function exitCode(child: ChildProcess): Promise<number | null> {
  return child.exitCode ?? ((await once(child, 'exit')) as [number | null])[0]
}

async function ready(port: number): Promise<number> {
  return (await fetch(`http://127.0.0.1:${port}/readyz`)).status
}

function adminPort(lines: Line[]): Promise<number> {
  return until(() => lines.find(({ port }) => port)?.port)
}

test('SIGTERM fails readiness first, runs the stops last to first, and exits 0', async (t) => {
  const { child, lines } = start(t, 'slow-stop')
  const port = await adminPort(lines)
  await until(async () => (await ready(port)) === 200)
  child.kill('SIGTERM')
  await until(() => lines.some(({ step }) => step === 'second'))
  equal(await ready(port), 503)
  // The fixture's second stop waits for this.
  await fetch(`http://127.0.0.1:${port}/readyz?go`)
  equal(await exitCode(child), 0)
  deepEqual(
    lines.flatMap(({ step }) => step ?? []),
    ['aborted', 'second', 'first'],
  )
})

test('a second signal ends a process that does not stop', async (t) => {
  const { child, lines } = start(t, 'stuck-stop')
  await adminPort(lines)
  child.kill('SIGTERM')
  await until(() => lines.some(({ msg }) => msg === 'stopping'))
  child.kill('SIGINT')
  equal(await exitCode(child), 1)
})

test('bad configuration is one line on stderr and exit code 2', async (t) => {
  const { child, stderr } = start(t, 'config', { FLOWFORGE_ADMIN_LISTEN: 'nonsense' })
  equal(await exitCode(child), 2)
  equal(
    await stderr,
    "flowforge fixture: FLOWFORGE_ADMIN_LISTEN must be host:port, but is 'nonsense'; example: FLOWFORGE_ADMIN_LISTEN=127.0.0.1:7101\n",
  )
})

test('with a shutdown delay a process that is told to stop is not ready, and goes on serving for that long', async (t) => {
  const { child, lines } = start(t, 'slow-stop', { FLOWFORGE_SHUTDOWN_DELAY: '300ms' })
  const port = await adminPort(lines)
  await until(async () => (await ready(port)) === 200)
  const toldMs = performance.now()
  child.kill('SIGTERM')
  await until(async () => (await ready(port)) === 503)
  await until(() => lines.find(({ step }) => step === 'aborted'))
  ok(performance.now() - toldMs >= 300)
  // The second time the fixture is asked, its stop may end.
  await ready(port)
  equal(await exitCode(child), 0)
})

test('a taken port is one line too', async (t) => {
  const first = start(t, 'slow-stop')
  const address = `127.0.0.1:${await adminPort(first.lines)}`
  const { child, stderr } = start(t, 'config', { FLOWFORGE_ADMIN_LISTEN: address })
  equal(await exitCode(child), 2)
  equal(await stderr, `flowforge fixture: cannot listen on ${address}: another process does\n`)
})

test('a promise that nobody handles is logged and ends the process with 1', async (t) => {
  const { child, lines } = start(t, 'rejection')
  equal(await exitCode(child), 1)
  match(JSON.stringify(lines), /nobody handles this/)
})
