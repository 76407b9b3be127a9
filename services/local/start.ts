/** `npm start`: the command line around startSystem(). */
import { parseArgs } from 'node:util'
import { databaseUrl, fromCaller, root } from './config.ts'
import { Progress } from './progress.ts'
import { jsonScreen, screen } from './screen.ts'
import { startSystem, type System } from './system.ts'

const usage = `Usage: npm start [-- options]

Runs FlowForge on this machine: PostgreSQL, tasks, accounts, notifications, workers and the gateway, each its own process.

  --workers N    worker processes (2)
  --port P       the gateway's port on 127.0.0.1 (8080; 0 takes any free one)
  --data DIR     where the database, certificates, logs and the API key lie (.flowforge)
  --json         print one JSON object instead of the screen
  --help         this text

FLOWFORGE_DATABASE_URL=postgres://…  uses that PostgreSQL instead of the embedded one.
`

const options = readOptions()
const startedAt = performance.now()
const progress = new Progress(process.stderr)
const interrupted = new AbortController()
let system: System | undefined
stopOnSignals()

try {
  system = await startSystem({
    ...options,
    databaseUrl,
    signal: interrupted.signal,
    onReady: (name) => progress.ready(name),
    onMessage: (line) => progress.say(`${new Date().toLocaleTimeString('en-GB')}  ${line}`),
  })
  progress.end()
  const seconds = (performance.now() - startedAt) / 1000
  process.stdout.write(options.json ? jsonScreen(system) : screen(system, seconds))
} catch (error) {
  progress.end()
  if (!interrupted.signal.aborted) process.stderr.write(`${(error as Error).message}\n`)
  process.exit(interrupted.signal.aborted ? 0 : 1)
}

/** The first signal drains, a second one ends everything at once. */
function stopOnSignals(): void {
  let firstAt: number | undefined
  const onSignal = async () => {
    const now = performance.now()
    // One Ctrl-C may arrive twice: from the terminal, and passed on by npm.
    if (firstAt !== undefined) return now - firstAt > 1_000 ? system?.abandon() : undefined
    firstAt = now
    progress.say('Stopping: running tasks may finish or go back to their queue. Once more stops at once.')
    interrupted.abort()
    if (!system) return
    await system.stop()
    progress.say('Stopped.')
    process.exit(0)
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal)
}

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        workers: { type: 'string', default: '2' },
        port: { type: 'string', default: '8080' },
        data: { type: 'string' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    })
    if (values.help) {
      process.stdout.write(usage)
      process.exit(0)
    }
    return {
      workers: whole('--workers', values.workers, 100),
      port: whole('--port', values.port, 65_535),
      dataDir: values.data ? fromCaller(values.data) : `${root}/.flowforge`,
      json: values.json,
    }
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${usage}`)
    process.exit(2)
  }
}

function whole(option: string, text: string, max: number): number {
  const number = Number(text)
  if (/^\d+$/.test(text) && number <= max) return number
  throw new Error(`${option} must be a whole number from 0 to ${max}, but is '${text}'`)
}
