/** The local driver: does to processes of this machine what a fault says. */
import type { Fault } from '../fault.ts'
import { backlog, poison, slowClients } from './faults/callers.ts'
import { deny, expireCertificate, rotateCertificates } from './faults/certificates.ts'
import { holdConnections, terminateConnections } from './faults/connections.ts'
import { burn, fillDisk, skewClock } from './faults/machine.ts'
import { redisGone } from './faults/redis.ts'
import { restartAll } from './faults/restart.ts'
import { upgrade } from './faults/upgrade.ts'
import { upstreamAnswers } from './faults/upstream.ts'
import { forMs, linksBetween, processOf, type Scene } from './scene.ts'

/** Does it, and settles when the fault is over and everything that it changed is as it was. */
export async function inject(fault: Fault, scene: Scene): Promise<void> {
  const { system, signal } = scene
  switch (fault.kind) {
    case 'kill':
      for (let time = 0; time < fault.times && !signal.aborted; time++) {
        if (time > 0) await forMs(fault.everyMs, signal)
        system.kill(processOf(fault.part), fault.signal)
        scene.note(`${fault.signal} to ${processOf(fault.part)}`)
      }
      return
    case 'pause': {
      const name = processOf(fault.part)
      const pid = system.pids()[name]!
      process.kill(pid, 'SIGSTOP')
      await forMs(fault.forMs, signal)
      process.kill(pid, 'SIGCONT')
      return
    }
    case 'roll':
      return restartAll(fault, scene)
    case 'link': {
      const links = linksBetween(scene, fault.from, fault.to)
      for (const link of links) link.set(fault)
      await forMs(fault.forMs, signal)
      for (const link of links) link.set({})
      return
    }
    case 'terminateConnections':
      return terminateConnections(fault, scene)
    case 'holdConnections':
      return holdConnections(fault, scene)
    case 'upstreamAnswers':
      return upstreamAnswers(fault, scene)
    case 'redisGone':
      return redisGone(fault, scene)
    case 'burn':
      return burn(fault, scene)
    case 'clock':
      return skewClock(fault, scene)
    case 'rotateCertificates':
      return rotateCertificates(scene)
    case 'expireCertificate':
      return expireCertificate(fault, scene)
    case 'deny':
      return deny(fault, scene)
    case 'fillDisk':
      return fillDisk(fault, scene)
    case 'poison':
      return poison(fault, scene)
    case 'backlog':
      return backlog(fault, scene)
    case 'slowClients':
      return slowClients(fault, scene)
    case 'upgrade':
      return upgrade(fault, scene)
  }
}
