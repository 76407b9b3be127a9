import { join } from 'node:path'
import { status } from '@grpc/grpc-js'
import { startFaultBackend } from '../../fault-backend/server.ts'
import type { Fault } from '../../fault.ts'
import { forMs, linksBetween, type Scene } from '../scene.ts'

type UpstreamAnswers = Extract<Fault, { kind: 'upstreamAnswers' }>

/** The end of the fault, in which a breaker that works has opened. */
const endMs = 3_000

/** Puts the fault backend in an upstream's place, and counts what reaches it for each call that a client made. */
export async function upstreamAnswers(fault: UpstreamAnswers, scene: Scene): Promise<void> {
  const { system, producer, signal } = scene
  const backend = await startFaultBackend({
    host: '127.0.0.1',
    port: 0,
    code: status[fault.code],
    delayMs: 0,
    certificates: join(system.folder.certificates, fault.to),
  })
  const links = linksBetween(scene, fault.from, fault.to)
  const sentBefore = producer.sent
  for (const link of links) link.redirect({ host: '127.0.0.1', port: backend.port })
  await forMs(fault.forMs - endMs, signal)
  const [sentAtEnd, callsAtEnd] = [producer.sent, backend.calls()]
  await forMs(endMs, signal)
  const sent = producer.sent - sentBefore
  const passed = (backend.calls() - callsAtEnd) / Math.max(1, producer.sent - sentAtEnd)
  scene.measured.amplification = Number((backend.calls() / Math.max(1, sent)).toFixed(2))
  scene.note(
    `${backend.calls()} calls reached the upstream for ${sent} of clients; in the last ${endMs / 1_000} s ${passed.toFixed(2)} for each`,
  )
  for (const link of links) link.restore()
  backend.close()
}
