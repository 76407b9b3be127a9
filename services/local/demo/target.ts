import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'

/** The FlowForge that a demo is about. */
export interface Target {
  url: string
  apiKey: string
  /** Where its workers find this machine. */
  receiverHost: string
  /** Of the demo's tasks. */
  queue: string
  /** Whether the project may hold tasks of others. */
  isShared: boolean
  /** Kills one of its workers, where that is possible. */
  killWorker?: () => void
}

/** One that runs already, used by others too: the demo takes a queue of its own. */
export async function runningTarget(url: string, keyFile: string): Promise<Target> {
  return {
    url,
    apiKey: readFileSync(keyFile, 'utf8').trim(),
    receiverHost: await addressTowards(new URL(url)),
    queue: `demo-${randomBytes(4).toString('hex')}`,
    isShared: true,
  }
}

/** The address of ours that a connection to there comes from. */
async function addressTowards({ hostname, port, protocol }: URL): Promise<string> {
  const socket = connect(Number(port) || (protocol === 'https:' ? 443 : 80), hostname)
  try {
    await once(socket, 'connect')
    return socket.localAddress!
  } finally {
    socket.destroy()
  }
}
