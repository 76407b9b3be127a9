import type { Fault, Part } from '../../fault.ts'
import { processesOf, type Scene } from '../scene.ts'
import { restartPart } from './restart.ts'

/** Who is upgraded before whom: whoever is called goes before the caller. */
const order: Part[] = ['accounts', 'tasks', 'notifications', 'gateway']

/** Restarts each service, which began as the earlier commit, as this one. */
export async function upgrade(_: Extract<Fault, { kind: 'upgrade' }>, scene: Scene): Promise<void> {
  const { older } = scene.system
  for (const part of order) {
    if (scene.signal.aborted) return
    for (const name of processesOf(scene, part)) older!.upgrade(name)
    await restartPart(part, scene)
  }
  scene.note(`every service of ${older!.commit} was replaced`)
}
