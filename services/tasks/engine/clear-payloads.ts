import type pg from 'pg'

/** Lets tasks.enqueue() store payloads in clear, or has it refuse them; the instance that started last decides. */
export async function allowClearPayloads(pool: pg.Pool, isAllowed: boolean): Promise<void> {
  await pool.query('update tasks.clear_payload set is_allowed = $1 where is_allowed <> $1', [isAllowed])
}
