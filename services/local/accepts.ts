import { once } from 'node:events'
import { connect } from 'node:net'

/** True if somebody takes connections on the port of 127.0.0.1. */
export async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    // Nobody listens yet.
    return false
  } finally {
    socket.destroy()
  }
}
