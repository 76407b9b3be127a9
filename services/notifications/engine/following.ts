import { sql } from 'kysely'
import type { NotificationsDatabase, SubscriptionRow } from '../tables.ts'

/**
 * The follower's memory: one row with the cursor up to which everything was told, and a version.
 *
 *   a subscription is created, changed, deleted ──┐
 *   an instance becomes the follower ─────────────┴─► version + 1
 *   the follower has told a batch ──► cursor moves, if the version is still the one it read
 *
 * The condition is what keeps a new subscription from missing its first events. The follower may be reading a
 * stream that was opened for other projects; were it allowed to move the cursor after the new subscription's
 * creation was answered, it would pass over events it never saw. So it is refused, and starts again from the old
 * cursor with the new subscriptions. What it has told already is told again under the same request IDs, which
 * changes nothing.
 */
export interface Following {
  version: string
  /** Where to continue; null while no subscription is active. */
  cursor: string | null
  /** Those that are not paused. */
  subscriptions: SubscriptionRow[]
}

/** The channel on which a change of the subscriptions is announced. */
export const changesChannel = 'notifications_subscriptions'

/** Reads what to follow and from where, as of one moment. */
export async function loadFollowing(db: NotificationsDatabase): Promise<Following> {
  return await db
    .transaction()
    .setIsolationLevel('repeatable read')
    .setAccessMode('read only')
    .execute(async (transaction) => {
      const follower = await transaction
        .selectFrom('notifications.follower')
        .select(['version', 'cursor'])
        .executeTakeFirstOrThrow()
      const subscriptions = await transaction
        .selectFrom('notifications.subscriptions')
        .selectAll()
        .where('paused', '=', false)
        .execute()
      return { ...follower, subscriptions }
    })
}

/** Says that this instance follows from now on: an earlier one can no longer move the cursor. */
export async function takeOver(db: NotificationsDatabase): Promise<void> {
  await db
    .updateTable('notifications.follower')
    .set({ version: sql`version + 1` })
    .execute()
}

/** Moves the cursor; false, and nothing moves, if the version has changed since it was read. */
export async function moveCursor(db: NotificationsDatabase, version: string, cursor: string): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('notifications.follower')
    .set({ cursor })
    .where('version', '=', version)
    .executeTakeFirst()
  return numUpdatedRows === 1n
}

/**
 * Runs a change of the subscriptions, one at a time, and announces it when it commits.
 *
 * `head` is where the stream of finished tasks stands. It becomes the cursor if the change makes the first active
 * subscription; one that is already being moved stays. Without an active subscription there is no cursor.
 */
export async function changeSubscriptions<T>(
  db: NotificationsDatabase,
  head: string | undefined,
  change: (transaction: NotificationsDatabase) => Promise<T>,
): Promise<T> {
  return await db.transaction().execute(async (transaction) => {
    await transaction
      .updateTable('notifications.follower')
      .set({ version: sql`version + 1` })
      .execute()
    const result = await change(transaction)
    await transaction
      .updateTable('notifications.follower')
      .set({
        cursor: sql`case when exists (select from notifications.subscriptions where not paused)
                         then coalesce(nullif(cursor, ''), ${head ?? null}) end`,
      })
      .execute()
    await sql`select pg_notify(${changesChannel}, '')`.execute(transaction)
    return result
  })
}
