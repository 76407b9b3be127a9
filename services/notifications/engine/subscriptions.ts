import { sql } from 'kysely'
import { isUniqueViolation } from '@flowforge/runtime/database'
import { alreadyExists, notFound, resourceExhausted } from '@flowforge/runtime/status'
import type { NotificationsDatabase, StoredState, SubscriptionRow } from '../tables.ts'
import { changeSubscriptions } from './following.ts'
import { type Page, type PageRequest, toPage } from '@flowforge/runtime/page'
import { createSecret } from './secret.ts'

/** Every end of a task may be told to each of them, so their number is bounded. */
const subscriptionsPerProjectMax = 100

/** Names a subscription. */
export interface SubscriptionKey {
  project: string
  subscription: string
}

/** What a new subscription shall be. */
export interface NewSubscription extends SubscriptionKey {
  url: string
  states: StoredState[]
  types: string[]
  queues: string[]
  /** Made here if undefined. */
  secret?: string | undefined
  paused: boolean
}

/** What may be changed; undefined stays as it is. */
export interface SubscriptionChanges {
  url?: string | undefined
  states?: StoredState[] | undefined
  types?: string[] | undefined
  queues?: string[] | undefined
  paused?: boolean | undefined
}

/**
 * Creates a subscription to the tasks that end after `head`, a cursor that was taken for this call.
 *
 * ALREADY_EXISTS if the name is taken; RESOURCE_EXHAUSTED if the project has too many.
 */
export async function createSubscription(
  db: NotificationsDatabase,
  subscription: NewSubscription,
  head: string,
): Promise<SubscriptionRow> {
  try {
    return await changeSubscriptions(db, head, async (transaction) => {
      await requireRoom(transaction, subscription.project)
      return await transaction
        .insertInto('notifications.subscriptions')
        .values({
          project: subscription.project,
          id: subscription.subscription,
          url: subscription.url,
          states: subscription.states,
          types: subscription.types,
          queues: subscription.queues,
          secret: subscription.secret ?? createSecret(),
          paused: subscription.paused,
        })
        .returningAll()
        .executeTakeFirstOrThrow()
    })
  } catch (error) {
    if (!isUniqueViolation(error)) throw error
    throw alreadyExists('SUBSCRIPTION_EXISTS', `${subscriptionName(subscription)} exists already`)
  }
}

/** Reads a subscription; NOT_FOUND if there is none. */
export async function getSubscription(db: NotificationsDatabase, key: SubscriptionKey): Promise<SubscriptionRow> {
  const row = await db
    .selectFrom('notifications.subscriptions')
    .selectAll()
    .where('project', '=', key.project)
    .where('id', '=', key.subscription)
    .executeTakeFirst()
  if (row === undefined) throw notFound(subscriptionName(key))
  return row
}

/** Lists a project's subscriptions by name. Projects are not known here, so an unknown one has none. */
export async function listSubscriptions(
  db: NotificationsDatabase,
  project: string,
  page: PageRequest,
): Promise<Page<SubscriptionRow>> {
  let query = db
    .selectFrom('notifications.subscriptions')
    .selectAll()
    .where('project', '=', project)
    .orderBy('id')
    .limit(page.size + 1)
  if (page.after !== undefined) query = query.where('id', '>', page.after)
  return toPage(await query.execute(), page.size, (row) => row.id)
}

/**
 * Changes what `changes` holds; NOT_FOUND if there is no such subscription.
 *
 * Resuming tells the tasks that end from now on, so it needs a `head` as creating does. What ended during the
 * pause stays untold.
 */
export async function updateSubscription(
  db: NotificationsDatabase,
  key: SubscriptionKey,
  changes: SubscriptionChanges,
  head?: string,
): Promise<SubscriptionRow> {
  if (Object.values(changes).every((value) => value === undefined)) return await getSubscription(db, key)
  return await changeSubscriptions(db, head, async (transaction) => {
    const row = await transaction
      .updateTable('notifications.subscriptions')
      .set(changes)
      // An assignment reads the old row: this is the pause that ends here, if there was one.
      .$if(changes.paused === false, (query) =>
        query.set({ active_since: sql<Date>`case when paused then notifications.now() else active_since end` }),
      )
      .where('project', '=', key.project)
      .where('id', '=', key.subscription)
      .returningAll()
      .executeTakeFirst()
    if (row === undefined) throw notFound(subscriptionName(key))
    return row
  })
}

/** Deletes a subscription and its record of deliveries; NOT_FOUND if there is none. */
export async function deleteSubscription(db: NotificationsDatabase, key: SubscriptionKey): Promise<void> {
  await changeSubscriptions(db, undefined, async (transaction) => {
    const deleted = await transaction
      .deleteFrom('notifications.subscriptions')
      .where('project', '=', key.project)
      .where('id', '=', key.subscription)
      .returning('uid')
      .executeTakeFirst()
    if (deleted === undefined) throw notFound(subscriptionName(key))
  })
}

/** Writes a subscription's resource name. */
export function subscriptionName(key: SubscriptionKey): string {
  return `projects/${key.project}/subscriptions/${key.subscription}`
}

async function requireRoom(transaction: NotificationsDatabase, project: string): Promise<void> {
  const { count } = await transaction
    .selectFrom('notifications.subscriptions')
    .select((select) => select.fn.countAll<string>().as('count'))
    .where('project', '=', project)
    .executeTakeFirstOrThrow()
  if (Number(count) < subscriptionsPerProjectMax) return
  throw resourceExhausted(
    'TOO_MANY_SUBSCRIPTIONS',
    `projects/${project} has ${subscriptionsPerProjectMax} subscriptions, the most there may be`,
    60_000,
  )
}
