/** Every change of every task as the database saw it, written down by triggers that only the model test has. */
import type pg from 'pg'
import { arrows, CANCELLED, DEAD, READY, RUNNING, SCHEDULED, SUCCEEDED } from '../../engine/states.ts'

/** What one transaction did to one task. */
export interface Change {
  id: string
  /** `new` if it was not there before, `gone` if it is not there any more. */
  from: string
  to: string
  attempt: number
  session: string | null
  queueId: number
  concurrencyKey: string | null
  /** Of the last ended attempt, as a number of AttemptOutcome; null if there is none. */
  lastOutcome: number | null
}

const names: Record<number, string> = {
  [SCHEDULED]: 'SCHEDULED',
  [READY]: 'READY',
  [RUNNING]: 'RUNNING',
  [SUCCEEDED]: 'SUCCEEDED',
  [CANCELLED]: 'CANCELLED',
  [DEAD]: 'DEAD',
}

/** Adds the triggers; for a database that nobody else uses. */
export async function installAudit(pool: pg.Pool): Promise<void> {
  await pool.query(`
    create table tasks.audit (seq bigint generated always as identity primary key, xid xid8 not null default pg_current_xact_id(),
      op text not null, id uuid not null, state integer, attempt integer, session_id bigint, queue_id integer, concurrency_key text, last_outcome integer);
    create function tasks.write_audit() returns trigger language plpgsql as $$
    begin
      if tg_op = 'UPDATE' and old.state = new.state and old.attempt = new.attempt and old.session_id is not distinct from new.session_id
        then return null; end if;
      if tg_op <> 'INSERT' then
        insert into tasks.audit (op, id, state, attempt, session_id, queue_id, concurrency_key, last_outcome)
        values ('-', old.id, old.state, old.attempt, old.session_id, old.queue_id, old.concurrency_key, (old.attempts->-1->>'outcome')::integer);
      end if;
      if tg_op <> 'DELETE' then
        insert into tasks.audit (op, id, state, attempt, session_id, queue_id, concurrency_key, last_outcome)
        values ('+', new.id, new.state, new.attempt, new.session_id, new.queue_id, new.concurrency_key, (new.attempts->-1->>'outcome')::integer);
      end if;
      return null;
    end $$;
    create trigger audit after insert or update or delete on tasks.task for each row execute function tasks.write_audit();
    create trigger audit after insert or update or delete on tasks.finished_task for each row execute function tasks.write_audit()`)
}

/** All changes, in an order that fits what each of them could see. */
export async function readChanges(pool: pg.Pool): Promise<Change[]> {
  // What a transaction does to a task in several steps is one change: it is nowhere in between for nobody.
  const { rows } = await pool.query(`
    select id, (array_agg(state order by seq) filter (where op = '-'))[1] as from_state,
      (array_agg(state order by seq desc) filter (where op = '+'))[1] as to_state,
      count(*) filter (where op = '-')::integer as removed, count(*) filter (where op = '+')::integer as added,
      max(attempt) as attempt, (array_agg(session_id::text order by op, seq desc))[1] as session, max(queue_id) as queue_id,
      max(concurrency_key) as concurrency_key, (array_agg(last_outcome order by op, seq desc))[1] as last_outcome
    from tasks.audit group by xid, id order by min(seq)`)
  return rows.map((row) => {
    if (Math.abs(row.removed - row.added) > 1) throw new Error(`task ${row.id} is in two places, or was removed twice`)
    return {
      id: row.id,
      from: row.added > row.removed ? 'new' : names[row.from_state]!,
      to: row.removed > row.added ? 'gone' : names[row.to_state]!,
      attempt: row.attempt,
      session: row.session,
      queueId: row.queue_id,
      concurrencyKey: row.concurrency_key,
      lastOutcome: row.last_outcome,
    }
  })
}

/** True if states.ts has the arrow; whatever does not run may also be deleted. */
export function isLegal({ from, to }: Change): boolean {
  return to === 'gone' ? from !== 'RUNNING' : arrows.some((arrow) => arrow.from === from && arrow.to === to)
}
