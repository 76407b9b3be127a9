/** What the machine itself may do: be busy, tell a wrong time, or be full. */
import { spawn } from 'node:child_process'
import { closeSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { Fault } from '../../fault.ts'
import { clockFile } from '../clock-file.ts'
import { forMs, processOf, type Scene } from '../scene.ts'

/** Keeps processors busy with processes that do nothing else, at the same priority as everything else. */
export async function burn(
  { processes, forMs: durationMs }: Extract<Fault, { kind: 'burn' }>,
  scene: Scene,
): Promise<void> {
  const burning = Array.from({ length: processes }, () =>
    spawn(process.execPath, ['--eval', 'for (;;);'], { stdio: 'ignore' }),
  )
  await forMs(durationMs, scene.signal)
  for (const child of burning) child.kill('SIGKILL')
}

/** Sets the clock of one process wrong and right again. */
export async function skewClock(fault: Extract<Fault, { kind: 'clock' }>, scene: Scene): Promise<void> {
  const file = clockFile(scene.folder, processOf(fault.part))
  writeFileSync(file, String(fault.offsetMs))
  await forMs(fault.forMs, scene.signal)
  writeFileSync(file, '0')
}

/** Fills the filesystem of PostgreSQL to the last byte and empties it again. */
export async function fillDisk(fault: Extract<Fault, { kind: 'fillDisk' }>, scene: Scene): Promise<void> {
  const ballast = join(scene.folder, 'disk/ballast')
  const file = openSync(ballast, 'w')
  const chunk = Buffer.alloc(1 << 20)
  let bytes = 0
  const until = performance.now() + fault.forMs
  try {
    while (performance.now() < until && !scene.signal.aborted) {
      bytes += fill(file, chunk)
      await forMs(100, scene.signal)
    }
  } finally {
    closeSync(file)
    rmSync(ballast)
  }
  scene.note(`${Math.round(bytes / 2 ** 20)} MiB filled the disk`)
}

/** Writes until there is no room, and again later, since PostgreSQL may give room back. */
function fill(file: number, chunk: Buffer): number {
  let bytes = 0
  for (let size = chunk.length; size >= 4_096;) {
    try {
      bytes += writeSync(file, chunk, 0, size)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
      size /= 2
    }
  }
  return bytes
}
