import { sql } from 'kysely'
import type { DeliveryRow, NotificationsDatabase, StoredState } from '../tables.ts'
import { type Page, type PageRequest, toPage } from '@flowforge/runtime/page'
import { getSubscription, type SubscriptionKey } from './subscriptions.ts'

/** An event that was handed over for delivery. */
export interface NewDelivery {
  /** The uid of the subscription. */
  subscription: string
  /** The name of the task that ended. */
  task: string
  state: StoredState
  finishTime: Date
  /** The name of the `webhook.deliver` task. */
  deliveryTask: string
}

/** Records deliveries. One that is recorded already, or whose subscription is gone by now, is passed over. */
export async function recordDeliveries(db: NotificationsDatabase, deliveries: NewDelivery[]): Promise<void> {
  if (deliveries.length === 0) return
  await sql`
    insert into notifications.deliveries (subscription, task, state, finish_time, delivery_task)
    select s.uid, d.task, d.state, d.finish_time, d.delivery_task
    from unnest(
      ${deliveries.map((delivery) => delivery.subscription)}::uuid[],
      ${deliveries.map((delivery) => delivery.task)}::text[],
      ${deliveries.map((delivery) => delivery.state)}::text[],
      ${deliveries.map((delivery) => delivery.finishTime.toISOString())}::timestamptz[],
      ${deliveries.map((delivery) => delivery.deliveryTask)}::text[]
    ) with ordinality as d (subscription, task, state, finish_time, delivery_task, position)
    join notifications.subscriptions s on s.uid = d.subscription
    order by d.position
    for key share of s
    on conflict (subscription, task, finish_time) do nothing
  `.execute(db)
}

/** Lists what was handed over for a subscription, newest first; NOT_FOUND if there is no such subscription. */
export async function listDeliveries(
  db: NotificationsDatabase,
  key: SubscriptionKey,
  page: PageRequest,
): Promise<Page<DeliveryRow>> {
  const { uid } = await getSubscription(db, key)
  let query = db
    .selectFrom('notifications.deliveries')
    .selectAll()
    .where('subscription', '=', uid)
    .orderBy('number', 'desc')
    .limit(page.size + 1)
  if (page.after !== undefined) query = query.where('number', '<', page.after)
  return toPage(await query.execute(), page.size, (row) => row.number)
}

/** Forgets at most `limit` deliveries that are older than `retentionMs`, and tells how many. */
export async function pruneDeliveries(db: NotificationsDatabase, retentionMs: number, limit: number): Promise<number> {
  const { numAffectedRows } = await sql`
    delete from notifications.deliveries where number in (
      select number from notifications.deliveries
      where create_time < notifications.now() - make_interval(secs => ${retentionMs / 1_000})
      order by create_time limit ${limit}
    )`.execute(db)
  return Number(numAffectedRows ?? 0n)
}
