/** Where answers are kept: in memory, or in Redis. */

/** An answer that is kept. */
export interface Entry {
  /** When it was put there, epoch ms. */
  readonly storedMs: number
  /** Those of its tags when it was asked for: once they are others, something that it depends on has changed. */
  readonly generations: string
  readonly contentType: string
  readonly headers: Readonly<Record<string, string>>
  readonly data: Buffer
}

/** What a look-up finds. */
export interface Found {
  readonly entry: Entry | undefined
  /** The generations of the tags at this moment. */
  readonly generations: string
}

export interface Store {
  /** Looks up an answer, and the generations of its tags, at one moment. */
  read(key: string, tags: readonly string[]): Promise<Found>
  /** Keeps an answer; it may be dropped at any time. */
  write(key: string, entry: Entry): Promise<void>
  /** Gives each tag a new generation. When this resolves, no later `read` of anybody sees the old one. */
  bump(tags: readonly string[]): Promise<void>
  /** Ends everything that is kept. */
  clear(): Promise<void>
}
