import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'

/** Why a small filesystem cannot be made here; undefined if it can. */
export function noSmallDisk(): string | undefined {
  if (process.platform !== 'linux') return 'a small filesystem is mounted with tmpfs, which is Linux’ own'
  return process.getuid?.() === 0 ? undefined : 'only root may mount a small filesystem'
}

/** Mounts a filesystem of this size in memory and lets PostgreSQL's folder lie on it. */
export function mountDisk(folder: string, sizeMiB: number): { unmount(): void } {
  const disk = join(folder, 'disk')
  mkdirSync(disk)
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeMiB}m,mode=0755`, 'flowforge-chaos', disk])
  // The user that PostgreSQL runs as makes its folder here.
  chmodSync(disk, 0o777)
  const data = join(folder, 'data')
  mkdirSync(data)
  symlinkSync(join(disk, 'postgres'), join(data, 'postgres'))
  return { unmount: () => void execFileSync('umount', [disk]) }
}
