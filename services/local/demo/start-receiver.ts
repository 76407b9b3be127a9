import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Counts, Delivery, FromReceiver, ToReceiver } from './messages.ts'

/** The receiver's process, seen from the demo. */
export interface Receiver {
  port: number
  /** As of at most a tenth of a second ago. */
  counts(): Counts
  deliveries(): Promise<Delivery[]>
  stop(): void
}

/** Starts the receiver and waits until it listens, on that address of this machine. */
export async function startReceiver(host: string, secret: string, slowPercent: number): Promise<Receiver> {
  const child = fork(fileURLToPath(new URL('receiver.ts', import.meta.url)), {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  let counts: Counts = { accepted: 0, refused: 0 }
  const answer = <K extends FromReceiver['kind']>(kind: K) =>
    new Promise<Extract<FromReceiver, { kind: K }>>((resolve, reject) => {
      child.once('exit', (code) => reject(new Error(`the receiver ended with ${code}`)))
      child.on('message', (message: FromReceiver) => {
        if (message.kind === kind) resolve(message as Extract<FromReceiver, { kind: K }>)
      })
    })
  const say = (message: ToReceiver) => void child.send(message)
  child.on('message', (message: FromReceiver) => {
    if (message.kind === 'counts') counts = message.counts
  })
  say({ kind: 'start', host, secret, slowPercent })
  const { port } = await answer('listening')
  return {
    port,
    counts: () => counts,
    async deliveries() {
      const reported = answer('deliveries')
      say({ kind: 'report' })
      return (await reported).deliveries
    },
    stop: () => child.disconnect(),
  }
}
