/** The load of a pod, followed from here. */
import { writeFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import type { StageLoad } from '../stage.ts'
import type { Try } from '../observe/series.ts'
import type { Forward } from './forward.ts'
import type { LoadState } from './pod/load.ts'

const everyMs = 500

/** Asks the pod twice a second; its times become those of the run. */
export class PodLoad implements StageLoad {
  readonly tries: Try[] = []
  resent = 0
  acknowledged = 0
  readonly #url: string
  readonly #historyFile: string
  readonly #elapsedMs: () => number
  readonly #stop = new AbortController()
  #loop: Promise<void> | undefined
  #isStopped = false

  constructor(forward: Forward, historyFile: string, elapsedMs: () => number) {
    this.#url = `http://127.0.0.1:${forward.port}`
    this.#historyFile = historyFile
    this.#elapsedMs = elapsedMs
  }

  /** Settles when the pod answers. */
  async reached(): Promise<void> {
    await this.#ask<LoadState>('/tries?from=0')
  }

  start(): void {
    this.#loop = this.#follow()
  }

  async stop(withinMs: number): Promise<number> {
    this.#stop.abort()
    await this.#loop
    if (this.#isStopped || this.#loop === undefined) return 0
    this.#isStopped = true
    const unanswered = await this.#ask<number>(`/stop?within=${withinMs}`, withinMs + 10_000)
    await this.#look()
    writeFileSync(this.#historyFile, await this.#ask<string>('/history'))
    return unanswered
  }

  async #follow(): Promise<void> {
    await this.#ask('/start')
    while (!this.#stop.signal.aborted) {
      await this.#look()
      await delay(everyMs)
    }
  }

  async #look(): Promise<void> {
    const state = await this.#ask<LoadState>(`/tries?from=${this.tries.length}`)
    const behindMs = this.#elapsedMs() - state.nowMs
    for (const { dueMs, endedMs, status } of state.tries)
      this.tries.push({ dueMs: dueMs + behindMs, endedMs: endedMs + behindMs, status })
    this.acknowledged = state.acknowledged
    this.resent = state.resent
  }

  /** Repeats until there is an answer: the way through kubectl may break. */
  async #ask<T>(path: string, withinMs = 10_000): Promise<T> {
    for (let tries = 0; ; tries++) {
      try {
        const response = await fetch(this.#url + path, { signal: AbortSignal.timeout(withinMs) })
        return (await response.json()) as T
      } catch (error) {
        if (tries === 60) throw error
        await delay(everyMs)
      }
    }
  }
}
