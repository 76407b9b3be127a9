import { execFileSync } from 'node:child_process'
import { readFileSync, readdirSync, readlinkSync } from 'node:fs'
import { until } from './until.ts'

/** A process that is told apart from a later one with the same number by the time at which it started. */
export interface ProcessRecord {
  pid: number
  startTime: string
}

/** Says who the process with this number is now, for {@link isAlive} to ask later. */
export function recordOf(pid: number): ProcessRecord {
  return { pid, startTime: startTimeOf(pid) ?? '' }
}

/** Whether the recorded process still runs; another process that got its number since does not count, nor does a zombie. */
export function isAlive(record: ProcessRecord): boolean {
  return record.startTime !== '' && startTimeOf(record.pid) === record.startTime
}

/** Ends a recorded process: `signal`, and SIGKILL when it has not gone within `withinMs`. */
export async function end(record: ProcessRecord, signal: NodeJS.Signals, withinMs: number): Promise<void> {
  if (!isAlive(record)) return
  send(record.pid, signal)
  if (await until(() => !isAlive(record), withinMs)) return
  send(record.pid, 'SIGKILL')
  await until(() => !isAlive(record), 5_000)
}

/** Numbers of the processes of one programme that work in `folder`; Linux only, elsewhere none are seen. */
export function processesIn(folder: string, programme: string): number[] {
  if (process.platform !== 'linux') return []
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => linkOf(`/proc/${pid}/cwd`) === folder && linkOf(`/proc/${pid}/exe`).endsWith(`/${programme}`))
    .map(Number)
}

/** Sends a signal to a process that may be gone already. */
export function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

function startTimeOf(pid: number): string | undefined {
  try {
    if (process.platform !== 'linux') {
      return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim() || undefined
    }
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The second field is the name in parentheses and may hold anything; the third is the state, the 22nd the start.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19]
  } catch {
    // No such process: ps answers 1, /proc has no such folder.
    return undefined
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    // It ended meanwhile, or is a kernel thread or somebody else's.
    return ''
  }
}
