/** What callers may do without any bad will. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import type { NewTask } from '@flowforge/sdk/client-resources'
import type { Fault } from '../../fault.ts'
import { chaosQueue } from '../../traffic/producer.ts'
import { forMs, type Scene } from '../scene.ts'

/** Hands in tasks that kill whoever runs them. */
export async function poison(fault: Extract<Fault, { kind: 'poison' }>, scene: Scene): Promise<void> {
  for (let n = 0; n < fault.tasks; n++)
    scene.producer.submit({ type: 'chaos.poison', queue: chaosQueue.name, requestId: crypto.randomUUID() })
  await forMs(fault.forMs, scene.signal)
}

/** Hands in a day's work at once; all of it belongs to the large tenant. */
export async function backlog(fault: Extract<Fault, { kind: 'backlog' }>, scene: Scene): Promise<void> {
  const task = (): NewTask => ({
    type: 'chaos.work',
    queue: chaosQueue.name,
    payload: { ms: 1 },
    requestId: crypto.randomUUID(),
    fairnessKey: 'large',
  })
  await scene.producer.submitMany(Array.from({ length: fault.tasks }, task))
}

/** Opens connections that send a request so slowly that it never ends. */
export async function slowClients(fault: Extract<Fault, { kind: 'slowClients' }>, scene: Scene): Promise<void> {
  const programme = join(import.meta.dirname, '../../traffic/slow-clients.ts')
  const child = spawn(process.execPath, [programme, scene.system.url, String(fault.connections)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let told = ''
  child.stdout.on('data', (chunk) => (told += String(chunk)))
  await forMs(fault.forMs, scene.signal)
  const gone = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  await gone
  const { most, closed } = JSON.parse(told) as { most: number; closed: number }
  scene.measured.disconnectedShare = Number((closed / fault.connections).toFixed(3))
  scene.note(`${most} connections were open at once; the server closed ${closed}`)
}
