/** Tells every instance, and through it every gateway, which API keys are no longer what they were. */
import { sql } from 'kysely'
import { DatabaseListener } from '@flowforge/runtime/database-listener'
import type { Logger } from '@flowforge/runtime/log'
import type { AccountsDatabase } from '../tables.ts'

const channel = 'flowforge_accounts_keys'

/** What a watcher is told: the name of a key that changed, or that changes may have been missed. */
export type KeyChange = { readonly name: string } | 'missed'

/** Announces a change with the transaction that makes it: told when it commits, never if it does not. */
export async function announceKeyChanges(transaction: AccountsDatabase, names: readonly string[]): Promise<void> {
  if (names.length === 0) return
  await sql`select pg_notify(${channel}, name) from unnest(${names}::text[]) as name`.execute(transaction)
}

/** Hears the announcements of all instances, this one's too, and passes them on to whoever watches. */
export class KeyChanges {
  readonly #watchers = new Set<(change: KeyChange) => void>()
  readonly #listener: DatabaseListener

  constructor(url: string, log: Logger) {
    this.#listener = new DatabaseListener({
      url,
      component: 'accounts',
      channel,
      onMessage: (name) => this.#tell({ name }),
      onReconnect: () => this.#tell('missed'),
      log,
    })
  }

  /** Resolves when announcements are heard from then on. */
  start(): Promise<void> {
    return this.#listener.start()
  }

  stop(): Promise<void> {
    return this.#listener.stop()
  }

  /** Calls `watcher` with every change until the answered function is called. */
  watch(watcher: (change: KeyChange) => void): () => void {
    this.#watchers.add(watcher)
    return () => void this.#watchers.delete(watcher)
  }

  #tell(change: KeyChange): void {
    for (const watcher of this.#watchers) watcher(change)
  }
}
