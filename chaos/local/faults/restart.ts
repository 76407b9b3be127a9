import { isReady } from '@flowforge/local/readiness'
import { until } from '@flowforge/local/until'
import type { Part } from '../../fault.ts'
import { processOf, type Scene } from '../scene.ts'

const readyWithinMs = 30_000

/** Restarts one process after the other in order, as a rolling update does: the next when the last is ready again. */
export async function restartAll(parts: Part[], rounds: number, scene: Scene): Promise<void> {
  for (let round = 1; round <= rounds; round++)
    for (const part of parts) {
      if (scene.signal.aborted) return
      await restart(part, scene)
      if (part === parts.at(-1)) scene.note(`round ${round} of ${rounds} is done`)
    }
}

/** Asks one process to end in order, and waits until its successor is ready. */
export async function restart(part: Part, { system, note, signal }: Scene): Promise<void> {
  const name = processOf(part)
  const before = system.pids()[name]
  system.kill(name, part === 'postgres' ? 'SIGINT' : 'SIGTERM')
  const port = system.adminPorts.get(name)
  const isBack = async () => {
    if ([undefined, before].includes(system.pids()[name])) return false
    // PostgreSQL has none: whether it is back, the services' own readiness tells.
    return port === undefined || (await isReady(port))
  }
  if (!(await until(isBack, readyWithinMs, { everyMs: 50, signal })) && !signal.aborted)
    note(`${name} was not ready ${readyWithinMs / 1_000} s after its restart`)
}
