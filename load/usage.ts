/** What processes use of the machine, from /proc; nothing on systems without it. */
import { readFileSync } from 'node:fs'
import { setInterval } from 'node:timers'
import { cpuMs } from './cpu.ts'

/** One process over a stretch of time. */
export interface Usage {
  name: string
  /** Processor time as a share of one core. */
  cores: number
  /** The most memory of its own that was seen; for PostgreSQL that of the postmaster's process alone. */
  memoryMiB: number
}

/** Watches processes until it is stopped; `pids` is asked again each time, since they may be restarted. */
export class UsageMeter {
  readonly #pids: () => Record<string, number>
  readonly #startedAt = performance.now()
  readonly #cpuBefore: Record<string, number>
  readonly #memory = new Map<string, number>()
  readonly #timer: NodeJS.Timeout

  constructor(pids: () => Record<string, number>) {
    this.#pids = pids
    this.#cpuBefore = this.#cpu()
    this.#timer = setInterval(() => this.#look(), 1_000)
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
    for (const [name, pid] of Object.entries(this.#pids()))
      this.#memory.set(name, Math.max(this.#memory.get(name) ?? 0, residentMiB(pid)))
  }

  #cpu(): Record<string, number> {
    return Object.fromEntries(Object.entries(this.#pids()).map(([name, pid]) => [name, cpuMs([pid]) ?? 0]))
  }
}

function residentMiB(pid: number): number {
  try {
    return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0) / 1024
  } catch {
    // It has ended, or this is no Linux.
    return 0
  }
}
