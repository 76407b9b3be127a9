/** What processes use of the machine, from /proc; nothing on systems without it. */
import { readFileSync } from 'node:fs'
import { setInterval } from 'node:timers'
import { cpuMs } from './cpu.ts'

/** One process, with its children, over a stretch of time. */
export interface Usage {
  name: string
  /** Processor time as a share of one core. */
  cores: number
  /** The most memory that was seen; of pages that several processes share, each is given its part. */
  memoryMiB: number
}

/** Watches processes until it is stopped; `pids` is asked again each time, since they may be restarted. */
export class UsageMeter {
  readonly #pids: () => Record<string, number>
  readonly #startedAt = performance.now()
  readonly #cpuBefore: Record<string, number>
  readonly #memory = new Map<string, number>()
  readonly #timer: NodeJS.Timeout
  #memoryMiB = 0

  constructor(pids: () => Record<string, number>) {
    this.#pids = pids
    this.#cpuBefore = this.#cpu()
    this.#look()
    this.#timer = setInterval(() => this.#look(), 1_000)
  }

  /** What all processes had at the last look, which is a second old at most. */
  get memoryMiB(): number {
    return Math.round(this.#memoryMiB)
  }

  stop(): Usage[] {
    clearInterval(this.#timer)
    this.#look()
    const elapsedMs = performance.now() - this.#startedAt
    return Object.entries(this.#cpu()).map(([name, ms]) => ({
      name,
      cores: Number(((ms - (this.#cpuBefore[name] ?? 0)) / elapsedMs).toFixed(3)),
      memoryMiB: Math.round(this.#memory.get(name) ?? 0),
    }))
  }

  #look(): void {
    this.#memoryMiB = 0
    for (const [name, pid] of Object.entries(this.#pids())) {
      const now = memoryMiB(pid)
      this.#memoryMiB += now
      this.#memory.set(name, Math.max(this.#memory.get(name) ?? 0, now))
    }
  }

  #cpu(): Record<string, number> {
    return Object.fromEntries(Object.entries(this.#pids()).map(([name, pid]) => [name, cpuMs([pid]) ?? 0]))
  }
}

/** PostgreSQL is one process for each connection, most of whose pages are shared. */
function memoryMiB(pid: number): number {
  const own = Number(/^Pss:\s+(\d+) kB/m.exec(read(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0) / 1024
  const children = read(`/proc/${pid}/task/${pid}/children`).trim().split(' ').filter(Boolean)
  return children.reduce((sum, child) => sum + memoryMiB(Number(child)), own)
}

function read(file: string): string {
  try {
    return readFileSync(file, 'latin1')
  } catch {
    // The process has ended, it is another user's, or this is no Linux.
    return ''
  }
}
