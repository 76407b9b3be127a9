import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync, existsSync, openSync, readFileSync, renameSync, statSync } from 'node:fs'
import { basename } from 'node:path'
import { send } from './processes.ts'
import { until } from './until.ts'

const backoffMsMax = 10_000
const healthyAfterMs = 30_000
const logBytesMax = 20 * 1024 * 1024

/** What to run and how to tell that it works. */
export interface ProcessOptions {
  name: string
  command: string
  args: string[]
  env: Record<string, string>
  logFile: string
  cwd?: string
  uid?: number
  gid?: number
  /** The kind way to ask for its end; SIGTERM when not given. */
  stopSignal?: NodeJS.Signals
  /** Runs before each start, after a crash too. */
  beforeStart?: () => Promise<void>
  isReady: () => Promise<boolean>
  readyWithinMs: number
  signal?: AbortSignal | undefined
  onSpawn?: (pid: number) => void
  /** Takes one line about a crash or a restart. */
  onMessage: (line: string) => void
}

/** A process that is started again whenever it dies, until it is stopped. */
export interface Supervised {
  readonly name: string
  /** Its number while it runs. */
  readonly pid: number | undefined
  kill(signal: NodeJS.Signals): void
  /** Asks the process to end and kills it when it has not within `boundMs`; settles once it is gone. */
  stop(boundMs: number): Promise<void>
}

/**
 * Starts a process and settles once it is ready.
 *
 * Rejects, with the end of its log, when it dies or stays unready; nothing is left running then. Later deaths are
 * repaired by starting it again, at once at first and after a growing pause when it keeps dying.
 */
export async function supervise(options: ProcessOptions): Promise<Supervised> {
  const supervised = new SupervisedProcess(options)
  await supervised.start()
  return supervised
}

class SupervisedProcess implements Supervised {
  readonly name: string
  readonly #options: ProcessOptions
  readonly #stopped = new AbortController()
  #child: ChildProcess | undefined
  #deaths = 0
  #restart: Promise<void> | undefined

  constructor(options: ProcessOptions) {
    this.name = options.name
    this.#options = options
  }

  get pid(): number | undefined {
    return isRunning(this.#child) ? this.#child.pid : undefined
  }

  kill(signal: NodeJS.Signals): void {
    if (this.pid) send(this.pid, signal)
  }

  async start(): Promise<void> {
    setAsideLargeLog(this.#options.logFile)
    const child = await this.#spawn()
    const signal = this.#options.signal
    const isReady = async () => !isRunning(child) || (await this.#options.isReady())
    const ready = await until(isReady, this.#options.readyWithinMs, { signal })
    if (ready && isRunning(child)) {
      child.once('exit', (code, cause) => this.#onDeath(code, cause))
      return
    }
    const problem = isRunning(child)
      ? `was not ready within ${this.#options.readyWithinMs / 1000} s`
      : `exited (${wayOf(child)}) at its start`
    await this.stop(2_000)
    signal?.throwIfAborted()
    throw new Error(`${this.name} ${problem}; the end of ${this.#options.logFile}:\n${endOfLog(this.#options.logFile)}`)
  }

  async stop(boundMs: number): Promise<void> {
    this.#stopped.abort()
    await this.#restart
    const child = this.#child
    if (!isRunning(child)) return
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()))
    this.kill(this.#options.stopSignal ?? 'SIGTERM')
    const timer = setTimeout(() => send(-child.pid!, 'SIGKILL'), boundMs)
    await gone
    clearTimeout(timer)
  }

  async #spawn(): Promise<ChildProcess> {
    const { command, args, env, logFile, cwd, uid, gid } = this.#options
    await this.#options.beforeStart?.()
    const log = openSync(logFile, 'a', 0o600)
    // In a process group of its own: a terminal's Ctrl-C reaches the launcher alone, which then drains the others.
    const identity = uid === undefined ? {} : { uid, gid }
    const child = spawn(command, args, { detached: true, stdio: ['ignore', log, log], env, cwd, ...identity })
    closeSync(log)
    this.#child = child
    await new Promise<void>((resolve, reject) => child.once('spawn', resolve).once('error', reject))
    this.#options.onSpawn?.(child.pid!)
    return child
  }

  #onDeath(code: number | null, cause: NodeJS.Signals | null): void {
    if (this.#stopped.signal.aborted) return
    // Who was asked to end did as it was told, however often.
    if (code === 0) this.#deaths = 0
    this.#restart = this.#startAgain(`${this.name} exited (${cause ?? `code ${code}`})`)
  }

  async #startAgain(what: string): Promise<void> {
    const pauseMs = this.#deaths === 0 ? 0 : Math.min(250 * 2 ** this.#deaths, backoffMsMax)
    this.#deaths += 1
    if (pauseMs > 0) this.#options.onMessage(`${what}; starting again in ${pauseMs / 1000} s`)
    await until(() => false, pauseMs, { signal: this.#stopped.signal })
    if (this.#stopped.signal.aborted) return
    try {
      const child = await this.#spawn()
      if (pauseMs === 0) this.#options.onMessage(`${what}; started again`)
      const healthy = setTimeout(() => (this.#deaths = 0), healthyAfterMs)
      child.once('exit', (code, cause) => {
        clearTimeout(healthy)
        this.#onDeath(code, cause)
      })
    } catch (error) {
      this.#restart = this.#startAgain(`${this.name} did not start (${(error as Error).message})`)
      await this.#restart
    }
  }
}

function isRunning(child: ChildProcess | undefined): child is ChildProcess {
  return child?.pid !== undefined && child.exitCode === null && child.signalCode === null
}

function wayOf(child: ChildProcess): string {
  return child.signalCode ?? `code ${child.exitCode}`
}

function setAsideLargeLog(file: string): void {
  if (existsSync(file) && statSync(file).size > logBytesMax) renameSync(file, `${file}.1`)
}

function endOfLog(file: string): string {
  const lines = existsSync(file) ? readFileSync(file, 'utf8').trimEnd().split('\n') : []
  return (
    lines
      .slice(-8)
      .map((line) => `  ${line}`)
      .join('\n') || `  (${basename(file)} is empty)`
  )
}
