/** `npm run demo`: real webhooks through a real system, and the proof that each arrived and finished exactly once. */
import { randomBytes } from 'node:crypto'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Client } from '@flowforge/sdk/client'
import { startSystem, type System } from '../system.ts'
import { runningTarget, type Target } from './target.ts'
import { until } from '../until.ts'
import { measure } from './measure.ts'
import { showProgress } from './progress.ts'
import { prove, type Evidence } from './prove.ts'
import { report } from './report.ts'
import { readSamples } from './samples.ts'
import { startReceiver, type Receiver } from './start-receiver.ts'
import { submit, unfinished, type Submission } from './submit.ts'

const usage = `Usage: npm run demo [-- options]

Starts a FlowForge of its own in a temporary folder, or takes one that runs, hands in the 329 real webhook payloads that GitHub publishes, has them
delivered to a receiver that fails and dawdles on purpose, and proves what became of them. Exit code 1 if the proof fails.

  --repeat N       hand in everything N times (1)
  --kill-worker    kill a worker with SIGKILL in the middle; not with --url
  --url URL        take the FlowForge that answers there; its workers have to be allowed to reach this machine
  --key-file FILE  holds its API key
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
  if (options.url === undefined) return await inOwnSystem()
  return await against(await runningTarget(options.url, options.keyFile!))
}

async function inOwnSystem(): Promise<number> {
  const dataDir = mkdtempSync(join(tmpdir(), 'flowforge-demo-'))
  // PostgreSQL of a user root runs as another user, who must get to its files; secrets in there have modes of their own.
  chmodSync(dataDir, 0o755)
  let system: System | undefined
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
    const { kill } = system
    return await against({
      url: system.url,
      apiKey: system.apiKey,
      receiverHost: '127.0.0.1',
      queue: 'webhooks',
      isShared: false,
      killWorker: () => kill('worker-1', 'SIGKILL'),
    })
  } finally {
    await system?.stop()
    rmSync(dataDir, { recursive: true, force: true })
  }
}

async function against(target: Target): Promise<number> {
  const secret = `whsec_${randomBytes(24).toString('base64')}`
  const slow = options.killWorker ? slowPercent.whenKilling : slowPercent.normal
  const receiver = await startReceiver(target.receiverHost, secret, slow)
  try {
    const { evidence, killedAtMs } = await deliver(target, receiver, secret)
    return conclude(evidence, killedAtMs)
  } finally {
    receiver.stop()
  }
}

async function deliver(
  target: Target,
  receiver: Receiver,
  secret: string,
): Promise<{ evidence: Evidence; killedAtMs?: number }> {
  const { signal } = interrupted
  const { queue, receiverHost } = target
  const client = new Client({ url: target.url, apiKey: target.apiKey })
  const samples = readSamples()
  const total = samples.length * options.repeat
  const submissions: Submission[] = []
  const delivered = () => receiver.counts().accepted
  const standing = () => ({ created: submissions.length, delivered: delivered(), failed: receiver.counts().refused })
  const stopProgress = showProgress(total, standing)
  try {
    const killing = options.killWorker ? killWorker(target, delivered, total) : undefined
    const receiverUrl = `http://${receiverHost}:${receiver.port}`
    await submit(client, samples, submissions, { repeat: options.repeat, queue, receiverUrl, secret, signal })
    const killedAtMs = await killing
    await allFinished(client, queue, delivered)
    stopProgress()
    const filter = target.isShared ? `queue = "${queue}"` : ''
    const tasks = await Array.fromAsync(client.listTasks({ filter, pageSize: 200 }, { signal }))
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
async function killWorker(target: Target, delivered: () => number, total: number): Promise<number | undefined> {
  const isHalfway = await until(() => delivered() >= total / 3, stalledAfterMs, {
    everyMs: 5,
    signal: interrupted.signal,
  })
  if (!isHalfway) return undefined
  target.killWorker!()
  return performance.timeOrigin + performance.now()
}

/** Waits while there is progress; what is unfinished when nothing moves any more is for the proof to say. */
async function allFinished(client: Client, queue: string, delivered: () => number): Promise<void> {
  const { signal } = interrupted
  let [last, movedAt] = [delivered(), performance.now()]
  for (;;) {
    const filter = unfinished(queue)
    const isFinished = async () =>
      (await client.listTasks({ filter, pageSize: 1 }, { signal }).pages().next()).value?.items.length === 0
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

function readOptions(): {
  repeat: number
  killWorker: boolean
  url: string | undefined
  keyFile: string | undefined
  json: boolean
} {
  try {
    const { values } = parseArgs({
      options: {
        repeat: { type: 'string', default: '1' },
        'kill-worker': { type: 'boolean', default: false },
        url: { type: 'string' },
        'key-file': { type: 'string' },
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
    const { url, 'key-file': keyFile, 'kill-worker': killWorker, json } = values
    if ((url === undefined) !== (keyFile === undefined)) throw new Error('--url and --key-file belong together')
    if (url !== undefined && killWorker) throw new Error('--kill-worker is for a FlowForge of its own')
    return { repeat: Number(values.repeat), killWorker, url, keyFile, json }
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${usage}`)
    process.exit(2)
  }
}
