import { existsSync, linkSync, readFileSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { writeAtomically } from './data-folder.ts'
import { end, isAlive, recordOf, type ProcessRecord } from './processes.ts'

interface Launcher extends ProcessRecord {
  url: string
}

/** Somebody else runs a system in this data folder. */
export class AlreadyRunningError extends Error {
  override name = 'AlreadyRunningError'
}

/** A launcher's hold on its data folder, and its list of the processes that it started. */
export interface Claim {
  record(name: string, pid: number): void
  /** Ends what an earlier launcher left running when it was killed; `signalOf` names the kind way to ask for it. */
  endLeftovers(signalOf: (name: string) => NodeJS.Signals): Promise<string[]>
  release(): void
}

/**
 * Claims the data folder for this process.
 *
 * Refused with {@link AlreadyRunningError} while the process that claimed it lives. A claim whose process was killed is
 * taken over; the files say who runs, and each process's start time makes sure that it is still the same one.
 */
export function claim(folder: string, url: string): Claim {
  const file = join(folder, 'launcher.json')
  take(file, { ...recordOf(process.pid), url })
  return {
    record: (name, pid) => writeAtomically(recordFile(folder, name), JSON.stringify(recordOf(pid))),
    endLeftovers: (signalOf) => endLeftovers(folder, signalOf),
    release() {
      for (const name of recorded(folder)) rmSync(recordFile(folder, name))
      rmSync(file, { force: true })
    },
  }
}

function take(file: string, mine: Launcher): void {
  const draft = `${file}.${process.pid}`
  writeAtomically(draft, JSON.stringify(mine))
  try {
    for (;;) {
      // A link appears whole or not at all, and only where nothing is yet.
      if (linked(draft, file)) return
      const holder = read<Launcher>(file)
      if (holder && isAlive(holder)) {
        throw new AlreadyRunningError(`FlowForge runs here already: ${holder.url} (process ${holder.pid})`)
      }
      removeStale(file, holder)
    }
  } finally {
    rmSync(draft, { force: true })
  }
}

function linked(draft: string, file: string): boolean {
  try {
    linkSync(draft, file)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

/** Takes a dead launcher's claim away, but puts it back when another launcher has replaced it meanwhile. */
function removeStale(file: string, stale: Launcher | undefined): void {
  const aside = `${file}.${process.pid}.stale`
  try {
    renameSync(file, aside)
  } catch {
    // Somebody else took it away first.
    return
  }
  const taken = read<Launcher>(aside)
  if (taken && taken.startTime !== stale?.startTime) linked(aside, file)
  rmSync(aside)
}

async function endLeftovers(folder: string, signalOf: (name: string) => NodeJS.Signals): Promise<string[]> {
  const left = recorded(folder).flatMap((name) => {
    const record = read<ProcessRecord>(recordFile(folder, name))
    return record && isAlive(record) ? [{ name, record }] : []
  })
  await Promise.all(left.map(({ name, record }) => end(record, signalOf(name), 8_000)))
  for (const name of recorded(folder)) rmSync(recordFile(folder, name))
  return left.map(({ name }) => name)
}

function recordFile(folder: string, name: string): string {
  return join(folder, `${name}.process.json`)
}

function recorded(folder: string): string[] {
  return readdirSync(folder).flatMap((file) => /^(.+)\.process\.json$/.exec(file)?.[1] ?? [])
}

function read<T>(file: string): T | undefined {
  try {
    return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined
  } catch {
    // Cut off by a crash of the machine: as good as no record.
    return undefined
  }
}
