import type { Fault, Part } from '../../fault.ts'
import type { Scene } from '../scene.ts'
import { restart } from './restart.ts'

/** Who is upgraded before whom: whoever is called goes before the caller. */
const order: Part[] = ['accounts', 'tasks', 'notifications', 'gateway']

/** Restarts each service, which began as the earlier commit, as this one. */
export async function upgrade(_: Extract<Fault, { kind: 'upgrade' }>, scene: Scene): Promise<void> {
  const { older } = scene.system
  for (const part of order) {
    if (scene.signal.aborted) return
    older!.upgrade(part)
    await restart(part, scene)
  }
  scene.note(`every service of ${older!.commit} was replaced`)
}
