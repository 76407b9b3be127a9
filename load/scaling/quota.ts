/** A fixed share of a processor for a process, by Linux' control groups: what an instance on a machine of its own has. */
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const groups = '/sys/fs/cgroup'
const periodUs = 20_000

/** Why shares cannot be given here; undefined if they can. */
export function noQuota(): string | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'shares of a processor need Linux and root'
  return isFirstVersion() || existsSync(join(groups, 'cgroup.controllers')) ? undefined : 'there are no control groups'
}

/** Holds each process that is given to it to its own share of one core. */
export class Quota {
  readonly #shareOfCore: number
  readonly #made: string[] = []

  constructor(shareOfCore: number) {
    this.#shareOfCore = shareOfCore
  }

  limit(pid: number): void {
    const group = join(groups, isFirstVersion() ? 'cpu' : '', `flowforge-load-${pid}`)
    mkdirSync(group)
    this.#made.push(group)
    const quotaUs = Math.round(periodUs * this.#shareOfCore)
    if (isFirstVersion()) {
      writeFileSync(join(group, 'cpu.cfs_period_us'), String(periodUs))
      writeFileSync(join(group, 'cpu.cfs_quota_us'), String(quotaUs))
    } else writeFileSync(join(group, 'cpu.max'), `${quotaUs} ${periodUs}`)
    writeFileSync(join(group, 'cgroup.procs'), String(pid))
  }

  /** Removes the groups; their processes must have ended. */
  remove(): void {
    for (const group of this.#made) rmdirSync(group)
  }
}

function isFirstVersion(): boolean {
  return existsSync(join(groups, 'cpu/cpu.cfs_quota_us'))
}
