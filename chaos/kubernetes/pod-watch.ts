/** Looks at the pods of a release while an experiment runs: which of them stops to be ready, and when. */
import { setTimeout as delay } from 'node:timers/promises'
import { isReady, type Installation as Release } from '@flowforge/deploy/cluster/installation'
import type { Moment } from '../observe/watch.ts'

const everyMs = 500

export class PodWatch {
  readonly unready: Moment[] = []
  readonly #release: Release
  readonly #elapsedMs: () => number
  readonly #stop = new AbortController()
  readonly #loop: Promise<void>
  #ready = new Set<string>()

  constructor(release: Release, elapsedMs: () => number) {
    this.#release = release
    this.#elapsedMs = elapsedMs
    this.#loop = this.#repeat()
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#loop
  }

  async #repeat(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const pods = await this.#release.pods().catch(() => undefined)
      if (pods) this.#compare(new Set(pods.filter(isReady).map(({ metadata }) => metadata.name)))
      await delay(everyMs)
    }
  }

  #compare(ready: Set<string>): void {
    for (const name of this.#ready)
      if (!ready.has(name)) this.unready.push({ atMs: this.#elapsedMs(), what: `${name} is not ready` })
    this.#ready = ready
  }
}
