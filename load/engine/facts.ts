/** What a reader must know about the database to judge the numbers. */
import pg from 'pg'

const settingNames = ['fsync', 'synchronous_commit', 'full_page_writes', 'shared_buffers', 'max_wal_size']

export async function postgresFacts(url: string): Promise<{ version: string; settings: Record<string, string> }> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const { rows } = await client.query(
      'select name, current_setting(name) as value from pg_settings where name = any($1)',
      [settingNames],
    )
    const settings = Object.fromEntries(rows.map(({ name, value }) => [name, value]))
    return { version: (await client.query('show server_version')).rows[0].server_version, settings }
  } finally {
    await client.end()
  }
}
