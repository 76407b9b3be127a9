/** The clock of a test's database. A component that decides by time asks `<schema>.now()`; here it can be moved. */
import pg from 'pg'

export interface TestClock {
  /** Sets how far `<schema>.now()` is ahead of the real clock: for each transaction, of any process, that first asks it after this. */
  setClock(aheadMs: number): Promise<void>
  /** Moves it on from where it is. */
  advanceClock(ms: number): Promise<void>
}

/** The clock of one database; its function is replaced when it is first moved. */
export function installClock(url: string, schema: string): TestClock {
  let installed: Promise<void> | undefined
  const move = async (change: string, ms: number): Promise<void> => {
    await (installed ??= query(url, replaceNow(schema)))
    await query(url, `update ${schema}.test_clock set ahead = ${change}`, [ms / 1_000])
  }
  return {
    setClock: (aheadMs) => move('make_interval(secs => $1)', aheadMs),
    advanceClock: (ms) => move('ahead + make_interval(secs => $1)', ms),
  }
}

/**
 * Replaced, not renamed: defaults and other functions go on calling the same function. As PostgreSQL's now() it stands still
 * for a transaction, however many statements and functions ask it.
 */
function replaceNow(schema: string): string {
  return `
    create table ${schema}.test_clock (ahead interval not null);
    insert into ${schema}.test_clock values (interval '0');
    create or replace function ${schema}.now() returns timestamptz language sql stable as $$
      select pg_catalog.now() + coalesce(nullif(current_setting('flowforge.test_ahead', true), ''),
        set_config('flowforge.test_ahead', (select ahead::text from ${schema}.test_clock), true))::interval
    $$`
}

async function query(url: string, text: string, values: unknown[] = []): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(text, values)
  } finally {
    await client.end()
  }
}
