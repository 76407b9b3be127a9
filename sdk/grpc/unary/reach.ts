import type { Socket } from 'node:net'
import type { Address } from './addresses.ts'
import { openSocket, type Tls } from './open-socket.ts'

/** So long the first attempt may take before a second one begins beside it, and so on. A handshake takes milliseconds. */
const stalledMs = [500, 1_000, 2_000] as const

/**
 * Opens a socket as `openSocket` does, and another beside it while that hangs: behind one address, such as that of a
 * Kubernetes Service, there are many servers, and one that is gone does not say so. `done` is called once, with the first
 * socket that is connected or, when no attempt is left, with why the last failed.
 */
export function reach(
  address: Address,
  tls: Tls | undefined,
  done: (result: { socket: Socket } | { error: Error }) => void,
): { destroy(): void } {
  const attempts = new Set<Socket>()
  let timer: NodeJS.Timeout | undefined
  let isOver = false
  const end = (): void => {
    isOver = true
    clearTimeout(timer)
    for (const socket of attempts) socket.destroy()
  }
  const attempt = (number: number): void => {
    const socket = openSocket(address, tls, (result) => {
      attempts.delete(socket)
      if (isOver) return
      if ('error' in result && attempts.size > 0) return
      end()
      done(result)
    })
    attempts.add(socket)
    if (number < stalledMs.length) timer = setTimeout(() => attempt(number + 1), stalledMs[number])
  }
  attempt(0)
  return { destroy: end }
}
