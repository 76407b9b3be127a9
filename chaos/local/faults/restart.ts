import { isReady } from '@flowforge/local/readiness'
import { until } from '@flowforge/local/until'
import type { Fault, Part } from '../../fault.ts'
import { processesOf, type Scene } from '../scene.ts'

const readyWithinMs = 30_000

type Roll = Extract<Fault, { kind: 'roll' }>

/** Restarts every process, as a rolling update does. */
export async function restartAll({ parts, rounds, isSideBySide }: Roll, scene: Scene): Promise<void> {
  for (let round = 1; round <= rounds; round++) {
    if (isSideBySide) await Promise.all(parts.map((part) => restartPart(part, scene)))
    else for (const part of parts) await restartPart(part, scene)
    if (scene.signal.aborted) return
    scene.note(`round ${round} of ${rounds} is done`)
  }
}

/** Restarts the instances of a part, the next when the last is ready again. */
export async function restartPart(part: Part, scene: Scene): Promise<void> {
  for (const name of processesOf(scene, part)) if (!scene.signal.aborted) await restart(name, scene)
}

/** Asks one process to end in order, and waits until its successor is ready. */
async function restart(name: string, { system, note, signal }: Scene): Promise<void> {
  const before = system.pids()[name]
  system.kill(name, 'SIGTERM')
  const port = system.adminPorts.get(name)!
  const isBack = async () => ![undefined, before].includes(system.pids()[name]) && (await isReady(port))
  if (!(await until(isBack, readyWithinMs, { everyMs: 50, signal })) && !signal.aborted)
    note(`${name} was not ready ${readyWithinMs / 1_000} s after its restart`)
}
