/** `npm run demo`: real webhooks through a real system, and the proof that each arrived and finished exactly once. */
import { randomBytes } from 'node:crypto'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Client } from '@flowforge/sdk/client'
import { startSystem, type System } from '../system.ts'
import { until } from '../until.ts'
import { measure } from './measure.ts'
import { showProgress } from './progress.ts'
import { prove, type Evidence } from './prove.ts'
import { report } from './report.ts'
import { readSamples } from './samples.ts'
import { startReceiver, type Receiver } from './start-receiver.ts'
import { submit, unfinished, type Submission } from './submit.ts'

const usage = `Usage: npm run demo [-- options]

Starts a FlowForge of its own in a temporary folder, hands in the 329 real webhook payloads that GitHub publishes, has them
delivered to a receiver that fails and dawdles on purpose, and proves what became of them. Exit code 1 if the proof fails.

  --repeat N       hand in everything N times (1)
  --kill-worker    kill a worker with SIGKILL in the middle
  --json           print the result as one JSON object
  --help           this text
`

// Enough slow deliveries that a worker is never idle when it is killed.
const slowPercent = { normal: 3, whenKilling: 30 }
const stalledAfterMs = 60_000

const options = readOptions()
const interrupted = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(signal, () => interrupted.abort(new Error('interrupted')))

process.exitCode = await demonstrate().catch((error: unknown) => {
  if (!interrupted.signal.aborted) process.stderr.write(`${(error as Error).stack}\n`)
  return interrupted.signal.aborted ? 130 : 1
})

async function demonstrate(): Promise<number> {
  const dataDir = mkdtempSync(join(tmpdir(), 'flowforge-demo-'))
  // PostgreSQL of a user root runs as another user, who must get to its files; secrets in there have modes of their own.
  chmodSync(dataDir, 0o755)
  let system: System | undefined
  let receiver: Receiver | undefined
  try {
    tell(`Starting a FlowForge of its own in ${dataDir} …`)
    const startedAt = performance.now()
    system = await startSystem({
      dataDir,
      port: 0,
      env: {
        // The receiver is on this machine, where workers send nothing unless they are told to.
        FLOWFORGE_ALLOW_HOSTS: '127.0.0.1',
        // One caller stands for many here.
        FLOWFORGE_RATE_LIMIT_PER_MINUTE: '1000000',
      },
      signal: interrupted.signal,
      onMessage: (line) => tell(line),
    })
    tell(`Ready at ${system.url} after ${((performance.now() - startedAt) / 1_000).toFixed(1)} s.`)
    const secret = `whsec_${randomBytes(24).toString('base64')}`
    receiver = await startReceiver(secret, options.killWorker ? slowPercent.whenKilling : slowPercent.normal)
    const { evidence, killedAtMs } = await deliver(system, receiver, secret)
    return conclude(evidence, killedAtMs)
  } finally {
    receiver?.stop()
    await system?.stop()
    rmSync(dataDir, { recursive: true, force: true })
  }
}

async function deliver(
  system: System,
  receiver: Receiver,
  secret: string,
): Promise<{ evidence: Evidence; killedAtMs?: number }> {
  const { signal } = interrupted
  const client = new Client({ url: system.url, apiKey: system.apiKey })
  const samples = readSamples()
  const total = samples.length * options.repeat
  const submissions: Submission[] = []
  const delivered = () => receiver.counts().accepted
  const standing = () => ({ created: submissions.length, delivered: delivered(), failed: receiver.counts().refused })
  const stopProgress = showProgress(total, standing)
  try {
    const killing = options.killWorker ? killWorker(system, delivered, total) : undefined
    await submit(client, samples, submissions, { repeat: options.repeat, receiverPort: receiver.port, secret, signal })
    const killedAtMs = await killing
    await allFinished(client, delivered)
    stopProgress()
    const tasks = await Array.fromAsync(client.listTasks({ pageSize: 200 }, { signal }))
    const evidence = {
      submissions,
      tasks,
      deliveries: await receiver.deliveries(),
      wasWorkerKilled: options.killWorker,
    }
    return { evidence, killedAtMs }
  } finally {
    stopProgress()
  }
}

/** Kills a worker once a third was delivered, and tells when that was. */
async function killWorker(system: System, delivered: () => number, total: number): Promise<number | undefined> {
  const isHalfway = await until(() => delivered() >= total / 3, stalledAfterMs, {
    everyMs: 5,
    signal: interrupted.signal,
  })
  if (!isHalfway) return undefined
  system.kill('worker-1', 'SIGKILL')
  return performance.timeOrigin + performance.now()
}

/** Waits while there is progress; what is unfinished when nothing moves any more is for the proof to say. */
async function allFinished(client: Client, delivered: () => number): Promise<void> {
  const { signal } = interrupted
  let [last, movedAt] = [delivered(), performance.now()]
  for (;;) {
    const isFinished = async () =>
      (await client.listTasks({ filter: unfinished, pageSize: 1 }, { signal }).pages().next()).value?.items.length === 0
    if (await until(isFinished, 1_000, { everyMs: 100, signal })) return
    signal.throwIfAborted()
    if (delivered() !== last) [last, movedAt] = [delivered(), performance.now()]
    if (performance.now() - movedAt > stalledAfterMs) return
  }
}

function conclude(evidence: Evidence, killedAtMs: number | undefined): number {
  const figures = measure(evidence, killedAtMs)
  const claims = prove(evidence)
  const isProved = claims.every(({ violations }) => violations.length === 0)
  const summary = { ...figures, isProved, claims }
  process.stdout.write(`${options.json ? JSON.stringify(summary) : report(figures, claims, evidence)}\n`)
  return isProved ? 0 : 1
}

function tell(line: string): void {
  process.stderr.write(`${line}\n`)
}

function readOptions(): { repeat: number; killWorker: boolean; json: boolean } {
  try {
    const { values } = parseArgs({
      options: {
        repeat: { type: 'string', default: '1' },
        'kill-worker': { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    })
    if (values.help) {
      process.stdout.write(usage)
      process.exit(0)
    }
    if (!/^[1-9]\d{0,3}$/.test(values.repeat))
      throw new Error(`--repeat must be a whole number from 1 to 9999, got ${values.repeat}`)
    return { repeat: Number(values.repeat), killWorker: values['kill-worker'], json: values.json }
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${usage}`)
    process.exit(2)
  }
}
