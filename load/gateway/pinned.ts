/** Processes on a core of their own, where the system can do that. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { openSync } from 'node:fs'
import { join } from 'node:path'
import { inheritedEnvironment, root } from '@flowforge/local/config'

export interface Pinned {
  readonly pid: number
  /** Where it listens. */
  readonly port: number
  stop(): Promise<void>
}

export interface Program {
  readonly command: string
  readonly args: readonly string[]
  readonly env?: Record<string, string>
  /** Known before; otherwise the program prints it as its first line. */
  readonly port?: number
}

const startMsMax = 20_000
const canPin = hasTaskset()

/** Starts a program and waits until it says where it listens; its complaints go to `logFile`. */
export async function startPinned(core: number, program: Program, logFile: string): Promise<Pinned> {
  const log = openSync(logFile, 'a', 0o600)
  const [command, args] = pinned(core, program.command, program.args)
  const child = spawn(command, args, {
    cwd: root,
    stdio: ['ignore', program.port === undefined ? 'pipe' : log, log],
    env: { ...inheritedEnvironment(), GOMAXPROCS: '1', ...program.env },
  })
  const stop = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
  }
  try {
    return { pid: child.pid!, port: program.port ?? (await portOf(child, logFile)), stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** Runs one of the programs here to its end; answers what it printed. */
export async function runPinned(core: number, program: string, args: string[]): Promise<string> {
  const [command, all] = pinned(core, process.execPath, [join(import.meta.dirname, program), ...args])
  const child = spawn(command, all, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], env: inheritedEnvironment() })
  let printed = ''
  let complaint = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (printed += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaint += text))
  const [code] = (await once(child, 'close')) as [number | null]
  if (code !== 0) throw new Error(complaint.split('\n').find((line) => line.includes('Error')) ?? `exit code ${code}`)
  return printed
}

async function portOf(child: ChildProcess, logFile: string): Promise<number> {
  const timeout = AbortSignal.timeout(startMsMax)
  const line = await Promise.race([
    once(child.stdout!, 'data', { signal: timeout }).then(([chunk]) => String(chunk)),
    once(child, 'exit', { signal: timeout }).then(() => ''),
  ])
  const port = Number(line)
  if (!Number.isInteger(port) || port === 0) throw new Error(`it does not start; see ${logFile}`)
  return port
}

function pinned(core: number, command: string, args: readonly string[]): [string, string[]] {
  return canPin ? ['taskset', ['-c', String(core), command, ...args]] : [command, [...args]]
}

function hasTaskset(): boolean {
  try {
    execFileSync('taskset', ['-c', '1', 'true'], { stdio: 'ignore' })
    return true
  } catch {
    // macOS has none, and a machine of one core has no second.
    return false
  }
}
