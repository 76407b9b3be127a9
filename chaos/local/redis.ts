/** A Redis of the experiment's own, which gateways share and which can go and come back. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { accepts } from '@flowforge/local/accepts'
import { freePort } from '@flowforge/local/free-port'
import { supervise, type Supervised } from '@flowforge/local/supervise'

/** Why there can be no Redis here; undefined if there can. */
export function noRedis(): string | undefined {
  return spawnSync('redis-server', ['--version']).status === 0 ? undefined : 'redis-server is not on the PATH'
}

/** It keeps nothing on disk, as the gateways need it. */
export class Redis {
  readonly url: string
  readonly #port: number
  readonly #folder: string
  #process: Supervised | undefined

  static async start(folder: string): Promise<Redis> {
    const redis = new Redis(await freePort(), folder)
    await redis.start()
    return redis
  }

  private constructor(port: number, folder: string) {
    this.#port = port
    this.#folder = folder
    this.url = `redis://127.0.0.1:${port}`
  }

  /** Starts it, empty, and settles when it answers. */
  async start(): Promise<void> {
    const port = this.#port
    this.#process = await supervise({
      name: 'redis',
      command: 'redis-server',
      args: ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'],
      env: {},
      cwd: this.#folder,
      logFile: join(this.#folder, 'redis.log'),
      isReady: () => accepts(port),
      readyWithinMs: 10_000,
      onMessage: () => {
        // Only this experiment ends it.
      },
    })
  }

  /** Kills it; it stays away until it is started. */
  async kill(): Promise<void> {
    await this.#process?.stop(0)
  }
}
